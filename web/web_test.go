package web_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/web"
)

const script = "console.log('steward')"

func console() fstest.MapFS {
	return fstest.MapFS{
		".gitkeep":               {},
		"index.html":             {Data: []byte("<title>Steward</title>")},
		"favicon.svg":            {Data: []byte("<svg/>")},
		"assets/index-a1b2c3.js": {Data: []byte(script)},
		"assets/font-d4e5.woff2": {Data: []byte("wOF2")},
	}
}

func get(t *testing.T, h http.Handler, target string, headers ...string) *http.Response {
	t.Helper()
	return do(t, h, http.MethodGet, target, headers...)
}

func do(t *testing.T, h http.Handler, method, target string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	content, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(content)
}

func TestHandler(t *testing.T) {
	t.Parallel()
	h := web.NewHandler(console())
	page := []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}

	t.Run("HashedAssetsAreCachedForEver", func(t *testing.T) {
		t.Parallel()
		res := get(t, h, "/assets/index-a1b2c3.js")
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, "public, max-age=31536000, immutable", res.Header.Get("Cache-Control"))
		require.Contains(t, res.Header.Get("Content-Type"), "javascript")
		require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
		require.Equal(t, script, body(t, res))
	})

	t.Run("IndexIsNeverCached", func(t *testing.T) {
		t.Parallel()
		for _, target := range []string{"/", "/index.html"} {
			res := get(t, h, target)
			require.Equal(t, http.StatusOK, res.StatusCode, target)
			require.Equal(t, "no-store", res.Header.Get("Cache-Control"), target)
			require.Contains(t, body(t, res), "<title>Steward</title>", target)
		}
	})

	t.Run("FilesWithoutHashAreCachedBriefly", func(t *testing.T) {
		t.Parallel()
		res := get(t, h, "/favicon.svg")
		require.Equal(t, "public, max-age=3600", res.Header.Get("Cache-Control"))
		require.Equal(t, "image/svg+xml", res.Header.Get("Content-Type"))
	})

	t.Run("PlacesOfTheConsoleGetTheIndex", func(t *testing.T) {
		t.Parallel()
		res := get(t, h, "/tenants/0199/accounts/wx00/blacklist?batch=7", page...)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
		require.Contains(t, body(t, res), "<title>Steward</title>")
	})

	t.Run("MissingFilesAre404", func(t *testing.T) {
		t.Parallel()
		for _, target := range []string{"/assets/index-older.js", "/robots.txt", "/assets/../../web.go"} {
			require.Equal(t, http.StatusNotFound, get(t, h, target, page...).StatusCode, target)
		}
	})

	t.Run("ProgramsThatWantNoPageGet404", func(t *testing.T) {
		t.Parallel()
		res := get(t, h, "/tenants", "Accept", "application/json")
		require.Equal(t, http.StatusNotFound, res.StatusCode)
		require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
	})

	t.Run("FoldersAndDotFilesAreNotServed", func(t *testing.T) {
		t.Parallel()
		for _, target := range []string{"/assets/", "/.gitkeep"} {
			require.Equal(t, http.StatusNotFound, get(t, h, target, "Accept", "*/*").StatusCode, target)
		}
	})

	t.Run("OtherMethodsAreRefused", func(t *testing.T) {
		t.Parallel()
		res := do(t, h, http.MethodPost, "/", page...)
		require.Equal(t, http.StatusMethodNotAllowed, res.StatusCode)
		require.Equal(t, "GET, HEAD", res.Header.Get("Allow"))
	})

	t.Run("HeadHasHeadersOnly", func(t *testing.T) {
		t.Parallel()
		res := do(t, h, http.MethodHead, "/assets/index-a1b2c3.js")
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.EqualValues(t, len(script), res.ContentLength)
		require.Empty(t, body(t, res))
	})
}

func TestHandler_Compression(t *testing.T) {
	t.Parallel()
	h := web.NewHandler(console())

	t.Run("TextIsPackedForBrowsers", func(t *testing.T) {
		t.Parallel()
		for range 2 { // the second answer comes from memory
			res := get(t, h, "/assets/index-a1b2c3.js", "Accept-Encoding", "gzip, deflate, br")
			require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
			require.Equal(t, "Accept-Encoding", res.Header.Get("Vary"))
			unzipper, err := gzip.NewReader(res.Body)
			require.NoError(t, err)
			content, err := io.ReadAll(unzipper)
			require.NoError(t, err)
			require.Equal(t, script, string(content))
		}
	})

	t.Run("FontsAreNotPackedTwice", func(t *testing.T) {
		t.Parallel()
		res := get(t, h, "/assets/font-d4e5.woff2", "Accept-Encoding", "gzip")
		require.Empty(t, res.Header.Get("Content-Encoding"))
		require.Equal(t, "wOF2", body(t, res))
	})

	t.Run("RefusedEncodingIsNotUsed", func(t *testing.T) {
		t.Parallel()
		res := get(t, h, "/assets/index-a1b2c3.js", "Accept-Encoding", "gzip;q=0")
		require.Empty(t, res.Header.Get("Content-Encoding"))
	})
}

func TestHandler_WithoutConsole(t *testing.T) {
	t.Parallel()
	h := web.NewHandler(fstest.MapFS{".gitkeep": {}})

	t.Run("PagesSayHowToBuildItInBothLanguages", func(t *testing.T) {
		t.Parallel()
		for _, target := range []string{"/", "/login"} {
			res := get(t, h, target, "Accept", "text/html")
			require.Equal(t, http.StatusServiceUnavailable, res.StatusCode, target)
			require.Equal(t, "no-store", res.Header.Get("Cache-Control"), target)
			text := body(t, res)
			require.Contains(t, text, "make web", target)
			require.Contains(t, text, "控制台", target)
		}
	})

	t.Run("FilesAre404", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, http.StatusNotFound, get(t, h, "/assets/index-a1b2c3.js").StatusCode)
	})
}

func TestEmbedded(t *testing.T) {
	t.Parallel()
	res := get(t, web.Handler(), "/", "Accept", "text/html")
	text := body(t, res)
	if web.Built() {
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.True(t, strings.Contains(text, `<div id="root">`), "the built index.html")
		return
	}
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	require.Contains(t, text, "make web")
}
