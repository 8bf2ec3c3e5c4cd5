package blacklist

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// mostWrongLines is how many of the wrong lines of a file are listed.
	mostWrongLines = 100
	// longestRow is how many bytes a row of a file may have, the columns that nobody looks at included.
	longestRow = 64 << 10
)

// WrongLine is what is wrong with one line of a file.
type WrongLine struct {
	Line int // counted from 1
	Why  string
}

// FileError says what is wrong with a file, line by line. It repeats nothing of the file.
type FileError struct {
	Lines []WrongLine // the first of them
	Total int         // how many lines are wrong, as far as the file was read
}

func (e *FileError) Error() string {
	if len(e.Lines) == 0 {
		return "the file is wrong"
	}
	return fmt.Sprintf("%d lines of the file are wrong, first line %d: %s", e.Total, e.Lines[0].Line, e.Lines[0].Why)
}

func (e *FileError) add(line int, why string) {
	if e.Total++; len(e.Lines) < mostWrongLines {
		e.Lines = append(e.Lines, WrongLine{Line: line, Why: why})
	}
}

// What may be wrong with a line.
const (
	whyNoOpenID   = "is no openid: those have letters, digits, - and _ only, at most 128 of them"
	whyNoHeader   = whyNoOpenID + "; if this line names the columns, call one openid"
	whyTwoColumns = "calls two columns openid, reason or note"
	whyReason     = "its reason has more than 500 characters, or NUL"
	whyNote       = "its note has more than 1000 characters, or NUL"
	whyQuotes     = "has a quotation mark that is not closed, or not doubled"
	whyTooLong    = "has more than 64 KB: is a quotation mark never closed?"
	whyEmpty      = "holds no openids"
	whyNamesAgain = "names the columns once more: take it out"
)

// fileRows reads the rows of a CSV file and is what COPY reads from. After the first line that is wrong it hands out no more
// rows, but goes on to find the other wrong ones; unless it is lenient, and hands out all those that are right.
type fileRows struct {
	text         *fileText
	csv          *csv.Reader
	limit        *rowLimit
	openid       int
	reason, note int  // columns, too; -1: there is none
	begun, ended bool // whether the first record has been read, and the last
	next         int  // the line on which the next row begins, or an empty line before it
	lenient      bool
	given, blank int
	row          []any
	wrong        FileError
	failed       error // why the file cannot be taken
}

// newFileRows reads the beginning of a file.
func newFileRows(file io.Reader, named Charset) (*fileRows, error) {
	text, utf, err := openText(file, named)
	if err != nil {
		return nil, err
	}
	limit := &rowLimit{from: &lineEnds{from: utf}}
	buffered := bufio.NewReader(limit)
	r := &fileRows{text: text, csv: csv.NewReader(buffered), limit: limit, next: 1, reason: -1, note: -1, row: make([]any, 4)}
	r.csv.FieldsPerRecord = -1 // rows that break off early are blank
	r.csv.ReuseRecord = true
	if text.charset == CharsetUTF16 && hasTabs(buffered) {
		r.csv.Comma = '\t' // as Excel's "Unicode Text" has
	}
	return r, nil
}

// hasTabs tells whether tabs stand between the cells of the first row.
func hasTabs(file *bufio.Reader) bool {
	start, _ := file.Peek(file.Size()) // what cannot be read is found later
	first, _, _ := bytes.Cut(start, []byte{'\n'})
	return bytes.ContainsRune(first, '\t') && !bytes.ContainsRune(first, ',')
}

// Next implements pgx.CopyFromSource.
func (r *fileRows) Next() bool {
	for !r.ended && r.failed == nil {
		record, err := r.csv.Read()
		r.limit.began = r.csv.InputOffset()
		var unreadable *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			r.end()
		case errors.Is(err, errRowTooLong):
			r.fail(r.next, whyTooLong)
		case errors.As(err, &unreadable):
			r.next = unreadable.Line + 1
			r.wrong.add(unreadable.StartLine, whyQuotes)
		case err != nil:
			r.failed = fmt.Errorf("read file: %w", err)
		case r.take(record):
			return true
		}
	}
	return false
}

// take makes of a record the row that Values hands out; false: there is none, because the record is blank, wrong, or names
// the columns.
func (r *fileRows) take(record []string) bool {
	line, _ := r.csv.FieldPos(0)
	r.next = line + 1
	for _, cell := range record {
		r.next += strings.Count(cell, "\n")
	}
	if cell, why := r.text.decode(record, line, r.openid, r.reason, r.note); why != "" {
		line, _ := r.csv.FieldPos(cell)
		r.fail(line, why)
		return false
	}
	first := !r.begun
	r.begun = true
	if first && r.header(record, line) {
		return false
	}
	if r.given++; r.given > MaxFileOpenIDs {
		r.fail(line, fmt.Sprintf("is one too many: a file holds at most %d openids, so send it in parts", MaxFileOpenIDs))
		return false
	}
	openid, reason, note := cellOf(record, r.openid), cellOf(record, r.reason), cellOf(record, r.note)
	openid = strings.TrimFunc(openid, invisible)
	wrong := r.wrong.Total
	switch {
	case openid == "":
		r.blank++
		return false
	case strings.EqualFold(openid, "openid"): // a hundred files put together are no file
		r.wrong.add(line, whyNamesAgain)
	case !isOpenID(openid) && first:
		r.wrong.add(line, whyNoHeader)
	case !isOpenID(openid):
		r.wrong.add(line, whyNoOpenID)
	case CheckReason(reason) != nil:
		r.wrong.add(line, whyReason)
	case utf8.RuneCountInString(note) > MaxNoteLength || !storable(note):
		r.wrong.add(line, whyNote)
	}
	r.row[0], r.row[1], r.row[2], r.row[3] = openid, int32(r.given), ownText(reason), ownText(note) // at most MaxFileOpenIDs
	return r.wrong.Total == 0 || r.lenient && r.wrong.Total == wrong
}

// header reads the names of the columns, if that is what the first record holds.
func (r *fileRows) header(record []string, line int) bool {
	names := make([]string, len(record))
	for i, cell := range record {
		names[i] = strings.ToLower(strings.TrimFunc(cell, invisible))
	}
	r.openid = slices.Index(names, "openid")
	if r.openid < 0 {
		r.openid = 0
		return false
	}
	r.reason, r.note = slices.Index(names, "reason"), slices.Index(names, "note")
	for _, i := range []int{r.openid, r.reason, r.note} {
		if i >= 0 && slices.Contains(names[i+1:], names[i]) {
			r.fail(line, whyTwoColumns)
		}
	}
	return true
}

// ownText is a row's reason or note; nil: it has none of its own.
func ownText(cell string) any {
	if cell == "" {
		return nil
	}
	return cell
}

func (r *fileRows) end() {
	r.ended = true
	switch {
	case r.given == 0 && r.wrong.Total == 0:
		r.fail(1, whyEmpty)
	case r.wrong.Total > 0 && !r.lenient:
		r.failed = &r.wrong
	}
}

func (r *fileRows) fail(line int, why string) {
	r.wrong.add(line, why)
	r.failed = &r.wrong
}

// Values implements pgx.CopyFromSource.
func (r *fileRows) Values() ([]any, error) { return r.row, nil }

// Err implements pgx.CopyFromSource.
func (r *fileRows) Err() error { return r.failed }

// cellOf is what stands in a column; "" where the row ends before it.
func cellOf(record []string, column int) string {
	if column < 0 || column >= len(record) {
		return ""
	}
	return plainText(record[column])
}

// isOpenID tells whether text can be an openid. A request in JSON takes more, but in a file the wrong column is a likely
// mistake, and a million calls in vain its price.
func isOpenID(text string) bool {
	if len(text) > MaxOpenIDLength {
		return false
	}
	for _, c := range []byte(text) {
		isLetter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !isLetter && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

var errRowTooLong = errors.New("a row of the file is too long")

// rowLimit reads a file and stops where a row does not end: encoding/csv would hold all of it in memory.
type rowLimit struct {
	from  io.Reader
	read  int64
	began int64 // where the row begins that is being read
}

func (l *rowLimit) Read(p []byte) (int, error) {
	if l.read-l.began > longestRow {
		return 0, errRowTooLong
	}
	n, err := l.from.Read(p)
	l.read += int64(n)
	return n, err
}

// lineEnds makes LF of the CR LF and of the bare CR with which lines of a file may end: encoding/csv does not know the latter,
// which old programs on a Macintosh write. No charset has their bytes in other characters.
type lineEnds struct {
	from    io.Reader
	afterCR bool
}

func (l *lineEnds) Read(p []byte) (int, error) {
	for {
		n, err := l.from.Read(p)
		if n = l.convert(p[:n]); n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

func (l *lineEnds) convert(p []byte) int {
	if !l.afterCR && bytes.IndexByte(p, '\r') < 0 {
		return len(p)
	}
	kept := p[:0]
	for _, c := range p {
		isSecond := l.afterCR && c == '\n'
		if l.afterCR = c == '\r'; l.afterCR {
			c = '\n'
		}
		if !isSecond {
			kept = append(kept, c)
		}
	}
	return len(kept)
}
