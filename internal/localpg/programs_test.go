package localpg_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/localpg"
)

func TestFind(t *testing.T) {
	t.Parallel()

	t.Run("NewestComesFirst", func(t *testing.T) {
		t.Parallel()
		folders := []string{installed(t, "15.9"), installed(t, "17.2"), installed(t, "15.10"), installed(t, "18beta1")}
		found, err := localpg.Find(t.Context(), folders)
		require.NoError(t, err)
		var versions []string
		for _, p := range found {
			versions = append(versions, p.Version)
		}
		require.Equal(t, []string{"18", "17.2", "15.10", "15.9"}, versions)
	})

	t.Run("FolderOfLinksLeadsToInstallation", func(t *testing.T) {
		t.Parallel()
		bin := installed(t, "16.1")
		links := t.TempDir()
		require.NoError(t, os.Symlink(filepath.Join(bin, "postgres"), filepath.Join(links, "postgres")))
		found, err := localpg.Find(t.Context(), []string{links, bin})
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, 16, found[0].Major)
	})

	t.Run("OldOrIncompleteInstallationsDoNotCount", func(t *testing.T) {
		t.Parallel()
		incomplete := installed(t, "17.0")
		require.NoError(t, os.Remove(filepath.Join(incomplete, "initdb")))
		_, err := localpg.Find(t.Context(), []string{installed(t, "14.3"), incomplete, filepath.Join(incomplete, "none")})
		require.ErrorIs(t, err, localpg.ErrNoPrograms)
		require.ErrorContains(t, err, "install")
	})
}

func TestDownload(t *testing.T) {
	t.Parallel()
	nowhere := []string{"/nonexistent"}

	t.Run("DownloadedProgramsRunAndAreKept", func(t *testing.T) {
		t.Parallel()
		archive := jar(t, realPrograms(t))
		repository := serve(t, archive, sum(archive))
		cache := folder(t)
		require.NoError(t, os.Chmod(cache, 0o755))
		config := localpg.Config{
			Folders:  nowhere,
			Download: localpg.Download{RepositoryURL: repository.URL, CacheDir: cache, Version: "0.0.1"},
		}
		for range 2 {
			server, err := localpg.Start(t.Context(), config)
			require.NoError(t, err)
			require.Equal(t, "1", query(t, server.URL, "SELECT '1'"))
			require.NoError(t, server.Stop())
			repository.Close() // the second time needs no network
		}
	})

	t.Run("WrongChecksumIsRefused", func(t *testing.T) {
		t.Parallel()
		repository := serve(t, jar(t, map[string]string{"bin/postgres": ""}), strings.Repeat("0", 64))
		require.ErrorContains(t, startDownloaded(t, repository.URL), "checksums do not match")
	})

	t.Run("ProgramsThatDoNotRunAreRefused", func(t *testing.T) {
		t.Parallel()
		archive := jar(t, map[string]string{"bin/none": ""})
		repository := serve(t, archive, sum(archive))
		require.ErrorContains(t, startDownloaded(t, repository.URL), "do not run on this machine")
	})

	t.Run("NoNetworkSaysWhatToInstall", func(t *testing.T) {
		t.Parallel()
		err := startDownloaded(t, "http://127.0.0.1:1")
		require.ErrorIs(t, err, localpg.ErrNoPrograms)
		require.ErrorContains(t, err, "install")
		require.ErrorContains(t, err, "unable to connect")
	})

	t.Run("NeverMeansNever", func(t *testing.T) {
		t.Parallel()
		_, err := localpg.Start(t.Context(), localpg.Config{Folders: nowhere, Download: localpg.Download{Never: true}})
		require.ErrorIs(t, err, localpg.ErrNoPrograms)
	})
}

// installed is a folder of programs that know no more than their version.
func installed(t *testing.T, version string) string {
	t.Helper()
	bin := t.TempDir()
	for _, name := range []string{"postgres", "initdb", "pg_ctl"} {
		script := "#!/bin/sh\necho '" + name + " (PostgreSQL) " + version + "'\n"
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755))
	}
	return bin
}

// realPrograms are the programs of this machine, which find their other files by the path that was compiled into them.
func realPrograms(t *testing.T) map[string]string {
	t.Helper()
	server := start(t, "") // downloads them for real where the machine has none
	cached := query(t, server.URL, "SELECT setting FROM pg_config WHERE name = 'BINDIR'")
	require.NoError(t, server.Stop())
	files := map[string]string{}
	root := filepath.Dir(cached)
	require.NoError(t, filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		// Not needed, and as large as all the rest.
		if err != nil || !entry.Type().IsRegular() || strings.Contains(name, "bitcode") || strings.Contains(name, "llvm") {
			return err
		}
		content, err := os.ReadFile(path)
		files[name] = string(content)
		return err
	}))
	return files
}

// jar packs files as the archives on Maven Central are packed: a tar.xz within a zip.
func jar(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var inner bytes.Buffer
	tarball := tar.NewWriter(&inner)
	for name, content := range files {
		header := &tar.Header{Name: name, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}
		require.NoError(t, tarball.WriteHeader(header))
		_, err := tarball.Write([]byte(content))
		require.NoError(t, err)
	}
	require.NoError(t, tarball.Close())

	var outer bytes.Buffer
	archive := zip.NewWriter(&outer)
	_, err := archive.Create("META-INF/MANIFEST.MF")
	require.NoError(t, err)
	entry, err := archive.Create("postgres-linux-x86_64.txz")
	require.NoError(t, err)
	_, err = entry.Write(storeXZ(inner.Bytes()))
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	return outer.Bytes()
}

func sum(archive []byte) string {
	digest := sha256.Sum256(archive)
	return hex.EncodeToString(digest[:])
}

// serve is a Maven repository with one archive and its checksum.
func serve(t *testing.T, archive []byte, checksum string) *httptest.Server {
	t.Helper()
	answers := map[string]string{".jar": string(archive), ".sha256": checksum}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := answers[filepath.Ext(r.URL.Path)]
		if !known || !strings.HasPrefix(r.URL.Path, "/io/zonky/test/postgres/embedded-postgres-binaries-") {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	return server
}

func startDownloaded(t *testing.T, repository string) error {
	t.Helper()
	_, err := localpg.Start(t.Context(), localpg.Config{
		Folders:  []string{"/nonexistent"},
		Download: localpg.Download{RepositoryURL: repository, CacheDir: t.TempDir()},
	})
	return err
}
