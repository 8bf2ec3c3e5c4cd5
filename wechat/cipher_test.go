package wechat_test

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat"
)

const (
	simAppID  = "wx0000000000000001"
	simToken  = "simtoken"
	simAESKey = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFE"
	simTime   = "1700000000"
	simNonce  = "1234567890"
	simRandom = "0123456789abcdef"
)

var simKey = wechat.CallbackKey{Token: simToken, EncodingAESKey: simAESKey}

type vector struct{ name, msg, encrypt, msgSignature string }

// vectors were computed with openssl from WeChat's description, not with this package.
func vectors() []vector {
	return []vector{
		{
			name:         "Ticket",
			msg:          `<xml><AppId>wx0000000000000001</AppId><CreateTime>1700000000</CreateTime><InfoType>component_verify_ticket</InfoType><ComponentVerifyTicket>ticket@@@sim-1</ComponentVerifyTicket></xml>`,
			encrypt:      `Q3stYC6hdFzMh9T8HCvyDJND97nB3HnX4f1xc2HsaQTrB7wFJBWl8W8/rmOYQLJVLcaOLgMaSortst1oLqY1c5tDXHMIlnhXCGcl759hiIb9uJ9Nkf6OhTdBM8qWMRzRKkcbPP2TY701qwivXVWAXFuiZBSu24b9HEkcq30sRQQnnid+koZP4/2DsSWscQfzQTcfQjYbAVFSLJDMy32onzD9VWT08YucFwyQ0qBQVKXs6MuPQhhDYMu4xxZ1GsDiMB1FJIb65LRW9jf+pHfa2+mBpgZP9cKa27Wv5vuQakM=`,
			msgSignature: `d2bf1f4e0f06e5fbb3690e01517c168e6c4e0432`,
		},
		{
			name:         "Unauthorized",
			msg:          `<xml><AppId>wx0000000000000001</AppId><CreateTime>1700000000</CreateTime><InfoType>unauthorized</InfoType><AuthorizerAppid>wx00000000000000aa</AuthorizerAppid></xml>`,
			encrypt:      `Q3stYC6hdFzMh9T8HCvyDCinFLjxMHM9wYGiOxfD4FJURrcHXD0n3vLaGKUDFouWTWEhyLH8tKUOL6EIhhVjCbioMsnLSCpCcCVe18WHIerY1+RThEs14WyGyC2Z5dlZYyhoGSeKlQ8doMmrlA9hhvFmnCLO7mwOQX8a/nJzT1mCGjsNAbsGpDBkpM9xODW6XQpLr2DhEYjGvbp6HBvPB2iAGF3xg2Y4YxEwy/I5qSsP0SndUcB2uM7eVLrNGIPj2YN26OlTHMIg6+ASyHF/YQCBMpzBdlWTqO1sq84EnYs=`,
			msgSignature: `6577d12633a86f309655ec79dc2c649fcd7889cc`,
		},
		{
			name:         "AlignedMessageGetsAWholeBlockOfPadding",
			msg:          strings.Repeat("x", 26),
			encrypt:      `Q3stYC6hdFzMh9T8HCvyDHDxbrF7f8TfmYxXSN1y2Vbjja9RgRLcXPjzJF67v90VIR4n0EhLgJkxUYoW8N7oiNM9PDdzFYm1/MAqCAKAvD+PmOnRPNIS1ac9jOypo67o`,
			msgSignature: `d67579f9bed67d95e035c8d7a1c19651e820e467`,
		},
	}
}

func newCipher(t testing.TB, keys ...wechat.CallbackKey) *wechat.Cipher {
	t.Helper()
	if len(keys) == 0 {
		keys = []wechat.CallbackKey{simKey}
	}
	c, err := wechat.NewCipher(simAppID, keys...)
	require.NoError(t, err)
	return c
}

func envelope(encrypt string) []byte {
	return []byte("<xml><AppId><![CDATA[" + simAppID + "]]></AppId><Encrypt><![CDATA[" + encrypt + "]]></Encrypt></xml>")
}

func push(s wechat.Sealed) wechat.Push {
	return wechat.Push{MsgSignature: s.MsgSignature, Timestamp: s.Timestamp, Nonce: s.Nonce, Body: envelope(s.Encrypt)}
}

func TestSignature(t *testing.T) {
	t.Parallel()
	require.Equal(t, "cc0c594499c1634947d5b502f158ee518947db27", wechat.Signature("AAAAA", "1715943329", "1590219412"))
	require.Equal(t, "f464b24fc39322e44b38aa78f5edd27bd1441696", wechat.Signature("AAAAA", "1714036504", "1514711492"))
	require.Equal(t, "90c83129c067dc078542dc2894a3a0f6de4f7bf0", wechat.Signature(simToken, simTime, simNonce))
}

func TestSignature_LeavesItsArgumentsAlone(t *testing.T) {
	t.Parallel()
	parts := []string{"c", "a", "b"}
	wechat.Signature("d", parts...)
	require.Equal(t, []string{"c", "a", "b"}, parts)
}

func TestCipher_Vectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors() {
		t.Run("Open/"+v.name, func(t *testing.T) {
			t.Parallel()
			got, err := newCipher(t).Open(push(wechat.Sealed{Encrypt: v.encrypt, MsgSignature: v.msgSignature, Timestamp: simTime, Nonce: simNonce}))
			require.NoError(t, err)
			require.Equal(t, v.msg, string(got))
		})
		t.Run("Seal/"+v.name, func(t *testing.T) {
			t.Parallel()
			c := newCipher(t)
			c.SetRandom(strings.NewReader(simRandom))
			got, err := c.Seal([]byte(v.msg), simTime, simNonce)
			require.NoError(t, err)
			require.Equal(t, wechat.Sealed{Encrypt: v.encrypt, MsgSignature: v.msgSignature, Timestamp: simTime, Nonce: simNonce}, got)
		})
		t.Run("KeyWithTrailingBits/"+v.name, func(t *testing.T) {
			t.Parallel()
			c := newCipher(t, wechat.CallbackKey{Token: simToken, EncodingAESKey: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"})
			got, err := c.Open(push(wechat.Sealed{Encrypt: v.encrypt, MsgSignature: v.msgSignature, Timestamp: simTime, Nonce: simNonce}))
			require.NoError(t, err)
			require.Equal(t, v.msg, string(got))
			c.SetRandom(strings.NewReader(simRandom))
			sealed, err := c.Seal([]byte(v.msg), simTime, simNonce)
			require.NoError(t, err)
			require.Equal(t, v.encrypt, sealed.Encrypt)
		})
	}
}

func TestCipher_RoundTrip(t *testing.T) {
	t.Parallel()
	c := newCipher(t)
	for n := range 100 { // every length of padding, three times over
		msg := []byte(strings.Repeat("好", n/3) + strings.Repeat("a", n%3))
		sealed, err := c.Seal(msg, simTime, simNonce)
		require.NoError(t, err)
		got, err := c.Open(push(sealed))
		require.NoError(t, err)
		require.Equal(t, msg, got)
	}
}

func TestCipher_Seal(t *testing.T) {
	t.Parallel()
	t.Run("IsDifferentEachTime", func(t *testing.T) {
		t.Parallel()
		c := newCipher(t)
		first, err := c.Seal([]byte("hello"), simTime, simNonce)
		require.NoError(t, err)
		second, err := c.Seal([]byte("hello"), simTime, simNonce)
		require.NoError(t, err)
		require.NotEqual(t, first.Encrypt, second.Encrypt)
	})
	t.Run("FailsWithoutRandomness", func(t *testing.T) {
		t.Parallel()
		c := newCipher(t)
		c.SetRandom(strings.NewReader("short"))
		_, err := c.Seal([]byte("hello"), simTime, simNonce)
		require.ErrorContains(t, err, "randomness")
	})
}

func TestCipher_EnvelopeForms(t *testing.T) {
	t.Parallel()
	v := vectors()[0]
	for name, body := range map[string]string{
		"ToUserName":      "<xml><ToUserName><![CDATA[gh_0123456789ab]]></ToUserName><Encrypt><![CDATA[" + v.encrypt + "]]></Encrypt></xml>",
		"Plain":           "<xml><AppId>" + simAppID + "</AppId><Encrypt>" + v.encrypt + "</Encrypt></xml>",
		"EncryptFirst":    "<xml><Encrypt>" + v.encrypt + "</Encrypt><AppId>" + simAppID + "</AppId></xml>",
		"UnknownElements": "<xml><New a='b'><Deep>1</Deep></New><Encrypt><![CDATA[" + v.encrypt + "]]></Encrypt><Agent/></xml>",
		"Indented":        "<xml>\n  <AppId>" + simAppID + "</AppId>\n  <Encrypt>\n" + v.encrypt + "\n</Encrypt>\n</xml>\n",
		"Declaration":     `<?xml version="1.0" encoding="UTF-8"?><xml><Encrypt>` + v.encrypt + "</Encrypt></xml>",
		"NoAppId":         "<xml><Encrypt>" + v.encrypt + "</Encrypt></xml>",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := newCipher(t).Open(wechat.Push{MsgSignature: v.msgSignature, Timestamp: simTime, Nonce: simNonce, Body: []byte(body)})
			require.NoError(t, err)
			require.Equal(t, v.msg, string(got))
		})
	}
}

func TestCipher_MalformedEnvelopes(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"Empty":            "",
		"NoXML":            "hello",
		"Truncated":        "<xml><Encrypt>abc",
		"NoEncrypt":        "<xml><AppId>wx</AppId></xml>",
		"EmptyEncrypt":     "<xml><Encrypt><![CDATA[]]></Encrypt></xml>",
		"BlankEncrypt":     "<xml><Encrypt>  </Encrypt></xml>",
		"LowerCaseEncrypt": "<xml><encrypt>abc</encrypt></xml>",
		"JSON":             `{"Encrypt":"abc"}`,
		"ForeignCharset":   `<?xml version="1.0" encoding="GBK"?><xml><Encrypt>abc</Encrypt></xml>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newCipher(t).Open(wechat.Push{MsgSignature: strings.Repeat("0", 40), Timestamp: simTime, Nonce: simNonce, Body: []byte(body)})
			require.ErrorIs(t, err, wechat.ErrEnvelope)
			require.Equal(t, wechat.ErrEnvelope.Error(), err.Error())
		})
	}
}

func TestCipher_ChangeOfKeys(t *testing.T) {
	t.Parallel()
	fresh := wechat.CallbackKey{Token: "newtoken", EncodingAESKey: strings.Repeat("Z", 43)}
	old, err := newCipher(t).Seal([]byte("hello"), simTime, simNonce)
	require.NoError(t, err)

	t.Run("PreviousKeyStillOpens", func(t *testing.T) {
		t.Parallel()
		got, err := newCipher(t, fresh, simKey).Open(push(old))
		require.NoError(t, err)
		require.Equal(t, "hello", string(got))
	})
	t.Run("UnknownTokenIsASignatureError", func(t *testing.T) {
		t.Parallel()
		_, err := newCipher(t, fresh).Open(push(old))
		require.ErrorIs(t, err, wechat.ErrSignature)
	})
	t.Run("UnknownAESKeyIsAnEnvelopeError", func(t *testing.T) {
		t.Parallel()
		_, err := newCipher(t, wechat.CallbackKey{Token: simToken, EncodingAESKey: fresh.EncodingAESKey}).Open(push(old))
		require.ErrorIs(t, err, wechat.ErrEnvelope)
	})
	t.Run("OnlyTheTokenChanged", func(t *testing.T) {
		t.Parallel()
		c := newCipher(t, wechat.CallbackKey{Token: "newtoken", EncodingAESKey: simAESKey}, wechat.CallbackKey{Token: simToken})
		got, err := c.Open(push(old))
		require.NoError(t, err)
		require.Equal(t, "hello", string(got))
	})
	t.Run("OnlyTheAESKeyChanged", func(t *testing.T) {
		t.Parallel()
		c := newCipher(t, wechat.CallbackKey{Token: simToken, EncodingAESKey: fresh.EncodingAESKey}, wechat.CallbackKey{EncodingAESKey: simAESKey})
		got, err := c.Open(push(old))
		require.NoError(t, err)
		require.Equal(t, "hello", string(got))
	})
	t.Run("SealUsesTheCurrentKey", func(t *testing.T) {
		t.Parallel()
		sealed, err := newCipher(t, fresh, simKey).Seal([]byte("reply"), simTime, simNonce)
		require.NoError(t, err)
		got, err := newCipher(t, fresh).Open(push(sealed))
		require.NoError(t, err)
		require.Equal(t, "reply", string(got))
	})
	t.Run("SealReplyUsesTheKeyOfThePush", func(t *testing.T) {
		t.Parallel()
		sealed, err := newCipher(t, fresh, simKey).SealReply(push(old), []byte("reply"), simTime, simNonce)
		require.NoError(t, err)
		got, err := newCipher(t).Open(push(sealed))
		require.NoError(t, err)
		require.Equal(t, "reply", string(got))
	})
	t.Run("SealReplyToAForeignPushFails", func(t *testing.T) {
		t.Parallel()
		_, err := newCipher(t, fresh).SealReply(push(old), []byte("reply"), simTime, simNonce)
		require.ErrorIs(t, err, wechat.ErrSignature)
	})
}

func TestCipher_VerifyURL(t *testing.T) {
	t.Parallel()
	good := wechat.Signature(simToken, simTime, simNonce)
	c := newCipher(t, wechat.CallbackKey{Token: "newtoken", EncodingAESKey: simAESKey}, simKey)
	require.True(t, c.VerifyURL(good, simTime, simNonce))
	require.True(t, c.VerifyURL(wechat.Signature("newtoken", simTime, simNonce), simTime, simNonce))
	require.False(t, c.VerifyURL(good, simTime, "1234567891"))
	require.False(t, c.VerifyURL(good, "1700000001", simNonce))
	require.False(t, c.VerifyURL("", simTime, simNonce))
	require.False(t, c.VerifyURL(good[:39], simTime, simNonce))
	require.False(t, c.VerifyURL(wechat.Signature("other", simTime, simNonce), simTime, simNonce))
}

func TestNewCipher_Refuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		appid string
		keys  []wechat.CallbackKey
	}{
		"NoAppID":        {"", []wechat.CallbackKey{simKey}},
		"NoKeys":         {simAppID, nil},
		"NoToken":        {simAppID, []wechat.CallbackKey{{EncodingAESKey: simAESKey}}},
		"NoAESKey":       {simAppID, []wechat.CallbackKey{{Token: simToken}}},
		"ShortAESKey":    {simAppID, []wechat.CallbackKey{{Token: simToken, EncodingAESKey: simAESKey[:42]}}},
		"LongAESKey":     {simAppID, []wechat.CallbackKey{{Token: simToken, EncodingAESKey: simAESKey + "="}}},
		"NoBase64":       {simAppID, []wechat.CallbackKey{{Token: simToken, EncodingAESKey: strings.Repeat("!", 43)}}},
		"NewlinesInside": {simAppID, []wechat.CallbackKey{{Token: simToken, EncodingAESKey: simAESKey[:39] + "\n\n\n\n"}}},
		"BadPreviousKey": {simAppID, []wechat.CallbackKey{simKey, {Token: simToken, EncodingAESKey: "abc"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := wechat.NewCipher(tc.appid, tc.keys...)
			require.Error(t, err)
			for _, k := range tc.keys {
				if k.EncodingAESKey != "" {
					require.NotContains(t, err.Error(), k.EncodingAESKey)
				}
			}
		})
	}
}

func TestSealed_XML(t *testing.T) {
	t.Parallel()
	t.Run("ByteForByte", func(t *testing.T) {
		t.Parallel()
		s := wechat.Sealed{Encrypt: "QUJD", MsgSignature: "d2bf", Timestamp: simTime, Nonce: simNonce}
		require.Equal(t, "<xml><Encrypt><![CDATA[QUJD]]></Encrypt><MsgSignature><![CDATA[d2bf]]></MsgSignature>"+
			"<TimeStamp>1700000000</TimeStamp><Nonce><![CDATA[1234567890]]></Nonce></xml>", string(s.XML()))
	})
	t.Run("NothingBreaksOut", func(t *testing.T) {
		t.Parallel()
		evil := "a]]><b>&</b>"
		var got struct {
			Encrypt, MsgSignature, TimeStamp, Nonce string
		}
		require.NoError(t, xml.Unmarshal(wechat.Sealed{Encrypt: "e", MsgSignature: "m", Timestamp: evil, Nonce: evil}.XML(), &got))
		require.Equal(t, evil, got.TimeStamp)
		require.Equal(t, evil, got.Nonce)
	})
}
