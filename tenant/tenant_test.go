package tenant_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/testdb"
	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/tenant"
)

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

type bundle struct {
	pool     *pgxpool.Pool
	service  *tenant.Service
	clock    *clock
	platform tenant.Principal
}

func setup(t *testing.T) bundle {
	t.Helper()
	c := &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	pool := testdb.New(t)
	service, err := tenant.NewService(tenant.Config{Pool: pool, Now: c.Now, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return bundle{pool: pool, service: service, clock: c, platform: tenant.System("test")}
}

func (b bundle) tenant(t *testing.T, name string) tenant.Tenant {
	t.Helper()
	created, err := b.service.Create(t.Context(), b.platform, name)
	require.NoError(t, err)
	return created
}

// key makes a key of a tenant and returns whom it stands for.
func (b bundle) key(t *testing.T, tenantID uuid.UUID, params tenant.KeyParams) (tenant.Key, secret.String, tenant.Principal) {
	t.Helper()
	params.Name = "test"
	k, plain, err := b.service.CreateKey(t.Context(), b.platform, tenantID, params)
	require.NoError(t, err)
	p, err := b.service.Authenticate(t.Context(), plain)
	require.NoError(t, err)
	return k, plain, p
}

func TestCreate(t *testing.T) {
	t.Parallel()

	t.Run("IsAuditedInTheSameTransaction", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		created := b.tenant(t, "  Lotus Tea 莲茶 ")
		require.Equal(t, "Lotus Tea 莲茶", created.Name)
		page, err := b.service.ListAudit(t.Context(), b.platform, created.ID, 10, "")
		require.NoError(t, err)
		require.Len(t, page.Entries, 1)
		require.Equal(t, "tenant.create", page.Entries[0].Action)
		require.Equal(t, map[string]any{"name": "Lotus Tea 莲茶"}, page.Entries[0].Detail)
	})

	t.Run("RefusedForTenantKeys", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		_, _, p := b.key(t, b.tenant(t, "A").ID, tenant.KeyParams{})
		_, err := b.service.Create(t.Context(), p, "B")
		require.ErrorIs(t, err, tenant.ErrPlatformOnly)
	})

	t.Run("RefusesNamesThatAreEmptyTooLongOrNoText", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for _, name := range []string{"", " \t", strings.Repeat("长", tenant.MaxNameLength+1), "a\x00b", "a\xffb"} {
			_, err := b.service.Create(t.Context(), b.platform, name)
			require.ErrorIs(t, err, tenant.ErrInvalidName)
		}
		b.tenant(t, strings.Repeat("长", tenant.MaxNameLength))
	})
}

func TestList(t *testing.T) {
	t.Parallel()

	t.Run("PagesInOrderWithoutGapsOrRepeats", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		var want, got []string
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			b.tenant(t, name)
			want = append(want, name)
		}
		cursor := ""
		for {
			page, err := b.service.List(t.Context(), b.platform, 2, cursor)
			require.NoError(t, err)
			for _, one := range page.Tenants {
				got = append(got, one.Name)
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		require.Equal(t, want, got)
	})

	t.Run("ShowsATenantKeyItsOwnTenantOnly", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		own := b.tenant(t, "own")
		b.tenant(t, "other")
		_, _, p := b.key(t, own.ID, tenant.KeyParams{})
		page, err := b.service.List(t.Context(), p, 10, "")
		require.NoError(t, err)
		require.Len(t, page.Tenants, 1)
		require.Equal(t, own.ID, page.Tenants[0].ID)
	})

	t.Run("RefusesACursorThatItDidNotGiveOut", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for _, cursor := range []string{"x", "%%%", tenant.EncodeCursor("no uuid"), tenant.EncodeCursor("a", "b"), tenant.EncodeCursor("\x00")} {
			_, err := b.service.List(t.Context(), b.platform, 2, cursor)
			require.ErrorIs(t, err, tenant.ErrInvalidCursor, cursor)
		}
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()

	t.Run("WithoutScopesMayDoAllThatATenantMay", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		one := b.tenant(t, "A")
		_, _, p := b.key(t, one.ID, tenant.KeyParams{})
		for _, scope := range tenant.AllScopes() {
			require.NoError(t, p.Authorize(one.ID, scope))
		}
	})

	t.Run("MayDoOnlyWhatTheirScopesSay", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		one := b.tenant(t, "A")
		_, _, p := b.key(t, one.ID, tenant.KeyParams{Scopes: []tenant.Scope{tenant.BlacklistRead}})
		require.NoError(t, p.Authorize(one.ID, tenant.BlacklistRead))
		missing := &tenant.ScopeMissingError{}
		require.ErrorAs(t, p.Authorize(one.ID, tenant.BlacklistWrite), &missing)
		require.Equal(t, tenant.BlacklistWrite, missing.Scope)
	})

	t.Run("NeverAllowMoreThanTheirMakerMay", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		one := b.tenant(t, "A")
		_, _, maker := b.key(t, one.ID, tenant.KeyParams{Scopes: []tenant.Scope{tenant.KeysWrite, tenant.BlacklistRead}})
		_, _, err := b.service.CreateKey(t.Context(), maker, one.ID, tenant.KeyParams{Name: "more", Scopes: []tenant.Scope{tenant.BlacklistWrite}})
		require.ErrorAs(t, err, new(*tenant.ScopeMissingError))
		made, _, err := b.service.CreateKey(t.Context(), maker, one.ID, tenant.KeyParams{Name: "all that I may"})
		require.NoError(t, err)
		require.ElementsMatch(t, maker.Scopes, made.Scopes)
	})

	t.Run("OfAnotherTenantAreNotFound", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		mine, theirs := b.tenant(t, "mine"), b.tenant(t, "theirs")
		_, _, p := b.key(t, mine.ID, tenant.KeyParams{})
		their, _, _ := b.key(t, theirs.ID, tenant.KeyParams{})

		_, err := b.service.ListKeys(t.Context(), p, theirs.ID)
		require.ErrorIs(t, err, tenant.ErrNotFound)
		_, _, err = b.service.CreateKey(t.Context(), p, theirs.ID, tenant.KeyParams{Name: "x"})
		require.ErrorIs(t, err, tenant.ErrNotFound)
		require.ErrorIs(t, b.service.RevokeKey(t.Context(), p, theirs.ID, their.ID), tenant.ErrNotFound)
		require.ErrorIs(t, b.service.RevokeKey(t.Context(), p, mine.ID, their.ID), tenant.ErrNotFound)
	})

	t.Run("AreStoredAsHashesOnly", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		_, plain, _ := b.key(t, b.tenant(t, "A").ID, tenant.KeyParams{})
		var rows string
		require.NoError(t, b.pool.QueryRow(t.Context(), `SELECT string_agg(k::text, ' ') FROM api_keys k`).Scan(&rows))
		require.NotContains(t, rows, plain.Reveal())
		require.NotContains(t, rows, plain.Reveal()[len(plain.Reveal())-20:])
	})

	t.Run("StopWorkingWhenRevoked", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		one := b.tenant(t, "A")
		k, plain, p := b.key(t, one.ID, tenant.KeyParams{})
		require.NoError(t, b.service.RevokeKey(t.Context(), b.platform, one.ID, k.ID))
		require.NoError(t, b.service.RevokeKey(t.Context(), b.platform, one.ID, k.ID), "revoking twice is no error")
		_, err := b.service.Authenticate(t.Context(), plain)
		require.ErrorIs(t, err, tenant.ErrUnauthenticated)
		id, err := uuid.Parse(p.ID)
		require.NoError(t, err)
		_, err = b.service.AuthenticateID(t.Context(), id)
		require.ErrorIs(t, err, tenant.ErrUnauthenticated, "sessions that it opened end too")
	})

	t.Run("StopWorkingWhenTheyExpire", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		end := b.clock.Now().Add(time.Hour)
		_, plain, _ := b.key(t, b.tenant(t, "A").ID, tenant.KeyParams{ExpiresAt: &end})
		b.clock.advance(time.Hour)
		_, err := b.service.Authenticate(t.Context(), plain)
		require.ErrorIs(t, err, tenant.ErrUnauthenticated)
	})

	t.Run("AreNotBornExpired", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		end := b.clock.Now()
		_, _, err := b.service.CreateKey(t.Context(), b.platform, b.tenant(t, "A").ID, tenant.KeyParams{Name: "x", ExpiresAt: &end})
		require.ErrorIs(t, err, tenant.ErrKeyExpiryPast)
	})

	t.Run("RememberTheirLastUse", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		one := b.tenant(t, "A")
		_, plain, _ := b.key(t, one.ID, tenant.KeyParams{})
		b.clock.advance(time.Hour)
		_, err := b.service.Authenticate(t.Context(), plain)
		require.NoError(t, err)
		keys, err := b.service.ListKeys(t.Context(), b.platform, one.ID)
		require.NoError(t, err)
		require.True(t, keys[0].LastUsedAt.Equal(b.clock.Now()))
	})

	t.Run("OfRubbishAreUnauthenticated", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for _, rubbish := range []string{"", "stw_", "stw_AAAA", "Bearer x", "stw_\x00", "stw_\xff"} {
			_, err := b.service.Authenticate(t.Context(), secret.New(rubbish))
			require.ErrorIs(t, err, tenant.ErrUnauthenticated)
		}
	})
}

func TestAuditEntries(t *testing.T) {
	t.Parallel()

	t.Run("CannotBeChangedOrRemoved", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.tenant(t, "A")
		_, err := b.pool.Exec(t.Context(), `UPDATE audit_entries SET actor_name = 'somebody else'`)
		require.ErrorContains(t, err, "append-only")
		_, err = b.pool.Exec(t.Context(), `DELETE FROM audit_entries`)
		require.ErrorContains(t, err, "append-only")
	})

	t.Run("OfAnotherTenantAreNotFound", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		mine, theirs := b.tenant(t, "mine"), b.tenant(t, "theirs")
		_, _, p := b.key(t, mine.ID, tenant.KeyParams{})
		_, err := b.service.ListAudit(t.Context(), p, theirs.ID, 10, "")
		require.ErrorIs(t, err, tenant.ErrNotFound)
	})
}

func TestClaimIdempotencyKey(t *testing.T) {
	t.Parallel()
	claim := func(t *testing.T, b bundle, tenantID uuid.UUID, key, fingerprint string, result uuid.UUID) (id uuid.UUID, replayed bool, err error) {
		t.Helper()
		err = pgx.BeginFunc(t.Context(), b.pool, func(tx pgx.Tx) error {
			id, replayed, err = tenant.ClaimIdempotencyKey(t.Context(), tx, tenantID, key, []byte(fingerprint), result, b.clock.Now())
			return err
		})
		return id, replayed, err
	}

	t.Run("GivesTheFirstResultToAnEqualRequest", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		one, first := b.tenant(t, "A"), uuid.New()
		_, replayed, err := claim(t, b, one.ID, "k", "body", first)
		require.NoError(t, err)
		require.False(t, replayed)
		id, replayed, err := claim(t, b, one.ID, "k", "body", uuid.New())
		require.NoError(t, err)
		require.True(t, replayed)
		require.Equal(t, first, id)
	})

	t.Run("RefusesAnotherRequest", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		one := b.tenant(t, "A")
		_, _, err := claim(t, b, one.ID, "k", "body", uuid.New())
		require.NoError(t, err)
		_, _, err = claim(t, b, one.ID, "k", "other body", uuid.New())
		require.ErrorIs(t, err, tenant.ErrIdempotencyKeyReused)
	})

	t.Run("IsPerTenantAndForgottenAfterADay", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		one, other := b.tenant(t, "A"), b.tenant(t, "B")
		_, _, err := claim(t, b, one.ID, "k", "body", uuid.New())
		require.NoError(t, err)
		_, replayed, err := claim(t, b, other.ID, "k", "other body", uuid.New())
		require.NoError(t, err)
		require.False(t, replayed)
		b.clock.advance(tenant.IdempotencyWindow + time.Second)
		_, replayed, err = claim(t, b, one.ID, "k", "other body", uuid.New())
		require.NoError(t, err)
		require.False(t, replayed)
	})

	t.Run("GivesAHundredCallersAtOnceOneResult", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		one := b.tenant(t, "A")
		var mu sync.Mutex
		made, results := 0, map[uuid.UUID]bool{}
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				id, replayed, err := claim(t, b, one.ID, "k", "body", uuid.New())
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					results[id] = true
				}
				if err == nil && !replayed {
					made++
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, made)
		require.Len(t, results, 1)
	})
}
