//go:build unix

package localpg

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// stopTimeout is how long a server may take to write down what it has in memory before it is stopped without that.
const stopTimeout = 30 * time.Second

// supervise starts the server and stops it when its standard input ends. The other end is held by our program alone, so
// the kernel closes it however we die; then the shell, which nobody killed, stops the server and tidies up. Postgres
// sets its own handler for INT ("fast": disconnect everybody, write a checkpoint, end), so it does not matter that the
// shell starts background programs with INT ignored.
const supervise = `
dir=$1 temporary=$2 ended=$3
shift 3
exec 3<&0 </dev/null
"$@" 3<&- >"$dir/postgres.log" 2>&1 &
server=$!
(cat <&3 >/dev/null; [ -e "$ended" ] || kill -INT $server) 2>/dev/null &
watcher=$!
wait $server
: >"$ended"
wait $watcher
rm -f "$ended"
[ "$temporary" = no ] || rm -rf "$dir"
exit 0
`

// process is the supervising shell.
type process struct {
	cmd       *exec.Cmd
	hold      *os.File // closing it stops the server
	endedFile string   // appears when the server has ended; each run has its own, since the last may still be ending
}

func launch(_ context.Context, dir *folder, programs Programs, settings []string) (*process, error) {
	input, hold, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer input.Close()
	temporary := "no"
	if dir.temporary {
		temporary = "yes"
	}
	ended := filepath.Join(dir.dir, "ended-"+rand.Text())
	args := []string{"-c", supervise, "sh", dir.dir, temporary, ended, programs.path("postgres"), "-D", dir.data()}
	// Not the caller's context: that one ends when starting is done with.
	cmd := dir.command(context.Background(), "/bin/sh", append(args, settings...)...)
	cmd.Stdin = input
	// Standard output stays /dev/null: were it ours, `go test` would wait for whoever holds it.
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, hold.Close())
	}
	return &process{cmd: cmd, hold: hold, endedFile: ended}, nil
}

// ended: the server stopped by itself, most likely because it could not start.
func (p *process) ended() bool {
	_, err := os.Stat(p.endedFile)
	return err == nil
}

func (p *process) stop() error {
	err := p.hold.Close()
	impatient := time.AfterFunc(stopTimeout, func() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGQUIT) })
	defer impatient.Stop()
	return errors.Join(err, p.cmd.Wait())
}
