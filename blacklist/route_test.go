package blacklist_test

import (
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
