package blacklist_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/wechat"
)

// listServer is a WeChat that has its own ideas of how a list is paged. answer gets the number of the call, from 0, and
// the cursor. It counts the calls.
func (b *bundle) listServer(t *testing.T, answer func(call int, begin string) any) *atomic.Int64 {
	t.Helper()
	calls := &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var body struct {
			Begin string `json:"begin_openid"`
		}
		_ = json.NewDecoder(r.Body).Decode(&body)
		_ = json.NewEncoder(rw).Encode(answer(int(calls.Add(1))-1, body.Begin))
	}))
	t.Cleanup(server.Close)
	client, err := wechat.NewClient(wechat.Config{APIURL: server.URL})
	require.NoError(t, err)
	b.blacklist = newService(t, b.World, func(cfg *blacklist.Config) { cfg.WeChat = client })
	b.start(t)
	return calls
}

func listPage(total int, next string, openids ...string) map[string]any {
	return map[string]any{"total": total, "count": len(openids), "data": map[string]any{"openid": openids}, "next_openid": next}
}

func TestPullOfAnOddList(t *testing.T) {
	t.Parallel()

	t.Run("ThatRepeatsItsCursorBeforeItsEndFails", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 0)
		calls := b.listServer(t, func(call int, _ string) any {
			if call == 0 {
				return listPage(9, "b", "a", "b")
			}
			return listPage(9, "b", "b", "c")
		})
		pull := b.pull(t)
		require.Equal(t, blacklist.PullFailed, pull.Status)
		require.Contains(t, pull.Error, "repeated itself after 3 of 9")
		require.NotEmpty(t, pull.Advice)
		require.EqualValues(t, 2, calls.Load())
		require.Empty(t, b.entries(t, blacklist.ActualAny))
	})

	t.Run("ThatGivesNothingNewBeforeItsEndFails", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 0)
		calls := b.listServer(t, func(call int, _ string) any { return listPage(9, fmt.Sprint("cursor", call), "a", "b") })
		require.Equal(t, blacklist.PullFailed, b.pull(t).Status)
		require.EqualValues(t, 2, calls.Load())
	})

	t.Run("WhoseCursorIsInclusiveEnds", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 0)
		list := []string{"a", "b", "c", "d", "e"}
		b.listServer(t, func(_ int, begin string) any {
			from := 0
			for i, openid := range list {
				if openid == begin {
					from = i
				}
			}
			page := list[from:min(from+2, len(list))]
			return listPage(len(list), page[len(page)-1], page...)
		})
		pull := b.pull(t)
		require.Equal(t, blacklist.PullDone, pull.Status, pull.Error)
		require.Equal(t, list, openidsOf(b.entries(t, blacklist.ActualBlocked)))
	})

	t.Run("WhoseTotalLiesIsReadToItsEnd", func(t *testing.T) {
		t.Parallel()
		for _, total := range []int{0, 1, 3, 1000} {
			t.Run(fmt.Sprint(total), func(t *testing.T) {
				t.Parallel()
				b := setup(t, 0)
				calls := b.listServer(t, func(_ int, begin string) any {
					switch begin {
					case "":
						return listPage(total, "b", "a", "b")
					case "b":
						return listPage(total, "d", "c", "d")
					}
					return map[string]any{"total": total, "count": 0, "next_openid": ""}
				})
				pull := b.pull(t)
				require.Equal(t, blacklist.PullDone, pull.Status)
				require.Equal(t, 4, pull.Added)
				if total > 4 {
					require.EqualValues(t, 4, calls.Load(), "an end before the total is asked about twice")
				} else {
					require.EqualValues(t, 3, calls.Load())
				}
			})
		}
	})

	t.Run("ThatWasEmptyByMistakeIsAskedForAgain", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 0)
		b.listServer(t, func(call int, begin string) any {
			switch {
			case call == 0 || begin != "":
				return map[string]any{"total": 2, "count": 0, "next_openid": ""}
			}
			return listPage(2, "b", "a", "b")
		})
		require.Equal(t, 2, b.pull(t).Added)
	})

	t.Run("ThatEndsWithoutACursorEnds", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 0)
		b.listServer(t, func(int, string) any { return listPage(2, "", "a", "b") })
		require.Equal(t, 2, b.pull(t).Added)
	})
}
