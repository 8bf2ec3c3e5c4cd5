package blacklist_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
)

func (b *bundle) previewFile(t *testing.T, action blacklist.Action, up blacklist.Upload) (blacklist.Preview, error) {
	t.Helper()
	return b.blacklist.PreviewFile(t.Context(), b.key, b.tenantID, b.account.AppID, action, up)
}

func TestPreviewFile(t *testing.T) {
	t.Parallel()

	t.Run("SaysWhatAPreviewWithoutAFileSays", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 20)
		other := *b
		other.account = factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID, FollowerCount: 5})
		b.start(t)
		b.ended(t, b.block(t, b.openids(0, 6)...).ID)
		b.ended(t, b.unblock(t, b.openids(4, 6)...).ID)
		other.ended(t, other.block(t, other.openids(0, 3)...).ID)
		_, err := b.blacklist.Hold(t.Context(), b.key, b.tenantID, b.account.AppID, "")
		require.NoError(t, err)
		b.unblock(t, b.openid(0))

		before := written(t, b)
		given := append(b.openids(0, 10), b.openid(1), "\t"+b.openid(1), " ", other.openid(1), other.openid(0))
		without := b.preview(t, blacklist.ActionBlock, given...)
		with, err := b.previewFile(t, blacklist.ActionBlock, blacklist.Upload{File: strings.NewReader(strings.Join(given, "\n"))})
		require.NoError(t, err)
		require.Equal(t, without, with)
		require.Equal(t, []int{15, 2, 3, 1, 2, 1}, []int{with.Total, with.WouldChange, with.Already, with.PendingOther, with.Duplicates, with.Blank})
		require.Equal(t, before, written(t, b))
	})

	t.Run("ListsTheWrongLinesAndCountsTheOthers", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		const noOpenID = "is no openid: those have letters, digits, - and _ only, at most 128 of them"
		p, err := b.previewFile(t, blacklist.ActionUnblock, blacklist.Upload{
			File: strings.NewReader("openid,note\r\noA,\r\no B,\r\n,\r\n\"oC\"x,\r\noD," + strings.Repeat("x", 1001) + "\r\noE,\r\noA,\r\n"),
		})
		require.NoError(t, err)
		require.Equal(t, blacklist.Preview{
			AuthorizerAppID: b.account.AppID, Action: blacklist.ActionUnblock, Total: 7, Unknown: 2, Malformed: 3, Blank: 1, Duplicates: 1,
			WrongLines: []blacklist.WrongLine{
				{3, noOpenID}, {5, "has a quotation mark that is not closed, or not doubled"}, {6, "its note has more than 1000 characters, or NUL"},
			},
		}, p)
		p, err = b.previewFile(t, blacklist.ActionBlock, blacklist.Upload{File: strings.NewReader(strings.Repeat("o A\noB\n", 1000))})
		require.NoError(t, err)
		require.Equal(t, []int{2000, 1000, 1, 999, 100}, []int{p.Total, p.Malformed, p.Unknown, p.Duplicates, len(p.WrongLines)})
	})

	t.Run("RefusesWhatTheRealThingRefuses", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		for name, want := range map[string]struct {
			file string
			last blacklist.WrongLine
		}{
			"Empty":       {"", blacklist.WrongLine{1, "holds no openids"}},
			"OnlyNames":   {"openid\n", blacklist.WrongLine{1, "holds no openids"}},
			"TwoCharsets": {"openid,reason\no A,\noA,垃圾\noB," + gbk, blacklist.WrongLine{4, "is GBK, but line 3 is UTF-8: save all of it in one of them; or, if it is all the same, name the charset"}},
			"OneTooMany":  {strings.Repeat("oA\n", blacklist.MaxFileOpenIDs+1), blacklist.WrongLine{blacklist.MaxFileOpenIDs + 1, "is one too many: a file holds at most 1000000 openids, so send it in parts"}},
			"HugeLine":    {"oA\n" + strings.Repeat("o", 100<<10), blacklist.WrongLine{2, "has more than 64 KB: is a quotation mark never closed?"}},
		} {
			_, err := b.previewFile(t, blacklist.ActionBlock, blacklist.Upload{File: strings.NewReader(want.file)})
			var wrong *blacklist.FileError
			require.ErrorAs(t, err, &wrong, name)
			require.Equal(t, want.last, wrong.Lines[len(wrong.Lines)-1], name)
		}
		gone := errors.New("the sender is gone")
		_, err := b.previewFile(t, blacklist.ActionBlock, blacklist.Upload{File: io.MultiReader(strings.NewReader("oA\n"), iotest.ErrReader(gone))})
		require.ErrorIs(t, err, gone)

		unread := iotest.ErrReader(errors.New("was read"))
		past := b.Clock.Now().Add(-time.Second)
		_, err = b.previewFile(t, blacklist.ActionBlock, blacklist.Upload{File: unread, Until: &past})
		require.ErrorIs(t, err, blacklist.ErrUntilPast)
		_, err = b.previewFile(t, blacklist.ActionBlock, blacklist.Upload{File: unread, Note: strings.Repeat("x", 1001)})
		require.ErrorIs(t, err, blacklist.ErrInvalidNote)
		reader := factory.Key(t, b.World, factory.KeyOptions{TenantID: b.tenantID, Scopes: []tenant.Scope{tenant.BlacklistRead}})
		_, err = b.blacklist.PreviewFile(t.Context(), reader, b.tenantID, b.account.AppID, blacklist.ActionBlock, blacklist.Upload{File: unread})
		var missing *tenant.ScopeMissingError
		require.ErrorAs(t, err, &missing)
		stranger := factory.Key(t, b.World, factory.KeyOptions{TenantID: factory.Tenant(t, b.World).ID})
		_, err = b.blacklist.PreviewFile(t.Context(), stranger, stranger.TenantID, b.account.AppID, blacklist.ActionBlock, blacklist.Upload{File: unread})
		require.ErrorIs(t, err, tenant.ErrNotFound)
		b.account = factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID, Sets: []int{1, 3}})
		_, err = b.previewFile(t, blacklist.ActionBlock, blacklist.Upload{File: unread})
		var permission *authorizer.PermissionMissingError
		require.ErrorAs(t, err, &permission)
	})
}

// Not parallel, so that the memory of other tests is not counted.
func TestPreviewsOfFilesTakeLittleMemory(t *testing.T) {
	b := setup(t, 1)
	const n = 200_000
	b.manyEntries(t, 25_000)
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var most uint64
	// Those about whom nothing is known here, and then those who are blocked.
	file := io.MultiReader(&lines{n: n, each: func(i int) {
		if i%10_000 == 0 {
			runtime.ReadMemStats(&during)
			most = max(most, during.HeapAlloc)
		}
	}}, strings.NewReader(known(25_000)))
	p, err := b.previewFile(t, blacklist.ActionUnblock, blacklist.Upload{File: file})
	runtime.ReadMemStats(&during)
	require.NoError(t, err)
	require.Equal(t, blacklist.Preview{
		AuthorizerAppID: b.account.AppID, Action: blacklist.ActionUnblock, Total: n + 25_000, Unknown: n, WouldChange: 25_000,
	}, p)
	require.Less(t, int64(max(most, during.HeapAlloc))-int64(before.HeapAlloc), int64(16<<20))
}

// known is a file of the openids that manyEntries writes.
func known(n int) string {
	var file strings.Builder
	for i := range n {
		fmt.Fprintf(&file, "o%08d\n", i+1)
	}
	return file.String()
}
