package api_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// endless is a file of one letter, and counts how much of it was read.
type endless struct{ read int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'o'
	}
	e.read += int64(len(p))
	return len(p), nil
}

func TestFilesThatNobodyShouldSend(t *testing.T) {
	t.Parallel()

	t.Run("AreRefusedWithTheLineAndLeaveNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		const (
			noOpenID = "is no openid: those have letters, digits, - and _ only, at most 128 of them"
			quotes   = "has a quotation mark that is not closed, or not doubled"
			tooLong  = "has more than 64 KB: is a quotation mark never closed?"
		)
		for name, want := range map[string]struct {
			file   string
			errors []string
		}{
			"Nothing":             {"", []string{"line:1: holds no openids"}},
			"OnlyEmptyLines":      {"\n\r\n\r\r\n", []string{"line:1: holds no openids"}},
			"OnlyNames":           {"openid,reason,note\n", []string{"line:1: holds no openids"}},
			"NamesTwice":          {"openid\noA\nopenid\noB\n", []string{"line:3: names the columns once more: take it out"}},
			"NULs":                {"openid\no\x00A\n\x00\noB\n", []string{"line:2: " + noOpenID, "line:3: " + noOpenID}},
			"NULInNote":           {"openid,note\noA,\x00\n", []string{"line:2: its note has more than 1000 characters, or NUL"}},
			"QuoteNeverClosed":    {"oA\n\"oB\noC\n", []string{"line:2: " + quotes}},
			"QuoteNeverClosedBig": {"oA\n\"" + strings.Repeat("oB\n", 500_000), []string{"line:2: " + tooLong}},
			"OneLongLine":         {"oA\n" + strings.Repeat("o", 10<<20), []string{"line:2: " + tooLong}},
			"OneLongRowOfCells":   {"oA\n" + strings.Repeat(",", 10<<20), []string{"line:2: " + tooLong}},
			"WrongLinesOfAMac":    {"openid\roA\rno B\roC\r", []string{"line:3: " + noOpenID}},
			"Formula":             {"openid\n=cmd|' /C calc'!A0\n", []string{"line:2: " + noOpenID}},
			"Spreadsheet":         {"PK\x03\x04\x14\x00\x06\x00\xff\xfe\xfd", []string{"line:1: is neither UTF-8 nor GBK: in Excel, save as \"CSV UTF-8\""}},
		} {
			p := b.do(t, request{method: "POST", path: b.accountPath("/blacklist/block"), body: want.file, header: asCSV()}).
				problem(t, http.StatusUnprocessableEntity, "invalid-file")
			require.Equal(t, want.errors, pointers(p), name)
		}
		require.Zero(t, b.count(t, "blacklist_batches"))
		require.Zero(t, b.count(t, "blacklist_entries"))
	})

	// Whether its sender says how large it is or not, hardly any of a hundred megabytes is read.
	t.Run("OneEndlessLineIsNotReadToItsEnd", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		for _, path := range []string{"/blacklist/block", "/blacklist/unblock?dry_run=true"} {
			for length, status := range map[int64]int{-1: http.StatusUnprocessableEntity, 100 << 20: http.StatusRequestEntityTooLarge} {
				file := &endless{}
				req := b.newRequest(t, request{method: "POST", path: b.accountPath(path), header: asCSV()})
				req.Body, req.ContentLength = io.NopCloser(io.LimitReader(file, 100<<20)), length
				res := b.serve(req)
				require.Equal(t, status, res.Code, res.Body)
				require.Less(t, file.read, int64(1<<20))
			}
		}
		require.Zero(t, b.count(t, "blacklist_batches"))
	})

	t.Run("LinesMayEndHoweverTheyLike", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		for _, file := range []string{"openid\roA\roB", "openid\noA\noB\n", "openid\r\noA\r\noB\r\n", "openid\r\r\noA\r\r\noB\r\r\n"} {
			res := b.do(t, request{method: "POST", path: b.accountPath("/blacklist/block"), body: file, header: asCSV()})
			require.Equal(t, http.StatusAccepted, res.status, res.body)
			require.EqualValues(t, 2, res.json(t)["counts"].(map[string]any)["total"], "%q", file)
		}
	})

	t.Run("FormulasComeOutOfAnExportAsText", func(t *testing.T) {
		t.Parallel()
		b := setup(t, options{})
		file := "openid,reason,note\noA,'=1+1,\"=HYPERLINK(\"\"http://x\"\")\"\n"
		for range 2 { // what comes out goes in again, and comes out the same
			res := b.do(t, request{method: "POST", path: b.accountPath("/blacklist/block"), body: file, header: asCSV()})
			require.Equal(t, http.StatusAccepted, res.status, res.body)
			entry := b.get(t, b.accountPath("/blacklist?actual=any"))["data"].([]any)[0].(map[string]any)
			require.Equal(t, []any{"=1+1", `=HYPERLINK("http://x")`}, []any{entry["reason"], entry["note"]})
			file = b.do(t, request{path: b.accountPath("/blacklist/export?actual=any")}).body
			require.Equal(t, []string{"'=1+1", `'=HYPERLINK("http://x")`}, rowsOf(t, file)[1][4:6])
		}
	})
}
