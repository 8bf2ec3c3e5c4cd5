package localpg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// oldest is the first major version that the demo and the tests are known to work with: it has STRATEGY wal_log.
const oldest = 15

// Programs is one installation of PostgreSQL.
type Programs struct {
	Bin     string // the folder that holds initdb, postgres and pg_ctl
	Version string // like "15.18"
	Major   int    // like 15
}

// ErrNoPrograms is wrapped by the error of Start and Find where PostgreSQL is not installed; the error itself says what
// to install.
var ErrNoPrograms = errors.New("no PostgreSQL programs on this machine")

// Find returns the installations in folders (nil: PATH and the usual places), newest first, of PostgreSQL 15 or later.
func Find(ctx context.Context, folders []string) ([]Programs, error) {
	if folders == nil {
		folders = usualFolders(ctx)
	}
	var found []Programs
	for _, bin := range folders {
		p, ok := inspect(ctx, bin)
		if ok && p.Major >= oldest && !slices.Contains(found, p) {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("localpg: %w (version %d or later); %s", ErrNoPrograms, oldest, installHint())
	}
	slices.SortStableFunc(found, func(a, b Programs) int {
		return cmp.Or(cmp.Compare(b.Major, a.Major), cmp.Compare(b.minor(), a.minor()))
	})
	return found, nil
}

func (p Programs) minor() int {
	_, rest, _ := strings.Cut(p.Version, ".")
	minor, _ := strconv.Atoi(rest)
	return minor
}

func (p Programs) path(name string) string { return filepath.Join(p.Bin, name+executableSuffix()) }

// versionLine matches "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)" and "postgres (PostgreSQL) 18beta1".
var versionLine = regexp.MustCompile(`\(PostgreSQL\) ((\d+)(?:\.\d+)?)`)

// inspect looks at one folder, which may be a folder of links.
func inspect(ctx context.Context, bin string) (Programs, bool) {
	real, err := filepath.EvalSymlinks(filepath.Join(bin, "postgres"+executableSuffix()))
	if err != nil {
		return Programs{}, false
	}
	p := Programs{Bin: filepath.Dir(real)}
	for _, name := range []string{"initdb", "postgres", "pg_ctl"} {
		if _, err := exec.LookPath(p.path(name)); err != nil {
			return Programs{}, false
		}
	}
	out, err := exec.CommandContext(ctx, p.path("postgres"), "--version").Output()
	if err != nil {
		return Programs{}, false
	}
	match := versionLine.FindStringSubmatch(string(out))
	if match == nil {
		return Programs{}, false
	}
	p.Version = match[1]
	p.Major, _ = strconv.Atoi(match[2])
	return p, true
}

// usualFolders are PATH and where the packagers of PostgreSQL put the server's programs, which is rarely in PATH.
func usualFolders(ctx context.Context) []string {
	folders := filepath.SplitList(os.Getenv("PATH"))
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		folders = append(folders, strings.TrimSpace(string(out)))
	}
	patterns := []string{
		"/usr/lib/postgresql/*/bin",                                  // Debian, Ubuntu
		"/usr/pgsql-*/bin",                                           // RPMs of postgresql.org
		"/usr/libexec/postgresql*",                                   // Alpine
		"/opt/homebrew/opt/postgresql@*/bin",                         // Homebrew on Apple silicon
		"/usr/local/opt/postgresql@*/bin",                            // Homebrew on Intel
		"/Applications/Postgres.app/Contents/Versions/*/bin",         // Postgres.app
		filepath.Join(os.Getenv("ProgramFiles"), "PostgreSQL/*/bin"), // EDB's installer for Windows
	}
	for _, pattern := range patterns {
		matches, err := filepath.Glob(pattern)
		if err == nil {
			folders = append(folders, matches...)
		}
	}
	return folders
}

// choose returns the newest programs that can work with data of the given major version (0: no data yet), and
// downloads them where there are none.
func choose(ctx context.Context, config Config, dataMajor int) (Programs, error) {
	found, err := Find(ctx, config.Folders)
	if err != nil {
		fetched, downloadErr := config.Download.fetch(ctx, config.Logger)
		if downloadErr != nil {
			return Programs{}, fmt.Errorf("%w; and the download failed: %w", err, downloadErr)
		}
		found = []Programs{fetched}
	}
	var versions []string
	for _, p := range found {
		if dataMajor == 0 || p.Major == dataMajor {
			return p, nil
		}
		versions = append(versions, p.Version)
	}
	return Programs{}, fmt.Errorf("the data was made by PostgreSQL %d, but the programs here are %s:"+
		" install that version, or remove the folder", dataMajor, strings.Join(versions, ", "))
}

func installHint() string {
	switch runtime.GOOS {
	case "darwin":
		return "install them with: brew install postgresql@17"
	case "windows":
		return "install them from https://www.postgresql.org/download/windows/"
	default:
		return "install them with: apt-get install postgresql (Debian, Ubuntu), dnf install postgresql-server (Fedora)," +
			" apk add postgresql (Alpine)"
	}
}
