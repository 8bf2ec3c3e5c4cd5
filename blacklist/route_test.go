package blacklist_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
)

// knows has the directories of followers know people of an account.
func (b *bundle) knows(t *testing.T, account authorizer.Account, openids ...string) {
	t.Helper()
	b.exec(t, `INSERT INTO follower_directories (tenant_id, authorizer_id, enabled, changed_at, changed_by) VALUES ($1, $2, true, now(), 'test') ON CONFLICT DO NOTHING`,
		account.TenantID, account.ID)
	b.exec(t, `INSERT INTO followers (tenant_id, authorizer_id, openid, following, changed_at, seq) SELECT $1, $2, o, true, now(), nextval('follower_changes') FROM unnest($3::text[]) o`,
		account.TenantID, account.ID, openids)
}

func (b *bundle) route(t *testing.T, action blacklist.Action, req blacklist.RouteRequest) blacklist.Routed {
	t.Helper()
	routed, _, err := b.blacklist.Route(t.Context(), b.key, b.tenantID, action, req)
	require.NoError(t, err)
	return routed
}

func routeOf(openids ...string) blacklist.RouteRequest {
	return blacklist.RouteRequest{Request: blacklist.Request{OpenIDs: openids, Reason: "spam"}}
}

func TestRoute_SendsEachOpenIDToTheAccountThatItBelongsTo(t *testing.T) {
	t.Parallel()
	b := setup(t, 3)
	second := factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID, FollowerCount: 2})
	theirs := b.Sim.FollowersOf(second.AppID)
	b.knows(t, b.account, b.openids(0, 3)...)
	b.knows(t, second, theirs...)
	b.start(t)
	routed := b.route(t, blacklist.ActionBlock, routeOf(b.openid(0), theirs[0], "stranger", theirs[1], theirs[1]))
	require.Len(t, routed.Batches, 2)
	require.Equal(t, []blacklist.Unrouted{{OpenID: "stranger", Why: blacklist.WhyUnknown}}, routed.Unrouted)
	for _, batch := range routed.Batches {
		got := b.ended(t, batch.ID)
		require.Equal(t, got.Counts.Total, got.Counts.Done)
		require.Equal(t, "spam", got.Reason)
	}
	require.Equal(t, []string{b.openid(0)}, b.blacklisted())
	require.ElementsMatch(t, theirs, b.Sim.Blacklisted(second.AppID))

	routed = b.route(t, blacklist.ActionUnblock, routeOf(b.openid(0)))
	require.Len(t, routed.Batches, 1)
	b.ended(t, routed.Batches[0].ID)
	require.Empty(t, b.blacklisted())
}

func TestRoute_SaysOfEachThatWentNowhereWhy(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	poor := factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID, Sets: []int{1}})
	gone := factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID})
	b.knows(t, b.account, "both", "mine")
	b.knows(t, poor, "both", "poor")
	b.knows(t, gone, "gone")
	b.exec(t, `UPDATE authorizers SET state = 'revoked' WHERE id = $1`, gone.ID)
	routed := b.route(t, blacklist.ActionBlock, routeOf("nobody", "gone", "poor", "both", "mine"))
	require.Equal(t, []blacklist.Unrouted{
		{OpenID: "nobody", Why: blacklist.WhyUnknown},
		{OpenID: "gone", Why: blacklist.WhyState, AppID: gone.AppID},
		{OpenID: "poor", Why: blacklist.WhyPermission, AppID: poor.AppID},
		{OpenID: "both", Why: blacklist.WhyAmbiguous},
	}, routed.Unrouted)
	require.Len(t, routed.Batches, 1)
	require.Equal(t, 1, routed.Batches[0].Counts.Total)
}

func TestRoute_TriesUnknownOnesOnTheAccountThatIsAssumed(t *testing.T) {
	t.Parallel()
	b := setup(t, 2)
	b.start(t)
	req := routeOf(b.openid(0), "nobody")
	req.AssumeAppID = b.account.AppID
	routed := b.route(t, blacklist.ActionBlock, req)
	require.Empty(t, routed.Unrouted)
	got := b.ended(t, routed.Batches[0].ID)
	require.Equal(t, blacklist.Counts{Total: 2, Done: 1, Failed: 1}, got.Counts, "WeChat says whether it was right")
}

func TestRoute_KnowsFromBlacklistsWhatDirectoriesDoNot(t *testing.T) {
	t.Parallel()
	b := setup(t, 2)
	other := b.neighbour(t, 2)
	b.start(t)
	b.ended(t, b.block(t, b.openid(0)).ID)
	other.ended(t, other.block(t, other.openid(0)).ID)
	for _, assume := range []string{"", b.account.AppID, other.account.AppID} {
		req := routeOf(b.openid(0), other.openid(0))
		req.AssumeAppID = assume
		routed := b.route(t, blacklist.ActionUnblock, req)
		require.Empty(t, routed.Unrouted)
		require.Len(t, routed.Batches, 2)
		for _, batch := range routed.Batches {
			require.Zero(t, b.ended(t, batch.ID).Counts.Failed)
		}
	}
	require.Empty(t, b.blacklisted())
	require.Empty(t, other.blacklisted())
}

func TestRoute_IsOnceForOneIdempotencyKey(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.knows(t, b.account, b.openid(0))
	req := routeOf(b.openid(0), "nobody")
	req.IdempotencyKey = "one"
	first, replayed, err := b.blacklist.Route(t.Context(), b.key, b.tenantID, blacklist.ActionBlock, req)
	require.NoError(t, err)
	require.False(t, replayed)
	b.knows(t, b.account, "nobody") // by now it is known, and the answer stays the same
	second, replayed, err := b.blacklist.Route(t.Context(), b.key, b.tenantID, blacklist.ActionBlock, req)
	require.NoError(t, err)
	require.True(t, replayed)
	require.Equal(t, first, second)
	req.OpenIDs = []string{"other"}
	_, _, err = b.blacklist.Route(t.Context(), b.key, b.tenantID, blacklist.ActionBlock, req)
	require.ErrorIs(t, err, tenant.ErrIdempotencyKeyReused)
}

// knowsPersons has the directory of an account know people with their unionids, by openid.
func (b *bundle) knowsPersons(t *testing.T, account authorizer.Account, unionids map[string]string) {
	t.Helper()
	b.knows(t, account, slices.Sorted(maps.Keys(unionids))...)
	b.exec(t, `UPDATE follower_directories SET unionids = true WHERE authorizer_id = $1`, account.ID)
	for openid, unionid := range unionids {
		b.exec(t, `UPDATE followers SET unionid = $3 WHERE authorizer_id = $1 AND openid = $2`, account.ID, openid, unionid)
	}
}

func byUnionID(unionids ...string) blacklist.RouteRequest {
	return blacklist.RouteRequest{Request: blacklist.Request{Reason: "spam"}, UnionIDs: unionids}
}

func TestRouteByUnionID_GoesToEveryAccountWhereThePersonFollows(t *testing.T) {
	t.Parallel()
	b := setup(t, 3)
	second, third := b.neighbour(t, 2), b.neighbour(t, 1)
	b.knowsPersons(t, b.account, map[string]string{b.openid(0): "ann", b.openid(1): "bob"})
	b.knowsPersons(t, second.account, map[string]string{second.openid(1): "ann"})
	b.knowsPersons(t, third.account, map[string]string{third.openid(0): "eve"})
	b.start(t)
	req := byUnionID(" ann", "ann", "", "nobody", "bob")
	req.OpenIDs = []string{b.openid(2), b.openid(0)} // of whom the directory does not know one, and whose the other's unionid is there too
	routed := b.route(t, blacklist.ActionBlock, req)
	require.Equal(t, []blacklist.Unrouted{{OpenID: b.openid(2), Why: blacklist.WhyUnknown}, {UnionID: "nobody", Why: blacklist.WhyUnknown}}, routed.Unrouted)
	require.Len(t, routed.Batches, 2)
	for _, batch := range routed.Batches {
		got := b.ended(t, batch.ID)
		require.Equal(t, got.Counts.Total, got.Counts.Done, "each openid once")
		require.Equal(t, "spam", got.Reason)
	}
	require.Equal(t, b.openids(0, 2), b.blacklisted())
	require.Equal(t, second.openids(1, 2), second.blacklisted())
	require.Empty(t, third.blacklisted())

	for _, batch := range b.route(t, blacklist.ActionUnblock, byUnionID("ann")).Batches {
		b.ended(t, batch.ID)
	}
	require.Equal(t, b.openids(1, 2), b.blacklisted())
	require.Empty(t, second.blacklisted())
}

func TestRouteByUnionID_NamesTheAccountsThatCannotBeWorkedFor(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	poor := factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID, Sets: []int{1}})
	gone := factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID})
	b.knowsPersons(t, b.account, map[string]string{b.openid(0): "ann"})
	b.knowsPersons(t, poor, map[string]string{"poor ann": "ann"})
	b.knowsPersons(t, gone, map[string]string{"gone ann": "ann"})
	b.exec(t, `UPDATE authorizers SET state = 'revoked' WHERE id = $1`, gone.ID)
	routed := b.route(t, blacklist.ActionBlock, byUnionID("ann"))
	require.ElementsMatch(t, []blacklist.Unrouted{
		{OpenID: "poor ann", UnionID: "ann", Why: blacklist.WhyPermission, AppID: poor.AppID},
		{OpenID: "gone ann", UnionID: "ann", Why: blacklist.WhyState, AppID: gone.AppID},
	}, routed.Unrouted)
	require.Len(t, routed.Batches, 1)
	for _, u := range routed.Unrouted {
		require.NotEmpty(t, u.Advice())
	}
}

func TestRouteByUnionID_KnowsOnlyWhatDirectoriesMayShow(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	off, other := b.neighbour(t, 0), factory.Account(t, b.World, factory.AccountOptions{TenantID: factory.Tenant(t, b.World).ID})
	b.knowsPersons(t, b.account, map[string]string{b.openid(0): "ann"})
	b.knowsPersons(t, off.account, map[string]string{"off": "ann"})
	b.knowsPersons(t, other, map[string]string{"theirs": "ann"})
	b.exec(t, `UPDATE follower_directories SET unionids = false WHERE authorizer_id = $1`, b.account.ID)
	b.exec(t, `UPDATE follower_directories SET enabled = false, unionids = false WHERE authorizer_id = $1`, off.account.ID)
	req := byUnionID("ann")
	req.AssumeAppID = b.account.AppID // which is for openids
	require.Equal(t, []blacklist.Unrouted{{UnionID: "ann", Why: blacklist.WhyUnknown}}, b.route(t, blacklist.ActionBlock, req).Unrouted)
}

func TestRouteByUnionID_TakesAHundredThousand(t *testing.T) {
	t.Parallel()
	b := setup(t, 0)
	second := b.neighbour(t, 0)
	var unionids []string
	for n := range blacklist.MaxOpenIDs {
		unionids = append(unionids, fmt.Sprintf("u%06d", n))
	}
	for _, one := range []*bundle{b, second} {
		one.knows(t, one.account, one.openids(0, len(unionids))...)
		b.exec(t, `UPDATE follower_directories SET unionids = true`)
		b.exec(t, `
			UPDATE followers f SET unionid = p.unionid FROM unnest($2::text[], $3::text[]) AS p (openid, unionid)
			WHERE f.authorizer_id = $1 AND f.openid = p.openid`, one.account.ID, one.openids(0, len(unionids)), unionids)
	}
	p, err := b.blacklist.PreviewRoute(t.Context(), b.key, b.tenantID, blacklist.ActionBlock, byUnionID(unionids...))
	require.NoError(t, err)
	require.ElementsMatch(t, []blacklist.Share{{AppID: b.account.AppID, OpenIDs: len(unionids)}, {AppID: second.account.AppID, OpenIDs: len(unionids)}}, p.Accounts)
	require.Empty(t, p.Unrouted)
}

func TestRoute_RefusesWhatIsNoRequest(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	refusal := func(req blacklist.RouteRequest) error {
		_, _, err := b.blacklist.Route(t.Context(), b.key, b.tenantID, blacklist.ActionBlock, req)
		_, previewErr := b.blacklist.PreviewRoute(t.Context(), b.key, b.tenantID, blacklist.ActionBlock, req)
		require.Equal(t, err, previewErr)
		return err
	}
	require.ErrorIs(t, refusal(blacklist.RouteRequest{}), blacklist.ErrWhomToRoute)
	req := byUnionID(make([]string, blacklist.MaxOpenIDs)...)
	req.OpenIDs = []string{"one too many"}
	var many *blacklist.TooManyOpenIDsError
	require.ErrorAs(t, refusal(req), &many)
	require.Equal(t, blacklist.MaxOpenIDs+1, many.Given)
	var invalid *blacklist.InvalidOpenIDError
	require.ErrorAs(t, refusal(byUnionID("ann", "a\x00b")), &invalid)
	require.Equal(t, &blacklist.InvalidOpenIDError{Index: 1, UnionID: true}, invalid)
	reader := factory.Key(t, b.World, factory.KeyOptions{TenantID: b.tenantID, Scopes: []tenant.Scope{tenant.BlacklistRead}})
	_, err := b.blacklist.PreviewRoute(t.Context(), reader, b.tenantID, blacklist.ActionBlock, byUnionID("ann"))
	var missing *tenant.ScopeMissingError
	require.ErrorAs(t, err, &missing)
}

func TestRoute_IsAnotherRequestWithOtherUnionIDs(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	ask := func(change func(*blacklist.RouteRequest)) (bool, error) {
		req := byUnionID("ann", "bob")
		req.OpenIDs, req.IdempotencyKey = []string{"o1"}, "one"
		change(&req)
		_, replayed, err := b.blacklist.Route(t.Context(), b.key, b.tenantID, blacklist.ActionBlock, req)
		return replayed, err
	}
	for _, again := range []bool{false, true} {
		replayed, err := ask(func(*blacklist.RouteRequest) {})
		require.NoError(t, err)
		require.Equal(t, again, replayed)
	}
	for _, change := range []func(*blacklist.RouteRequest){
		func(r *blacklist.RouteRequest) { r.UnionIDs = []string{"ann"} },
		func(r *blacklist.RouteRequest) { r.UnionIDs = nil },
		func(r *blacklist.RouteRequest) { r.OpenIDs, r.UnionIDs = []string{"o1", "ann"}, []string{"bob"} },
		func(r *blacklist.RouteRequest) { r.AssumeAppID = b.account.AppID },
	} {
		_, err := ask(change)
		require.ErrorIs(t, err, tenant.ErrIdempotencyKeyReused)
	}
}

func TestRoute_IsPreviewedAsItWillBeAndWritesNothingThen(t *testing.T) {
	t.Parallel()
	b := setup(t, 3)
	poor := factory.Account(t, b.World, factory.AccountOptions{TenantID: b.tenantID, Sets: []int{1}})
	b.knowsPersons(t, b.account, map[string]string{b.openid(0): "ann", b.openid(1): "bob"})
	b.knowsPersons(t, poor, map[string]string{"poor ann": "ann"})
	req := byUnionID("ann", "nobody")
	req.OpenIDs = []string{b.openid(1), "stranger"}
	before := written(t, b)
	p, err := b.blacklist.PreviewRoute(t.Context(), b.key, b.tenantID, blacklist.ActionBlock, req)
	require.NoError(t, err)
	require.Equal(t, before, written(t, b))
	require.Equal(t, []blacklist.Share{{AppID: b.account.AppID, OpenIDs: 2}}, p.Accounts)
	routed := b.route(t, blacklist.ActionBlock, req)
	require.Equal(t, routed.Unrouted, p.Unrouted)
	require.Equal(t, 2, routed.Batches[0].Counts.Total)
}

func TestRoute_IsAudited(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	b.knowsPersons(t, b.account, map[string]string{b.openid(0): "ann"})
	req := byUnionID("ann", "nobody")
	req.OpenIDs, req.AssumeAppID = []string{"stranger"}, b.account.AppID
	routed := b.route(t, blacklist.ActionBlock, req)
	page, err := b.Tenants.ListAudit(t.Context(), b.key, b.tenantID, 2, "")
	require.NoError(t, err)
	require.Equal(t, "blacklist.route", page.Entries[0].Action)
	require.Equal(t, "route:"+routed.ID.String(), page.Entries[0].Target)
	require.Equal(t, "spam", page.Entries[0].Reason)
	require.Equal(t, map[string]any{
		"action": "block", "openids": 1.0, "unionids": 2.0, "accounts": 1.0, "unrouted": 1.0, "assume_appid": b.account.AppID,
	}, page.Entries[0].Detail)
	require.Equal(t, "blacklist.block", page.Entries[1].Action)
}

func TestRoute_KeepsTenantsApart(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	other := factory.Account(t, b.World, factory.AccountOptions{TenantID: factory.Tenant(t, b.World).ID, FollowerCount: 1})
	b.knows(t, other, "theirs")
	routed := b.route(t, blacklist.ActionBlock, routeOf("theirs"))
	require.Equal(t, []blacklist.Unrouted{{OpenID: "theirs", Why: blacklist.WhyUnknown}}, routed.Unrouted)
	require.Empty(t, routed.Batches)
	req := routeOf("theirs")
	req.AssumeAppID = other.AppID
	_, _, err := b.blacklist.Route(t.Context(), b.key, b.tenantID, blacklist.ActionBlock, req)
	require.ErrorIs(t, err, tenant.ErrNotFound)
	for _, tenantID := range []uuid.UUID{other.TenantID, uuid.New()} {
		_, _, err = b.blacklist.Route(t.Context(), b.key, tenantID, blacklist.ActionBlock, routeOf("x"))
		require.ErrorIs(t, err, tenant.ErrNotFound)
	}
}
