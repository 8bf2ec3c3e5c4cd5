package main_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for what should take far less, so that a busy machine fails no test.
const patience = 60 * time.Second

// eventually polls until ok, which runs on the test's own goroutine and may fail the test.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			require.FailNow(t, "it did not happen in time: "+what)
		case <-tick.C:
		}
	}
}

// output collects what a process writes.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// process is steward as an operating system's process.
type process struct {
	t              testing.TB
	cmd            *exec.Cmd
	url            string // where it listens, if it serves
	stdout, stderr *output
	ended          chan struct{}
	code           int // after ended; -1: killed
}

// start runs steward with args and nothing else in its environment than env and what every process needs.
func start(t testing.TB, env map[string]string, args ...string) *process {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	stdin, hold, err := os.Pipe()
	require.NoError(t, err)
	p := &process{t: t, cmd: exec.Command(program, args...), stdout: &output{}, stderr: &output{}, ended: make(chan struct{})}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = stdin, p.stdout, p.stderr
	p.cmd.Env = []string{"STEWARD_TEST_AS_PROGRAM=1", "PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + os.TempDir()}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		p.cmd.Env = append(p.cmd.Env, name+"="+env[name])
	}
	require.NoError(t, p.cmd.Start())
	require.NoError(t, stdin.Close())
	go func() {
		defer close(p.ended)
		defer hold.Close()
		err := p.cmd.Wait()
		var exit *exec.ExitError
		switch {
		case errors.As(err, &exit):
			p.code = exit.ExitCode()
		case err != nil:
			p.code = -2
		}
	}()
	t.Cleanup(func() {
		p.kill()
		for _, bad := range []string{"DATA RACE", "panic", "goroutine "} {
			require.NotContains(t, p.stderr.String(), bad)
		}
		if t.Failed() {
			t.Logf("steward %s wrote:\n%s", strings.Join(args, " "), p.stderr)
		}
	})
	return p
}

// serve runs steward serve and returns when it answers.
func serve(t testing.TB, env map[string]string, args ...string) *process {
	t.Helper()
	p := start(t, env, append([]string{"serve"}, args...)...)
	eventually(t, "steward serves", func() bool {
		if p.hasEnded() {
			require.FailNow(t, "steward serve ended", "code %d: %s", p.code, p.stderr)
		}
		for line := range strings.Lines(p.stderr.String()) {
			var entry struct{ Msg, Addr string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "serving" {
				p.url = "http://" + entry.Addr
			}
		}
		return p.url != ""
	})
	return p
}

// run runs steward to its end.
func run(t testing.TB, env map[string]string, args ...string) *process {
	t.Helper()
	p := start(t, env, args...)
	p.wait()
	return p
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (p *process) wait() {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		require.FailNow(p.t, "steward did not end in time", "%s", p.stderr)
	}
}

// kill is kill -9: the process does nothing any more.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// terminate asks the process to end, as docker stop and systemd do.
func (p *process) terminate() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
}

// stop asks the process to end and waits until it has, without a complaint.
func (p *process) stop() {
	p.t.Helper()
	p.terminate()
	p.wait()
	require.Zero(p.t, p.code, "exit code after SIGTERM: %s", p.stderr)
}
