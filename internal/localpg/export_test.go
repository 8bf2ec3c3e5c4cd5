package localpg

import (
	"context"
	"strconv"
)

// LeaveRunning starts a server in a folder that Start has used before, with nobody to stop it: what a killed supervisor
// leaves behind.
func LeaveRunning(ctx context.Context, dir string) error {
	who, err := unprivileged()
	if err != nil {
		return err
	}
	f := &folder{dir: dir, who: who}
	programs, err := choose(ctx, Config{}.withDefaults(), f.dataMajor())
	if err != nil {
		return err
	}
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	return f.command(ctx, programs.path("pg_ctl"), "start", "-w", "-D", f.data(), "-l", f.logFile(),
		"-o", "-c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c port="+strconv.Itoa(port)).Run()
}

// The lock of a folder.
var (
	LockFile   = lockFile
	UnlockFile = unlockFile
)
