package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/wechat-steward/steward/api"
)

const (
	// pollEvery is how often a batch is asked how it stands, mostPollFailures after how many failures in a row nobody asks any more.
	pollEvery        = time.Second
	mostPollFailures = 60
	askWithin        = 30 * time.Second
	// longestLine of an export is far above any: an openid, a reason, advice.
	longestLine = 1 << 20
)

// apiClient calls the API of a Steward.
type apiClient struct {
	server, key string
	http        *http.Client
}

func newAPIClient(server, key string) *apiClient {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.ExpectContinueTimeout = 10 * time.Second
	return &apiClient{server: server, key: key, http: &http.Client{
		Transport: transport,
		// The key is for the server that was named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// refusal is an answer that is a problem.
type refusal struct {
	status  int
	problem api.Problem
}

func (e *refusal) Error() string {
	if e.problem.Code == "" {
		return fmt.Sprintf("the server answered %d, and not as Steward does: is --server right?", e.status)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s (%s, request %s): %s", e.problem.Title, e.problem.Code, e.problem.RequestID, e.problem.Detail)
	if e.problem.Errors != nil {
		for _, one := range *e.problem.Errors {
			fmt.Fprintf(&text, "\n  %s %s", one.Pointer, one.Detail)
		}
	}
	if e.problem.ConnectURL != nil {
		fmt.Fprintf(&text, "\n  %s", *e.problem.ConnectURL)
	}
	return text.String()
}

// do sends a request; what is answered with anything but 2xx is an error.
func (c *apiClient) do(ctx context.Context, method, path string, body io.Reader, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.server+path, body)
	if err != nil {
		return nil, err
	}
	if header != nil {
		req.Header = header
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("User-Agent", "steward-cli")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, ended(ctx, err)
	}
	if res.StatusCode < http.StatusMultipleChoices {
		return res, nil
	}
	defer res.Body.Close()
	refused := &refusal{status: res.StatusCode}
	_ = json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&refused.problem) // what is no problem has no code
	return nil, refused
}

func (c *apiClient) get(ctx context.Context, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	res, err := c.do(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(res.Body).Decode(into)
}

// send posts a CSV file. It asks first, so that a file that will be refused is not sent in vain.
func (c *apiClient) send(ctx context.Context, path string, file io.Reader, contentType, key string, into any) error {
	header := http.Header{"Content-Type": {contentType}, "Idempotency-Key": {key}, "Expect": {"100-continue"}}
	res, err := c.do(ctx, http.MethodPost, path, io.NopCloser(file), header)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(res.Body).Decode(into)
}

// download copies an answer. One that breaks off is an error, since the server cuts the connection then.
func (c *apiClient) download(ctx context.Context, path string, w io.Writer) error {
	res, err := c.do(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(w, res.Body); err != nil {
		return fmt.Errorf("the file was broken off, so it is not whole: %w", ended(ctx, err))
	}
	return nil
}

// lines calls each with every line of an answer.
func (c *apiClient) lines(ctx context.Context, path string, each func([]byte) error) error {
	res, err := c.do(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		if err := each(lines.Bytes()); err != nil {
			return err
		}
	}
	return ended(ctx, lines.Err())
}

// progress shows how a batch goes on: a bar on a terminal, else a line now and then.
type progress struct {
	w          io.Writer
	onTerminal bool
	last       string // what was said last
	reason     string // why the batch was paused when that was said
	drawn      bool
}

// sending is a file on its way to the server: it shows how much of it has been sent.
type sending struct {
	file io.Reader
	size int64 // 0: nobody knows

	mu   sync.Mutex // the file may be read while the answer is here already, if that is a refusal
	show *progress
	sent int64
	said string
	over bool
}

func newSending(p *program, file *os.File) *sending {
	s := &sending{file: file, show: newProgress(p)}
	if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
		s.size = info.Size()
	}
	return s
}

func (s *sending) Read(p []byte) (int, error) {
	n, err := s.file.Read(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent += int64(n)
	s.update(errors.Is(err, io.EOF))
	return n, err
}

// update draws the bar on a terminal; else it prints a line for every tenth of a file, or every ten megabytes where nobody knows
// how large it is, and none for a file that is sent in no time.
func (s *sending) update(whole bool) {
	const megabyte, width = 1 << 20, 30
	if s.over || !s.show.onTerminal && s.sent < megabyte {
		return
	}
	text, step := fmt.Sprintf("%.1f MB sent", float64(s.sent)/megabyte), s.sent/(10*megabyte)
	share := 0.0
	if s.size > 0 {
		share = min(float64(s.sent)/float64(s.size), 1)
		text, step = fmt.Sprintf("%.1f of %.1f MB sent (%.0f%%)", float64(s.sent)/megabyte, float64(s.size)/megabyte, share*100), int64(share*10)
	}
	if whole {
		text = fmt.Sprintf("all %.1f MB sent, waiting until they are stored", float64(s.sent)/megabyte)
		share, step = 1, -1
	}
	if s.show.onTerminal {
		s.show.draw(fmt.Sprintf("%s %s", bar(share, width), text))
	} else if said := strconv.FormatInt(step, 10); said != s.said {
		s.said = said
		fmt.Fprintln(s.show.w, text)
	}
}

// end leaves what has been shown as it is.
func (s *sending) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.show.end()
}

// bar is a bar of which a share is full.
func bar(share float64, width int) string {
	full := int(share * float64(width))
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}

// draw puts text in the place of what was drawn before.
func (s *progress) draw(text string) {
	fmt.Fprint(s.w, "\r\x1b[K"+text) // to the beginning of the line, and what stood there is gone
	s.drawn = true
}

func newProgress(p *program) *progress {
	show := &progress{w: p.stderr}
	if file, is := p.stderr.(*os.File); is {
		info, err := file.Stat()
		show.onTerminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return show
}

func (s *progress) update(b api.Batch) {
	const width = 30
	c := b.Counts
	ended := c.Total - c.Pending
	share := 1.0
	if c.Total > 0 {
		share = float64(ended) / float64(c.Total)
	}
	if b.PauseReason != s.reason {
		if s.reason = b.PauseReason; s.reason != "" {
			s.end()
			fmt.Fprintf(s.w, "paused: %s%s\n", printable(s.reason), until(b.PausedUntil))
		}
	}
	if s.onTerminal {
		s.draw(fmt.Sprintf("%s %3.0f%%  %d of %d, %d failed, %s", bar(share, width), share*100, ended, c.Total, c.Failed, b.Status))
		return
	}
	// Every tenth, and whenever the state changes.
	if said := fmt.Sprintf("%s %d", b.Status, int(share*10)); said != s.last {
		s.last = said
		fmt.Fprintf(s.w, "%d of %d (%.0f%%), %d failed, %s\n", ended, c.Total, share*100, c.Failed, b.Status)
	}
}

// end leaves the bar as it is.
func (s *progress) end() {
	if s.drawn {
		fmt.Fprintln(s.w)
		s.drawn = false
	}
}

// until is when a pause ends, where that is known.
func until(t *time.Time) string {
	if t == nil {
		return ""
	}
	return " (until " + t.Local().Format(time.DateTime) + ")"
}
