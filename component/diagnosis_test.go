package component_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat/simulator"
)

const (
	pathQuota           = "/cgi-bin/openapi/quota/get"
	pathAuthorizerToken = "/cgi-bin/component/api_authorizer_token"
	publicURL           = "http://steward.example/wechat/wx0000000000000001/events"
)

// clinic is a world with a public address: every name leads to its callback.
type clinic struct {
	*factory.World
	service  *component.Service
	callback http.HandlerFunc
	skew     time.Duration // of our clock
}

func setupClinic(t *testing.T, opts ...factory.WorldOptions) *clinic {
	t.Helper()
	w := setup(t, opts...)
	w.Clock.Advance(time.Since(w.Clock.Now())) // the database has no other clock than this machine's
	if len(opts) == 0 || !opts[0].NoTicket {
		storeNewTicket(t, w)
	}
	c := &clinic{World: w}
	c.callback = c.echo
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { c.callback(rw, r) }))
	t.Cleanup(server.Close)
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "nobody") {
			return nil, &net.DNSError{Err: "no such host", Name: "nobody.example", IsNotFound: true}
		}
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}}
	t.Cleanup(transport.CloseIdleConnections)
	var err error
	c.service, err = component.NewService(component.Config{
		Pool: w.Pool, WeChat: w.WeChat, Box: w.Box, HTTPClient: &http.Client{Transport: transport},
		Now: func() time.Time { return w.Clock.Now().Add(c.skew) }, Logger: w.Logger,
	})
	require.NoError(t, err)
	return c
}

// echo is what api does with the probe.
func (c *clinic) echo(rw http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	err := c.Components.VerifyURL(r.Context(), strings.Split(r.URL.Path, "/")[2], q.Get("signature"), q.Get("timestamp"), q.Get("nonce"))
	if err != nil {
		http.Error(rw, err.Error(), http.StatusForbidden)
		return
	}
	_, _ = io.WriteString(rw, q.Get("echostr"))
}

// diagnose returns the checks by name.
func (c *clinic) diagnose(t *testing.T, eventURL ...string) map[component.CheckName]component.Check {
	t.Helper()
	d, err := c.service.Diagnose(t.Context(), c.Platform, c.ComponentAppID, append(eventURL, publicURL)[0])
	require.NoError(t, err)
	require.Equal(t, c.ComponentAppID, d.AppID)
	checks := map[component.CheckName]component.Check{}
	var names []component.CheckName
	for _, check := range d.Checks {
		checks[check.Name] = check
		names = append(names, check.Name)
		require.NotEmpty(t, check.Reason, check.Name)
		if check.Status == component.CheckOK {
			require.Empty(t, check.Remedy, check.Name)
		}
		if check.Status == component.CheckFail || check.Status == component.CheckWarn {
			require.NotEmpty(t, check.Remedy, check.Name)
		}
	}
	require.Equal(t, []component.CheckName{
		component.CheckCallbackURL, component.CheckTicket, component.CheckAppSecret, component.CheckIPWhitelist,
		component.CheckComponentToken, component.CheckQuota, component.CheckClock, component.CheckSecondInstallation,
	}, names)
	return checks
}

func TestDiagnose_FindsNothingWhereAllIsWell(t *testing.T) {
	c := setupClinic(t)
	for name, check := range c.diagnose(t) {
		require.Equal(t, component.CheckOK, check.Status, "%s: %s", name, check.Reason)
		require.Zero(t, check.Code)
	}
	c.diagnose(t)
	require.Equal(t, 1, c.Sim.CallCount(pathComponentToken), "a token that lives is not bought anew")
}

func TestDiagnose_IsForThePlatformOnly(t *testing.T) {
	c := setupClinic(t)
	p := factory.Key(t, c.World, factory.KeyOptions{TenantID: factory.Tenant(t, c.World).ID})
	_, err := c.service.Diagnose(t.Context(), p, c.ComponentAppID, publicURL)
	require.ErrorIs(t, err, tenant.ErrPlatformOnly)
	_, err = c.service.Diagnose(t.Context(), c.Platform, "wxunknown", publicURL)
	require.ErrorIs(t, err, component.ErrUnknownComponent)
}

func TestDiagnose_Ticket(t *testing.T) {
	c := setupClinic(t)
	require.NoError(t, c.Sim.SetCallbackURLs(c.ComponentAppID, "", ""))
	for _, step := range []struct {
		advance time.Duration
		status  component.CheckStatus
		says    string
	}{
		{20*time.Minute - time.Second, component.CheckOK, "19m59s old"},
		{time.Second, component.CheckWarn, "20m0s old"},
		{11*time.Hour + 40*time.Minute - time.Second, component.CheckWarn, "11h59m59s old"},
		{2 * time.Second, component.CheckFail, "12h0m1s old"},
	} {
		c.Clock.Advance(step.advance)
		check := c.diagnose(t)[component.CheckTicket]
		require.Equal(t, step.status, check.Status)
		require.Contains(t, check.Reason, step.says)
		require.Contains(t, check.Reason, "never asked")
	}
	sweep(t, c.World)
	check := c.diagnose(t)[component.CheckTicket]
	require.Contains(t, check.Reason, "last asked to push tickets again on "+c.Clock.Now().Format(time.DateTime))
	require.Contains(t, check.Remedy, "授权事件接收URL")
}

func TestDiagnose_WithoutATicketSaysWhatItCannotKnow(t *testing.T) {
	c := setupClinic(t, factory.WorldOptions{NoTicket: true})
	checks := c.diagnose(t)
	require.Equal(t, component.CheckFail, checks[component.CheckTicket].Status)
	require.Contains(t, checks[component.CheckTicket].Reason, "pushed none")
	require.Equal(t, component.CheckFail, checks[component.CheckComponentToken].Status)
	for _, name := range []component.CheckName{component.CheckAppSecret, component.CheckIPWhitelist, component.CheckQuota, component.CheckClock} {
		require.Equal(t, component.CheckUnknown, checks[name].Status, "%s: %s", name, checks[name].Reason)
	}
	require.Contains(t, checks[component.CheckAppSecret].Reason, "without a ticket")
	require.Equal(t, component.CheckOK, checks[component.CheckCallbackURL].Status)
}

func TestDiagnose_TicketsThatWeChatDoesNotTake(t *testing.T) {
	c := setupClinic(t)
	inject(t, c.World, simulator.Fault{Path: pathComponentToken, Code: 61006})
	checks := c.diagnose(t)
	for _, name := range []component.CheckName{component.CheckTicket, component.CheckComponentToken} {
		require.Equal(t, component.CheckFail, checks[name].Status)
		require.Equal(t, 61006, checks[name].Code)
		require.NotEmpty(t, checks[name].RID)
	}
	require.Equal(t, component.CheckUnknown, checks[component.CheckAppSecret].Status)
	require.Equal(t, component.CheckUnknown, checks[component.CheckIPWhitelist].Status)
}

func TestDiagnose_WrongAppSecret(t *testing.T) {
	c := setupClinic(t)
	right := ours(c.World)
	reregister(t, c.World, right, func(p *component.Params) { p.AppSecret = secret.New(strings.Repeat("0", 32)) })
	checks := c.diagnose(t)
	for _, name := range []component.CheckName{component.CheckAppSecret, component.CheckComponentToken} {
		require.Equal(t, component.CheckFail, checks[name].Status)
		require.Equal(t, 40125, checks[name].Code)
		require.NotEmpty(t, checks[name].RID)
		require.Contains(t, checks[name].Remedy, "AppSecret")
	}
	require.Equal(t, component.CheckUnknown, checks[component.CheckIPWhitelist].Status)

	reregister(t, c.World, right, func(*component.Params) {})
	require.Equal(t, component.CheckOK, c.diagnose(t)[component.CheckAppSecret].Status, "what was mended is tried at once")
}

func TestDiagnose_WrongAppSecretWhileTheOldTokenLives(t *testing.T) {
	c := setupClinic(t)
	accessToken(t, c.World)
	reregister(t, c.World, ours(c.World), func(p *component.Params) { p.AppSecret = secret.New(strings.Repeat("0", 32)) })
	require.Equal(t, component.CheckOK, c.diagnose(t)[component.CheckAppSecret].Status, "the last renewal succeeded, and none is due")
	require.Equal(t, 1, c.Sim.CallCount(pathComponentToken))

	c.Clock.Advance(90 * time.Minute)
	checks := c.diagnose(t)
	require.Equal(t, component.CheckFail, checks[component.CheckAppSecret].Status)
	require.Equal(t, component.CheckWarn, checks[component.CheckComponentToken].Status)
	require.Contains(t, checks[component.CheckComponentToken].Reason, "last 1 renewals failed")
	require.Equal(t, component.CheckOK, checks[component.CheckIPWhitelist].Status)
}

func TestDiagnose_AddressNotOnTheWhitelist(t *testing.T) {
	for name, held := range map[string]bool{"WithoutAToken": false, "WithATokenThatLives": true} {
		t.Run(name, func(t *testing.T) {
			c := setupClinic(t)
			if held {
				accessToken(t, c.World)
			}
			require.NoError(t, c.Sim.Change(func(s *simulator.Settings) { s.IPWhitelist = []string{"203.0.113.0/24"} }))
			checks := c.diagnose(t)
			check := checks[component.CheckIPWhitelist]
			require.Equal(t, component.CheckFail, check.Status)
			require.Equal(t, 61004, check.Code)
			require.NotEmpty(t, check.RID)
			require.Contains(t, check.Reason, "WeChat refused 127.0.0.1 on ")
			require.Contains(t, check.Remedy, "IP whitelist")
			require.Contains(t, check.Remedy, "The address is 127.0.0.1.")
			require.Equal(t, map[bool]component.CheckStatus{false: component.CheckUnknown, true: component.CheckOK}[held], checks[component.CheckAppSecret].Status)
			require.Equal(t, component.CheckUnknown, checks[component.CheckQuota].Status)
			require.Equal(t, component.CheckOK, checks[component.CheckClock].Status, "a refusal tells WeChat's time too")
		})
	}
}

func TestDiagnose_AddressOfAnotherMachineNotOnTheWhitelist(t *testing.T) {
	c := setupClinic(t)
	accessToken(t, c.World)
	c.Clock.Advance(90 * time.Minute)
	inject(t, c.World, simulator.Fault{Path: pathComponentToken, Code: 40164, Text: "invalid ip 203.0.113.9 ipv6 ::ffff:203.0.113.9, not in whitelist"})
	require.NotEmpty(t, accessToken(t, c.World.Process(t)))
	check := c.diagnose(t)[component.CheckIPWhitelist]
	require.Equal(t, component.CheckWarn, check.Status)
	require.Contains(t, check.Reason, "203.0.113.9")
}

func TestDiagnose_WeChatThatIsNotReached(t *testing.T) {
	c := setupClinic(t)
	inject(t, c.World, simulator.Fault{Status: 502})
	checks := c.diagnose(t)
	require.Equal(t, component.CheckFail, checks[component.CheckComponentToken].Status)
	require.Contains(t, checks[component.CheckComponentToken].Reason, "502")
	require.Contains(t, checks[component.CheckComponentToken].Remedy, "STEWARD_WECHAT_API_URL")
	for _, name := range []component.CheckName{component.CheckAppSecret, component.CheckIPWhitelist, component.CheckQuota, component.CheckClock} {
		require.Equal(t, component.CheckUnknown, checks[name].Status, name)
	}

	c.Sim.ClearFaults()
	accessToken(t, c.World)
	inject(t, c.World, simulator.Fault{Path: pathQuota, Drop: true})
	checks = c.diagnose(t)
	require.Equal(t, component.CheckOK, checks[component.CheckAppSecret].Status)
	for _, name := range []component.CheckName{component.CheckComponentToken, component.CheckIPWhitelist, component.CheckQuota} {
		require.Equal(t, component.CheckUnknown, checks[name].Status, name)
	}
}

func TestDiagnose_ATokenThatWeChatRefusesHoweverNew(t *testing.T) {
	c := setupClinic(t)
	inject(t, c.World, simulator.Fault{Path: pathQuota, Code: 40001})
	checks := c.diagnose(t)
	require.Equal(t, component.CheckFail, checks[component.CheckComponentToken].Status)
	require.Equal(t, 40001, checks[component.CheckComponentToken].Code)
	require.Equal(t, component.CheckUnknown, checks[component.CheckIPWhitelist].Status)
}

func TestDiagnose_NamesNoSecret(t *testing.T) {
	c := setupClinic(t)
	own := c.Sim.Component()
	cat := accessToken(t, c.World)
	current, previous := ticketsOf(t, c.World)
	secrets := []string{own.AppSecret, own.Token, own.EncodingAESKey, cat, current, previous}
	var said strings.Builder
	toQuota, toToken := "with "+cat, "with "+own.AppSecret+" and "+current // a refusal may repeat what it was sent
	for _, fault := range []simulator.Fault{
		{Path: pathQuota, Code: -1, Text: toQuota},
		{Path: pathQuota, Code: 61004, Text: "requestIP: 203.0.113.9 " + toQuota},
		{Path: pathQuota, Code: 40001, Text: toQuota},
		{Path: pathComponentToken, Code: 40125, Text: toToken},
		{Path: pathComponentToken, Code: 61006, Text: toToken},
		{Garbage: true},
		{Drop: true},
		{Status: 502},
	} {
		for _, callback := range []http.HandlerFunc{c.echo, func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "http://nobody.example/?"+r.URL.RawQuery+"&token="+url.QueryEscape(own.Token), http.StatusFound)
		}} {
			c.callback = callback
			inject(t, c.World, fault)
			d, err := c.service.Diagnose(t.Context(), c.Platform, c.ComponentAppID, publicURL)
			require.NoError(t, err)
			encoded, err := json.Marshal(d)
			require.NoError(t, err)
			said.Write(encoded)
			c.Sim.ClearFaults()
			c.Clock.Advance(time.Hour)
		}
	}
	require.Contains(t, said.String(), "[redacted]", "nothing was repeated, so not finding it proves nothing")
	for _, s := range secrets {
		require.False(t, strings.Contains(said.String(), s), "a diagnosis holds %s…", s[:8])
		require.False(t, strings.Contains(c.Logs.String(), s), "the log holds %s…", s[:8])
	}
}
