package wechat

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha1" // WeChat's signature is SHA-1; there is no other on offer.
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	aesKeyLen    = 32 // bytes, AES-256
	encodedLen   = 43 // characters of an EncodingAESKey, base64 of 32 bytes without its "="
	padBlock     = 32 // WeChat pads to 32 bytes, twice the block of AES
	randomLen    = 16 // random bytes in front of every message
	headerLen    = randomLen + 4
	signatureLen = 2 * sha1.Size
)

var (
	// ErrSignature says that a push was signed with none of the tokens we know. Its text says no more than that.
	ErrSignature = errors.New("wechat: callback signature does not match")
	// ErrEnvelope says that a push is malformed, was encrypted with none of the keys we know, or is meant for another
	// component. The cases are told apart nowhere, so that an attacker learns nothing from the answer.
	ErrEnvelope = errors.New("wechat: callback envelope cannot be opened")
)

// CallbackKey is what the platform's console calls 消息校验Token and 消息加解密Key. One pair serves both receiver URLs.
type CallbackKey struct {
	// Token signs pushes.
	Token string `json:"-"`
	// EncodingAESKey encrypts them: 43 characters, base64 of 32 bytes without the final "=".
	EncodingAESKey string `json:"-"`
}

// Push is one callback request as it came over HTTP. The fields named like query parameters hold those parameters.
type Push struct {
	// Signature covers Timestamp and Nonce only, not the body; Open does not look at it.
	Signature string
	// MsgSignature covers the encrypted text as well; this is the one that Open checks.
	MsgSignature string
	Timestamp    string
	Nonce        string
	// Body is the XML envelope, <xml><AppId/><Encrypt/></xml> or <xml><ToUserName/><Encrypt/></xml>.
	Body []byte
}

// Sealed is a message encrypted and signed the way WeChat does it.
type Sealed struct {
	Encrypt      string // base64
	MsgSignature string // lower-case hex
	Timestamp    string
	Nonce        string
}

// Cipher opens pushes of WeChat and seals replies to them. It is safe for concurrent use. WeChat's page: 消息加解密说明.
type Cipher struct {
	appid  string
	keys   []callbackKey
	random io.Reader // crypto/rand, except where tests prove published vectors
}

type callbackKey struct {
	token string
	block cipher.Block
	iv    []byte
}

// NewCipher returns a Cipher for the component appid: its appid ends every encrypted message, those that merchants'
// followers send included. The current key comes first; pushes under way during a change of keys still carry a
// previous one. Where a previous key leaves Token or EncodingAESKey empty, that half did not change and the current
// one stands. Errors never hold key material.
func NewCipher(appid string, keys ...CallbackKey) (*Cipher, error) {
	if appid == "" {
		return nil, errors.New("wechat: the component's appid is missing")
	}
	if len(keys) == 0 {
		return nil, errors.New("wechat: no callback key given")
	}
	c := &Cipher{appid: appid, keys: make([]callbackKey, 0, len(keys)), random: rand.Reader}
	for i, k := range keys {
		if k.Token == "" {
			k.Token = keys[0].Token
		}
		if k.EncodingAESKey == "" {
			k.EncodingAESKey = keys[0].EncodingAESKey
		}
		key, err := newCallbackKey(k)
		if err != nil {
			return nil, fmt.Errorf("wechat: callback key %d: %w", i+1, err)
		}
		c.keys = append(c.keys, key)
	}
	return c, nil
}

func newCallbackKey(k CallbackKey) (callbackKey, error) {
	if k.Token == "" {
		return callbackKey{}, errors.New("the token is empty")
	}
	if len(k.EncodingAESKey) != encodedLen {
		return callbackKey{}, fmt.Errorf("the EncodingAESKey has %d characters, not %d", len(k.EncodingAESKey), encodedLen)
	}
	// 43 characters hold two bits more than 32 bytes need, and WeChat hands out keys in which these bits are set:
	// StdEncoding ignores them, StdEncoding.Strict would refuse three keys of four.
	raw, err := base64.StdEncoding.DecodeString(k.EncodingAESKey + "=")
	if err != nil || len(raw) != aesKeyLen {
		return callbackKey{}, errors.New("the EncodingAESKey is not base64 of 32 bytes")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return callbackKey{}, errors.New("the EncodingAESKey is no AES-256 key")
	}
	return callbackKey{token: k.Token, block: block, iv: raw[:aes.BlockSize]}, nil
}

// Signature returns the lower-case hex SHA-1 of token and parts, sorted and concatenated. With timestamp and nonce it
// is WeChat's signature, with timestamp, nonce and the encrypted text its msg_signature.
func Signature(token string, parts ...string) string {
	all := append([]string{token}, parts...)
	slices.Sort(all)
	sum := sha1.Sum([]byte(strings.Join(all, ""))) // see the import
	return hex.EncodeToString(sum[:])
}

// Open checks the signature of a push, decrypts it and returns the message inside, usually XML for [ParseEvent] or
// [ParseMessage]. It fails with [ErrSignature] or [ErrEnvelope] and with nothing else. Open does not refuse old
// timestamps: WeChat repeats a push that was not answered, so callers must be idempotent anyway.
func (c *Cipher) Open(p Push) ([]byte, error) {
	msg, _, err := c.open(p)
	return msg, err
}

// VerifyURL reports whether signature is WeChat's over timestamp and nonce. It is for the GET request with which
// WeChat tries a receiver URL: if it reports true, answer the echostr parameter as plain text.
func (c *Cipher) VerifyURL(signature, timestamp, nonce string) bool {
	_, ok := c.signer(signature, timestamp, nonce)
	return ok
}

// Seal encrypts msg for the component and signs it, with the current key. timestamp (Unix seconds) and nonce are
// covered by the signature and travel beside the message. It fails only if no randomness can be had.
func (c *Cipher) Seal(msg []byte, timestamp, nonce string) (Sealed, error) {
	return c.seal(c.keys[0], msg, timestamp, nonce)
}

// SealReply is Seal with the key that opened p: while a change of keys is under way WeChat wants its answer under
// the key that it used itself. It fails like Open where p does not open.
func (c *Cipher) SealReply(p Push, msg []byte, timestamp, nonce string) (Sealed, error) {
	_, key, err := c.open(p)
	if err != nil {
		return Sealed{}, err
	}
	return c.seal(key, msg, timestamp, nonce)
}

func (c *Cipher) open(p Push) ([]byte, callbackKey, error) {
	// The root's name, AppId and ToUserName are not looked at: only what the signature covers can be trusted.
	var envelope struct {
		Encrypt string `xml:"Encrypt"`
	}
	if err := xml.Unmarshal(p.Body, &envelope); err != nil {
		return nil, callbackKey{}, ErrEnvelope
	}
	encrypt := strings.TrimSpace(envelope.Encrypt)
	if encrypt == "" {
		return nil, callbackKey{}, ErrEnvelope
	}
	signer, ok := c.signer(p.MsgSignature, p.Timestamp, p.Nonce, encrypt)
	if !ok {
		return nil, callbackKey{}, ErrSignature
	}
	sealed, err := base64.StdEncoding.DecodeString(encrypt)
	if err != nil {
		return nil, callbackKey{}, ErrEnvelope
	}
	// Token and AES key may change one without the other, so the key that signed need not be the one that encrypted.
	for _, key := range c.keys {
		if msg, ok := key.decrypt(sealed, c.appid); ok {
			key.token = signer.token
			return msg, key, nil
		}
	}
	return nil, callbackKey{}, ErrEnvelope
}

// signer finds the key whose token made signature. Every token is tried whatever the outcome of the one before, so
// that the time taken tells nothing.
func (c *Cipher) signer(signature string, parts ...string) (callbackKey, bool) {
	if len(signature) != signatureLen {
		return callbackKey{}, false
	}
	found := -1
	for i, key := range c.keys {
		if subtle.ConstantTimeCompare([]byte(Signature(key.token, parts...)), []byte(signature)) == 1 && found < 0 {
			found = i
		}
	}
	if found < 0 {
		return callbackKey{}, false
	}
	return c.keys[found], true
}

func (c *Cipher) seal(key callbackKey, msg []byte, timestamp, nonce string) (Sealed, error) {
	plain := make([]byte, headerLen, headerLen+len(msg)+len(c.appid)+padBlock)
	if _, err := io.ReadFull(c.random, plain[:randomLen]); err != nil {
		return Sealed{}, fmt.Errorf("wechat: reading randomness: %w", err)
	}
	binary.BigEndian.PutUint32(plain[randomLen:], uint32(len(msg))) // a message of 4 GiB is no message
	plain = append(plain, msg...)
	plain = append(plain, c.appid...)
	pad := padBlock - len(plain)%padBlock
	for range pad {
		plain = append(plain, byte(pad))
	}
	cipher.NewCBCEncrypter(key.block, key.iv).CryptBlocks(plain, plain)
	s := Sealed{Encrypt: base64.StdEncoding.EncodeToString(plain), Timestamp: timestamp, Nonce: nonce}
	s.MsgSignature = Signature(key.token, timestamp, nonce, s.Encrypt)
	return s, nil
}

// decrypt returns the message in sealed: 16 random bytes | big-endian length of msg | msg | appid | padding.
func (k callbackKey) decrypt(sealed []byte, appid string) ([]byte, bool) {
	if len(sealed) == 0 || len(sealed)%padBlock != 0 {
		return nil, false
	}
	plain := make([]byte, len(sealed))
	cipher.NewCBCDecrypter(k.block, k.iv).CryptBlocks(plain, sealed)
	plain, ok := unpad(plain)
	if !ok || len(plain) < headerLen {
		return nil, false
	}
	// The length field comes from outside and may say up to 4 GiB: compared as uint64, it cannot overflow an int.
	n := binary.BigEndian.Uint32(plain[randomLen:headerLen])
	rest := plain[headerLen:]
	if uint64(n) > uint64(len(rest)) {
		return nil, false
	}
	msg, tail := rest[:n:n], rest[n:]
	return msg, subtle.ConstantTimeCompare(tail, []byte(appid)) == 1
}

// unpad takes off PKCS#7 padding of 1 to 32 bytes. plain is not empty.
func unpad(plain []byte) ([]byte, bool) {
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > padBlock || pad > len(plain) {
		return nil, false
	}
	for _, b := range plain[len(plain)-pad:] {
		if int(b) != pad {
			return nil, false
		}
	}
	return plain[:len(plain)-pad], true
}

// XML returns the body of an encrypted passive reply.
func (s Sealed) XML() []byte {
	var b strings.Builder
	b.WriteString("<xml><Encrypt>" + cdata(s.Encrypt) + "</Encrypt><MsgSignature>" + cdata(s.MsgSignature) + "</MsgSignature><TimeStamp>")
	_ = xml.EscapeText(&b, []byte(s.Timestamp)) // a strings.Builder never fails
	b.WriteString("</TimeStamp><Nonce>" + cdata(s.Nonce) + "</Nonce></xml>")
	return []byte(b.String())
}

// cdata wraps text; a "]]>" inside it is spread over two sections.
func cdata(text string) string {
	return "<![CDATA[" + strings.ReplaceAll(text, "]]>", "]]]]><![CDATA[>") + "]]>"
}
