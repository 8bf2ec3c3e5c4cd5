package web

import (
	"io/fs"
	"net/http"
)

// NewHandler serves the given files instead of the embedded ones.
func NewHandler(files fs.FS) http.Handler { return newHandler(files) }
