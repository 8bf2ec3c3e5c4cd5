package wechat_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat"
)

func TestCipher_Tampering(t *testing.T) {
	t.Parallel()
	c := newCipher(t)
	v := vectors()[0]
	good := wechat.Push{MsgSignature: v.msgSignature, Timestamp: simTime, Nonce: simNonce, Body: envelope(v.encrypt)}
	flips := func(t *testing.T, text string, set func(*wechat.Push, string)) {
		t.Helper()
		for i := range len(text) {
			for _, bit := range []byte{0x01, 0x20, 0x80} {
				changed := []byte(text)
				changed[i] ^= bit
				p := good
				set(&p, string(changed))
				_, err := c.Open(p)
				require.Error(t, err, "byte %d of %q", i, text)
				require.True(t, errors.Is(err, wechat.ErrSignature) || errors.Is(err, wechat.ErrEnvelope))
			}
		}
	}
	t.Run("Encrypt", func(t *testing.T) {
		t.Parallel()
		flips(t, v.encrypt, func(p *wechat.Push, s string) { p.Body = envelope(s) })
	})
	t.Run("MsgSignature", func(t *testing.T) {
		t.Parallel()
		flips(t, v.msgSignature, func(p *wechat.Push, s string) { p.MsgSignature = s })
	})
	t.Run("Timestamp", func(t *testing.T) {
		t.Parallel()
		flips(t, simTime, func(p *wechat.Push, s string) { p.Timestamp = s })
	})
	t.Run("Nonce", func(t *testing.T) {
		t.Parallel()
		flips(t, simNonce, func(p *wechat.Push, s string) { p.Nonce = s })
	})
	t.Run("SignatureMissing", func(t *testing.T) {
		t.Parallel()
		p := good
		p.MsgSignature = ""
		_, err := c.Open(p)
		require.ErrorIs(t, err, wechat.ErrSignature)
	})
	t.Run("SignatureOfTheURLOnly", func(t *testing.T) {
		t.Parallel()
		p := good
		p.MsgSignature = wechat.Signature(simToken, simTime, simNonce)
		_, err := c.Open(p)
		require.ErrorIs(t, err, wechat.ErrSignature)
	})
	t.Run("UpperCaseSignature", func(t *testing.T) {
		t.Parallel()
		p := good
		p.MsgSignature = strings.ToUpper(p.MsgSignature)
		_, err := c.Open(p)
		require.ErrorIs(t, err, wechat.ErrSignature)
	})
}

// Whoever knows the token but not the key can sign anything: what he sends must fail, never panic.
func TestCipher_SignedTampering(t *testing.T) {
	t.Parallel()
	c := newCipher(t)
	raw, err := base64.StdEncoding.DecodeString(vectors()[2].encrypt)
	require.NoError(t, err)
	for i := range raw {
		for bit := range 8 {
			changed := append([]byte(nil), raw...)
			changed[i] ^= 1 << bit
			// Nothing but the signature protects random bytes and message, so some of these open, to another text.
			if _, err := c.Open(signed(changed)); err != nil {
				require.Equal(t, wechat.ErrEnvelope, err)
			}
		}
	}
	for n := range raw {
		_, err := c.Open(signed(raw[:n]))
		require.ErrorIs(t, err, wechat.ErrEnvelope, "cut to %d bytes", n)
	}
	_, err = c.Open(signed(append(append([]byte(nil), raw...), raw...)))
	require.ErrorIs(t, err, wechat.ErrEnvelope)
}

func signed(ciphertext []byte) wechat.Push {
	encrypt := base64.StdEncoding.EncodeToString(ciphertext)
	return wechat.Push{MsgSignature: wechat.Signature(simToken, simTime, simNonce, encrypt), Timestamp: simTime, Nonce: simNonce, Body: envelope(encrypt)}
}

func encryptRaw(t *testing.T, plain []byte) []byte {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(simAESKey + "=")
	require.NoError(t, err)
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	out := make([]byte, len(plain))
	cipher.NewCBCEncrypter(block, key[:16]).CryptBlocks(out, plain)
	return out
}

// plaintext builds what is encrypted, with a length field and a padding that may lie.
func plaintext(length uint32, tail string, pad []byte) []byte {
	b := []byte(simRandom)
	b = binary.BigEndian.AppendUint32(b, length)
	return append(append(b, tail...), pad...)
}

func padding(n int) []byte { return []byte(strings.Repeat(string(rune(n)), n)) }

func TestCipher_Bounds(t *testing.T) {
	t.Parallel()
	tail := "message" + simAppID // 7 + 18 + 20 = 45 bytes, so 19 of padding
	good := plaintext(7, tail, padding(19))
	last := func(b byte) []byte {
		p := append([]byte(nil), good...)
		p[len(p)-1] = b
		return p
	}
	for name, plain := range map[string][]byte{
		"LengthOneTooLong":       plaintext(8, tail, padding(19)),
		"LengthOneTooShort":      plaintext(6, tail, padding(19)),
		"LengthIsTheWholeRest":   plaintext(25, tail, padding(19)),
		"LengthBeyondTheRest":    plaintext(26, tail, padding(19)),
		"LengthHuge":             plaintext(1<<32-1, tail, padding(19)),
		"LengthNegativeAsInt32":  plaintext(1<<31, tail, padding(19)),
		"PadZero":                last(0),
		"PadThirtyThree":         last(33),
		"PadThirtyThreeInFull":   plaintext(25, strings.Repeat("m", 25)+simAppID, padding(33)),
		"PadTwoHundred":          last(200),
		"PadNotUniform":          last(18),
		"OnlyPadding":            padding(32),
		"TooShortForAHeader":     append([]byte(strings.Repeat("r", 13)), padding(19)...),
		"NoAppID":                plaintext(12, strings.Repeat("m", 12), padding(32)),
		"ForeignAppID":           plaintext(7, "messagewx0000000000000002", padding(19)),
		"LongerAppID":            plaintext(7, tail+"0", padding(18)),
		"NotAMultipleOf32":       plaintext(7, tail, padding(3)),
		"EmptyMessageAndNoAppID": plaintext(0, "", padding(12)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newCipher(t).Open(signed(encryptRaw(t, plain)))
			require.ErrorIs(t, err, wechat.ErrEnvelope)
		})
	}
	t.Run("GoodOneOpens", func(t *testing.T) {
		t.Parallel()
		got, err := newCipher(t).Open(signed(encryptRaw(t, good)))
		require.NoError(t, err)
		require.Equal(t, "message", string(got))
	})
	t.Run("EmptyMessageOpens", func(t *testing.T) {
		t.Parallel()
		got, err := newCipher(t).Open(signed(encryptRaw(t, plaintext(0, simAppID, padding(26)))))
		require.NoError(t, err)
		require.Empty(t, got)
	})
	t.Run("EncryptIsNoBase64", func(t *testing.T) {
		t.Parallel()
		p := wechat.Push{Timestamp: simTime, Nonce: simNonce, MsgSignature: wechat.Signature(simToken, simTime, simNonce, "!!!!"), Body: envelope("!!!!")}
		_, err := newCipher(t).Open(p)
		require.ErrorIs(t, err, wechat.ErrEnvelope)
	})
}

func FuzzCipherOpen(f *testing.F) {
	for _, v := range vectors() {
		f.Add(v.msgSignature, simTime, simNonce, envelope(v.encrypt), []byte(v.msg))
	}
	f.Add("", "", "", []byte("<xml/>"), []byte{})
	f.Add(strings.Repeat("0", 40), "0", "0", []byte("<xml><Encrypt>AAAA</Encrypt></xml>"), []byte(strings.Repeat("\x20", 32)))
	c, err := wechat.NewCipher(simAppID, simKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, signature, timestamp, nonce string, body, ciphertext []byte) {
		check := func(p wechat.Push) {
			if msg, err := c.Open(p); err != nil {
				require.True(t, errors.Is(err, wechat.ErrSignature) || errors.Is(err, wechat.ErrEnvelope), "%v", err)
				require.Nil(t, msg, fmt.Sprint("message beside ", err))
			}
		}
		check(wechat.Push{MsgSignature: signature, Timestamp: timestamp, Nonce: nonce, Body: body})
		check(signed(ciphertext)) // past the signature
		sealed, err := c.Seal(body, timestamp, nonce)
		require.NoError(t, err)
		msg, err := c.Open(push(sealed))
		require.NoError(t, err)
		require.Equal(t, string(body), string(msg))
	})
}
