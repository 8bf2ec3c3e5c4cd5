package ratio

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ResidentMB is how much memory a process has, as Linux tells.
func ResidentMB(t testing.TB, pid int) int {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	require.NoError(t, err)
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			kB, err := strconv.Atoi(fields[1])
			require.NoError(t, err)
			return kB >> 10
		}
	}
	require.FailNow(t, "the kernel does not say")
	return 0
}
