package localpg

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// account is unused here: on Windows pg_ctl itself gives up an administrator's rights.
type account struct{}

func unprivileged() (*account, error) { return nil, nil }

func (*account) own(string) error      { return nil }
func (*account) runs(*exec.Cmd)        {}
func (*account) canReach(string) error { return nil }

func executableSuffix() string { return ".exe" }

// lockFile opens the file without sharing it, which Windows enforces until the file is closed or we die.
func lockFile(path string) (*os.File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, err
	}
	const sharingViolation = syscall.Errno(32)
	handle, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, 0, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, sharingViolation) {
		return nil, fmt.Errorf("another program is running a server in %s", filepath.Dir(path))
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(handle), path), nil
}

// unlockFile gives the lock up.
func unlockFile(file *os.File) error { return file.Close() }
