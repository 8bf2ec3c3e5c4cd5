package component_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/token"
	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestDiagnose_Quota(t *testing.T) {
	c := setupClinic(t)
	accessToken(t, c.World) // uses one
	for _, step := range []struct {
		name         string
		daily        int
		fault        int // errcode of quota/get
		status       component.CheckStatus
		says, advice string
	}{
		{"Plenty", 10, 0, component.CheckOK, "api_component_token: 1 of 10 used today, 9 left.", ""},
		{"AFifth", 5, 0, component.CheckOK, "4 left", ""},
		{"Gone", 1, 0, component.CheckFail, "1 of 1 used today, 0 left.", "midnight"},
		{"NoFigures", 10, 76003, component.CheckUnknown, "no figures for api_component_token", ""},
		{"NoPath", 10, 76021, component.CheckUnknown, "no figures for api_authorizer_token", ""},
		{"Refused", 10, 48001, component.CheckUnknown, "does not tell about", ""},
	} {
		require.NoError(t, c.Sim.SetQuota(c.ComponentAppID, pathComponentToken, simulator.Quota{Daily: step.daily}))
		if step.fault != 0 {
			inject(t, c.World, simulator.Fault{Path: pathQuota, Code: step.fault})
		}
		check := c.diagnose(t)[component.CheckQuota]
		require.Equal(t, step.status, check.Status, "%s: %s", step.name, check.Reason)
		require.Contains(t, check.Reason, step.says, step.name)
		require.Contains(t, check.Remedy, step.advice, step.name)
		require.Equal(t, step.fault, check.Code, step.name)
		require.Equal(t, step.fault != 0, check.RID != "", step.name)
		c.Sim.ClearFaults()
	}
}

func TestDiagnose_QuotaThatRunsLow(t *testing.T) {
	c := setupClinic(t)
	require.NoError(t, c.Sim.SetQuota(c.ComponentAppID, pathComponentToken, simulator.Quota{Daily: 6}))
	for range 4 {
		fetchElsewhere(t, c.World)
	}
	check := c.diagnose(t)[component.CheckQuota]
	require.Equal(t, component.CheckWarn, check.Status)
	require.Contains(t, check.Reason, "5 of 6 used today, 1 left.")
	require.Contains(t, check.Reason, "api_authorizer_token: 0 of ")
}

func TestDiagnose_QuotaThatIsGoneSoThatThereIsNoToken(t *testing.T) {
	c := setupClinic(t)
	require.NoError(t, c.Sim.SetQuota(c.ComponentAppID, pathComponentToken, simulator.Quota{Daily: 1}))
	fetchElsewhere(t, c.World)
	check := c.diagnose(t)[component.CheckQuota]
	require.Equal(t, component.CheckFail, check.Status, check.Reason)
	require.Equal(t, 45009, check.Code)
}

func TestDiagnose_Clock(t *testing.T) {
	t.Run("WeChats", func(t *testing.T) {
		c := setupClinic(t)
		for _, step := range []struct {
			ahead  time.Duration
			status component.CheckStatus
		}{
			{28 * time.Second, component.CheckOK}, {5 * time.Second, component.CheckWarn}, {5 * time.Minute, component.CheckFail},
		} {
			c.Sim.AdvanceClock(step.ahead)
			check := c.diagnose(t)[component.CheckClock]
			require.Equal(t, step.status, check.Status, check.Reason)
		}
		require.Contains(t, c.diagnose(t)[component.CheckClock].Remedy, "NTP")
	})
	t.Run("Ours", func(t *testing.T) {
		c := setupClinic(t)
		for skew, status := range map[time.Duration]component.CheckStatus{
			time.Minute: component.CheckWarn, -time.Minute: component.CheckWarn, 6 * time.Minute: component.CheckFail, -6 * time.Minute: component.CheckFail,
		} {
			c.skew = skew
			check := c.diagnose(t)[component.CheckClock]
			require.Equal(t, status, check.Status, check.Reason)
			require.Contains(t, check.Reason, "the database's")
		}
	})
	t.Run("OfTheTicket", func(t *testing.T) {
		c := setupClinic(t, factory.WorldOptions{NoTicket: true})
		value, err := c.Sim.IssueTicket(c.ComponentAppID)
		require.NoError(t, err)
		require.NoError(t, c.Components.StoreTicket(t.Context(), ticket(c.World, value, c.Clock.Now().Add(-10*time.Minute))))
		check := c.diagnose(t)[component.CheckClock]
		require.Equal(t, component.CheckFail, check.Status)
		require.Contains(t, check.Reason, "10m0s after WeChat made it")
	})
}

func TestDiagnose_SecondInstallation(t *testing.T) {
	c := setupClinic(t, overlapless())
	call(t, c.World)
	for _, status := range []component.CheckStatus{component.CheckWarn, component.CheckFail} {
		c.Clock.Advance(time.Minute)
		fetchElsewhere(t, c.World)
		call(t, c.World)
		check := c.diagnose(t)[component.CheckSecondInstallation]
		require.Equal(t, status, check.Status)
		require.Contains(t, check.Remedy, "Another installation")
		require.Contains(t, check.Reason, "No account")
	}
	c.Clock.Advance(24 * time.Hour)
	storeNewTicket(t, c.World)
	require.Equal(t, component.CheckOK, c.diagnose(t)[component.CheckSecondInstallation].Status)

	for range 2 {
		account := factory.Account(t, c.World, factory.AccountOptions{TenantID: factory.Tenant(t, c.World).ID})
		require.NoError(t, alert.Raise(t.Context(), c.Pool, alert.TokenContested,
			alert.Subject{ComponentAppID: c.ComponentAppID, AuthorizerID: account.ID}, token.Failure{At: c.Clock.Now()}))
	}
	check := c.diagnose(t)[component.CheckSecondInstallation]
	require.Equal(t, component.CheckWarn, check.Status)
	require.Contains(t, check.Reason, "too: 2.")
}
