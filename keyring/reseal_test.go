package keyring_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/keyring"
	"github.com/wechat-steward/steward/secret"
)

// reseal expects that nothing goes wrong.
func reseal(t *testing.T, ring *keyring.Ring) keyring.Report {
	t.Helper()
	report, err := ring.Reseal(t.Context(), nil)
	require.NoError(t, err)
	return report
}

func status(t *testing.T, ring *keyring.Ring) []keyring.Key {
	t.Helper()
	keys, err := ring.Status(t.Context())
	require.NoError(t, err)
	return keys
}

// addEvents stores that many events, sealed with the box.
func addEvents(t *testing.T, w *factory.World, box *secret.Box, n int) []uuid.UUID {
	t.Helper()
	ids := make([]uuid.UUID, n)
	_, err := w.Pool.CopyFrom(t.Context(), pgx.Identifier{"component_events"},
		[]string{"id", "component_appid", "digest", "info_type", "body_sealed", "happened_at", "received_at"},
		pgx.CopyFromSlice(n, func(i int) ([]any, error) {
			ids[i] = uuid.New()
			body, err := box.Seal(secret.New("body of "+ids[i].String()), eventPlace(ids[i]))
			return []any{ids[i], w.ComponentAppID, ids[i][:], "test", body, w.Clock.Now(), w.Clock.Now()}, err
		}))
	require.NoError(t, err)
	return ids
}

// addReconciliation stores that many accounts of a list that WeChat gave us, and returns where their tokens are.
func addReconciliation(t *testing.T, w *factory.World, n int) map[string]secret.Place {
	t.Helper()
	id, places := uuid.New(), map[string]secret.Place{}
	_, err := w.Pool.Exec(t.Context(), `INSERT INTO reconciliations (id, component_appid, status, actor, next_try_at, created_at)
		VALUES ($1, $2, 'running', 'test', now(), now())`, id, w.ComponentAppID)
	require.NoError(t, err)
	_, err = w.Pool.CopyFrom(t.Context(), pgx.Identifier{"reconciliation_accounts"}, []string{"reconciliation_id", "appid", "refresh_token_sealed"},
		pgx.CopyFromSlice(n, func(i int) ([]any, error) {
			appid := factory.NewAppID()
			if i == 0 {
				return []any{id, appid, nil}, nil
			}
			places[appid] = secret.Place{Table: "reconciliation_accounts", Column: "refresh_token", Row: id.String() + "/" + appid}
			sealed, err := w.Box.Seal(secret.New("refresh token of "+appid), places[appid])
			return []any{id, appid, sealed}, err
		}))
	require.NoError(t, err)
	return places
}

func eventPlace(id uuid.UUID) secret.Place {
	return secret.Place{Table: "component_events", Column: "body", Row: id.String()}
}

func sealedEvent(t *testing.T, w *factory.World, id uuid.UUID) []byte {
	t.Helper()
	var sealed []byte
	require.NoError(t, w.Pool.QueryRow(t.Context(), `SELECT body_sealed FROM component_events WHERE id = $1`, id).Scan(&sealed))
	return sealed
}

// requireEvent opens an event and looks which key sealed it.
func requireEvent(t *testing.T, w *factory.World, ring *keyring.Ring, id uuid.UUID, body string) {
	t.Helper()
	sealed := sealedEvent(t, w, id)
	by, _ := secret.SealedBy(sealed)
	require.Equal(t, ring.Box().KeyID(), by)
	opened, err := ring.Box().Open(sealed, eventPlace(id))
	require.NoError(t, err)
	require.Equal(t, body, opened.Reveal())
}

// hold locks an event as a writer does, until the transaction ends.
func hold(t *testing.T, w *factory.World, id uuid.UUID) pgx.Tx {
	t.Helper()
	tx, err := w.Pool.Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) })
	_, err = tx.Exec(t.Context(), `SELECT FROM component_events WHERE id = $1 FOR UPDATE`, id)
	require.NoError(t, err)
	return tx
}

// waits: somebody in this database waits for a lock.
func waits(t *testing.T, pool *pgxpool.Pool) bool {
	t.Helper()
	var yes bool
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&yes))
	return yes
}

func TestReseal(t *testing.T) {
	t.Parallel()

	t.Run("BatchesMoveEveryRowToTheNewestKey", func(t *testing.T) {
		t.Parallel()
		w := factory.NewWorld(t)
		ids := addEvents(t, w, w.Box, 1201)
		ring := open(t, w.Pool, master(7))
		rotate(t, ring)
		var steps []keyring.Progress
		report, err := ring.Reseal(t.Context(), func(p keyring.Progress) {
			if p.Table == "component_events" {
				steps = append(steps, p)
			}
		})
		require.NoError(t, err)
		require.Equal(t, []keyring.Progress{
			{Table: "component_events", Done: 500, Total: 1201}, {Table: "component_events", Done: 1000, Total: 1201}, {Table: "component_events", Done: 1201, Total: 1201},
		}, steps)
		require.Empty(t, report.Unreadable)
		require.Zero(t, report.Left)
		require.Greater(t, report.Resealed, 1201, "and the component")
		for _, id := range ids {
			requireEvent(t, w, ring, id, "body of "+id.String())
		}
		require.Zero(t, reseal(t, ring).Resealed, "there is nothing to do a second time")
	})

	t.Run("RowsWithAKeyOfTwoPartsAreMovedToo", func(t *testing.T) {
		t.Parallel()
		w := factory.NewWorld(t)
		places := addReconciliation(t, w, 700)
		ring := open(t, w.Pool, master(7))
		rotate(t, ring)
		require.Zero(t, reseal(t, ring).Left)
		for appid, at := range places {
			var sealed []byte
			require.NoError(t, w.Pool.QueryRow(t.Context(), `SELECT refresh_token_sealed FROM reconciliation_accounts WHERE appid = $1`, appid).Scan(&sealed))
			opened, err := ring.Box().Open(sealed, at)
			require.NoError(t, err)
			require.Equal(t, "refresh token of "+appid, opened.Reveal())
		}
	})

	t.Run("WithoutASealingKeyMovesRowsToTheMasterKey", func(t *testing.T) {
		t.Parallel()
		w := factory.NewWorld(t)
		ids := addEvents(t, w, w.Box, 2)
		changed := open(t, w.Pool, master(8), master(7))
		require.Zero(t, reseal(t, changed).Left)
		requireEvent(t, w, open(t, w.Pool, master(8)), ids[0], "body of "+ids[0].String())
	})

	t.Run("InterruptedGoesOnTheNextTime", func(t *testing.T) {
		t.Parallel()
		w := factory.NewWorld(t)
		addEvents(t, w, w.Box, 1201)
		ring := open(t, w.Pool, master(7))
		rotate(t, ring)
		ctx, cancel := context.WithCancel(t.Context())
		report, err := ring.Reseal(ctx, func(keyring.Progress) { cancel() })
		require.ErrorIs(t, err, context.Canceled)
		require.NotZero(t, report.Resealed)
		again := reseal(t, open(t, w.Pool, master(7)))
		require.Zero(t, again.Left)
		require.Less(t, again.Resealed, 1201, "what was done stays done")
	})

	t.Run("SeveralAtOnceShareTheWork", func(t *testing.T) {
		t.Parallel()
		w := factory.NewWorld(t)
		addEvents(t, w, w.Box, 2000)
		rotate(t, open(t, w.Pool, master(7)))
		var resealers sync.WaitGroup
		for range 3 {
			ring := open(t, w.Pool, master(7))
			resealers.Go(func() {
				if _, err := ring.Reseal(t.Context(), nil); err != nil {
					t.Error(err)
				}
			})
		}
		resealers.Wait()
		require.Zero(t, reseal(t, open(t, w.Pool, master(7))).Resealed)
	})

	t.Run("UnreadableIsReportedAndLeftAsItIs", func(t *testing.T) {
		t.Parallel()
		w := factory.NewWorld(t)
		ids := addEvents(t, w, w.Box, 5)
		_, err := w.Pool.Exec(t.Context(), `UPDATE component_events SET body_sealed = (SELECT body_sealed FROM component_events WHERE id = $1) WHERE id = $2`, ids[0], ids[1])
		require.NoError(t, err)
		_, err = w.Pool.Exec(t.Context(), `UPDATE component_events SET body_sealed = 'garbage' WHERE id = $1`, ids[2])
		require.NoError(t, err)
		before := sealedEvent(t, w, ids[1])
		ring := open(t, w.Pool, master(7))
		rotate(t, ring)

		report := reseal(t, ring)
		require.Len(t, report.Unreadable, 1)
		first := slices.Min([]string{ids[1].String(), ids[2].String()})
		require.Equal(t, keyring.Unreadable{Table: "component_events", Column: "body_sealed", Rows: 2, First: first}, report.Unreadable[0])
		require.Equal(t, 2, report.Left)
		require.Equal(t, before, sealedEvent(t, w, ids[1]))
		requireEvent(t, w, ring, ids[3], "body of "+ids[3].String())
	})

	t.Run("TouchesNothingButSealedColumns", func(t *testing.T) {
		t.Parallel()
		w := factory.NewWorld(t)
		factory.Account(t, w, factory.AccountOptions{TenantID: factory.Tenant(t, w).ID})
		addEvents(t, w, w.Box, 3)
		ring := open(t, w.Pool, master(7))
		rotate(t, ring)
		before := inTheClear(t, w)
		require.NotZero(t, reseal(t, ring).Resealed)
		require.Equal(t, before, inTheClear(t, w))
	})
}

// inTheClear is all rows of the tables with sealed columns, without these.
func inTheClear(t *testing.T, w *factory.World) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, column := range keyring.SealedColumns() {
		table, _, _ := strings.Cut(column, ".")
		var rows string
		require.NoError(t, w.Pool.QueryRow(t.Context(), `
			SELECT coalesce(string_agg(row::text, ' ' ORDER BY row::text), '') FROM (
				SELECT (SELECT jsonb_object_agg(key, value) FROM jsonb_each(to_jsonb(t)) WHERE key NOT LIKE '%\_sealed') AS row FROM `+table+` t) AS rows`).Scan(&rows))
		all[table] = rows
	}
	return all
}

func TestResealBesideWriters(t *testing.T) {
	t.Parallel()

	t.Run("HeldRowIsComeBackToAndKeepsWhatWasWritten", func(t *testing.T) {
		t.Parallel()
		w := factory.NewWorld(t)
		ids := addEvents(t, w, w.Box, 3)
		ring := open(t, w.Pool, master(7))
		rotate(t, ring)
		writer := hold(t, w, ids[1])

		done := make(chan keyring.Report, 1)
		go func() {
			report, err := ring.Reseal(context.WithoutCancel(t.Context()), nil)
			if err != nil {
				t.Error(err)
			}
			done <- report
		}()
		require.Eventually(t, func() bool { return waits(t, w.Pool) }, patience, 5*time.Millisecond)
		requireEvent(t, w, ring, ids[0], "body of "+ids[0].String()) // the others did not wait
		requireEvent(t, w, ring, ids[2], "body of "+ids[2].String())
		// A process that has not noticed the new key.
		body, err := w.Box.Seal(secret.New("written meanwhile"), eventPlace(ids[1]))
		require.NoError(t, err)
		_, err = writer.Exec(t.Context(), `UPDATE component_events SET body_sealed = $2 WHERE id = $1`, ids[1], body)
		require.NoError(t, err)
		require.NoError(t, writer.Commit(t.Context()))

		require.Zero(t, (<-done).Left)
		requireEvent(t, w, ring, ids[1], "written meanwhile")
	})

	t.Run("RowHeldForTooLongIsLeftAndCounted", func(t *testing.T) {
		t.Parallel()
		w := factory.NewWorld(t)
		ids := addEvents(t, w, w.Box, 3)
		c := config(w.Pool, master(7))
		c.LockWait = 50 * time.Millisecond
		ring, err := keyring.Open(t.Context(), c)
		require.NoError(t, err)
		rotate(t, ring)
		writer := hold(t, w, ids[1])

		require.Equal(t, 1, reseal(t, ring).Left)
		require.NoError(t, writer.Rollback(t.Context()))
		require.Zero(t, reseal(t, open(t, w.Pool, master(7))).Left)
	})

	t.Run("NothingWrittenIsLost", func(t *testing.T) {
		t.Parallel()
		w := factory.NewWorld(t)
		ids := addEvents(t, w, w.Box, 600)
		ring := open(t, w.Pool, master(7))
		rotate(t, ring)
		stop, last := make(chan struct{}), make([]string, 8)
		var writers sync.WaitGroup
		for n := range last {
			box := []*secret.Box{ring.Box(), w.Box}[n%2] // one that knows the new key and one that does not
			writers.Go(func() { last[n] = writeUntil(t, w, box, ids[n], stop) })
		}
		for range 5 {
			reseal(t, ring)
		}
		close(stop)
		writers.Wait()
		require.Zero(t, reseal(t, ring).Left)
		for n, body := range last {
			require.NotEmpty(t, body)
			requireEvent(t, w, ring, ids[n], body)
		}
	})
}

// writeUntil changes an event over and over, and returns what it wrote last.
func writeUntil(t *testing.T, w *factory.World, box *secret.Box, id uuid.UUID, stop chan struct{}) (last string) {
	ctx := context.WithoutCancel(t.Context())
	for {
		body := uuid.NewString()
		sealed, err := box.Seal(secret.New(body), eventPlace(id))
		if err == nil {
			_, err = w.Pool.Exec(ctx, `UPDATE component_events SET body_sealed = $2 WHERE id = $1`, id, sealed)
		}
		if err != nil {
			t.Error(err)
			return last
		}
		last = body
		select {
		case <-stop:
			return last
		default:
		}
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()

	t.Run("CountsRowsByKeyAndColumn", func(t *testing.T) {
		t.Parallel()
		w := factory.NewWorld(t)
		addEvents(t, w, w.Box, 3)
		ring := open(t, w.Pool, master(7), master(6))
		id := rotate(t, ring)
		addEvents(t, w, ring.Box(), 2)

		keys := status(t, ring)
		require.Len(t, keys, 3)
		require.Equal(t, keyring.Key{
			ID: id.String(), Kind: keyring.KindSealing, Current: true, CreatedAt: keys[0].CreatedAt, CreatedBy: "test", Under: secret.IDOf(master(7)).String(),
			Counts: []keyring.Count{{Table: "component_events", Rows: 2}, {Table: "component_events", Column: "body_sealed", Rows: 2}},
		}, keys[0])
		require.Equal(t, keyring.KindMaster, keys[1].Kind)
		require.False(t, keys[1].Current)
		require.Contains(t, keys[1].Counts, keyring.Count{Table: "component_events", Column: "body_sealed", Rows: 3})
		require.Contains(t, keys[1].Counts, keyring.Count{Table: "components", Rows: 1}, "a row with several values is one row")
		require.Contains(t, keys[1].Counts, keyring.Count{Table: "components", Column: "aes_key_sealed", Rows: 1})
		require.Equal(t, 4, keys[1].Rows())
		require.Equal(t, keyring.Key{ID: secret.IDOf(master(6)).String(), Kind: keyring.KindMaster}, keys[2])
	})

	t.Run("ShowsKeysThatNobodyHas", func(t *testing.T) {
		t.Parallel()
		w := factory.NewWorld(t)
		lost, err := secret.NewBox(master(9))
		require.NoError(t, err)
		addEvents(t, w, lost, 2)
		ids := addEvents(t, w, w.Box, 1)
		_, err = w.Pool.Exec(t.Context(), `UPDATE component_events SET body_sealed = 'garbage' WHERE id = $1`, ids[0])
		require.NoError(t, err)

		unknown := map[string]int{}
		for _, key := range status(t, open(t, w.Pool, master(7))) {
			if key.Kind == keyring.KindUnknown {
				unknown[key.ID] = key.Rows()
			}
		}
		require.Equal(t, map[string]int{secret.IDOf(master(9)).String(): 2, "6761726261": 1}, unknown)
	})
}
