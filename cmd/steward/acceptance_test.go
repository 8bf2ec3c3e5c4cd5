package main_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/testdb"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// The acceptance of the whole: Steward, given nothing but its environment and an empty database, connects an account
// and blocks 45 people at any server that behaves like WeChat.
func TestAcceptance(t *testing.T) {
	t.Parallel()
	const before, after, twice, never = "before the redirect", "after the redirect", "before and after the redirect", ""
	for name, c := range map[string]struct {
		variant
		push string // when the authorized event comes
	}{
		"AsDocumented":              {push: after},
		"PushBeforeRedirect":        {push: before},
		"PushTwice":                 {push: twice},
		"NoPush":                    {push: never},
		"TextPlain":                 {variant: variant{textPlain: true}, push: after},
		"ErrcodeAsString":           {variant: variant{codeAsString: true}, push: before},
		"NoProfileCall":             {variant: variant{noProfile: true}, push: twice},
		"RotatingRefreshTokens":     {variant: variant{rotates: true}, push: after},
		"CodeOncePushBefore":        {variant: variant{codeOnce: true}, push: before},
		"CodeOncePushTwice":         {variant: variant{codeOnce: true}, push: twice},
		"TokensThatNeedEscaping":    {variant: variant{oddTokens: true}, push: after},
		"EverythingUnusualTogether": {variant: variant{textPlain: true, codeAsString: true, noProfile: true, rotates: true, codeOnce: true, oddTokens: true}, push: twice},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newOtherWeChat(t, c.variant)
			b := newBundle(t, testdb.Empty(t), w.url, w.us)
			b.serve("--migrate")
			b.begin()
			require.Equal(t, "success", w.pushTicket(b.eventURL()))

			code, query := w.agree(), queryOf(t, b.consentLink(b.connectLink()))
			event := w.authorizedXML(code, query.Get("pre_auth_code"))
			require.Equal(t, w.us.appid, query.Get("component_appid"))
			if c.push == before || c.push == twice {
				require.Equal(t, "success", w.push(b.eventURL(), event))
			}
			b.visit(withCode(t, query.Get("redirect_uri"), code)).is(200)
			if c.push == after || c.push == twice {
				require.Equal(t, "success", w.push(b.eventURL(), event))
			}
			requireConnected(t, b, w)

			blockAndUnblock(t, b, w)
			if c.rotates {
				keepsUpWithRotation(t, b, w)
			}
			eventually(t, "the events are processed", func() bool {
				return b.count(`SELECT count(*) FROM component_events WHERE processed_at IS NULL`) == 0
			})
			require.Len(t, w.seen(pathQueryAuth), 1, "a code is exchanged once")
			w.requireNoMistakes()
			b.steward.stop()
		})
	}
}

// withCode is where WeChat sends the merchant's browser.
func withCode(t *testing.T, redirectURI, code string) string {
	t.Helper()
	u, err := url.Parse(redirectURI)
	require.NoError(t, err)
	query := u.Query()
	query.Set("auth_code", code)
	query.Set("expires_in", "600")
	u.RawQuery = query.Encode()
	return u.String()
}

func requireConnected(t *testing.T, b *bundle, w *otherWeChat) {
	t.Helper()
	a := b.active(w.account)
	require.True(t, a.CanBlacklist)
	require.Len(t, a.PermissionSets, len(w.sets))
	if !w.variant.noProfile {
		// The push may have connected the account, and read its profile a moment after that.
		eventually(t, "the profile is read", func() bool { return b.active(w.account).NickName == "莲香茶饮" })
	}
	var list struct{ Data []authorizer }
	b.get("/v1/tenants/" + b.tenant + "/authorizers").is(200).into(&list)
	require.Len(t, list.Data, 1)
	require.Equal(t, w.account, list.Data[0].AppID)
}

// blockAndUnblock is the main job: 45 blocked, twenty a call; read back; three taken off again.
func blockAndUnblock(t *testing.T, b *bundle, w *otherWeChat) {
	t.Helper()
	openids := make([]string, 45)
	for n := range openids {
		openids[n] = w.follower(n)
	}
	got := b.block(w.account, openids)
	require.Equal(t, "done", got.Status)
	require.Equal(t, counts{Total: 45, Done: 45}, got.Counts)
	require.ElementsMatch(t, openids, w.blocked())
	requireCalls(t, w.seen(pathBlock), 20, 20, 5)

	total, listed := b.blocked(w.account)
	require.Equal(t, 45, total)
	require.ElementsMatch(t, openids, listed)

	byHand := w.follower(1000)
	w.blockByHand(byHand)
	w.expire() // and so the pull begins with a renewal
	var read pull
	b.postAndWait(b.account(w.account)+"/blacklist/pull", struct{}{}).is(200).into(&read)
	require.Equal(t, "done", read.Status)
	require.Equal(t, []int{46, 1, 0}, []int{read.Read, read.Added, read.Removed})
	requirePages(t, w.seen(pathGetBlacklist), w.blocked())

	var undone batch
	b.postAndWait(b.account(w.account)+"/blacklist/unblock", map[string]any{"openids": append([]string{byHand}, openids[:3]...)}).is(200).into(&undone)
	require.Equal(t, counts{Total: 4, Done: 4}, undone.Counts)
	require.ElementsMatch(t, openids[3:], w.blocked())
	requireCalls(t, w.seen(pathUnblock), 4)
	total, listed = b.blocked(w.account)
	require.Equal(t, 42, total)
	require.ElementsMatch(t, openids[3:], listed)
}

// requireCalls looks at the calls that WeChat took: how many openids each had, and how it was spelt.
func requireCalls(t *testing.T, calls []wechatCall, sizes ...int) {
	t.Helper()
	var got []int
	for _, call := range calls {
		require.Zero(t, call.errcode)
		require.Contains(t, call.query, "access_token")
		require.Len(t, call.query, 1)
		require.Contains(t, call.body, "openid_list")
		require.Len(t, call.body, 1)
		got = append(got, len(call.openids))
	}
	require.ElementsMatch(t, sizes, got) // several are in the air at a time
}

// requirePages: each page begins where the one before ended.
func requirePages(t *testing.T, calls []wechatCall, list []string) {
	t.Helper()
	var cursors []string
	for _, call := range calls {
		if call.errcode == 0 {
			require.NotContains(t, call.body, "next_openid")
			cursors = append(cursors, text(call.body["begin_openid"]))
		}
	}
	require.GreaterOrEqual(t, len(cursors), 7)
	for n, cursor := range cursors {
		want := ""
		if n > 0 {
			want = list[min(7*n, len(list))-1]
		}
		require.Equal(t, want, cursor, "page %d", n+1)
	}
}

// keepsUpWithRotation: whoever drops a rotated refresh token has lost the account at the next renewal.
func keepsUpWithRotation(t *testing.T, b *bundle, w *otherWeChat) {
	t.Helper()
	for n := range 3 {
		if n == 2 {
			b.steward.stop()
			b.serve()
		}
		w.expire()
		require.Equal(t, "done", b.block(w.account, []string{w.follower(2000 + n)}).Status)
	}
	require.GreaterOrEqual(t, len(w.seen(pathAuthorizerToken)), 4)
	require.Len(t, w.blocked(), 45)
}

func TestDuplicateAndUnusableOpenIDs(t *testing.T) {
	t.Parallel()
	for name, partial := range map[string]bool{"WeChatRefusesTheWholeBatch": false, "WeChatAppliesTheGoodOnes": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			require.NoError(t, b.sim.Change(func(s *simulator.Settings) { s.BatchPartial = partial }))
			appid, followers := b.connect(43, "1", "2")
			other, others := b.connect(1, "1", "2")
			malformed, foreign := `"oNot an openid"`, others[0]
			openids := append(append(append([]string{}, followers[:11]...), malformed, followers[11]+"\r\n", " ", followers[0]), followers[12:]...)
			openids = append(openids, foreign)

			got := b.block(appid, openids)
			require.Equal(t, counts{Total: 47, Done: 43, Failed: 2, Skipped: 2}, got.Counts)
			require.ElementsMatch(t, followers, b.sim.Blacklisted(appid))
			require.Empty(t, b.sim.Blacklisted(other))

			outcomes := map[string]string{}
			for _, i := range b.items(got.ID) {
				require.Empty(t, outcomes[i.OpenID], "listed once")
				outcomes[i.OpenID] = i.Outcome
				if i.Outcome == "failed" {
					require.Contains(t, []int{40003, 49003}, *i.ErrCode)
					require.NotEmpty(t, i.RID)
					require.NotEmpty(t, i.Advice)
				}
			}
			require.Len(t, outcomes, 45, "nothing is lost")
			require.Equal(t, "failed", outcomes[malformed])
			require.Equal(t, "failed", outcomes[foreign])
			for _, openid := range followers {
				require.Equal(t, "done", outcomes[openid], openid)
			}
			var failed struct{ Data []json.RawMessage }
			b.get("/v1/tenants/" + b.tenant + "/batches/" + got.ID + "/items?outcome=failed").is(200).into(&failed)
			require.Len(t, failed.Data, 2)
			require.LessOrEqual(t, b.sim.CallCount(pathBlock), 20, "it looks for the bad ones by halves")
			require.NotContains(t, strings.Join(b.sim.Blacklisted(appid), ""), "\r")
		})
	}
}
