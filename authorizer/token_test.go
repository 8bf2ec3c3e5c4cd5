package authorizer_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// refreshToken is what is stored.
func refreshToken(t *testing.T, w *factory.World, account authorizer.Account) string {
	t.Helper()
	var sealed []byte
	require.NoError(t, w.Pool.QueryRow(t.Context(), `SELECT refresh_token_sealed FROM authorizer_tokens WHERE authorizer_id = $1`, account.ID).Scan(&sealed))
	plain, err := w.Box.Open(sealed, secret.Place{Table: "authorizer_tokens", Column: "refresh_token", Row: account.ID.String()})
	require.NoError(t, err)
	return plain.Reveal()
}

func TestToken_IsReadUntilItsLastThirdAndThenRenewed(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	first := tokenOf(t, w, account)
	w.Clock.Advance(79 * time.Minute) // with the minute before: 80 of 120
	require.Equal(t, first, tokenOf(t, w, account))
	require.Zero(t, w.Sim.CallCount(pathRenew), "the one from the exchange of the code served")

	w.Clock.Advance(time.Second)
	second := tokenOf(t, w, account)
	require.NotEqual(t, first, second)
	require.Equal(t, second, tokenOf(t, w, account))
	require.Equal(t, 1, w.Sim.CallCount(pathRenew))
	status := again(t, w, account).Token
	require.Equal(t, w.Clock.Now(), *status.RenewedAt)
	require.Equal(t, w.Clock.Now().Add(2*time.Hour), *status.ExpiresAt)
	require.Nil(t, again(t, w, account).Health.LastError)
}

func TestToken_LivesAsLongAsWeChatSays(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.TokenLifetimeSeconds = 900 }))
	account := active(t, w)
	require.Equal(t, w.Clock.Now().Add(14*time.Minute), *account.Token.ExpiresAt)
	w.Clock.Advance(10 * time.Minute)
	tokenOf(t, w, account)
	require.Equal(t, 1, w.Sim.CallCount(pathRenew))
}

func TestToken_IsRenewedOnceForFourHundredCallersInTwoProcesses(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	other := w.Process(t)
	w.Clock.Advance(3 * time.Hour)
	// Slow enough that all callers are there before the first has its answer.
	inject(t, w, simulator.Fault{Path: pathRenew, LatencyMS: 100})

	var mu sync.Mutex
	tokens := map[string]int{}
	var callers errgroup.Group
	for i := range 400 {
		process := []*factory.World{w, other}[i%2]
		callers.Go(func() error {
			token, err := process.Authorizers.Token(t.Context(), account.ID)
			mu.Lock()
			defer mu.Unlock()
			tokens[token]++
			return err
		})
	}
	require.NoError(t, callers.Wait())
	require.Len(t, tokens, 1)
	require.Equal(t, 1, w.Sim.CallCount(pathRenew))
}

func TestToken_RefusedOnesAreRenewedOnceForManyCallersInTwoProcesses(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	other := w.Process(t)
	tokenOf(t, w, account)
	w.Sim.SupersedeTokens(account.AppID)
	inject(t, w, simulator.Fault{Path: pathRenew, LatencyMS: 100})

	var callers errgroup.Group
	for i := range 100 {
		process := []*factory.World{w, other}[i%2]
		callers.Go(func() error {
			var tokens []string
			return process.Authorizers.Call(t.Context(), account.ID, readBlacklist(w, &tokens))
		})
	}
	require.NoError(t, callers.Wait())
	require.Equal(t, 1, w.Sim.CallCount(pathRenew))
}

func TestToken_ManyAccountsAtOnceNeedNoMoreConnectionsThanThereAre(t *testing.T) {
	w := setup(t)
	owner := factory.Tenant(t, w)
	var accounts []authorizer.Account
	for range 30 {
		accounts = append(accounts, factory.Account(t, w, factory.AccountOptions{TenantID: owner.ID}))
	}
	w.Clock.Advance(3 * time.Hour) // the component's token is dead as well
	inject(t, w, simulator.Fault{Path: pathRenew, LatencyMS: 30})
	var callers errgroup.Group
	for _, account := range accounts {
		callers.Go(func() error {
			_, err := w.Authorizers.Token(t.Context(), account.ID)
			return err
		})
	}
	require.NoError(t, callers.Wait())
	require.Equal(t, 30, w.Sim.CallCount(pathRenew))
}

func TestToken_ARotatedRefreshTokenIsStoredEachTime(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.RotateOnRenew = true; s.RefreshTokenOverlapSeconds = 0 }))
	account := active(t, w)
	seen := map[string]bool{refreshToken(t, w, account): true}
	for range 4 {
		w = w.Process(t) // as after a restart
		w.Clock.Advance(130 * time.Minute)
		require.NotEmpty(t, tokenOf(t, w, account))
		seen[refreshToken(t, w, account)] = true
	}
	require.Len(t, seen, 5)
	require.Zero(t, w.Sim.CallCount(pathInfo), "never lost one")
}

func TestToken_AnEmptyRefreshTokenInTheAnswerKeepsTheStoredOne(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	before := refreshToken(t, w, account)
	bare := rewrite(t, w, pathRenew, func(fields map[string]any) { fields["authorizer_refresh_token"] = "" })
	w.Clock.Advance(3 * time.Hour)
	require.NotEmpty(t, tokenOf(t, bare, account))
	require.Equal(t, before, refreshToken(t, w, account))
}

func TestToken_TheOldOneIsHandedOutWhileItLivesAndRenewalFails(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	first := tokenOf(t, w, account)
	inject(t, w, simulator.Fault{Path: pathRenew, Status: 502})
	w.Clock.Advance(100 * time.Minute)
	for range 5 {
		require.Equal(t, first, tokenOf(t, w, account))
	}
	require.Equal(t, 1, w.Sim.CallCount(pathRenew), "while the old one lives nobody waits for the next try")
	failed := again(t, w, account)
	require.Equal(t, authorizer.StateActive, failed.State)
	require.Contains(t, failed.Health.LastError.Message, "502")
	require.Equal(t, w.Clock.Now(), failed.Health.LastError.At)

	w.Clock.Advance(time.Hour)
	_, err := w.Authorizers.Token(t.Context(), account.ID)
	var broken *wechat.TransportError
	require.ErrorAs(t, err, &broken, "it is dead now")

	w.Sim.ClearFaults()
	w.Clock.Advance(time.Second)
	require.NotEqual(t, first, tokenOf(t, w, account))
	require.Nil(t, again(t, w, account).Health.LastError)
}

func TestToken_AFailureIsSharedAndNotRepeatedForASecond(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	w.Clock.Advance(3 * time.Hour)
	inject(t, w, simulator.Fault{Path: pathRenew, Code: 45009})
	var callers errgroup.Group
	for range 200 {
		callers.Go(func() error {
			_, err := w.Authorizers.Token(t.Context(), account.ID)
			return err
		})
	}
	var refused *wechat.Error
	require.ErrorAs(t, callers.Wait(), &refused)
	require.Equal(t, 1, w.Sim.CallCount(pathRenew))
	w.Clock.Advance(time.Second)
	_, err := w.Authorizers.Token(t.Context(), account.ID)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 2, w.Sim.CallCount(pathRenew))
	require.Equal(t, 2, count(t, w, `SELECT failures FROM authorizer_tokens`))
	lastError := again(t, w, account).Health.LastError
	require.Equal(t, 45009, lastError.Code)
	require.NotEmpty(t, lastError.RID)
	require.NotEmpty(t, lastError.Advice)
}

func TestToken_ComesToTheOthersWhenTheFirstCallerGoesAway(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	w.Clock.Advance(3 * time.Hour)
	inject(t, w, simulator.Fault{Path: pathRenew, Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	ask := func(ctx context.Context, answer chan error) {
		_, err := w.Authorizers.Token(ctx, account.ID)
		answer <- err
	}
	go ask(ctx, first)
	require.Eventually(t, func() bool { return w.Sim.Hanging() == 1 }, patience, time.Millisecond)
	go ask(t.Context(), second)
	cancel()
	require.ErrorIs(t, <-first, context.Canceled)
	w.Sim.ClearFaults()
	require.NoError(t, <-second)
	require.Equal(t, 1, w.Sim.CallCount(pathRenew))
}

func TestToken_NothingThatIsNotTheMerchantsFaultMarksTheAccount(t *testing.T) {
	for name, fault := range map[string]simulator.Fault{
		"SystemBusy":          {Path: pathRenew, Code: -1},
		"IPNotOnTheList":      {Path: pathRenew, Code: 61004},
		"BadGateway":          {Path: pathRenew, Status: 502},
		"NoJSON":              {Path: pathRenew, Garbage: true},
		"ConnectionLost":      {Path: pathRenew, Drop: true},
		"Quota":               {Path: pathRenew, Code: 45009},
		"UnknownComponent":    {Path: pathRenew, Code: 61011},
		"ComponentTokenWrong": {Path: pathRenew, Code: 40001},
		"WrongSecret":         {Path: pathComponentToken, Code: 40125},
		"TicketInvalid":       {Path: pathComponentToken, Code: 61006},
		"UnknownCode":         {Path: pathRenew, Code: 77777},
	} {
		t.Run(name, func(t *testing.T) {
			w := setup(t)
			account := active(t, w)
			w.Clock.Advance(3 * time.Hour)
			inject(t, w, fault)
			_, err := w.Authorizers.Token(t.Context(), account.ID)
			require.Error(t, err)
			after := again(t, w, account)
			require.Equal(t, authorizer.StateActive, after.State)
			require.NotNil(t, after.Health.LastError)
			w.Sim.ClearFaults()
			w.Clock.Advance(time.Minute)
			require.NotEmpty(t, tokenOf(t, w, account), "and it works again when the trouble is over")
		})
	}
}

func TestToken_ANewComponentTokenIsFetchedWhenTheOldOneIsRefused(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	w.Clock.Advance(85 * time.Minute)
	_, err := w.Components.AccessToken(t.Context(), w.ComponentAppID)
	require.NoError(t, err)
	w.Sim.SupersedeTokens(w.ComponentAppID)
	require.NotEmpty(t, tokenOf(t, w, account))
	require.Equal(t, 2, w.Sim.CallCount(pathRenew))
	require.Equal(t, 2, w.Sim.CallCount(pathComponentToken))
}

func TestToken_FailsWithoutATicketAndMarksNobody(t *testing.T) {
	w := setup(t)
	account := active(t, w)
	_, err := w.Pool.Exec(t.Context(), `UPDATE components SET ticket_sealed = NULL`)
	require.NoError(t, err)
	w.Clock.Advance(3 * time.Hour)
	_, err = w.Authorizers.Token(t.Context(), account.ID)
	require.ErrorIs(t, err, component.ErrNoTicket)
	require.Equal(t, authorizer.StateActive, again(t, w, account).State)
}

func TestToken_WhatWeChatAnsweredIsStoredThoughTheDatabaseFailsTwice(t *testing.T) {
	w := setup(t, settings(func(s *simulator.Settings) { s.RotateOnRenew = true; s.RefreshTokenOverlapSeconds = 0 }))
	account := active(t, w)
	_, err := w.Pool.Exec(t.Context(), `
		CREATE SEQUENCE saves;
		CREATE FUNCTION fail_twice() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF nextval('saves') <= 2 THEN RAISE EXCEPTION 'disk full'; END IF;
			RETURN NEW;
		END $$;
		CREATE TRIGGER fail_twice BEFORE UPDATE ON authorizer_tokens FOR EACH ROW EXECUTE FUNCTION fail_twice();`)
	require.NoError(t, err)
	w.Clock.Advance(3 * time.Hour)
	held := tokenOf(t, w, account)
	require.Equal(t, held, tokenOf(t, w, account))
	require.Equal(t, 1, w.Sim.CallCount(pathRenew))
	w.Clock.Advance(3 * time.Hour)
	require.NotEmpty(t, tokenOf(t, w, account), "the rotated refresh token was stored too")
	require.Zero(t, w.Sim.CallCount(pathInfo))
}

func TestToken_OfAnUnknownAccountIsNotFound(t *testing.T) {
	w := setup(t)
	_, err := w.Authorizers.Token(t.Context(), uuid.New())
	require.ErrorIs(t, err, tenant.ErrNotFound)
}

func TestToken_NoTokenNoCodeNoSecretInErrorsAndLogs(t *testing.T) {
	w := setup(t)
	w.StartJobs(t)
	s := scan(t, w, authorizer.ConnectLinkParams{}, factory.AccountOptions{})
	account := finish(t, w, s)
	push(t, w, authorized(s.appid, s.code, s.preAuth))
	processed(t, w, 1)
	secrets := []string{s.state, s.code, s.preAuth, tokenOf(t, w, account), refreshToken(t, w, account), w.Sim.Component().AppSecret}
	cat, err := w.Components.AccessToken(t.Context(), w.ComponentAppID)
	require.NoError(t, err)
	secrets = append(secrets, cat)

	var texts string
	for _, fault := range []simulator.Fault{{Code: 61004}, {Code: 61023}, {Status: 502}, {Garbage: true}, {Drop: true}} {
		fault.Path = pathRenew
		inject(t, w, fault)
		w.Clock.Advance(130 * time.Minute)
		_, err := w.Authorizers.Token(t.Context(), account.ID)
		require.Error(t, err)
		texts += err.Error()
		w.Sim.ClearFaults()
	}
	_, _, err = w.Authorizers.FinishConnectLink(t.Context(), factory.LinkState(t, w, s.tenantID, authorizer.ConnectLinkParams{}), s.code+"x")
	require.Error(t, err)
	texts += err.Error() + w.Logs.String()
	for _, s := range secrets {
		require.NotContains(t, texts, s)
	}
	require.Zero(t, count(t, w, `SELECT count(*) FROM river_job WHERE args::text LIKE '%' || $1 || '%'`, s.code))
}
