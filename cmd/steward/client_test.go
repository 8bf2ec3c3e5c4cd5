package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the API answers with, as far as tests look at it.
type (
	authorizer struct {
		AppID          string
		NickName       string `json:"nick_name"`
		State          string
		PermissionSets []permissionSet `json:"permission_sets"`
		CanBlacklist   bool            `json:"can_blacklist"`
	}
	permissionSet struct {
		ID     int
		NameZH string `json:"name_zh"`
		NameEN string `json:"name_en"`
	}
	batch struct {
		ID, Action, Status string
		Counts             counts
		PauseReason        string `json:"pause_reason"`
	}
	counts struct {
		Total, Pending, Done, Already, Failed, Superseded, Cancelled, Skipped int
	}
	item struct {
		OpenID, Outcome, RID, Advice string
		ErrCode                      *int
	}
	blacklistPage struct {
		Data []struct {
			OpenID, Reason string
			Want, Actual   *string
		}
		NextCursor *string `json:"next_cursor"`
		Total      int
		SyncedAt   *string `json:"synced_at"`
	}
	pull struct {
		ID, Status           string
		Read, Added, Removed int
		Total                *int
	}
	problem struct {
		Type, Title, Code, Detail string
		Status                    int
		RequestID                 string `json:"request_id"`
		Errors                    []struct{ Pointer, Detail string }
		GrantedSets               []permissionSet `json:"granted_sets"`
		NeededSets                []permissionSet `json:"needed_sets"`
		ConnectURL                string          `json:"connect_url"`
	}
)

// request is one HTTP request to Steward.
type request struct {
	method, url string // url: a path of the process that the client talks to, or a whole URL
	key         string // empty: none
	contentType string // empty: JSON where there is a body
	body        string
	header      map[string]string
}

// answer is what came back, as it came.
type answer struct {
	t      testing.TB
	to     request
	status int
	header http.Header
	body   []byte
}

// send sends a request and remembers the answer.
func (b *bundle) send(r request) answer {
	b.t.Helper()
	a, err := b.try(r)
	require.NoError(b.t, err)
	return a
}

// try is send for a request whose answer may not come, on any goroutine.
func (b *bundle) try(r request) (answer, error) {
	if strings.HasPrefix(r.url, "/") {
		r.url = b.steward.url + r.url
	}
	var body io.Reader
	if r.body != "" {
		body = strings.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), r.method, r.url, body)
	if err != nil {
		return answer{}, err
	}
	if r.body != "" && r.contentType == "" {
		r.contentType = "application/json"
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if r.key != "" {
		req.Header.Set("Authorization", "Bearer "+r.key)
	}
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	resp, err := noRedirects().Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{t: b.t, to: r, status: resp.StatusCode, header: resp.Header}
	if a.body, err = io.ReadAll(resp.Body); err != nil {
		return answer{}, err
	}
	b.mu.Lock()
	b.answers = append(b.answers, a)
	b.mu.Unlock()
	return a, nil
}

// get asks with the platform key.
func (b *bundle) get(path string) answer {
	b.t.Helper()
	return b.send(request{method: http.MethodGet, url: path, key: b.key})
}

// post posts JSON with the platform key.
func (b *bundle) post(path string, body any) answer {
	b.t.Helper()
	return b.send(request{method: http.MethodPost, url: path, key: b.key, body: toJSON(b.t, body)})
}

// postAndWait is post that waits for the end of what it began.
func (b *bundle) postAndWait(path string, body any) answer {
	b.t.Helper()
	return b.send(request{
		method: http.MethodPost, url: path, key: b.key, body: toJSON(b.t, body), header: map[string]string{"Prefer": "wait=25"},
	})
}

// visit is a browser's GET: no key.
func (b *bundle) visit(url string) answer {
	b.t.Helper()
	return b.send(request{method: http.MethodGet, url: url})
}

// block blocks openids on an account and waits for the end.
func (b *bundle) block(appid string, openids []string) batch {
	b.t.Helper()
	var got batch
	b.postAndWait(b.account(appid)+"/blacklist/block", map[string]any{"openids": openids, "reason": "spam"}).is(200).into(&got)
	return got
}

// startBlock blocks openids and does not wait.
func (b *bundle) startBlock(appid string, openids []string) batch {
	b.t.Helper()
	var got batch
	b.post(b.account(appid)+"/blacklist/block", map[string]any{"openids": openids, "reason": "spam"}).is(202).into(&got)
	return got
}

// blocked is our copy of an account's blacklist: how many, and the first page of them.
func (b *bundle) blocked(appid string) (int, []string) {
	b.t.Helper()
	var page blacklistPage
	b.get(b.account(appid) + "/blacklist?limit=200").is(200).into(&page)
	openids := make([]string, len(page.Data))
	for i, entry := range page.Data {
		openids[i] = entry.OpenID
	}
	return page.Total, openids
}

// is fails the test if the status is another one.
func (a answer) is(status int) answer {
	a.t.Helper()
	require.Equal(a.t, status, a.status, "%s %s: %s", a.to.method, a.to.url, a.body)
	return a
}

// into decodes the body.
func (a answer) into(v any) answer {
	a.t.Helper()
	require.NoError(a.t, json.Unmarshal(a.body, v), "%s %s: %s", a.to.method, a.to.url, a.body)
	return a
}

// problem decodes an error, and checks what all errors have in common.
func (a answer) problem() problem {
	a.t.Helper()
	require.Equal(a.t, "application/problem+json", a.header.Get("Content-Type"), "%s %s: %s", a.to.method, a.to.url, a.body)
	var p problem
	a.into(&p)
	require.Equal(a.t, a.status, p.Status)
	require.NotEmpty(a.t, p.Code)
	require.NotEmpty(a.t, p.Title)
	require.NotEmpty(a.t, p.Detail)
	require.Equal(a.t, a.header.Get("X-Request-Id"), p.RequestID)
	return p
}

// text is all of the answer, for looking for what should not be in it.
func (a answer) text() string { return fmt.Sprint(a.header) + "\n" + string(a.body) }
