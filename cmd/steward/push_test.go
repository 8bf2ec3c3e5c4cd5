package main_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// pushTicket pushes a fresh ticket and returns what the platform answered.
func (w *otherWeChat) pushTicket(eventURL string) string {
	w.t.Helper()
	w.mu.Lock()
	w.ticket = w.issue("ticket", "ticket@@@")
	ticket := w.ticket
	w.mu.Unlock()
	return w.push(eventURL, fmt.Sprintf(`<xml><AppId><![CDATA[%s]]></AppId><CreateTime>%d</CreateTime><InfoType><![CDATA[component_verify_ticket]]></InfoType>`+
		`<ComponentVerifyTicket><![CDATA[%s]]></ComponentVerifyTicket></xml>`, w.us.appid, time.Now().Unix(), ticket))
}

// authorizedXML is the event that comes with a code.
func (w *otherWeChat) authorizedXML(code, preAuthCode string) string {
	now := time.Now().Unix()
	return fmt.Sprintf(`<xml><AppId><![CDATA[%s]]></AppId><CreateTime>%d</CreateTime><InfoType><![CDATA[authorized]]></InfoType>`+
		`<AuthorizerAppid><![CDATA[%s]]></AuthorizerAppid><AuthorizationCode><![CDATA[%s]]></AuthorizationCode>`+
		`<AuthorizationCodeExpiredTime><![CDATA[%d]]></AuthorizationCodeExpiredTime><PreAuthCode><![CDATA[%s]]></PreAuthCode></xml>`,
		w.us.appid, now, w.account, code, now+3600, preAuthCode)
}

// push sends an event and returns the body of the answer.
func (w *otherWeChat) push(eventURL, event string) string {
	w.t.Helper()
	target, body := seal(w.us, w.us.appid, eventURL, event)
	resp, err := http.Post(target, "text/xml", strings.NewReader(body))
	require.NoError(w.t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(w.t, err)
	require.Equal(w.t, http.StatusOK, resp.StatusCode, "%s", answer)
	return string(answer)
}

// seal encrypts and signs a push as WeChat's page 消息加解密说明 has it; tail is the appid at the end of the plain text.
func seal(us ours, tail, eventURL, event string) (target, body string) {
	key, _ := base64.StdEncoding.DecodeString(us.aesKey + "=")
	plain := make([]byte, 16, 64+len(event))
	_, _ = rand.Read(plain) // never fails
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(event)))
	plain = append(append(plain, event...), tail...)
	pad := 32 - len(plain)%32
	plain = append(plain, bytes.Repeat([]byte{byte(pad)}, pad)...)
	block, _ := aes.NewCipher(key)
	cipher.NewCBCEncrypter(block, key[:16]).CryptBlocks(plain, plain)
	encrypt := base64.StdEncoding.EncodeToString(plain)
	timestamp, nonce := strconv.FormatInt(time.Now().Unix(), 10), "1234567890"
	query := url.Values{
		"signature": {sign(us.token, timestamp, nonce)}, "msg_signature": {sign(us.token, timestamp, nonce, encrypt)},
		"timestamp": {timestamp}, "nonce": {nonce}, "encrypt_type": {"aes"},
	}
	return eventURL + "?" + query.Encode(),
		"<xml><AppId><![CDATA[" + us.appid + "]]></AppId><Encrypt><![CDATA[" + encrypt + "]]></Encrypt></xml>"
}

func sign(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}
