package blacklist_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"testing/iotest"
	utf16encoding "unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
)

func utf16(order binary.AppendByteOrder, text string) string {
	var coded []byte
	for _, unit := range utf16encoding.Encode([]rune(text)) {
		coded = order.AppendUint16(coded, unit)
	}
	return string(coded)
}

func TestCharsets(t *testing.T) {
	t.Parallel()

	// The reason is 垃圾评论 in each of them.
	t.Run("FindsOutTheCharset", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		for name, file := range map[string]string{
			"UTF8":                 "openid,reason\noA,垃圾评论\n",
			"GBK":                  "openid,reason\noA," + gbk + "\n",
			"GBKInNames":           gbk + ",openid,reason\r\nx,oA," + gbk + "\r\n",
			"GBKQuoted":            "openid,reason\n\"oA\",\"" + gbk + "\"\n",
			"GBKLater":             "openid,reason\noB,x\noA," + gbk + "\n",
			"GBKLikeUTF8Elsewhere": "name,openid,reason\n\xc2\xbd,oA," + gbk + "\n", // 陆 in GBK, ½ in UTF-8
			"GB18030Elsewhere":     "name,openid,reason\n\x82\x35\x8f\x33,oA," + gbk + "\n",
			"UTF16LittleEndian":    "\xff\xfe" + utf16(binary.LittleEndian, "openid,reason\r\noA,垃圾评论\r\n"),
			"UTF16BigEndian":       "\xfe\xff" + utf16(binary.BigEndian, "openid,reason\r\noA,垃圾评论\r\n"),
			"ExcelUnicodeText":     "\xff\xfe" + utf16(binary.LittleEndian, "openid\treason\r\noA\t垃圾评论\r\n"),
			"InOneByteReads":       "openid,reason\r\noA," + gbk + "\r\n",
		} {
			_, _, err := b.uploadAs(t, blacklist.Upload{File: iotest.OneByteReader(strings.NewReader(file))})
			require.NoError(t, err, name)
			require.Equal(t, "垃圾评论", b.entries(t, blacklist.ActualAny)[0].Reason, name)
			b.upload(t, "oA,\n") // no reason of its own
		}
	})

	t.Run("TakesTheCharsetThatIsNamed", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		send := func(charset blacklist.Charset, file string) error {
			_, _, err := b.uploadAs(t, blacklist.Upload{File: strings.NewReader(file), Charset: charset})
			return err
		}
		// 陆 in GBK is ½ in UTF-8, and 鍨冨溇 in GBK is 垃圾 in UTF-8.
		for file, reasons := range map[string]map[blacklist.Charset]string{
			"openid,reason\noA,\xc2\xbd\n": {"": "½", blacklist.CharsetUTF8: "½", blacklist.CharsetGBK: "陆"},
			"openid,reason\noA,垃圾\n":       {"": "垃圾", blacklist.CharsetUTF8: "垃圾", blacklist.CharsetGBK: "鍨冨溇"},
		} {
			for charset, reason := range reasons {
				require.NoError(t, send(charset, file))
				require.Equal(t, reason, b.entries(t, blacklist.ActualAny)[0].Reason)
			}
		}
		for _, wrong := range []struct {
			charset blacklist.Charset
			file    string
			line    blacklist.WrongLine
		}{
			{blacklist.CharsetUTF8, "oA\noB," + gbk, blacklist.WrongLine{2, "is not UTF-8: in Excel, save as \"CSV UTF-8\""}},
			{blacklist.CharsetGBK, "oA\noB,\xff", blacklist.WrongLine{2, "is not GBK"}},
			{blacklist.CharsetGBK, "\ufeffoA", blacklist.WrongLine{1, "does not begin as a file in the charset that was named does: name the right one, or none"}},
			{blacklist.CharsetUTF8, "\xff\xfeo\x00", blacklist.WrongLine{1, "does not begin as a file in the charset that was named does: name the right one, or none"}},
			{blacklist.CharsetUTF16, "oA", blacklist.WrongLine{1, "does not begin as a file in the charset that was named does: name the right one, or none"}},
		} {
			var refused *blacklist.FileError
			require.ErrorAs(t, send(wrong.charset, wrong.file), &refused)
			require.Equal(t, []blacklist.WrongLine{wrong.line}, refused.Lines)
		}
	})
}
