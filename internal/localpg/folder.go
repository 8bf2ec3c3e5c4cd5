package localpg

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	superuser       = "steward"
	temporaryPrefix = "steward-postgres-"
)

// folder is where one server lives: data/ (Postgres's own), password, postgres.log, and lock, which the program that
// runs the server holds for as long as it lives.
type folder struct {
	dir       string
	temporary bool
	who       *account
	lock      *os.File
	password  string
}

func openFolder(dir string, who *account) (*folder, error) {
	f := &folder{dir: dir, who: who}
	var err error
	if dir == "" {
		f.temporary = true
		sweep()
		f.dir, err = os.MkdirTemp("", temporaryPrefix)
	} else {
		f.dir, err = claimable(dir)
	}
	if err != nil {
		return nil, err
	}
	f.lock, err = lockFile(filepath.Join(f.dir, "lock"))
	if err == nil {
		err = who.own(f.dir)
	}
	if err == nil {
		err = who.canReach(f.dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// sweep removes temporary folders that nobody tidied up, as after a power cut. Young ones are left alone: between
// being made and being locked they look just the same.
func sweep() {
	old, err := filepath.Glob(filepath.Join(os.TempDir(), temporaryPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range old {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < time.Hour {
			continue
		}
		lock, err := lockFile(filepath.Join(dir, "lock"))
		if err != nil {
			continue // somebody else's, or in use
		}
		_ = os.RemoveAll(dir)
		_ = unlockFile(lock)
	}
}

// claimable makes the folder, and refuses one that holds anything but a server of ours: as root we are about to give
// it to another user.
func claimable(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "lock")); len(entries) > 0 && err != nil {
		return "", fmt.Errorf("%s holds files that are not a server's: give an empty folder", dir)
	}
	return dir, nil
}

func (f *folder) data() string { return filepath.Join(f.dir, "data") }

// dataMajor is the major version of PostgreSQL that made the data, 0 when there is none yet.
func (f *folder) dataMajor() int {
	content, err := os.ReadFile(filepath.Join(f.data(), "PG_VERSION"))
	if err != nil {
		return 0
	}
	major, _ := strconv.Atoi(strings.TrimSpace(string(content)))
	return major
}

// prepare leaves a data folder in which no server runs.
func (f *folder) prepare(ctx context.Context, programs Programs, logger *slog.Logger) error {
	if err := f.who.canReach(programs.Bin); err != nil {
		return err
	}
	if f.dataMajor() == 0 {
		return f.initialise(ctx, programs)
	}
	password, err := os.ReadFile(f.passwordFile())
	if err != nil {
		return err
	}
	f.password = string(password)
	return f.stopLeftover(ctx, programs, logger)
}

// initialise makes the data in a folder beside its place, so that an interrupted initdb leaves no half-made data.
func (f *folder) initialise(ctx context.Context, programs Programs) error {
	f.password = rand.Text()
	if err := os.WriteFile(f.passwordFile(), []byte(f.password), 0o600); err != nil {
		return err
	}
	if err := f.who.own(f.passwordFile()); err != nil {
		return err
	}
	unfinished := f.data() + ".unfinished"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	out, err := f.command(ctx, programs.path("initdb"),
		"--pgdata="+unfinished, "--username="+superuser, "--pwfile="+f.passwordFile(), "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb of PostgreSQL %s: %w\n%s", programs.Version, err, out)
	}
	return os.Rename(unfinished, f.data())
}

// command runs a program of PostgreSQL as the user that owns the folder, and without this program's PG… variables,
// which would otherwise lead it to another server.
func (f *folder) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = f.dir
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PG") && !strings.HasPrefix(v, "LC_") && !strings.HasPrefix(v, "LANG") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "LC_ALL=C")
	f.who.runs(cmd)
	return cmd
}

func (f *folder) passwordFile() string { return filepath.Join(f.dir, "password") }

// close gives the folder up. The server must have ended.
func (f *folder) close() error {
	var errs []error
	if f.lock != nil {
		errs = append(errs, unlockFile(f.lock))
	}
	if f.temporary {
		errs = append(errs, os.RemoveAll(f.dir))
	}
	return errors.Join(errs...)
}
