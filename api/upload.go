package api

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/tenant"
)

const (
	// maxFile is the largest file with openids, packed and unpacked: a million of them with a reason each.
	maxFile = 64 << 20
	mimeCSV = "text/csv"
)

// isFile tells whether a request has a file where the contract takes one.
func isFile(r *http.Request, contract *openapi3.RequestBody) bool {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType))
	return err == nil && mediaType == mimeCSV && contract.Content[mimeCSV] != nil
}

// openFile has the body of a request read as a file: unpacked, no longer than allowed, and not before somebody wants it.
func openFile(w http.ResponseWriter, r *http.Request) error {
	_, params, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType))
	charset, isKnown := blacklist.ParseCharset(params["charset"])
	if err != nil || (params["charset"] != "" && !isKnown) {
		return &validationError{answer: unsupportedMediaType, detail: "Send the file in UTF-8, GBK (GB18030) or UTF-16, and name the charset or leave it out."}
	}
	encoding := r.Header.Get(echo.HeaderContentEncoding)
	packed := strings.EqualFold(encoding, "gzip")
	if encoding != "" && !packed && !strings.EqualFold(encoding, "identity") {
		return &validationError{answer: unsupportedMediaType, detail: "Send the file as it is, or packed with Content-Encoding: gzip."}
	}
	if r.ContentLength > maxFile {
		return echo.ErrStatusRequestEntityTooLarge
	}
	f := &fileBody{whole: r.Body, control: http.NewResponseController(w), charset: charset}
	f.from = http.MaxBytesReader(w, patientBody{f}, maxFile)
	f.packed = packed
	r.Body, r.ContentLength = f, -1
	r.Header.Set(echo.HeaderContentType, mimeCSV) // the generated code compares its first letters
	return nil
}

// patientBody is the body of a request that may take longer than others, as long as it goes on coming.
type patientBody struct{ *fileBody }

func (b patientBody) Read(p []byte) (int, error) {
	if err := b.control.SetReadDeadline(time.Now().Add(stalledAfter)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	n, err := b.whole.Read(p)
	if err != nil {
		// The body has ended, and what is done with it may take its time: a limit that ran out meanwhile would end that.
		_ = b.control.SetReadDeadline(time.Time{}) // it could be set before
	}
	return n, err
}

// fileBody reads a file out of a body. Its errors are answers.
type fileBody struct {
	whole   io.ReadCloser
	control *http.ResponseController
	from    io.ReadCloser
	packed  bool
	charset blacklist.Charset // named in the header
	zip     *gzip.Reader
	read    int64
}

func (f *fileBody) Close() error { return f.whole.Close() }

func (f *fileBody) Read(p []byte) (int, error) {
	n, err := f.unpack(p)
	if f.read += int64(n); f.read > maxFile {
		return 0, echo.ErrStatusRequestEntityTooLarge
	}
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return n, err
	case as[*http.MaxBytesError](err) != nil:
		return n, echo.ErrStatusRequestEntityTooLarge
	case f.packed:
		return n, &validationError{answer: invalidFile, detail: "The file could not be unpacked with gzip, or was cut off; nothing was done."}
	}
	return n, &validationError{answer: invalidFile, detail: "The file could not be read to its end; nothing was done."}
}

func (f *fileBody) unpack(p []byte) (int, error) {
	if !f.packed {
		return f.from.Read(p)
	}
	if f.zip == nil {
		zip, err := gzip.NewReader(f.from)
		if errors.Is(err, io.EOF) { // nothing at all is no packed nothing
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, err
		}
		f.zip = zip
	}
	return f.zip.Read(p)
}

// fileParams are the parameters that are for files.
type fileParams struct {
	reason, note *string
	until        *time.Time
	dryRun       *bool
}

// upload makes of a body that is a file what the domain takes. Where the body is JSON, what stands in it must not stand in
// the query as well.
func (q fileParams) upload(file io.Reader, key *IdempotencyKey) (blacklist.Upload, error) {
	var wrong fieldErrors
	if q.until != nil && dateTime(q.until.Format(time.RFC3339)) != nil {
		wrong.add("query:until", "must be a time as in RFC 3339, such as 2027-01-31T08:00:00Z")
	}
	up := blacklist.Upload{File: file, Reason: orZero(q.reason), Note: orZero(q.note), Until: q.until, IdempotencyKey: orZero(key)}
	if body, is := file.(*fileBody); is {
		up.Charset = body.charset
	}
	return up, wrong.err()
}

// none refuses them beside a body in JSON, which has fields for them.
func (q fileParams) none() error {
	var wrong fieldErrors
	for _, param := range []struct {
		name    string
		isGiven bool
	}{{"reason", q.reason != nil}, {"note", q.note != nil}, {"until", q.until != nil}, {"dry_run", q.dryRun != nil}} {
		if param.isGiven {
			wrong.add("query:"+param.name, "is for files: in JSON it is a field of the body")
		}
	}
	return wrong.err()
}

// byFile is a wish whose openids stand in a file.
func byFile(act func(context.Context, tenant.Principal, uuid.UUID, string, blacklist.Upload) (blacklist.Batch, bool, error), up blacklist.Upload) wishFunc {
	return func(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string, _ blacklist.Request) (blacklist.Batch, bool, error) {
		return act(ctx, p, tenantID, appid, up)
	}
}

// linesFrom are the wrong lines of a file.
func linesFrom(e *blacklist.FileError) []FieldError {
	return mapSlice(e.Lines, func(l blacklist.WrongLine) FieldError {
		return FieldError{Pointer: fmt.Sprintf("line:%d", l.Line), Detail: l.Why}
	})
}

// fileWords says how many lines of a file are wrong.
func fileWords(e *blacklist.FileError) string {
	if e.Total == 1 {
		return "one line of the file is wrong"
	}
	text := fmt.Sprintf("%d lines of the file are wrong", e.Total)
	if e.Total > len(e.Lines) {
		text += fmt.Sprintf("; the first %d are listed", len(e.Lines))
	}
	return text
}
