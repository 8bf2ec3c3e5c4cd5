package api_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
)

func init() {
	// What kin-openapi has no decoder for: a text like any other.
	openapi3filter.RegisterBodyDecoder("application/x-ndjson", openapi3filter.PlainBodyDecoder)
}

// manyEntries writes blocked entries without WeChat: o00000001, o00000002, …
func (b *bundle) manyEntries(t *testing.T, n int, reason string) {
	t.Helper()
	_, err := b.Pool.Exec(t.Context(), `
		INSERT INTO blacklist_entries (tenant_id, authorizer_id, openid, want, actual, reason, wanted_by)
		SELECT $1, $2, 'o' || lpad(n::text, 8, '0'), 'blocked', 'blocked', $4, 'shop (tenant_key)' FROM generate_series(1, $3) n`,
		b.tenantID, b.account.ID, n, reason)
	require.NoError(t, err)
}

func rowsOf(t *testing.T, body string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	require.NoError(t, err)
	return rows
}

func TestExport(t *testing.T) {
	t.Parallel()

	t.Run("BlacklistAsCSV", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{account: factory.AccountOptions{FollowerCount: 5}})
		id := b.post(t, http.StatusAccepted, b.accountPath("/blacklist/block"), map[string]any{
			"openids": []string{"oB", "oA"}, "reason": "=HYPERLINK(\"http://x\")\n垃圾, \"评论\"", "note": "@SUM(A1)", "until": "2027-01-01T08:00:00+08:00",
		})["id"].(string)
		res := b.do(t, request{path: b.accountPath("/blacklist/export?actual=any")})
		require.Equal(t, http.StatusOK, res.status, res.body)
		require.Equal(t, "text/csv; charset=utf-8; header=present", res.header.Get("Content-Type"))
		require.Equal(t, "attachment; filename=blacklist-"+b.account.AppID+".csv", res.header.Get("Content-Disposition"))
		line := `,blocked,,true,"'=HYPERLINK(""http://x"")` + "\r\n" + `垃圾, ""评论""",'@SUM(A1),2027-01-01T00:00:00Z,shop (tenant_key),` + began + `,,` + id + ",,\r\n"
		require.Equal(t, "openid,want,actual,pending,reason,note,until,wanted_by,wanted_at,actual_at,batch_id,errcode,rid\r\noA"+line+"oB"+line, res.body)

		res = b.do(t, request{path: b.accountPath("/blacklist/export?actual=any&format=csv&bom=true&q=oB")})
		require.True(t, strings.HasPrefix(res.body, "\ufeffopenid,"))
		require.Len(t, rowsOf(t, res.body), 2)
		require.Equal(t, "oB", rowsOf(t, res.body)[1][0])
		require.Equal(t, res.body[3:], b.do(t, request{path: b.accountPath("/blacklist/export?actual=any&bom=false&q=oB")}).body)
		require.Len(t, rowsOf(t, b.do(t, request{path: b.accountPath("/blacklist/export")}).body), 1, "a header, and nobody blocked")
	})

	t.Run("BlacklistAsNDJSON", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		b.manyEntries(t, 3, "=1+1")
		res := b.do(t, request{path: b.accountPath("/blacklist/export?format=ndjson")})
		require.Equal(t, "application/x-ndjson", res.header.Get("Content-Type"))
		require.Equal(t, "attachment; filename=blacklist-"+b.account.AppID+".ndjson", res.header.Get("Content-Disposition"))
		var lines []any
		for line := range strings.Lines(res.body) {
			var entry any
			require.NoError(t, json.Unmarshal([]byte(line), &entry))
			lines = append(lines, entry)
		}
		require.Equal(t, b.get(t, b.accountPath("/blacklist"))["data"], lines, "what the list has; and formulas are for spreadsheets")
		require.Empty(t, b.do(t, request{path: b.accountPath("/blacklist/export?format=ndjson&actual=unknown")}).body)
		p := b.do(t, request{path: b.accountPath("/blacklist/export?format=ndjson&bom=true")}).problem(t, http.StatusUnprocessableEntity, "invalid-request")
		require.Equal(t, []string{"query:bom: is for csv only"}, pointers(p))
	})

	t.Run("ItemsInBothFormats", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{account: factory.AccountOptions{FollowerCount: 2}})
		b.start(t)
		res := b.do(t, request{method: "POST", path: b.accountPath("/blacklist/block"), body: map[string]any{"openids": append(b.openids(2), "nobody"), "reason": "spam", "note": "-7"}, header: prefer("wait=60")})
		require.Equal(t, http.StatusOK, res.status, res.body)
		id := res.json(t)["id"].(string)
		items := b.get(t, b.tenantPath("/batches/"+id+"/items"))["data"].([]any)
		failed := items[2].(map[string]any)

		res = b.do(t, request{path: b.tenantPath("/batches/" + id + "/items/export?bom=true")})
		require.Equal(t, "attachment; filename=batch-"+id+".csv", res.header.Get("Content-Disposition"))
		require.Equal(t, [][]string{
			{"\ufeffopenid", "outcome", "reason", "note", "errcode", "rid", "advice", "ended_at"},
			{b.openids(1)[0], "done", "spam", "'-7", "", "", "", began},
			{b.openids(2)[1], "done", "spam", "'-7", "", "", "", began},
			{"nobody", "failed", "spam", "'-7", "40003", failed["rid"].(string), failed["advice"].(string), began},
		}, rowsOf(t, res.body))
		var line any
		res = b.do(t, request{path: b.tenantPath("/batches/" + id + "/items/export?format=ndjson&outcome=failed")})
		require.NoError(t, json.Unmarshal([]byte(res.body), &line))
		require.Equal(t, items[2], line)
	})

	t.Run("TakesTheFiltersOfTheList", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		b.manyEntries(t, 3, "Spam")
		for query, n := range map[string]int{
			"reason=spam": 3, "by=SHOP&want=blocked&pending=false&failed=false": 3, "reason=no": 0, "by=nobody": 0, "want=nothing": 0, "pending=true": 0, "failed=true": 0,
		} {
			require.EqualValues(t, n, b.get(t, b.accountPath("/blacklist?"+query))["total"], query)
			require.Len(t, rowsOf(t, b.do(t, request{path: b.accountPath("/blacklist/export?" + query)}).body), n+1, query)
		}
		for _, query := range []string{"want=x", "pending=x", "failed=2", "format=xlsx", "bom=x", "actual=x"} {
			p := b.do(t, request{path: b.accountPath("/blacklist/export?" + query)}).problem(t, http.StatusUnprocessableEntity, "invalid-request")
			name, _, _ := strings.Cut(query, "=")
			require.Equal(t, "query:"+name, (*p.Errors)[0].Pointer)
		}
	})

	t.Run("RefusedAsProblem", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		id := b.post(t, http.StatusAccepted, b.accountPath("/blacklist/block"), map[string]any{"openids": []string{"oA"}})["id"].(string)
		writer := b.newKey(t, tenant.KeyParams{Scopes: []tenant.Scope{tenant.BlacklistWrite}})
		_, stranger := b.newKeyOf(t, factory.Tenant(t, b.World).ID, tenant.KeyParams{})
		for _, path := range []string{b.accountPath("/blacklist/export"), b.tenantPath("/batches/" + id + "/items/export")} {
			for _, format := range []string{"?format=csv", "?format=ndjson"} {
				b.do(t, request{path: path + format, key: "none"}).problem(t, http.StatusUnauthorized, "unauthenticated")
				b.do(t, request{path: path + format, key: writer}).problem(t, http.StatusForbidden, "scope-missing")
				b.do(t, request{path: path + format, key: stranger}).problem(t, http.StatusNotFound, "not-found")
			}
		}
		b.do(t, request{path: b.tenantPath("/authorizers/wxnobody/blacklist/export")}).problem(t, http.StatusNotFound, "not-found")
		b.do(t, request{path: b.tenantPath("/batches/" + b.tenantID.String() + "/items/export")}).problem(t, http.StatusNotFound, "not-found")
	})

	t.Run("CutOffWhenItBreaksOnTheWay", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		b.manyEntries(t, 150_000, strings.Repeat("long ", 20))
		for _, format := range []string{"csv", "ndjson"} {
			res, err := http.DefaultClient.Do(b.newRequest(t, request{path: b.accountPath("/blacklist/export?format=" + format)}))
			require.NoError(t, err)
			defer res.Body.Close()
			_, err = io.ReadFull(res.Body, make([]byte, 1000))
			require.NoError(t, err)
			// It waits for us to read on; now the database goes away.
			_, err = b.Pool.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%FROM blacklist_entries%' AND pid <> pg_backend_pid()`)
			require.NoError(t, err)
			rest, err := io.ReadAll(res.Body)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.Less(t, bytes.Count(rest, []byte("\n")), 150_000)
			require.NotEmpty(t, b.logged(t, "a file was broken off; whoever asked for it can tell, since its connection was cut off")["error"])
		}
	})

	t.Run("NotesWhatACallerTookWhoHungUp", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		b.manyEntries(t, 150_000, strings.Repeat("long ", 20))
		res, err := http.DefaultClient.Do(b.newRequest(t, request{path: b.accountPath("/blacklist/export")}))
		require.NoError(t, err)
		_, err = io.ReadFull(res.Body, make([]byte, 1000))
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Eventually(t, func() bool { return b.count(t, `audit_entries WHERE action = 'blacklist.export'`) == 1 }, patience, 1e7)
		var whole bool
		var count int
		require.NoError(t, b.Pool.QueryRow(t.Context(), `SELECT (detail->>'whole')::boolean, (detail->>'count')::int FROM audit_entries WHERE action = 'blacklist.export'`).
			Scan(&whole, &count))
		require.False(t, whole)
		require.Less(t, count, 150_000)
	})
}
