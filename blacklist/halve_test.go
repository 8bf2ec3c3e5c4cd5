package blacklist_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/wechat"
)

// fakeList is a WeChat that refuses a list for a bad openid in it.
type fakeList struct {
	bad     map[string]bool
	partial bool // the good ones of a refused list are applied
	longest int  // longer lists are refused with 40032
	applied map[string]bool
	calls   int
}

func (f *fakeList) call(list []string) error {
	f.calls++
	if f.longest > 0 && len(list) > f.longest {
		return &wechat.Error{Code: 40032}
	}
	var bad bool
	for _, openid := range list {
		bad = bad || f.bad[openid]
	}
	for _, openid := range list {
		if !f.bad[openid] && (!bad || f.partial) {
			f.applied[openid] = true
		}
	}
	if bad {
		return &wechat.Error{Code: 40003, Message: "invalid openid"}
	}
	return nil
}

// pushAll does what a push job does: list by list, what was not tried goes into the next one.
func (f *fakeList) pushAll(t require.TestingT, openids []string) (accepted, refused map[string]bool) {
	accepted, refused = map[string]bool{}, map[string]bool{}
	f.applied = map[string]bool{}
	w := blacklist.NewWidth()
	pending := openids
	for len(pending) > 0 {
		list := pending[:min(w.N(), len(pending))]
		tried := blacklist.Try(list, f.call)
		if tried.Stop != nil {
			var e *wechat.Error
			require.ErrorAs(t, tried.Stop, &e)
			require.Equal(t, 40032, e.Code)
			w.Narrow(len(list))
		}
		for _, openid := range tried.Accepted {
			require.False(t, accepted[openid], "accepted twice")
			accepted[openid] = true
		}
		for _, openid := range tried.Refused {
			refused[openid] = true
		}
		if len(tried.Accepted)+len(tried.Refused) > 0 {
			w.Learn(len(tried.Refused) > 0)
		}
		var rest []string
		for _, openid := range pending {
			if !accepted[openid] && !refused[openid] {
				rest = append(rest, openid)
			}
		}
		pending = rest
	}
	return accepted, refused
}

func numbered(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint("o", i)
	}
	return list
}

func TestHalving(t *testing.T) {
	t.Parallel()

	t.Run("FindsExactlyTheBadOnesInFewCalls", rapid.MakeCheck(func(t *rapid.T) {
		openids := numbered(rapid.IntRange(1, 200).Draw(t, "openids"))
		f := &fakeList{bad: map[string]bool{}, partial: rapid.Bool().Draw(t, "partial")}
		for _, i := range rapid.SliceOfDistinct(rapid.IntRange(0, len(openids)-1), rapid.ID).Draw(t, "bad") {
			f.bad[openids[i]] = true
		}
		accepted, refused := f.pushAll(t, openids)
		require.Equal(t, f.bad, refused)
		require.Len(t, accepted, len(openids)-len(f.bad))
		require.Equal(t, accepted, f.applied)
		// Each bad one costs at most a full list, five halvings and asking about it alone, and a narrower list after it.
		require.LessOrEqual(t, f.calls, (len(openids)+19)/20+8*len(f.bad))
	}))

	t.Run("ObeysAWeChatThatWantsShorterLists", rapid.MakeCheck(func(t *rapid.T) {
		openids := numbered(rapid.IntRange(1, 100).Draw(t, "openids"))
		f := &fakeList{bad: map[string]bool{openids[0]: rapid.Bool().Draw(t, "bad")}, longest: rapid.IntRange(1, 20).Draw(t, "longest")}
		accepted, refused := f.pushAll(t, openids)
		require.Len(t, accepted, len(openids)-len(refused))
		require.Equal(t, f.bad[openids[0]], refused[openids[0]])
		require.Equal(t, accepted, f.applied)
	}))

	t.Run("TakesThreeAndAHalfTimesTheCallsWhenOneInFiftyIsBad", func(t *testing.T) {
		t.Parallel()
		const n, lists = 10_000, 10_000 / 20
		random := rand.New(rand.NewPCG(1, 2)) // the same numbers in every run
		f := &fakeList{bad: map[string]bool{}}
		openids := numbered(n)
		for _, i := range random.Perm(n)[:n/50] {
			f.bad[openids[i]] = true
		}
		f.pushAll(t, openids)
		t.Logf("%d calls for %d openids, %.2f times as many as for good ones alone", f.calls, n, float64(f.calls)/lists)
		require.LessOrEqual(t, f.calls, lists*35/10)
	})

	t.Run("AsksAboutEachAloneWhenAllAreBad", func(t *testing.T) {
		t.Parallel()
		openids := numbered(1000)
		f := &fakeList{bad: map[string]bool{}}
		for _, openid := range openids {
			f.bad[openid] = true
		}
		_, refused := f.pushAll(t, openids)
		require.Len(t, refused, 1000)
		require.LessOrEqual(t, f.calls, 1020)
	})

	t.Run("StopsAtAFailureThatIsNoOpenIDsFault", func(t *testing.T) {
		t.Parallel()
		busy := &wechat.Error{Code: -1}
		calls := 0
		tried := blacklist.Try(numbered(20), func(list []string) error {
			calls++
			switch calls {
			case 1:
				return &wechat.Error{Code: 40003}
			case 2:
				return nil
			}
			return busy
		})
		require.Equal(t, numbered(20)[:10], tried.Accepted)
		require.Empty(t, tried.Refused)
		require.ErrorIs(t, tried.Stop, busy)
	})

	t.Run("FailsAListThatWeChatCallsMistaken", func(t *testing.T) {
		t.Parallel()
		tried := blacklist.Try(numbered(20), func([]string) error { return &wechat.Error{Code: 47001} })
		require.Len(t, tried.Refused, 20)
		require.NoError(t, tried.Stop)
	})

	t.Run("StopsAtAnErrorThatIsNotWeChats", func(t *testing.T) {
		t.Parallel()
		ours := errors.New("no database")
		tried := blacklist.Try(numbered(20), func([]string) error { return ours })
		require.ErrorIs(t, tried.Stop, ours)
		require.Empty(t, tried.Refused)
	})
}
