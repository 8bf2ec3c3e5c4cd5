package blacklist_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
)

func TestCSVCell(t *testing.T) {
	t.Parallel()
	for text, cell := range map[string]string{
		"": "", "oAbc_-1": "oAbc_-1", "a=b": "a=b", "'": "'", "'quoted'": "'quoted'", " =1": " =1", "垃圾评论": "垃圾评论",
		"=1+1": "'=1+1", "+86": "'+86", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\tx": "'\tx", "\rx": "'\rx",
		"'=1": "''=1", "''-": "'''-", // or what came out of an export could not be told from what was there before
	} {
		require.Equal(t, cell, blacklist.CSVCell(text))
		require.Equal(t, text, blacklist.PlainText(cell))
	}
}
