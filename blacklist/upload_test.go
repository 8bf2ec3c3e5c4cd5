package blacklist_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
)

// upload blocks by a file.
func (b *bundle) upload(t *testing.T, file string) blacklist.Batch {
	t.Helper()
	batch, replayed, err := b.uploadAs(t, blacklist.Upload{File: strings.NewReader(file), Reason: "spam"})
	require.NoError(t, err)
	require.False(t, replayed)
	return batch
}

func (b *bundle) uploadAs(t *testing.T, up blacklist.Upload) (blacklist.Batch, bool, error) {
	t.Helper()
	return b.blacklist.BlockFile(t.Context(), b.key, b.tenantID, b.account.AppID, up)
}

// refused uploads a file that cannot be taken and returns what is said about it.
func (b *bundle) refused(t *testing.T, file string) *blacklist.FileError {
	t.Helper()
	_, _, err := b.uploadAs(t, blacklist.Upload{File: strings.NewReader(file)})
	var wrong *blacklist.FileError
	require.ErrorAs(t, err, &wrong)
	return wrong
}

func itemsOf(items []blacklist.Item) []string {
	list := make([]string, len(items))
	for i, it := range items {
		list[i] = it.OpenID
	}
	return list
}

// gbk is 垃圾评论 as Excel saves "CSV" on a Chinese Windows.
const gbk = "\xc0\xac\xbb\xf8\xc6\xc0\xc2\xdb"

func TestUpload(t *testing.T) {
	t.Parallel()

	t.Run("ReadsWhatSpreadsheetsWrite", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		for name, want := range map[string]struct {
			file    string
			items   []string
			skipped int
		}{
			"OneColumn":             {"oA\noB\n", []string{"oA", "oB"}, 0},
			"NoNewlineAtEnd":        {"oA\noB", []string{"oA", "oB"}, 0},
			"WindowsLines":          {"oA\r\noB\r\n", []string{"oA", "oB"}, 0},
			"OldMacintoshLines":     {"openid,x\roA,\"\r\"\roB\r", []string{"oA", "oB"}, 0},
			"LinesConvertedTwice":   {"oA\r\r\noB\r\r\n", []string{"oA", "oB"}, 0},
			"ByteOrderMark":         {"\ufeffoA\noB\n", []string{"oA", "oB"}, 0},
			"ByteOrderMarkAndNames": {"\ufeffOpenID,name\r\noA,x\r\n", []string{"oA"}, 0},
			"OneOpenIDOfTwoBytes":   {"oA", []string{"oA"}, 0},
			"Quotes":                {"\"openid\"\n\"oA\"\n", []string{"oA"}, 0},
			"QuotedNewlineElsewhere": {
				"name,openid\n\"Li, \"\"Lily\"\"\r\nWang\",oA\nx,oB\n", []string{"oA", "oB"}, 0,
			},
			"FirstColumnWithoutNames": {"oA,Lily\noB,Tom\n", []string{"oA", "oB"}, 0},
			"NamedColumn":             {"name, OpenID ,reason\nLily,oA,rude\n", []string{"oA"}, 0},
			"Blanks":                  {"openid\n\noA\n  \n\u200b\n\"\"\noB,\n,\n", []string{"oA", "oB"}, 4},
			"Duplicates":              {"oB\noA\noB\n oA\u00a0\noC\n", []string{"oB", "oA", "oC"}, 2},
			"ApostrophesOfExports":    {"'-A\n'-B\n", []string{"-A", "-B"}, 0},
			"RowsThatBreakOff":        {"name,openid\nLily,oA\nTom\n", []string{"oA"}, 1},
			"OnlyBlanks":              {"openid,reason\n ,x\n", nil, 1},
			"LongestOpenID":           {strings.Repeat("o", 128), []string{strings.Repeat("o", 128)}, 0},
		} {
			batch := b.upload(t, want.file)
			require.Equal(t, want.items, nilIfNone(itemsOf(b.items(t, batch.ID, ""))), name)
			require.Equal(t, want.skipped, batch.Counts.Skipped, name)
			require.Equal(t, len(want.items)+want.skipped, batch.Counts.Total, name)
			require.Equal(t, want.items == nil, batch.Ended(), name)
		}
	})

	t.Run("ReadsWhatWasExported", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		b.upload(t, "openid,want,actual,pending,reason,until\r\n'-oA,blocked,,true,\"'=1+1\",\r\n")
		entry := b.entries(t, blacklist.ActualAny)[0]
		require.Equal(t, "-oA", entry.OpenID)
		require.Equal(t, "=1+1", entry.Reason)
	})

	t.Run("TakesAReasonForEachOpenID", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		batch := b.upload(t, "reason,openid\n垃圾评论,oA\n,oB\nthe first counts,oC\nnot the second,oC\n")
		require.Equal(t, "spam", batch.Reason)
		var reasons []string
		for _, e := range b.entries(t, blacklist.ActualAny) {
			reasons = append(reasons, e.OpenID+" "+e.Reason)
		}
		require.Equal(t, []string{"oA 垃圾评论", "oB spam", "oC the first counts"}, reasons)
	})

	t.Run("SaysWhichLinesAreWrongAndTakesNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		const noOpenID = "is no openid: those have letters, digits, - and _ only, at most 128 of them"
		for name, want := range map[string]struct {
			file  string
			lines []blacklist.WrongLine
		}{
			"Empty":            {"", []blacklist.WrongLine{{1, "holds no openids"}}},
			"OnlyByteOrder":    {"\ufeff", []blacklist.WrongLine{{1, "holds no openids"}}},
			"OnlyNames":        {"openid,reason\n", []blacklist.WrongLine{{1, "holds no openids"}}},
			"WrongColumnFirst": {"name,id\nLily Wang,oA\n", []blacklist.WrongLine{{2, noOpenID}}},
			"NamesUnknown": {
				"用户,昵称\noA,x\n", []blacklist.WrongLine{{1, noOpenID + "; if this line names the columns, call one openid"}},
			},
			"NameTwice":   {"openid,openid\noA,oB\n", []blacklist.WrongLine{{1, "calls two columns openid, reason or note"}}},
			"ReasonTwice": {"openid,reason,reason\noA,x,y\n", []blacklist.WrongLine{{1, "calls two columns openid, reason or note"}}},
			"SeveralLines": {
				"oA\no B\n\"oC\nx\"\noD\n" + strings.Repeat("o", 129) + "\n", []blacklist.WrongLine{{2, noOpenID}, {3, noOpenID}, {6, noOpenID}},
			},
			"NamesAgain":    {"openid,reason\noA,x\nOpenID,reason\noB,y\n", []blacklist.WrongLine{{3, "names the columns once more: take it out"}}},
			"Semicolons":    {"oA;x\noB;y\n", []blacklist.WrongLine{{1, noOpenID + "; if this line names the columns, call one openid"}, {2, noOpenID}}},
			"Formula":       {"oA\n=1+1\n", []blacklist.WrongLine{{2, noOpenID}}},
			"ReasonTooLong": {"openid,reason\noA," + strings.Repeat("垃", 501) + "\n", []blacklist.WrongLine{{2, "its reason has more than 500 characters, or NUL"}}},
			"ReasonWithNUL": {"openid,reason\noA,a\x00b\n", []blacklist.WrongLine{{2, "its reason has more than 500 characters, or NUL"}}},
			"BareQuote":     {"oA\no\"B\noC\no D\n", []blacklist.WrongLine{{2, "has a quotation mark that is not closed, or not doubled"}, {4, noOpenID}}},
			"OpenQuote":     {"oA\n\"oB\noC\n", []blacklist.WrongLine{{2, "has a quotation mark that is not closed, or not doubled"}}},
			"OtherCharset":  {"openid,reason\noA,x\noB,caf\xe9\n", []blacklist.WrongLine{{3, "is neither UTF-8 nor GBK: in Excel, save as \"CSV UTF-8\""}}},
			"MarkThenGBK":   {"\ufeffopenid,reason\noA," + gbk + "\n", []blacklist.WrongLine{{2, "is not UTF-8: in Excel, save as \"CSV UTF-8\""}}},
			"DamagedUTF16":  {"\xff\xfeo\x00A\x00\n\x00o\x00\x00\xd8\n\x00", []blacklist.WrongLine{{2, "is not UTF-16"}}},
			"GBKAfterUTF8": {
				"openid,reason\noA,垃圾\noB,x\noC," + gbk + "\n",
				[]blacklist.WrongLine{{4, "is GBK, but line 2 is UTF-8: save all of it in one of them; or, if it is all the same, name the charset"}},
			},
			"UTF8AfterGBK": {
				"openid,reason\noA," + gbk + "\noB,x\noC,垃圾\n",
				[]blacklist.WrongLine{{4, "is UTF-8, but line 2 is GBK: save all of it in one of them; or, if it is all the same, name the charset"}},
			},
			"DamagedGBK": {"openid,reason\noA," + gbk + "\noB,\xff\n", []blacklist.WrongLine{{3, "is not GBK"}}},
			"HugeLine":   {"oA\noB\n" + strings.Repeat("o", 100<<10), []blacklist.WrongLine{{3, "has more than 64 KB: is a quotation mark never closed?"}}},
			"HugeQuote":  {"oA\n\"" + strings.Repeat("oB\n", 100<<10), []blacklist.WrongLine{{2, "has more than 64 KB: is a quotation mark never closed?"}}},
			"HugeQuoteLater": {
				"oA,\"x\r\ny\"\no\"B\n\"" + strings.Repeat("oB\n", 100<<10),
				[]blacklist.WrongLine{{3, "has a quotation mark that is not closed, or not doubled"}, {4, "has more than 64 KB: is a quotation mark never closed?"}},
			},
		} {
			wrong := b.refused(t, want.file)
			require.Equal(t, want.lines, wrong.Lines, name)
			require.Equal(t, len(want.lines), wrong.Total, name)
		}
		var rows int
		require.NoError(t, b.Pool.QueryRow(t.Context(), `
			SELECT (SELECT count(*) FROM blacklist_batches) + (SELECT count(*) FROM blacklist_items) + (SELECT count(*) FROM blacklist_entries)`).Scan(&rows))
		require.Zero(t, rows)
	})

	t.Run("ListsTheFirstHundredWrongLinesAndCountsAll", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		wrong := b.refused(t, "openid\n"+strings.Repeat("o A\noB\n", 1000))
		require.Len(t, wrong.Lines, 100)
		require.Equal(t, 200, wrong.Lines[99].Line)
		require.Equal(t, 1000, wrong.Total)
	})

	t.Run("OneOpenIDTooManyIsRefused", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		wrong := b.refused(t, strings.Repeat("oA\n", blacklist.MaxFileOpenIDs+1))
		require.Equal(t, []blacklist.WrongLine{{blacklist.MaxFileOpenIDs + 1, "is one too many: a file holds at most 1000000 openids, so send it in parts"}}, wrong.Lines)
	})

	t.Run("ReadingThatFailsTakesNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		gone := errors.New("the sender is gone")
		_, _, err := b.uploadAs(t, blacklist.Upload{File: io.MultiReader(strings.NewReader(strings.Repeat("oA\n", 10_000)), iotest.ErrReader(gone))})
		require.ErrorIs(t, err, gone)
		require.Empty(t, b.entries(t, blacklist.ActualAny))
	})

	t.Run("SupersedesLikeAnyOtherWish", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 10)
		first := b.block(t, b.openids(0, 6)...)
		second, _, err := b.blacklist.UnblockFile(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Upload{
			File: strings.NewReader(strings.Join(b.openids(3, 9), "\n")),
		})
		require.NoError(t, err)
		b.start(t)
		require.Equal(t, blacklist.Counts{Total: 6, Done: 3, Superseded: 3}, b.ended(t, first.ID).Counts)
		require.Equal(t, blacklist.Counts{Total: 6, Done: 6}, b.ended(t, second.ID).Counts)
		require.Equal(t, sorted(b.openids(0, 3)), b.blacklisted())
	})

	t.Run("LeavesOneOutcomeForEachWishAmongManyWriters", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 300)
		b.start(t)
		var group errgroup.Group
		ids := make([]uuid.UUID, 12)
		for i := range ids {
			openids := b.openids(i*10, 180+i*10)
			rand.Shuffle(len(openids), func(i, j int) { openids[i], openids[j] = openids[j], openids[i] })
			group.Go(func() error {
				var batch blacklist.Batch
				var err error
				up := blacklist.Upload{File: strings.NewReader(strings.Join(openids, "\n"))}
				switch i % 3 {
				case 0:
					batch, _, err = b.blacklist.BlockFile(t.Context(), b.key, b.tenantID, b.account.AppID, up)
				case 1:
					batch, _, err = b.blacklist.UnblockFile(t.Context(), b.key, b.tenantID, b.account.AppID, up)
				default:
					batch, _, err = b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: openids})
				}
				ids[i] = batch.ID
				return err
			})
		}
		require.NoError(t, group.Wait())
		for _, id := range ids {
			require.Equal(t, 180, b.ended(t, id).Counts.Total) // and consistent with its items
		}
		var blocked []string
		for _, e := range b.entries(t, blacklist.ActualAny) {
			require.Equal(t, e.Want, e.Actual)
			if e.Want == "blocked" {
				blocked = append(blocked, e.OpenID)
			}
		}
		require.Equal(t, blocked, b.blacklisted())
	})

	t.Run("SameKeyAndFileGiveTheSameBatch", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		send := func(file string) (blacklist.Batch, bool, error) {
			return b.uploadAs(t, blacklist.Upload{File: strings.NewReader(file), IdempotencyKey: "k"})
		}
		first, replayed, err := send("oA\noB\n")
		require.NoError(t, err)
		require.False(t, replayed)
		again, replayed, err := send("oA\noB\n")
		require.NoError(t, err)
		require.True(t, replayed)
		require.Equal(t, first.ID, again.ID)
		_, _, err = send("oA\noB\noC\n")
		require.ErrorIs(t, err, tenant.ErrIdempotencyKeyReused)
		_, _, err = b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.Request{OpenIDs: []string{"oA", "oB"}, IdempotencyKey: "k"})
		require.ErrorIs(t, err, tenant.ErrIdempotencyKeyReused)
	})

	t.Run("RefusedBeforeReadingWhatCannotBeDone", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		unread := iotest.ErrReader(errors.New("was read"))
		stranger := factory.Key(t, b.World, factory.KeyOptions{TenantID: factory.Tenant(t, b.World).ID})
		reader := factory.Key(t, b.World, factory.KeyOptions{TenantID: b.tenantID, Scopes: []tenant.Scope{tenant.BlacklistRead}})
		_, _, err := b.blacklist.BlockFile(t.Context(), stranger, b.tenantID, b.account.AppID, blacklist.Upload{File: unread})
		require.ErrorIs(t, err, tenant.ErrNotFound)
		_, _, err = b.blacklist.BlockFile(t.Context(), b.key, uuid.New(), b.account.AppID, blacklist.Upload{File: unread})
		require.ErrorIs(t, err, tenant.ErrNotFound)
		var missing *tenant.ScopeMissingError
		_, _, err = b.blacklist.BlockFile(t.Context(), reader, b.tenantID, b.account.AppID, blacklist.Upload{File: unread})
		require.ErrorAs(t, err, &missing)
		past := b.Clock.Now().Add(-time.Second)
		_, _, err = b.uploadAs(t, blacklist.Upload{File: unread, Until: &past})
		require.ErrorIs(t, err, blacklist.ErrUntilPast)
		_, _, err = b.uploadAs(t, blacklist.Upload{File: unread, Reason: strings.Repeat("x", 501)})
		require.ErrorIs(t, err, blacklist.ErrInvalidReason)
		_, _, err = b.uploadAs(t, blacklist.Upload{File: unread, IdempotencyKey: strings.Repeat("x", 256)})
		require.ErrorIs(t, err, blacklist.ErrIdempotencyKeyTooLong)
		b.exec(t, `UPDATE authorizers SET state = 'revoked'`)
		var state *authorizer.AccountStateError
		_, _, err = b.uploadAs(t, blacklist.Upload{File: unread})
		require.ErrorAs(t, err, &state)
	})
}

// Not parallel, so that the memory of other tests is not counted.
func TestFilesTakeLittleMemory(t *testing.T) {
	b := setup(t, 1)
	const n = 200_000
	var before, during runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var most uint64
	look := func(i int) {
		if i%10_000 == 0 {
			runtime.ReadMemStats(&during)
			most = max(most, during.HeapAlloc)
		}
	}
	batch, _, err := b.uploadAs(t, blacklist.Upload{File: &lines{n: n, each: look}})
	require.NoError(t, err)
	require.Equal(t, blacklist.Counts{Total: n, Pending: n}, batch.Counts)
	var items, entries int
	require.NoError(t, b.Pool.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM blacklist_items WHERE seq BETWEEN 1 AND $1), (SELECT count(DISTINCT openid) FROM blacklist_entries WHERE pending)`, n).Scan(&items, &entries))
	require.Equal(t, []int{n, n}, []int{items, entries})

	exported := 0
	require.NoError(t, b.blacklist.Export(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.ListParams{Actual: blacklist.ActualAny}, func(blacklist.Entry) error {
		exported++
		look(exported)
		return nil
	}))
	require.Equal(t, n, exported)
	// The file has 6 MB; with a million lines it is the same.
	require.Less(t, int64(most)-int64(before.HeapAlloc), int64(16<<20))
}

func nilIfNone(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}

// lines is a file of n openids that is nowhere as a whole.
type lines struct {
	n, next int
	each    func(int)
	rest    []byte
}

func (l *lines) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		if l.next == l.n {
			return 0, io.EOF
		}
		l.each(l.next)
		l.rest = fmt.Appendf(nil, "o%027d\n", l.next)
		l.next++
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}
