package sharedlist_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/sharedlist"
)

func TestSweeps(t *testing.T) {
	t.Parallel()

	t.Run("OfSeveralProcessesPutNobodyOnTwice", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2, func(c *sharedlist.Config) { c.Chunk = 3 })
		b.start(t)
		b.know(t, 0, 1)
		var unionids []string
		for n := range 10 {
			unionids = append(unionids, union(n))
		}
		b.add(t, b.list, sharedlist.Addition{UnionIDs: unionids})
		errs := make(chan error)
		for range 4 {
			other := b.process(t)
			go func() { errs <- other.lists.Sweep(context.WithoutCancel(t.Context())) }()
		}
		for range 4 {
			require.NoError(t, <-errs)
		}
		b.done(t)
		require.Len(t, b.blacklisted(0), 10)
		require.Len(t, b.blacklisted(1), 10)
		require.Equal(t, 20, b.count(t, `blacklist_items`), "each was asked for once")
	})

	t.Run("ThatFailInTheMiddleAreTakenUpAgainAndDoubleNothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2)
		b.know0(t)
		person := b.addUnion(t, b.list, 3)
		// Each statement that changes something fails once: where a process dies, nothing of its transaction is left.
		for _, at := range []string{
			`DELETE ON blacklist_list_dues`, `INSERT ON blacklist_list_places`, `INSERT ON blacklist_batches`, `INSERT ON blacklist_items`,
			`INSERT ON blacklist_entries`, `INSERT ON audit_entries`, `UPDATE ON blacklist_list_places`,
		} {
			b.failing(t, at, func() { require.Error(t, b.lists.Sweep(t.Context()), at) })
		}
		b.done(t)
		require.Equal(t, []string{b.openid(0, 3)}, b.blacklisted(0))
		require.Equal(t, []string{b.openid(1, 3)}, b.blacklisted(1))
		require.Equal(t, 2, b.count(t, `blacklist_items`))
		b.remove(t, b.list, person)
		for _, at := range []string{
			`UPDATE ON blacklist_list_places`, `INSERT ON blacklist_items`, `DELETE ON blacklist_list_places`, `DELETE ON blacklist_list_persons`,
		} {
			b.failing(t, at, func() { require.Error(t, b.lists.Sweep(t.Context()), at) })
		}
		b.done(t)
		require.Empty(t, b.blacklisted(0))
		require.Empty(t, b.blacklisted(1))
		require.Equal(t, 4, b.count(t, `blacklist_items`))
	})

	t.Run("WorkForAnAccountWhoseNeighbourFails", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 2)
		b.start(t)
		b.know(t, 0, 1)
		b.addUnion(t, b.list, 3)
		b.exec(t, `CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$`)
		b.exec(t, `CREATE TRIGGER broken BEFORE INSERT ON blacklist_batches FOR EACH ROW WHEN (NEW.authorizer_id = '`+b.accounts[0].ID.String()+`') EXECUTE FUNCTION broken()`)
		require.ErrorContains(t, b.lists.Sweep(t.Context()), "broken")
		require.Equal(t, 1, b.count(t, `blacklist_batches`))
		b.exec(t, `DROP TRIGGER broken ON blacklist_batches`)
		b.done(t)
		require.Len(t, b.blacklisted(0), 1)
		require.Len(t, b.blacklisted(1), 1)
	})
}

// know0 starts jobs and has the first two directories know everybody.
func (b *bundle) know0(t *testing.T) {
	t.Helper()
	b.start(t)
	b.know(t, 0, 1)
}

// failing has a statement fail while something is done.
func (b *bundle) failing(t *testing.T, at string, do func()) {
	t.Helper()
	b.exec(t, `CREATE OR REPLACE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$`)
	table := at[len("INSERT ON "):]
	b.exec(t, `CREATE TRIGGER broken BEFORE `+at+` FOR EACH ROW EXECUTE FUNCTION broken()`)
	do()
	b.exec(t, `DROP TRIGGER broken ON `+table)
}

func (b *bundle) exec(t *testing.T, sql string) {
	t.Helper()
	_, err := b.Pool.Exec(t.Context(), sql)
	require.NoError(t, err)
}
