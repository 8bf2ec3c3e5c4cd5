package main_test

import (
	"encoding/csv"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat/simulator"
)

// cli is a shell in which steward blacklist is called: without what serving needs, with a key.
func (b *bundle) cli(appid string, args ...string) *process {
	b.t.Helper()
	return run(b.t, map[string]string{"STEWARD_KEY": b.key}, b.cliArgs(appid, args...)...)
}

func (b *bundle) cliArgs(appid string, args ...string) []string {
	return append([]string{"blacklist", args[0], "--server", b.steward.url, "--tenant", b.tenant, "--appid", appid}, args[1:]...)
}

func fileOf(t testing.TB, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "people.csv")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func TestBlacklistCommand(t *testing.T) {
	t.Parallel()

	t.Run("BlocksAFileAndExitsZeroWhenAllAreDone", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		appid, openids := b.connect(60, "1", "2")
		file := fileOf(t, "\ufeffname,openid\r\nx,"+strings.Join(openids, "\r\nx,")+"\r\nx,\r\n")
		p := b.cli(appid, "block", "--file", file, "--reason", "spam", "--until", "2099-01-31T08:00:00+08:00")
		require.Zero(t, p.code, p.stderr)
		require.Regexp(t, `^batch \S+: 60 openids taken on, 1 blank or twice\n$`, p.stdout.String())
		require.Contains(t, p.stderr.String(), "61 of 61 (100%), 0 failed, done\n")
		require.NotContains(t, p.stderr.String(), "\x1b", "no bar where nobody looks")
		require.ElementsMatch(t, openids, b.sim.Blacklisted(appid))

		p = b.cli(appid, "list", "--limit", "3", "--reason", "SPAM")
		require.Zero(t, p.code, p.stderr)
		require.Len(t, strings.Split(strings.TrimSpace(p.stdout.String()), "\n"), 4)
		require.Regexp(t, `^OPENID +WANT +ACTUAL +PENDING +BY +REASON\n\S+ +blocked +blocked +false +test \(platform_key\) +spam\n`, p.stdout.String())
		require.Len(t, strings.Split(strings.TrimSpace(b.cli(appid, "list", "--limit", "0").stdout.String()), "\n"), 61)

		out := filepath.Join(t.TempDir(), "export.csv")
		p = b.cli(appid, "export", "--file", out, "--bom")
		require.Zero(t, p.code, p.stderr)
		exported, err := os.ReadFile(out)
		require.NoError(t, err)
		rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(exported), "\ufeff"))).ReadAll()
		require.NoError(t, err)
		require.Len(t, rows, 61)

		p = b.cli(appid, "unblock", "--file", out)
		require.Zero(t, p.code, p.stderr)
		require.Empty(t, b.sim.Blacklisted(appid))
	})

	t.Run("SendsFilesInGBKAsTheyAre", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		appid, openids := b.connect(2, "1", "2")
		// The reasons are 垃圾 and 陆; the second could be ½ in UTF-8.
		p := b.cli(appid, "block", "--file", fileOf(t, "openid,reason\r\n"+openids[0]+",\xc0\xac\xbb\xf8\r\n"))
		require.Zero(t, p.code, p.stderr)
		p = b.cli(appid, "block", "--charset", "gbk", "--file", fileOf(t, "openid,reason\r\n"+openids[1]+",\xc2\xbd\r\n"))
		require.Zero(t, p.code, p.stderr)
		list := b.cli(appid, "list").stdout.String()
		require.Regexp(t, openids[0]+` .* 垃圾\n`, list)
		require.Regexp(t, openids[1]+` .* 陆\n`, list)
	})

	t.Run("DryRunPrintsCountsAndWrongLinesAndDoesNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		appid, openids := b.connect(3, "1", "2")
		p := b.cli(appid, "block", "--dry-run", "--file", fileOf(t, strings.Join(openids, "\n")+"\n"+openids[0]+"\n"))
		require.Zero(t, p.code, p.stderr)
		require.Regexp(t, `^total +4\nwould change +0\n(?s:.*)\nunknown +3\n(?s:.*)\ntwice +1\nblank +0\n$`, p.stdout.String())
		p = b.cli(appid, "unblock", "--dry-run", "--file", fileOf(t, "oA\no B\n"))
		require.Equal(t, 1, p.code)
		require.Contains(t, p.stdout.String(), "\nwrong\tline 2\tis no openid")
		require.Contains(t, p.stderr.String(), "wrong lines: 1; with them the file would be refused as a whole")
		require.Zero(t, b.count(`SELECT count(*) FROM blacklist_batches`))
	})

	t.Run("SaysHowMuchOfALargeFileIsSent", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		appid, _ := b.connect(3, "1", "2")
		large := fileOf(t, strings.Repeat("oA,"+strings.Repeat("x", 1000)+"\n", 3000))
		p := b.cli(appid, "block", "--dry-run", "--file", large)
		require.Zero(t, p.code, p.stderr)
		require.Regexp(t, `^1\.\d of 2\.9 MB sent \(\d\d%\)\n(?s:.*)\nall 2\.9 MB sent, waiting until they are stored\n$`, p.stderr.String())
		require.LessOrEqual(t, strings.Count(p.stderr.String(), "\n"), 11)
		require.NotContains(t, p.stderr.String(), "\x1b", "no bar where nobody looks")
	})

	t.Run("PrintsWhoFailedAndExitsOne", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		appid, openids := b.connect(5, "1", "2")
		p := b.cli(appid, "block", "--file", fileOf(t, strings.Join(append(openids, "nobody"), "\n")))
		require.Equal(t, 1, p.code)
		require.Regexp(t, `\nfailed\tnobody\t40003\t\S+\t.+\n$`, p.stdout.String())
		require.Contains(t, p.stderr.String(), "steward: 1 of 6 openids were not done: 1 failed, 0 superseded by later wishes, 0 cancelled\n")
		require.ElementsMatch(t, openids, b.sim.Blacklisted(appid))
	})

	t.Run("WithoutWaitingSaysThatItWasTakenOn", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		appid, openids := b.connect(5, "1", "2")
		args := []string{"block", "--file", fileOf(t, strings.Join(openids, "\n")), "--no-wait", "--idempotency-key", "k"}
		first, again := b.cli(appid, args...), b.cli(appid, args...)
		require.Zero(t, first.code, first.stderr)
		require.Zero(t, again.code, again.stderr)
		require.Equal(t, first.stdout.String(), again.stdout.String())
		require.Equal(t, 1, b.count(`SELECT count(*) FROM blacklist_batches`))
	})

	t.Run("RefusalsAreSaidWithTheirLines", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		appid, _ := b.connect(5, "1", "2")
		p := b.cli(appid, "block", "--file", fileOf(t, "openid\no A\noB\n"))
		require.Equal(t, 1, p.code)
		require.Contains(t, p.stderr.String(), "(invalid-file, request ")
		require.Contains(t, p.stderr.String(), "\n  line:2 is no openid")
		p = b.cli("wxnobody", "export")
		require.Equal(t, 1, p.code)
		require.Contains(t, p.stderr.String(), "(not-found, request ")
		require.Empty(t, p.stdout.String())
		p = run(t, map[string]string{"STEWARD_KEY": "stw_" + strings.Repeat("A", 52)}, b.cliArgs(appid, "list")...)
		require.Equal(t, 1, p.code)
		require.Contains(t, p.stderr.String(), "(unauthenticated, request ")
		require.NotContains(t, p.stderr.String(), "AAAA")
	})

	t.Run("InterruptLeavesTheBatchGoing", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		appid, openids := b.connect(40, "1", "2")
		_, err := b.sim.Inject(simulator.Fault{Path: pathBlock, Hang: true})
		require.NoError(t, err)
		p := start(t, map[string]string{"STEWARD_KEY": b.key}, b.cliArgs(appid, "block", "--file", fileOf(t, strings.Join(openids, "\n")))...)
		eventually(t, "the batch is watched", func() bool { return strings.Contains(p.stderr.String(), "0 of 40") })
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGINT))
		p.wait()
		require.Equal(t, 1, p.code)
		require.Regexp(t, `interrupted; batch \S+ goes on all the same`, p.stderr.String())
		b.sim.ClearFaults()
		eventually(t, "the batch goes on", func() bool { return len(b.sim.Blacklisted(appid)) == 40 })
	})

	t.Run("MisunderstandingsExitTwo", func(t *testing.T) {
		t.Parallel()
		file := fileOf(t, "oA\n")
		account := []string{"--server", "http://127.0.0.1:1", "--tenant", "t", "--appid", "wx1"}
		for name, args := range map[string][]string{
			"NoFile":       append([]string{"block"}, account...),
			"MissingFile":  append([]string{"block", "--file", file + "x"}, account...),
			"NoAccount":    {"block", "--file", file},
			"NoURL":        {"list", "--server", "steward.example.com", "--tenant", "t", "--appid", "wx1"},
			"URLWithKey":   {"list", "--server", "http://stw_x@127.0.0.1:1", "--tenant", "t", "--appid", "wx1"},
			"Until":        append([]string{"block", "--file", file, "--until", "tomorrow"}, account...),
			"UntilUnblock": append([]string{"unblock", "--file", file, "--until", "2099-01-01T00:00:00Z"}, account...),
			"Actual":       append([]string{"list", "--actual", "x"}, account...),
			"Limit":        append([]string{"list", "--limit", "-1"}, account...),
			"Charset":      append([]string{"block", "--file", file, "--charset", "big5"}, account...),
			"BOM":          append([]string{"export", "--format", "ndjson", "--bom"}, account...),
			"MissingKey":   append([]string{"list", "--key-file", file + "x"}, account...),
		} {
			p := run(t, map[string]string{"STEWARD_KEY": "stw_x"}, append([]string{"blacklist"}, args...)...)
			require.Equal(t, 2, p.code, "%s: %s", name, p.stderr)
		}
		p := run(t, nil, append([]string{"blacklist", "list"}, account...)...)
		require.Equal(t, 2, p.code)
		require.Contains(t, p.stderr.String(), "a key is needed")
		p = run(t, nil, append([]string{"blacklist", "list", "--key-file", fileOf(t, "stw_x\n")}, account...)...)
		require.Equal(t, 1, p.code, "understood, but nobody answers")
	})

	t.Run("FileThatIsBrokenOffIsNotLeftBehind", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("openid\r\noA\r\n"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}))
		defer server.Close()
		out := filepath.Join(t.TempDir(), "export.csv")
		p := run(t, map[string]string{"STEWARD_KEY": "stw_x"}, "blacklist", "export", "--server", server.URL, "--tenant", "t", "--appid", "wx1", "--file", out)
		require.Equal(t, 1, p.code)
		require.Contains(t, p.stderr.String(), "not whole")
		left, err := os.ReadDir(filepath.Dir(out))
		require.NoError(t, err)
		require.Empty(t, left)
	})

	t.Run("KeyIsNotCarriedToAnotherServer", func(t *testing.T) {
		t.Parallel()
		carried := make(chan string, 1)
		other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { carried <- r.Header.Get("Authorization") }))
		defer other.Close()
		server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
		defer server.Close()
		p := run(t, map[string]string{"STEWARD_KEY": "stw_x"}, "blacklist", "list", "--server", server.URL, "--tenant", "t", "--appid", "wx1")
		require.Equal(t, 1, p.code)
		require.Contains(t, p.stderr.String(), "is --server right?")
		require.Empty(t, carried)
	})
}
