package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
)

func asCSV(more ...string) http.Header {
	h := http.Header{"Content-Type": {"text/csv"}}
	for i := 0; i < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return h
}

func zipped(t *testing.T, text string) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return packed.Bytes()
}

func TestUpload(t *testing.T) {
	t.Parallel()

	t.Run("BlocksAndUnblocksWhomTheFileNames", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{account: factory.AccountOptions{FollowerCount: 5}})
		b.start(t)
		file := "name,openid\r\nLily,\"" + strings.Join(b.openids(5), "\"\r\nx,\"") + "\"\r\n,\r\n"
		res := b.do(t, request{
			method: "POST", path: b.accountPath("/blacklist/block?reason=%E5%9E%83%E5%9C%BE&note=ticket+7&until=2027-01-01T08:00:00%2B08:00"), body: "\ufeff" + file,
			header: asCSV("Content-Type", "text/csv; charset=UTF-8; header=present", "Prefer", "wait=60"),
		})
		require.Equal(t, http.StatusOK, res.status, res.body)
		batch := res.json(t)
		require.Equal(t, "垃圾", batch["reason"])
		require.Equal(t, "ticket 7", batch["note"])
		require.Equal(t, "2027-01-01T00:00:00Z", batch["until"])
		require.EqualValues(t, 6, batch["counts"].(map[string]any)["total"])
		require.EqualValues(t, 5, batch["counts"].(map[string]any)["done"])
		require.EqualValues(t, 1, batch["counts"].(map[string]any)["skipped"])
		require.ElementsMatch(t, b.openids(5), b.Sim.Blacklisted(b.account.AppID))

		// What was exported comes in again, packed.
		export := b.do(t, request{path: b.accountPath("/blacklist/export?bom=true")})
		res = b.do(t, request{
			method: "POST", path: b.accountPath("/blacklist/unblock?reason=sorry"), body: zipped(t, export.body),
			header: asCSV("Content-Encoding", "gzip", "Prefer", "wait=60"),
		})
		require.Equal(t, http.StatusOK, res.status, res.body)
		require.Equal(t, "unblock", res.json(t)["action"])
		require.EqualValues(t, 5, res.json(t)["counts"].(map[string]any)["done"])
		require.Empty(t, b.Sim.Blacklisted(b.account.AppID))
	})

	t.Run("SameKeyAndFileGiveTheSameBatch", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		send := func(file string) reply {
			return b.do(t, request{method: "POST", path: b.accountPath("/blacklist/block"), body: file, header: asCSV("Idempotency-Key", "k")})
		}
		first, again := send("oA\n"), send("oA\n")
		require.Equal(t, http.StatusAccepted, first.status, first.body)
		require.Equal(t, first.body, again.body)
		require.Equal(t, "true", again.header.Get("Idempotency-Replayed"))
		send("oB\n").problem(t, http.StatusConflict, "idempotency-key-reused")
	})

	t.Run("WrongLinesAreNamedAndNothingIsDone", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		send := func(file string) reply {
			return b.do(t, request{method: "POST", path: b.accountPath("/blacklist/block"), body: file, header: asCSV()})
		}
		p := send("openid\noA\no B\noC\nsecret value\n").problem(t, http.StatusUnprocessableEntity, "invalid-file")
		const why = "is no openid: those have letters, digits, - and _ only, at most 128 of them"
		require.Equal(t, []string{"line:3: " + why, "line:5: " + why}, pointers(p))
		require.Equal(t, "2 lines of the file are wrong. See errors for each; nothing was done.", p.Detail)
		p = send("openid\n"+strings.Repeat("o A\n", 5000)).problem(t, http.StatusUnprocessableEntity, "invalid-file")
		require.Len(t, *p.Errors, 100)
		require.Equal(t, "5000 lines of the file are wrong; the first 100 are listed. See errors for each; nothing was done.", p.Detail)
		p = send("openid,x\noA,\noB,caf\xe9\n").problem(t, http.StatusUnprocessableEntity, "invalid-file")
		require.Equal(t, []string{"line:3: is neither UTF-8 nor GBK: in Excel, save as \"CSV UTF-8\""}, pointers(p))
		p = send("").problem(t, http.StatusUnprocessableEntity, "invalid-file")
		require.Equal(t, []string{"line:1: holds no openids"}, pointers(p))
		require.Zero(t, b.count(t, "blacklist_batches"))
	})

	t.Run("CharsetIsFoundOutOrNamed", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		const gbk = "openid,reason\r\noA,\xc2\xbd\r\n" // the reason is 陆 in GBK, ½ in UTF-8
		for contentType, reason := range map[string]string{
			"text/csv": "½", "text/csv; charset=UTF-8": "½", "text/csv; charset=GBK": "陆", "text/csv; charset=gb18030; header=present": "陆",
		} {
			res := b.do(t, request{method: "POST", path: b.accountPath("/blacklist/block"), body: gbk, header: asCSV("Content-Type", contentType)})
			require.Equal(t, http.StatusAccepted, res.status, res.body)
			entry := b.get(t, b.accountPath("/blacklist?actual=any"))["data"].([]any)[0].(map[string]any)
			require.Equal(t, reason, entry["reason"], contentType)
		}
		b.do(t, request{method: "POST", path: b.accountPath("/blacklist/block"), body: gbk, header: asCSV("Content-Type", "text/csv; charset=utf-16")}).
			problem(t, http.StatusUnprocessableEntity, "invalid-file")
		res := b.do(t, request{
			method: "POST", path: b.accountPath("/blacklist/block"), body: zipped(t, "openid,reason\noB,\xc0\xac\xbb\xf8\n"), header: asCSV("Content-Encoding", "gzip"),
		})
		require.Equal(t, http.StatusAccepted, res.status, res.body)
		require.EqualValues(t, 1, b.get(t, b.accountPath("/blacklist?actual=any&reason=%E5%9E%83%E5%9C%BE"))["total"])
	})

	t.Run("DryRunListsTheWrongLinesAndDoesNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		for _, action := range []string{"block", "unblock"} {
			send := func(query, file string) reply {
				return b.do(t, request{method: "POST", path: b.accountPath("/blacklist/" + action + "?dry_run=" + query), body: file, header: asCSV("Prefer", "wait=1")})
			}
			res := send("true", "openid\noA\no B\noA\n")
			require.Equal(t, http.StatusOK, res.status, res.body)
			require.Equal(t, map[string]any{
				"dry_run": true, "action": action, "authorizer_appid": b.account.AppID, "elsewhere": []any{}, "malformed": []any{},
				"wrong_lines": []any{map[string]any{"line": 3.0, "why": "is no openid: those have letters, digits, - and _ only, at most 128 of them"}},
				"counts": map[string]any{
					"total": 3.0, "would_change": 0.0, "already": 0.0, "unknown": 1.0, "pending_other": 0.0, "belongs_elsewhere": 0.0,
					"malformed": 1.0, "duplicates": 1.0, "blank": 0.0,
				},
			}, res.json(t))
			send("true", "").problem(t, http.StatusUnprocessableEntity, "invalid-file")
			send("true&reason="+strings.Repeat("x", 501), "oA\n").problem(t, http.StatusUnprocessableEntity, "invalid-request")
			send("false", "no openid\n").problem(t, http.StatusUnprocessableEntity, "invalid-file")
			send("perhaps", "oA\n").problem(t, http.StatusUnprocessableEntity, "invalid-request")
			p := b.do(t, request{method: "POST", path: b.accountPath("/blacklist/" + action + "?dry_run=true"), body: `{"openids":["oA"]}`}).
				problem(t, http.StatusUnprocessableEntity, "invalid-request")
			require.Equal(t, []string{"query:dry_run: is for files: in JSON it is a field of the body"}, pointers(p))
		}
		require.Zero(t, b.count(t, "blacklist_batches"))
		require.Zero(t, b.count(t, "blacklist_entries"))
	})

	t.Run("OnlyWhatCanBeReadIsTaken", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		path := b.accountPath("/blacklist/block")
		for _, header := range []http.Header{
			asCSV("Content-Type", "text/csv; charset=big5"), asCSV("Content-Type", "text/plain"), asCSV("Content-Encoding", "br"), asCSV("Content-Type", "text/csv; ;"),
		} {
			b.do(t, request{method: "POST", path: path, body: "oA\n", header: header}).problem(t, http.StatusUnsupportedMediaType, "unsupported-media-type")
		}
		whole := zipped(t, strings.Repeat("oA\n", 1000))
		for name, body := range map[string][]byte{"NoGzip": []byte("oA\n"), "CutOff": whole[:len(whole)-9], "Nothing": {}, "Broken": append(whole[:20:20], bytes.Repeat([]byte{0xff}, 20)...)} {
			p := b.do(t, request{method: "POST", path: path, body: body, header: asCSV("Content-Encoding", "gzip")}).problem(t, http.StatusUnprocessableEntity, "invalid-file")
			require.Equal(t, "The file could not be unpacked with gzip, or was cut off; nothing was done.", p.Detail, name)
		}
		require.Zero(t, b.count(t, "blacklist_batches"))
	})

	t.Run("TooLargeIsRefusedPackedOrNot", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		path := b.accountPath("/blacklist/block")
		line := "oA," + strings.Repeat("x", 60<<10) + "\n"
		large := strings.Repeat(line, 1200)
		b.do(t, request{method: "POST", path: path, body: zipped(t, large), header: asCSV("Content-Encoding", "gzip")}).
			problem(t, http.StatusRequestEntityTooLarge, "body-too-large")
		for _, length := range []int64{int64(len(large)), -1} {
			req := b.newRequest(t, request{method: "POST", path: path, body: large, header: asCSV()})
			req.ContentLength = length
			require.Equal(t, http.StatusRequestEntityTooLarge, b.serve(req).Code)
		}
		require.Zero(t, b.count(t, "blacklist_batches"))
	})

	t.Run("FieldsOfABodyAreNotParameters", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		p := b.do(t, request{method: "POST", path: b.accountPath("/blacklist/block?reason=x&note=y&until=2027-01-01T08:00:00Z"), body: `{"openids":["oA"]}`}).
			problem(t, http.StatusUnprocessableEntity, "invalid-request")
		const why = "is for files: in JSON it is a field of the body"
		require.Equal(t, []string{"query:reason: " + why, "query:note: " + why, "query:until: " + why}, pointers(p))
		for _, until := range []string{"tomorrow", "2027-02-31T00:00:00Z", "9999-12-31T23:59:59-12:00"} {
			b.do(t, request{method: "POST", path: b.accountPath("/blacklist/block?until=" + until), body: "oA\n", header: asCSV()}).
				problem(t, http.StatusUnprocessableEntity, "invalid-request")
		}
		b.do(t, request{method: "POST", path: b.accountPath("/blacklist/block?until=2020-01-01T00:00:00Z"), body: "oA\n", header: asCSV()}).
			problem(t, http.StatusUnprocessableEntity, "until-past")
	})

	t.Run("IsForWhoeverMayWriteTheTenantsLists", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		reader := b.newKey(t, tenant.KeyParams{Scopes: []tenant.Scope{tenant.BlacklistRead}})
		_, stranger := b.newKeyOf(t, factory.Tenant(t, b.World).ID, tenant.KeyParams{})
		for _, path := range []string{b.accountPath("/blacklist/block"), b.accountPath("/blacklist/unblock")} {
			b.do(t, request{method: "POST", path: path, body: "oA\n", header: asCSV(), key: "none"}).problem(t, http.StatusUnauthorized, "unauthenticated")
			b.do(t, request{method: "POST", path: path, body: "oA\n", header: asCSV(), key: reader}).problem(t, http.StatusForbidden, "scope-missing")
			b.do(t, request{method: "POST", path: path, body: "oA\n", header: asCSV(), key: stranger}).problem(t, http.StatusNotFound, "not-found")
		}
	})

	// A request may take so long altogether that a file would not get through from a slow network.
	t.Run("SlowFileOutlastsTheLimitOfOtherRequests", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		server := httptest.NewUnstartedServer(b.handler)
		server.Config.ReadTimeout = 100 * time.Millisecond
		server.Start()
		defer server.Close()
		read, write := io.Pipe()
		go func() {
			for i := range 4 {
				fmt.Fprintf(write, "o%d\n", i)
				<-time.After(75 * time.Millisecond)
			}
			_ = write.Close()
		}()
		req := b.newRequest(t, request{method: "POST", path: b.accountPath("/blacklist/block"), header: asCSV()})
		slow, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+req.URL.Path, read)
		require.NoError(t, err)
		slow.Header = req.Header
		res, err := server.Client().Do(slow)
		require.NoError(t, err)
		defer res.Body.Close()
		require.Equal(t, http.StatusAccepted, res.StatusCode)
	})

	t.Run("SenderWhoHangsUpLeavesNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		ctx, hangUp := context.WithCancel(t.Context())
		read, write := io.Pipe()
		req := b.newRequest(t, request{method: "POST", path: b.accountPath("/blacklist/block"), header: asCSV()})
		slow, err := http.NewRequestWithContext(ctx, http.MethodPost, req.URL.String(), read)
		require.NoError(t, err)
		slow.Header = req.Header
		go func() {
			_, _ = io.WriteString(write, strings.Repeat("oA\noB\n", 20_000))
			hangUp()
			_ = write.CloseWithError(errors.New("gone"))
		}()
		_, err = http.DefaultClient.Do(slow)
		require.Error(t, err)
		require.Eventually(t, func() bool { return strings.Contains(b.Logs.String(), "/blacklist/block") }, patience, 10*time.Millisecond)
		require.Zero(t, b.count(t, "blacklist_batches"))
	})
}
