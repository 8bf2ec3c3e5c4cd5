package component_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/token"
	"github.com/wechat-steward/steward/wechat"
)

func TestRegister_AddsAComponentAndAuditsIt(t *testing.T) {
	w := setup(t)
	params := ours(w)
	params.AppID, params.Name = "wx00000000000000cc", "  Second  "

	c, err := w.Components.Register(t.Context(), w.Platform, params)
	require.NoError(t, err)
	require.Equal(t, component.Component{
		AppID: params.AppID, Name: "Second", CreatedAt: w.Clock.Now(), Health: token.Health{Status: token.HealthOK, NextAttemptAt: new(w.Clock.Now())},
	}, c)

	all, err := w.Components.List(t.Context(), w.Platform)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, 1, count(t, w, `SELECT count(*) FROM audit_entries WHERE action = 'component.register' AND target = 'component:wx00000000000000cc'`))
}

func TestRegister_WritesNothingWhenNothingChanged(t *testing.T) {
	w := setup(t)
	_, err := w.Components.Register(t.Context(), w.Platform, ours(w))
	require.NoError(t, err)
	row := func() (s string) {
		require.NoError(t, w.Pool.QueryRow(t.Context(), `SELECT md5(components::text) || xmin::text FROM components`).Scan(&s))
		return s
	}
	before, audited := row(), count(t, w, `SELECT count(*) FROM audit_entries`)

	w.Clock.Advance(time.Hour)
	again := ours(w)
	_, err = w.Components.Register(t.Context(), w.Platform, again)
	require.NoError(t, err)
	again.Name = ""
	c, err := w.Components.Register(t.Context(), w.Platform, again)
	require.NoError(t, err)

	require.Equal(t, "Steward", c.Name, "an empty name keeps the former one")
	require.Equal(t, before, row())
	require.Equal(t, audited, count(t, w, `SELECT count(*) FROM audit_entries`))
}

func TestRegister_KeepsTheFormerCallbackKeysWhenTheyChange(t *testing.T) {
	w := setup(t)
	former := ours(w)
	for _, change := range []func(*component.Params){
		func(p *component.Params) { p.Token = secret.New("another-token") },
		func(p *component.Params) { p.EncodingAESKey = secret.New(randomKey()) },
	} {
		changed := former
		change(&changed)
		_, err := w.Components.Register(t.Context(), w.Platform, changed)
		require.NoError(t, err)
		// Something else changing must not push the former pair out.
		changed.AppSecret = secret.New("another-secret-" + randomKey())
		_, err = w.Components.Register(t.Context(), w.Platform, changed)
		require.NoError(t, err)

		for _, p := range []component.Params{former, changed} {
			msg, err := w.Components.Open(t.Context(), p.AppID, push(t, p))
			require.NoError(t, err)
			require.Equal(t, "<xml/>", string(msg))
		}
		former = changed
	}
	_, err := w.Components.Open(t.Context(), w.ComponentAppID, push(t, ours(w)))
	require.ErrorIs(t, err, wechat.ErrSignature, "two changes ago is too long ago")

	var changed string
	require.NoError(t, w.Pool.QueryRow(t.Context(),
		`SELECT string_agg(detail->>'changed', ' ' ORDER BY id) FROM audit_entries WHERE action = 'component.update'`).Scan(&changed))
	require.Equal(t, `["name", "token"] ["appsecret"] ["aes_key"] ["appsecret"]`, changed)
}

func TestRegister_RefusesWhatCannotBeRight(t *testing.T) {
	w := setup(t)
	for name, tc := range map[string]struct {
		change func(*component.Params)
		param  string
	}{
		"NoAppID":        {func(p *component.Params) { p.AppID = "" }, "AppID"},
		"PathInAppID":    {func(p *component.Params) { p.AppID = "a/b?c" }, "AppID"},
		"BlankInAppID":   {func(p *component.Params) { p.AppID += " " }, "AppID"},
		"NoSecret":       {func(p *component.Params) { p.AppSecret = secret.String{} }, "AppSecret"},
		"NoToken":        {func(p *component.Params) { p.Token = secret.String{} }, "Token"},
		"NoAESKey":       {func(p *component.Params) { p.EncodingAESKey = secret.String{} }, "EncodingAESKey"},
		"ShortAESKey":    {func(p *component.Params) { p.EncodingAESKey = secret.New("tooshort") }, "EncodingAESKey"},
		"NameOf201Chars": {func(p *component.Params) { p.Name = strings.Repeat("名", 201) }, "Name"},
		"KeysEndBefore":  {func(p *component.Params) { p.PreviousKeysUntil = w.Clock.Now().Add(-time.Second) }, "PreviousKeysUntil"},
		"KeysEndFarOff": {func(p *component.Params) {
			p.PreviousKeysUntil = w.Clock.Now().Add(30*24*time.Hour + time.Second)
		}, "PreviousKeysUntil"},
	} {
		params := ours(w)
		tc.change(&params)
		_, err := w.Components.Register(t.Context(), w.Platform, params)
		var invalid *component.InvalidParamError
		require.ErrorAs(t, err, &invalid, name)
		require.Equal(t, tc.param, invalid.Param, name)
		require.NotContains(t, err.Error(), "tooshort")
	}
}

func TestComponents_AreForThePlatformOnly(t *testing.T) {
	w := setup(t)
	p := factory.Key(t, w, factory.KeyOptions{TenantID: factory.Tenant(t, w).ID})
	_, err := w.Components.Register(t.Context(), p, ours(w))
	require.ErrorIs(t, err, tenant.ErrPlatformOnly)
	_, err = w.Components.List(t.Context(), p)
	require.ErrorIs(t, err, tenant.ErrPlatformOnly)
	_, err = w.Components.Get(t.Context(), p, w.ComponentAppID)
	require.ErrorIs(t, err, tenant.ErrPlatformOnly)
	require.ErrorIs(t, w.Components.RequestTicket(t.Context(), p, w.ComponentAppID), tenant.ErrPlatformOnly)
	_, err = w.Components.Get(t.Context(), w.Platform, "wxunknown")
	require.ErrorIs(t, err, component.ErrUnknownComponent)
}

func TestCallback_RefusesWhatIsNotWeChats(t *testing.T) {
	w := setup(t)
	signature := wechat.Signature(w.Sim.Component().Token, "1700000000", "nonce")
	require.NoError(t, w.Components.VerifyURL(t.Context(), w.ComponentAppID, signature, "1700000000", "nonce"))
	require.ErrorIs(t, w.Components.VerifyURL(t.Context(), w.ComponentAppID, signature, "1700000001", "nonce"), wechat.ErrSignature)
	require.ErrorIs(t, w.Components.VerifyURL(t.Context(), "wxunknown", signature, "1700000000", "nonce"), component.ErrUnknownComponent)
	_, err := w.Components.Open(t.Context(), "wxunknown", wechat.Push{})
	require.ErrorIs(t, err, component.ErrUnknownComponent)
	_, err = w.Components.Open(t.Context(), w.ComponentAppID, wechat.Push{Body: []byte("<xml/>")})
	require.Error(t, err)
}

func TestCallback_RepliesUnderTheKeyOfThePush(t *testing.T) {
	w := setup(t)
	c := w.Sim.Component()
	cipher, err := wechat.NewCipher(c.AppID, wechat.CallbackKey{Token: c.Token, EncodingAESKey: c.EncodingAESKey})
	require.NoError(t, err)
	sealed, err := cipher.Seal([]byte("<xml/>"), "1700000000", "nonce")
	require.NoError(t, err)
	push := wechat.Push{
		MsgSignature: sealed.MsgSignature, Timestamp: sealed.Timestamp, Nonce: sealed.Nonce,
		Body: fmt.Appendf(nil, "<xml><ToUserName>gh_1</ToUserName><Encrypt>%s</Encrypt></xml>", sealed.Encrypt),
	}
	params := ours(w)
	params.Token = secret.New("another-token")
	_, err = w.Components.Register(t.Context(), w.Platform, params)
	require.NoError(t, err)

	reply, err := w.Components.SealReply(t.Context(), c.AppID, push, []byte("answer"), "1700000001", "nonce2")
	require.NoError(t, err)
	require.Equal(t, wechat.Signature(c.Token, "1700000001", "nonce2", reply.Encrypt), reply.MsgSignature)
}

func TestCheckKey_RefusesAnotherMasterKey(t *testing.T) {
	t.Parallel()
	w := factory.NewWorld(t)
	require.NoError(t, w.Components.CheckKey(t.Context()))

	box, err := secret.NewBox(bytes.Repeat([]byte{42}, secret.KeySize))
	require.NoError(t, err)
	other, err := component.NewService(component.Config{Pool: w.Pool, WeChat: w.WeChat, Box: box})
	require.NoError(t, err)
	require.ErrorIs(t, other.CheckKey(t.Context()), secret.ErrOpen)
}
