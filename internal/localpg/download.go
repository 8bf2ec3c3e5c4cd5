package localpg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
)

// Download says where the programs come from on a machine that has none: the archives of embedded-postgres, some 10 MB,
// kept for the next time.
type Download struct {
	// Never refuses to download: Start fails with ErrNoPrograms instead.
	Never bool

	// RepositoryURL is a Maven repository, for those who have a mirror. Default: the one of embedded-postgres.
	RepositoryURL string

	// Version of the archive. Default: the newest 17 that embedded-postgres knows.
	Version string

	// CacheDir keeps what was downloaded. Default: the user's cache folder; for root, who has to share it with the
	// user that the server runs as, /var/cache/steward.
	CacheDir string
}

func (d Download) withDefaults() Download {
	if d.Version == "" {
		d.Version = string(embeddedpostgres.V17)
	}
	if d.CacheDir == "" {
		d.CacheDir = defaultCacheDir()
	}
	return d
}

func defaultCacheDir() string {
	if os.Geteuid() == 0 {
		return "/var/cache/steward"
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "steward")
}

// fetch returns the programs in the cache, and fills it first where it is empty.
func (d Download) fetch(ctx context.Context, logger *slog.Logger) (Programs, error) {
	if d.Never {
		return Programs{}, errors.New("downloading is switched off")
	}
	home := filepath.Join(d.CacheDir, "postgres-"+d.Version)
	if p, ok := inspect(ctx, filepath.Join(home, "bin")); ok {
		return p, nil
	}
	logger.InfoContext(ctx, "downloading PostgreSQL", "version", d.Version)
	if err := d.install(ctx, home); err != nil {
		return Programs{}, err
	}
	p, ok := inspect(ctx, filepath.Join(home, "bin"))
	if !ok {
		return Programs{}, fmt.Errorf("the downloaded programs in %s do not run on this machine", home)
	}
	return p, nil
}

// install has embedded-postgres download and unpack. The programs appear under their final name only when they are
// complete, so that several processes may do this at once.
func (d Download) install(ctx context.Context, home string) error {
	if err := os.MkdirAll(d.CacheDir, 0o755); err != nil { // root's files are run by another user
		return err
	}
	unfinished, err := os.MkdirTemp(d.CacheDir, "unfinished-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(unfinished)
	programs := filepath.Join(unfinished, "programs")
	if err := d.unpack(ctx, unfinished, programs); err != nil {
		return err
	}
	if err := os.Chmod(programs, 0o755); err != nil { // as above
		return err
	}
	err = os.Rename(programs, home)
	if _, statErr := os.Stat(filepath.Join(home, "bin")); err != nil && statErr == nil {
		return nil // another process was faster
	}
	return err
}

// unpack leaves the programs in a folder. embedded-postgres cannot only download, so it starts a server once, which is
// stopped; and as root it fails to, because PostgreSQL refuses root, but the programs are there by then.
func (d Download) unpack(ctx context.Context, scratch, programs string) error {
	port, err := freePort(ctx)
	if err != nil {
		return err
	}
	config := embeddedpostgres.DefaultConfig().
		Version(embeddedpostgres.PostgresVersion(d.Version)).
		CachePath(filepath.Join(scratch, "cache")).
		RuntimePath(filepath.Join(scratch, "runtime")).
		BinariesPath(programs).
		Port(uint32(port)). // a port
		Logger(io.Discard)
	if d.RepositoryURL != "" {
		config = config.BinaryRepositoryURL(d.RepositoryURL)
	}
	database := embeddedpostgres.NewDatabase(config)
	startErr := database.Start()
	if startErr == nil {
		return database.Stop()
	}
	if _, err := os.Stat(filepath.Join(programs, "bin")); err != nil {
		return startErr
	}
	return nil
}
