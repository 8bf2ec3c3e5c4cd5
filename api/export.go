package api

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/wechat-steward/steward/blacklist"
)

const (
	// fileBuffer is how much of a file is put together before some of it goes out.
	fileBuffer = 64 << 10
	// stalledAfter is how long the other end may take for one buffer of a file.
	stalledAfter  = time.Minute
	byteOrderMark = "\ufeff"
)

// file is an answer that goes out while it is read from the database. It is written by hand, since the generated code wants a
// file whole, or a reader that a goroutine of its own would have to fill.
type file[T any] struct {
	server *server
	name   string // without its ending
	format string
	bom    bool
	header []string
	cells  func(T) []string
	object func(T) any
	export func(each func(T) error) error
}

func (f file[T]) VisitExportBlacklistResponse(w http.ResponseWriter) error  { return f.send(w) }
func (f file[T]) VisitExportBatchItemsResponse(w http.ResponseWriter) error { return f.send(w) }

// send writes the file. What fails before any of it has gone out is answered as a problem; after that the connection is cut
// off, so that nobody takes the beginning of a file for the whole.
func (f file[T]) send(w http.ResponseWriter) error {
	out := &fileWriter{w: w, control: http.NewResponseController(w)}
	contentType := "text/csv; charset=utf-8; header=present"
	if f.format == formatNDJSON {
		contentType = "application/x-ndjson"
	}
	out.header = http.Header{
		echo.HeaderContentType:        {contentType},
		echo.HeaderContentDisposition: {mime.FormatMediaType("attachment", map[string]string{"filename": f.name + "." + f.format})},
	}
	err := f.write(bufio.NewWriterSize(out, fileBuffer))
	if err == nil {
		err = out.end()
	}
	if err == nil || !out.begun {
		return err
	}
	f.server.logBroken(err, w.Header().Get(echo.HeaderXRequestID))
	panic(http.ErrAbortHandler)
}

func (f file[T]) write(w *bufio.Writer) error {
	write := f.asCSV
	if f.format == formatNDJSON {
		write = f.asNDJSON
	}
	if err := write(w); err != nil {
		return err
	}
	return w.Flush()
}

func (f file[T]) asCSV(w io.Writer) error {
	if f.bom {
		if _, err := io.WriteString(w, byteOrderMark); err != nil {
			return err
		}
	}
	rows := csv.NewWriter(w)
	rows.UseCRLF = true
	if err := rows.Write(f.header); err != nil {
		return err
	}
	if err := f.export(func(one T) error {
		cells := f.cells(one)
		for i := range cells {
			cells[i] = blacklist.CSVCell(cells[i])
		}
		return rows.Write(cells)
	}); err != nil {
		return err
	}
	rows.Flush()
	return rows.Error()
}

func (f file[T]) asNDJSON(w io.Writer) error {
	lines := json.NewEncoder(w)
	return f.export(func(one T) error { return lines.Encode(f.object(one)) })
}

// fileWriter sends the headers with the first bytes, and gives up on a caller who takes none for a while.
type fileWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	header  http.Header
	begun   bool
}

func (w *fileWriter) begin() {
	for name, values := range w.header {
		w.w.Header()[name] = values
	}
	w.w.WriteHeader(http.StatusOK)
	w.begun = true
}

func (w *fileWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.begin()
	}
	// Not every server can do it; then there is no limit.
	if err := w.control.SetWriteDeadline(time.Now().Add(stalledAfter)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return w.w.Write(p)
}

// end sends what a file without content has, its headers, and takes the limit off the connection for the next request.
func (w *fileWriter) end() error {
	if !w.begun {
		w.begin()
	}
	if err := w.control.SetWriteDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

func (s *server) logBroken(cause error, requestID string) {
	s.Logger.Warn("a file was broken off; whoever asked for it can tell, since its connection was cut off", "error", cause, "request_id", requestID)
}

// The values of the parameter format.
const (
	formatCSV    = "csv"
	formatNDJSON = "ndjson"
)

// fileFormat is the format asked for.
func fileFormat[F ~string](format *F, bom *bool) (string, error) {
	if orZero(format) != formatNDJSON {
		return formatCSV, nil
	}
	if orZero(bom) {
		var wrong fieldErrors
		wrong.add("query:bom", "is for csv only")
		return "", wrong.err()
	}
	return formatNDJSON, nil
}

func (s *server) ExportBlacklist(ctx context.Context, req ExportBlacklistRequestObject) (ExportBlacklistResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	format, err := fileFormat(req.Params.Format, req.Params.Bom)
	if err != nil {
		return nil, err
	}
	return file[blacklist.Entry]{
		server: s, name: "blacklist-" + req.Appid, format: format, bom: orZero(req.Params.Bom),
		header: []string{"openid", "want", "actual", "pending", "reason", "note", "until", "wanted_by", "wanted_at", "actual_at", "batch_id", "errcode", "rid"},
		cells: func(e blacklist.Entry) []string {
			return []string{
				e.OpenID, e.Want, e.Actual, strconv.FormatBool(e.Pending), e.Reason, e.Note, timeCell(e.Until), e.WantedBy, timeCell(e.WantedAt),
				timeCell(e.ActualAt), textCell(e.BatchID), numberCell(e.ErrCode), e.RID,
			}
		},
		object: func(e blacklist.Entry) any { return entryFrom(e) },
		export: func(each func(blacklist.Entry) error) error {
			return s.Blacklist.Export(ctx, principalOf(ctx), tenantID, req.Appid, blacklist.ListParams{
				Actual: blacklist.Actual(orZero(req.Params.Actual)), Query: orZero(req.Params.Q), Want: string(orZero(req.Params.Want)),
				Pending: req.Params.Pending, Failed: req.Params.Failed, Reason: orZero(req.Params.Reason), Note: orZero(req.Params.Note), By: orZero(req.Params.By),
			}, each)
		},
	}, nil
}

func (s *server) ExportBatchItems(ctx context.Context, req ExportBatchItemsRequestObject) (ExportBatchItemsResponseObject, error) {
	tenantID, err := parseID(req.TenantID)
	if err != nil {
		return nil, err
	}
	batchID, err := parseID(req.BatchID)
	if err != nil {
		return nil, err
	}
	format, err := fileFormat(req.Params.Format, req.Params.Bom)
	if err != nil {
		return nil, err
	}
	return file[blacklist.Item]{
		server: s, name: "batch-" + batchID.String(), format: format, bom: orZero(req.Params.Bom),
		header: []string{"openid", "outcome", "reason", "note", "errcode", "rid", "advice", "ended_at"},
		cells: func(i blacklist.Item) []string {
			return []string{i.OpenID, string(i.Outcome), i.Reason, i.Note, numberCell(i.ErrCode), i.RID, i.Advice, timeCell(i.EndedAt)}
		},
		object: func(i blacklist.Item) any { return itemFrom(i) },
		export: func(each func(blacklist.Item) error) error {
			return s.Blacklist.ExportItems(ctx, principalOf(ctx), tenantID, batchID, blacklist.Outcome(orZero(req.Params.Outcome)), each)
		},
	}, nil
}

// timeCell is a time as the API writes it; empty for none.
func timeCell(t *time.Time) string {
	if t == nil {
		return ""
	}
	return stamp(*t).Format(time.RFC3339Nano)
}

func numberCell(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

// textCell is what a value that may be missing prints as.
func textCell[T fmt.Stringer](v *T) string {
	if v == nil {
		return ""
	}
	return (*v).String()
}
