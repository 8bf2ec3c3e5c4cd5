package authorizer_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestCreateConnectLink_ServesADayForOfficialAccountsUnlessToldOtherwise(t *testing.T) {
	w := setup(t)
	owner := factory.Tenant(t, w)
	link, err := w.Authorizers.CreateConnectLink(t.Context(), w.Platform, owner.ID, authorizer.ConnectLinkParams{})
	require.NoError(t, err)
	require.Equal(t, w.ComponentAppID, link.ComponentAppID)
	require.Equal(t, wechat.AuthTypeOfficialAccount, link.AuthType)
	require.Equal(t, w.Clock.Now().Add(24*time.Hour), link.ExpiresAt)
	state, ours := strings.CutPrefix(link.URL, factory.PublicURL+"/connect/")
	require.True(t, ours)
	require.Len(t, state, 43, "256 bits in base64")

	page, err := w.Authorizers.ListConnectLinks(t.Context(), w.Platform, owner.ID, authorizer.PageParams{})
	require.NoError(t, err)
	link.URL = ""
	require.Equal(t, []authorizer.ConnectLink{link}, page.Links)
	require.Zero(t, count(t, w, `SELECT count(*) FROM connect_links WHERE connect_links::text LIKE '%' || $1 || '%'`, state), "only its hash is stored")
	require.Len(t, audited(t, w, "connect_link.create"), 1)
	require.NotContains(t, w.Logs.String(), state)
}

func TestCreateConnectLink_RefusesWhatCannotBeRight(t *testing.T) {
	w := setup(t)
	owner := factory.Tenant(t, w)
	for name, tc := range map[string]struct {
		params authorizer.ConnectLinkParams
		param  string
	}{
		"TooLong":         {authorizer.ConnectLinkParams{ExpiresIn: 30*24*time.Hour + time.Second}, "expires_in"},
		"Negative":        {authorizer.ConnectLinkParams{ExpiresIn: -time.Second}, "expires_in"},
		"UnknownAuthType": {authorizer.ConnectLinkParams{AuthType: 4}, "auth_type"},
		"RelativeReturn":  {authorizer.ConnectLinkParams{ReturnURL: "/done"}, "return_url"},
		"ScriptReturn":    {authorizer.ConnectLinkParams{ReturnURL: "javascript:alert(1)"}, "return_url"},
	} {
		_, err := w.Authorizers.CreateConnectLink(t.Context(), w.Platform, owner.ID, tc.params)
		var invalid *authorizer.InvalidLinkError
		require.ErrorAs(t, err, &invalid, name)
		require.Equal(t, tc.param, invalid.Param, name)
	}
	_, err := w.Authorizers.CreateConnectLink(t.Context(), w.Platform, owner.ID, authorizer.ConnectLinkParams{ComponentAppID: "wxunknown"})
	require.ErrorIs(t, err, component.ErrUnknownComponent)
	_, err = w.Authorizers.CreateConnectLink(t.Context(), w.Platform, uuid.New(), authorizer.ConnectLinkParams{})
	require.ErrorIs(t, err, tenant.ErrNotFound)
	require.Zero(t, count(t, w, `SELECT count(*) FROM connect_links`))
}

func TestCreateConnectLink_IsForWhoMayAndForTheirOwnTenant(t *testing.T) {
	w := setup(t)
	owner, stranger := factory.Tenant(t, w), factory.Tenant(t, w)
	may := factory.Key(t, w, factory.KeyOptions{TenantID: owner.ID, Scopes: []tenant.Scope{tenant.ConnectLinksWrite}})
	mayNot := factory.Key(t, w, factory.KeyOptions{TenantID: owner.ID, Scopes: []tenant.Scope{tenant.AuthorizersRead}})

	_, err := w.Authorizers.CreateConnectLink(t.Context(), may, owner.ID, authorizer.ConnectLinkParams{})
	require.NoError(t, err)
	var missing *tenant.ScopeMissingError
	_, err = w.Authorizers.CreateConnectLink(t.Context(), mayNot, owner.ID, authorizer.ConnectLinkParams{})
	require.ErrorAs(t, err, &missing)
	_, err = w.Authorizers.CreateConnectLink(t.Context(), may, stranger.ID, authorizer.ConnectLinkParams{})
	require.ErrorIs(t, err, tenant.ErrNotFound)
	_, err = w.Authorizers.ListConnectLinks(t.Context(), may, stranger.ID, authorizer.PageParams{})
	require.ErrorIs(t, err, tenant.ErrNotFound)
}

func TestCreateConnectLink_WantsAComponentNamedWhereThereAreSeveral(t *testing.T) {
	w := setup(t, factory.WorldOptions{FurtherComponents: []simulator.Component{{AppID: "wx0000000000000002"}}})
	owner := factory.Tenant(t, w)
	_, err := w.Authorizers.CreateConnectLink(t.Context(), w.Platform, owner.ID, authorizer.ConnectLinkParams{})
	var choice *authorizer.ComponentChoiceError
	require.ErrorAs(t, err, &choice)
	require.Equal(t, []string{"wx0000000000000001", "wx0000000000000002"}, choice.AppIDs)
	require.ErrorContains(t, err, "wx0000000000000002")
	link, err := w.Authorizers.CreateConnectLink(t.Context(), w.Platform, owner.ID, authorizer.ConnectLinkParams{ComponentAppID: "wx0000000000000002"})
	require.NoError(t, err)
	require.Equal(t, "wx0000000000000002", link.ComponentAppID)
}

func TestCreateConnectLink_SaysThatThereIsNoComponentYet(t *testing.T) {
	w := setup(t)
	_, err := w.Pool.Exec(t.Context(), `TRUNCATE components CASCADE`)
	require.NoError(t, err)
	_, err = w.Authorizers.CreateConnectLink(t.Context(), w.Platform, factory.Tenant(t, w).ID, authorizer.ConnectLinkParams{})
	require.ErrorIs(t, err, authorizer.ErrNoComponent)
}

func TestListConnectLinks_GoesPageByPageNewestFirst(t *testing.T) {
	w := setup(t)
	owner := factory.Tenant(t, w)
	var made []uuid.UUID
	for range 5 {
		link, err := w.Authorizers.CreateConnectLink(t.Context(), w.Platform, owner.ID, authorizer.ConnectLinkParams{})
		require.NoError(t, err)
		made = append([]uuid.UUID{link.ID}, made...)
	}
	var seen []uuid.UUID
	cursor := ""
	for range 3 {
		page, err := w.Authorizers.ListConnectLinks(t.Context(), w.Platform, owner.ID, authorizer.PageParams{Limit: 2, Cursor: cursor})
		require.NoError(t, err)
		for _, link := range page.Links {
			seen = append(seen, link.ID)
		}
		cursor = page.Next
	}
	require.Empty(t, cursor)
	require.Equal(t, made, seen)
	_, err := w.Authorizers.ListConnectLinks(t.Context(), w.Platform, owner.ID, authorizer.PageParams{Cursor: tenant.EncodeCursor("nonsense")})
	require.ErrorIs(t, err, tenant.ErrInvalidCursor)
}

func TestOpenConnectLink_FetchesAFreshCodeForEachVisit(t *testing.T) {
	w := setup(t)
	owner := factory.Tenant(t, w, factory.TenantOptions{Name: "Tea House"})
	state := factory.LinkState(t, w, owner.ID, authorizer.ConnectLinkParams{})
	page, err := w.Authorizers.OpenConnectLink(t.Context(), state)
	require.NoError(t, err)
	require.Equal(t, "Tea House", page.TenantName)
	require.Equal(t, w.Clock.Now().Add(10*time.Minute), page.ExpiresAt)

	for _, consent := range []string{page.DesktopURL, page.MobileURL} {
		u, err := url.Parse(consent)
		require.NoError(t, err)
		require.Equal(t, factory.PublicURL+"/connect/"+state+"/callback", u.Query().Get("redirect_uri"))
		require.Equal(t, "1", u.Query().Get("auth_type"))
		require.Equal(t, w.ComponentAppID, u.Query().Get("component_appid"))
	}
	require.NotEqual(t, preAuthCode(t, w, state), preAuthCode(t, w, state))
	require.Equal(t, 3, w.Sim.CallCount(pathPreAuthCode))
	require.Equal(t, 3, count(t, w, `SELECT count(*) FROM connect_link_codes`))
	require.Zero(t, count(t, w, `SELECT count(*) FROM connect_link_codes WHERE encode(pre_auth_code_hash, 'escape') LIKE 'preauthcode%'`))
}

func TestOpenConnectLink_AsksForTheOneAccountWhereTheLinkNamesIt(t *testing.T) {
	w := setup(t)
	state := factory.LinkState(t, w, factory.Tenant(t, w).ID, authorizer.ConnectLinkParams{AppID: "wx00000000000000aa"})
	page, err := w.Authorizers.OpenConnectLink(t.Context(), state)
	require.NoError(t, err)
	require.Equal(t, "wx00000000000000aa", page.AppID)
	u, err := url.Parse(page.MobileURL)
	require.NoError(t, err)
	require.Equal(t, "wx00000000000000aa", u.Query().Get("biz_appid"))
	require.False(t, u.Query().Has("auth_type"))
}

func TestOpenConnectLink_RefusesUnknownExpiredAndUsedLinks(t *testing.T) {
	w := setup(t)
	owner := factory.Tenant(t, w)
	_, err := w.Authorizers.OpenConnectLink(t.Context(), "nonsense")
	require.ErrorIs(t, err, authorizer.ErrLinkUnknown)
	_, _, err = w.Authorizers.FinishConnectLink(t.Context(), "nonsense", "code")
	require.ErrorIs(t, err, authorizer.ErrLinkUnknown)

	used := factory.LinkState(t, w, owner.ID, authorizer.ConnectLinkParams{})
	appid := factory.AddToWeChat(t, w, factory.AccountOptions{})
	_, _, err = w.Authorizers.FinishConnectLink(t.Context(), used, authorize(t, w, appid, preAuthCode(t, w, used)))
	require.NoError(t, err)
	_, err = w.Authorizers.OpenConnectLink(t.Context(), used)
	require.ErrorIs(t, err, authorizer.ErrLinkUsed)

	short := factory.LinkState(t, w, owner.ID, authorizer.ConnectLinkParams{ExpiresIn: time.Minute})
	preAuth := preAuthCode(t, w, short)
	w.Clock.Advance(time.Minute)
	_, err = w.Authorizers.OpenConnectLink(t.Context(), short)
	require.ErrorIs(t, err, authorizer.ErrLinkExpired)
	code := authorize(t, w, appid, preAuth)
	w.Clock.Advance(time.Hour)
	_, _, err = w.Authorizers.FinishConnectLink(t.Context(), short, code)
	require.ErrorIs(t, err, authorizer.ErrLinkExpired)
	w.Clock.Advance(-time.Second)
	_, _, err = w.Authorizers.FinishConnectLink(t.Context(), short, code)
	require.NoError(t, err, "it was opened in time")
}

func TestOpenConnectLink_FailsWithoutATicket(t *testing.T) {
	w := setup(t, factory.WorldOptions{NoTicket: true})
	state := factory.LinkState(t, w, factory.Tenant(t, w).ID, authorizer.ConnectLinkParams{})
	_, err := w.Authorizers.OpenConnectLink(t.Context(), state)
	require.ErrorIs(t, err, component.ErrNoTicket)
}
