package blacklist_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
)

// drifted has three people blocked by us, of whom a merchant takes one off by hand, blocks two strangers, and blocks again
// one whom we unblocked; and reads the list.
func drifted(t *testing.T) *bundle {
	t.Helper()
	b := setup(t, 10)
	b.start(t)
	b.ended(t, b.block(t, b.openids(0, 4)...).ID)
	b.ended(t, b.unblock(t, b.openid(3)).ID)
	require.NoError(t, b.Sim.RemoteUnblock(b.account.AppID, b.openid(0)))
	require.NoError(t, b.Sim.RemoteBlock(b.account.AppID, b.openid(3), b.openid(7), b.openid(8)))
	b.Clock.Advance(time.Hour)
	b.pull(t)
	return b
}

func (b *bundle) drift(t *testing.T, drift blacklist.Drift) []string {
	t.Helper()
	page, err := b.blacklist.List(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.ListParams{Drift: drift})
	require.NoError(t, err)
	require.Equal(t, page.Total, len(page.Entries))
	for _, e := range page.Entries {
		require.Equal(t, b.Clock.Now(), *e.ActualAt, "when we learned of it")
	}
	return openidsOf(page.Entries)
}

func TestDrift_IsWhatWasDoneOutsideSteward(t *testing.T) {
	t.Parallel()
	b := drifted(t)
	require.Equal(t, []string{b.openid(0)}, b.drift(t, blacklist.DriftUnblocked))
	require.Equal(t, sorted([]string{b.openid(3), b.openid(7), b.openid(8)}), b.drift(t, blacklist.DriftBlocked))
	require.Len(t, b.drift(t, blacklist.DriftAny), 4)
	_, err := b.blacklist.List(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.ListParams{Drift: "sideways"})
	var unknown *blacklist.UnknownFilterError
	require.ErrorAs(t, err, &unknown)
}

func TestDrift_IsNotAWishThatIsOnItsWayOrWasRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, 2)
	b.block(t, b.openid(0), "nobody")
	require.Empty(t, b.drift(t, blacklist.DriftAny))
	b.start(t)
	b.ended(t, b.block(t, b.openid(0), "nobody").ID)
	require.Empty(t, b.drift(t, blacklist.DriftAny))
}

func TestAdopt_MakesWeChatsSideWhatIsWanted(t *testing.T) {
	t.Parallel()
	b := drifted(t)
	calls := len(b.Sim.Calls())
	n, err := b.blacklist.Adopt(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.DriftParams{OpenIDs: []string{b.openid(0), b.openid(7), b.openid(1)}}, "as the merchant did")
	require.NoError(t, err)
	require.Equal(t, 2, n, "the third does not differ")
	require.Equal(t, sorted([]string{b.openid(3), b.openid(8)}), b.drift(t, blacklist.DriftAny))
	n, err = b.blacklist.Adopt(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.DriftParams{}, "")
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Empty(t, b.drift(t, blacklist.DriftAny))
	require.Len(t, b.Sim.Calls(), calls, "nobody was called")
	entry := b.entry(t, b.openid(7))
	require.Equal(t, []string{"blocked", "blocked", "as the merchant did", b.key.Actor()}, []string{entry.Want, entry.Actual, entry.Reason, entry.WantedBy})
}

func TestRestore_AsksForWhatWasWantedAndLeavesHandMadeEntriesAloneUnlessTheyAreNamed(t *testing.T) {
	t.Parallel()
	b := drifted(t)
	batches, err := b.blacklist.Restore(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.DriftParams{}, "policy")
	require.NoError(t, err)
	require.Len(t, batches, 2)
	for _, batch := range batches {
		require.Equal(t, 1, b.ended(t, batch.ID).Counts.Done)
	}
	require.Equal(t, sorted([]string{b.openid(7), b.openid(8)}), b.drift(t, blacklist.DriftAny))
	require.ElementsMatch(t, append(b.openids(0, 3), b.openid(7), b.openid(8)), b.blacklisted())

	batches, err = b.blacklist.Restore(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.DriftParams{OpenIDs: []string{b.openid(8)}}, "")
	require.NoError(t, err)
	require.Len(t, batches, 1)
	b.ended(t, batches[0].ID)
	require.ElementsMatch(t, append(b.openids(0, 3), b.openid(7)), b.blacklisted())
}

func TestDrift_NeedsTheScopeAndTheRightTenant(t *testing.T) {
	t.Parallel()
	b := setup(t, 1)
	reader := factory.Key(t, b.World, factory.KeyOptions{TenantID: b.tenantID, Scopes: []tenant.Scope{tenant.BlacklistRead}})
	var missing *tenant.ScopeMissingError
	_, err := b.blacklist.Adopt(t.Context(), reader, b.tenantID, b.account.AppID, blacklist.DriftParams{}, "")
	require.ErrorAs(t, err, &missing)
	stranger := factory.Key(t, b.World, factory.KeyOptions{TenantID: factory.Tenant(t, b.World).ID})
	_, err = b.blacklist.Restore(t.Context(), stranger, b.tenantID, b.account.AppID, blacklist.DriftParams{}, "")
	require.ErrorIs(t, err, tenant.ErrNotFound)
}

func TestPull_ComesByItselfEverySixHours(t *testing.T) {
	t.Parallel()
	b := setup(t, 3)
	b.start(t)
	b.ended(t, b.block(t, b.openid(0)).ID)
	b.exec(t, `UPDATE blacklist_lanes SET pull_due_at = $1`, b.Clock.Now())
	b.sweep(t)
	b.eventually(t, func() bool {
		page, err := b.blacklist.List(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.ListParams{})
		return err == nil && page.SyncedAt != nil
	}, "the list is read")
	pulls := b.Sim.CallCount(pathList)
	b.Clock.Advance(5 * time.Hour)
	b.sweep(t)
	require.Equal(t, pulls, b.Sim.CallCount(pathList))
	require.NoError(t, b.Sim.RemoteBlock(b.account.AppID, b.openid(1)))
	b.Clock.Advance(2 * time.Hour)
	b.sweep(t)
	b.eventually(t, func() bool { return len(b.drift(t, blacklist.DriftBlocked)) == 1 }, "what the merchant did shows")
}
