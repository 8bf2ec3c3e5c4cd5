package alert_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/token"
)

type bundle struct {
	*factory.World
	alerts  *alert.Service
	account authorizer.Account
}

func setup(t *testing.T) *bundle {
	t.Helper()
	t.Parallel()
	b := &bundle{World: factory.NewWorld(t)}
	var err error
	b.alerts, err = alert.NewService(b.Pool)
	require.NoError(t, err)
	b.account = factory.Account(t, b.World, factory.AccountOptions{TenantID: factory.Tenant(t, b.World).ID})
	return b
}

func (b *bundle) about() alert.Subject {
	return alert.Subject{ComponentAppID: b.ComponentAppID, AuthorizerID: b.account.ID}
}

func (b *bundle) raise(t *testing.T, kind alert.Kind, about alert.Subject, code int) {
	t.Helper()
	require.NoError(t, alert.Raise(t.Context(), b.Pool, kind, about, token.Failure{
		Code: code, Message: "refused", RID: "6553f100-1a2b3c4d-0badcafe", Advice: "Do something.", At: b.Clock.Now(),
	}))
}

func (b *bundle) list(t *testing.T, params alert.ListParams) []alert.Alert {
	t.Helper()
	page, err := b.alerts.ListAll(t.Context(), b.Platform, params)
	require.NoError(t, err)
	return page.Alerts
}

func TestRaise_TellsOfABreakOnceHoweverOftenItIsSeen(t *testing.T) {
	b := setup(t)
	raised := b.Clock.Now()
	b.raise(t, alert.RenewalFailing, b.about(), 40013)
	b.Clock.Advance(time.Hour)
	b.raise(t, alert.RenewalFailing, b.about(), 61007)
	got := b.list(t, alert.ListParams{})
	require.Len(t, got, 1)
	got[0].ID = [16]byte{}
	require.Equal(t, alert.Alert{
		Kind: alert.RenewalFailing, ComponentAppID: b.ComponentAppID, TenantID: b.account.TenantID, AppID: b.account.AppID, NickName: b.account.NickName,
		RaisedAt: raised, LastSeenAt: b.Clock.Now(), Code: 61007, Message: "refused", RID: "6553f100-1a2b3c4d-0badcafe", Advice: "Do something.",
	}, got[0])
}

func TestRaise_BySeveralAtOnceIsOneAlert(t *testing.T) {
	b := setup(t)
	var all errgroup.Group
	for range 20 {
		all.Go(func() error {
			return alert.Raise(t.Context(), b.Pool, alert.TicketLate, alert.Subject{ComponentAppID: b.ComponentAppID}, token.Failure{At: b.Clock.Now()})
		})
	}
	require.NoError(t, all.Wait())
	require.Len(t, b.list(t, alert.ListParams{}), 1)
}

func TestClear_EndsTheBreakAndTheNextOneIsAnother(t *testing.T) {
	b := setup(t)
	component := alert.Subject{ComponentAppID: b.ComponentAppID}
	b.raise(t, alert.RenewalFailing, b.about(), 1)
	b.raise(t, alert.Limited, b.about(), 2)
	b.raise(t, alert.TicketLate, component, 3)
	b.Clock.Advance(time.Hour)
	require.NoError(t, alert.Clear(t.Context(), b.Pool, b.about(), b.Clock.Now(), alert.RenewalFailing, alert.TicketLate))
	b.raise(t, alert.RenewalFailing, b.about(), 4)

	open, cleared := b.list(t, alert.ListParams{Open: new(true)}), b.list(t, alert.ListParams{Open: new(false)})
	require.Equal(t, []int{4, 3, 2}, []int{open[0].Code, open[1].Code, open[2].Code}, "newest first; a component's is no account's")
	require.Len(t, cleared, 1)
	require.Equal(t, b.Clock.Now(), *cleared[0].ClearedAt)
	require.Len(t, b.list(t, alert.ListParams{}), 4)
}

func TestList_ShowsATenantItsOwnAccountsAlertsAndNoComponents(t *testing.T) {
	b := setup(t)
	stranger := factory.Account(t, b.World, factory.AccountOptions{TenantID: factory.Tenant(t, b.World).ID})
	unclaimed := factory.Account(t, b.World, factory.AccountOptions{})
	b.raise(t, alert.Limited, b.about(), 1)
	b.raise(t, alert.Limited, alert.Subject{ComponentAppID: b.ComponentAppID, AuthorizerID: stranger.ID}, 2)
	b.raise(t, alert.Limited, alert.Subject{ComponentAppID: b.ComponentAppID, AuthorizerID: unclaimed.ID}, 3)
	b.raise(t, alert.TicketLate, alert.Subject{ComponentAppID: b.ComponentAppID}, 4)
	key := factory.Key(t, b.World, factory.KeyOptions{TenantID: b.account.TenantID})
	page, err := b.alerts.List(t.Context(), key, b.account.TenantID, alert.ListParams{})
	require.NoError(t, err)
	require.Len(t, page.Alerts, 1)
	require.Equal(t, b.account.AppID, page.Alerts[0].AppID)
	require.Len(t, b.list(t, alert.ListParams{}), 4)

	_, err = b.alerts.ListAll(t.Context(), key, alert.ListParams{})
	require.ErrorIs(t, err, tenant.ErrPlatformOnly)
	_, err = b.alerts.List(t.Context(), key, stranger.TenantID, alert.ListParams{})
	require.ErrorIs(t, err, tenant.ErrNotFound)
	var missing *tenant.ScopeMissingError
	_, err = b.alerts.List(t.Context(), factory.Key(t, b.World, factory.KeyOptions{TenantID: b.account.TenantID, Scopes: []tenant.Scope{tenant.BlacklistRead}}),
		b.account.TenantID, alert.ListParams{})
	require.ErrorAs(t, err, &missing)
}

func TestList_GoesOnPageByPage(t *testing.T) {
	b := setup(t)
	for _, kind := range []alert.Kind{alert.Limited, alert.Revoked, alert.RenewalFailing, alert.NeedsReauthorization, alert.TokenContested} {
		b.raise(t, kind, b.about(), 1)
	}
	var kinds []alert.Kind
	params := alert.ListParams{Limit: 2}
	for range 3 {
		page, err := b.alerts.List(t.Context(), b.Platform, b.account.TenantID, params)
		require.NoError(t, err)
		for _, l := range page.Alerts {
			kinds = append(kinds, l.Kind)
		}
		params.Cursor = page.Next
	}
	require.Empty(t, params.Cursor)
	require.Equal(t, []alert.Kind{alert.TokenContested, alert.NeedsReauthorization, alert.RenewalFailing, alert.Revoked, alert.Limited}, kinds)
	for _, cursor := range []string{"?", tenant.EncodeCursor("no id")} {
		_, err := b.alerts.List(t.Context(), b.Platform, b.account.TenantID, alert.ListParams{Cursor: cursor})
		require.ErrorIs(t, err, tenant.ErrInvalidCursor)
	}
}
