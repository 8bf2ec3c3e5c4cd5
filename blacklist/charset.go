package blacklist

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// Charset is how the text of a file is written down in bytes.
type Charset string

// The charsets that a file may have.
const (
	CharsetUTF8  Charset = "utf-8"
	CharsetGBK   Charset = "gb18030" // of which GBK and GB2312 are parts
	CharsetUTF16 Charset = "utf-16"  // with a byte order mark
)

// ParseCharset returns the charset that is called so, in upper or lower case; false: none that a file may have.
func ParseCharset(name string) (Charset, bool) {
	switch strings.ToLower(name) {
	case "utf-8", "utf8", "us-ascii":
		return CharsetUTF8, true
	case "gbk", "gb2312", "gb18030", "cp936":
		return CharsetGBK, true
	case "utf-16", "utf16":
		return CharsetUTF16, true
	}
	return "", false
}

func (c Charset) String() string {
	if c == CharsetGBK {
		return "GBK"
	}
	return strings.ToUpper(string(c))
}

// What may be wrong with the text of a line.
const (
	whyEncoding  = "is neither UTF-8 nor GBK: in Excel, save as \"CSV UTF-8\""
	whyOtherMark = "does not begin as a file in the charset that was named does: name the right one, or none"
)

// fileText is the text of a file. Which charset it has need not be said: where no byte order mark tells, the first record
// that can be in one of them only does.
type fileText struct {
	charset Charset // "": nothing has told yet
	toldBy  int     // the line that told; 0: a byte order mark, or whoever sent the file
	gbk     *encoding.Decoder
}

// openText reads the beginning of a file, and returns what follows a byte order mark. named is the charset that somebody says
// it has; "": nobody does.
func openText(file io.Reader, named Charset) (*fileText, io.Reader, error) {
	buffered := bufio.NewReader(file)
	start, _ := buffered.Peek(3) // what is wrong with a shorter file is found later
	mark := Charset("")
	switch {
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")):
		mark = CharsetUTF8
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		mark = CharsetUTF16
	}
	if named != "" && named != mark && (mark != "" || named == CharsetUTF16) {
		return nil, nil, &FileError{Lines: []WrongLine{{Line: 1, Why: whyOtherMark}}, Total: 1}
	}
	t := &fileText{charset: cmp.Or(named, mark), gbk: simplifiedchinese.GB18030.NewDecoder()}
	switch mark {
	case CharsetUTF8:
		_, _ = buffered.Discard(len("\xef\xbb\xbf"))
	case CharsetUTF16:
		return t, unicode.UTF16(unicode.BigEndian, unicode.ExpectBOM).NewDecoder().Reader(buffered), nil
	}
	return t, buffered, nil
}

// decode makes UTF-8 of a record that begins on a line, or says in which of its cells it is wrong, and why. kept are the columns
// that matter; what stands in others is looked at all the same, for what it tells of the charset.
func (t *fileText) decode(record []string, line int, kept ...int) (cell int, why string) {
	other, surely := -1, false // the first cell that is not UTF-8; whether one is nothing else
	for i, text := range record {
		if !utf8.ValidString(text) {
			other = i
			break
		}
		surely = surely || isSurelyUTF8(text) || !isASCII(text) && slices.Contains(kept, i)
	}
	switch {
	case t.charset == CharsetUTF16:
		// Its reader has made UTF-8 of it, and this of what was none.
		i := slices.IndexFunc(record, func(text string) bool { return strings.ContainsRune(text, utf8.RuneError) })
		return i, whyIf(i >= 0, "is not UTF-16")
	case t.charset == CharsetGBK && t.toldBy > 0 && other < 0 && slices.ContainsFunc(record, isSurelyUTF8):
		return slices.IndexFunc(record, isSurelyUTF8), t.whyMixed(CharsetUTF8)
	case t.charset == CharsetGBK:
		i := t.decodeGBK(record)
		return i, whyIf(i >= 0, "is not GBK")
	case other < 0:
		if t.charset == "" && surely {
			t.charset, t.toldBy = CharsetUTF8, line
		}
		return 0, ""
	case t.charset == "":
		i := t.decodeGBK(record)
		t.charset, t.toldBy = CharsetGBK, line
		return i, whyIf(i >= 0, whyEncoding)
	case t.toldBy > 0 && t.decodeGBK(record) < 0:
		return other, t.whyMixed(CharsetGBK)
	}
	return other, "is not UTF-8: in Excel, save as \"CSV UTF-8\""
}

// decodeGBK makes UTF-8 of a record in GBK, and returns the place of the first cell that is none; -1: all are.
func (t *fileText) decodeGBK(record []string) int {
	for i, text := range record {
		if isASCII(text) {
			continue
		}
		decoded, err := t.gbk.String(text)
		if err != nil || strings.ContainsRune(decoded, utf8.RuneError) {
			return i
		}
		record[i] = decoded
	}
	return -1
}

func (t *fileText) whyMixed(here Charset) string {
	return fmt.Sprintf("is %s, but line %d is %s: save all of it in one of them; or, if it is all the same, name the charset", here, t.toldBy, t.charset)
}

func whyIf(wrong bool, why string) string {
	if wrong {
		return why
	}
	return ""
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// isSurelyUTF8 tells whether text is valid UTF-8 with a character of three bytes or more, as all Chinese ones have. Text in GBK
// is hardly ever that by chance; but one in ten Chinese characters looks in GBK like a valid one of two bytes.
func isSurelyUTF8(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= 0x800 && r != utf8.RuneError }) >= 0 && utf8.ValidString(text)
}
