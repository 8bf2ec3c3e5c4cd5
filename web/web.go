// Package web serves the console: the static files that `make web` builds into dist and that every steward program carries inside.
// It will not answer for the API or WeChat's callbacks: whoever mounts it keeps those paths away from it.
package web

import (
	"bytes"
	"compress/gzip"
	"embed"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// all: because dist/.gitkeep, the only file of a fresh clone, begins with a dot.
//
//go:embed all:dist
var dist embed.FS

//go:embed unbuilt.html
var unbuiltPage []byte

const (
	immutable = "public, max-age=31536000, immutable"
	shortLife = "public, max-age=3600"
	noStore   = "no-store"
)

// Built reports whether this program was built with the console inside.
func Built() bool { return built(distRoot()) }

// Handler serves the console at "/". Files under /assets/ carry a hash of their content in their names and may be cached for ever; index.html is
// never cached. A path without a dot that a browser asks for as a page gets index.html, because the console finds its own way from there.
// In a program built without the console, pages get a short text, with status 503, that says how to build it.
func Handler() http.Handler { return newHandler(distRoot()) }

func distRoot() fs.FS {
	root, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // "dist" is a valid path: the embed directive above would not compile otherwise
	}
	return root
}

func built(files fs.FS) bool {
	_, err := fs.Stat(files, "index.html")
	return err == nil
}

type handler struct {
	files fs.FS
	built bool
	// zipped holds the gzip form of each file that was asked for, by its name: the files never change while the program runs.
	zipped sync.Map
}

func newHandler(files fs.FS) *handler {
	return &handler{files: files, built: built(files)}
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
	switch {
	case name != "" && name != "index.html" && h.isFile(name):
		h.serveFile(w, r, name)
	case !isPage(r, name):
		w.Header().Set("Cache-Control", noStore)
		http.NotFound(w, r)
	case !h.built:
		write(w, r, http.StatusServiceUnavailable, "text/html; charset=utf-8", noStore, unbuiltPage)
	default:
		h.serveFile(w, r, "index.html")
	}
}

// isFile says whether the build holds the file. Names that begin with a dot (.gitkeep) are git's business.
func (h *handler) isFile(name string) bool {
	if strings.HasPrefix(path.Base(name), ".") {
		return false
	}
	info, err := fs.Stat(h.files, name)
	return err == nil && info.Mode().IsRegular()
}

// isPage tells a place of the console from a file that is missing: a stale tab that asks for a script of an older build must get 404, not HTML.
func isPage(r *http.Request, name string) bool {
	if name == "" || name == "index.html" {
		return true
	}
	return !strings.Contains(name, ".") && strings.Contains(r.Header.Get("Accept"), "text/html")
}

func (h *handler) serveFile(w http.ResponseWriter, r *http.Request, name string) {
	content, err := fs.ReadFile(h.files, name)
	if err != nil {
		http.Error(w, "the console's file cannot be read", http.StatusInternalServerError)
		return
	}
	contentType := mime.TypeByExtension(path.Ext(name))
	if contentType == "" {
		contentType = http.DetectContentType(content)
	}
	if isText(contentType) {
		w.Header().Add("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			w.Header().Set("Content-Encoding", "gzip")
			content = h.zip(name, content)
		}
	}
	write(w, r, http.StatusOK, contentType, cacheControl(name), content)
}

func write(w http.ResponseWriter, r *http.Request, status int, contentType, cache string, content []byte) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(content)))
	header.Set("Cache-Control", cache)
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(content) // the browser is gone: nobody is left to tell
	}
}

func cacheControl(name string) string {
	switch {
	case strings.HasPrefix(name, "assets/"):
		return immutable
	case name == "index.html":
		return noStore
	default:
		return shortLife
	}
}

func isText(contentType string) bool {
	return strings.HasPrefix(contentType, "text/") || strings.Contains(contentType, "javascript") ||
		strings.Contains(contentType, "json") || strings.Contains(contentType, "svg")
}

// acceptsGzip reads Accept-Encoding as browsers write it; whoever weighs encodings gets the plain file, which is always right.
func acceptsGzip(r *http.Request) bool {
	for encoding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		if strings.TrimSpace(encoding) == "gzip" {
			return true
		}
	}
	return false
}

// zip packs a file once: the console's libraries are 1.5 MB plain and a third of that packed.
func (h *handler) zip(name string, content []byte) []byte {
	if packed, ok := h.zipped.Load(name); ok {
		return packed.([]byte)
	}
	var buffer bytes.Buffer
	zipper := gzip.NewWriter(&buffer)
	_, _ = zipper.Write(content) // a bytes.Buffer refuses nothing
	_ = zipper.Close()
	packed, _ := h.zipped.LoadOrStore(name, buffer.Bytes())
	return packed.([]byte)
}
