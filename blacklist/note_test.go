package blacklist_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat/simulator"
)

// why is a reason and a note.
type why struct{ reason, note string }

func (b *bundle) whyOf(t *testing.T, openid string) why {
	t.Helper()
	e := b.entry(t, openid)
	return why{e.Reason, e.Note}
}

// told are the reasons and notes in the history of an openid, the newest first.
func (b *bundle) told(t *testing.T, openid string) []why {
	t.Helper()
	page, err := b.blacklist.History(t.Context(), b.key, b.tenantID, b.account.AppID, openid, blacklist.HistoryParams{})
	require.NoError(t, err)
	list := make([]why, len(page.Events))
	for i, e := range page.Events {
		list[i] = why{e.Reason, e.Note}
	}
	return list
}

// insults is a file of which the first openid has a reason and a note of its own, the second only a note, and the third nothing.
func (b *bundle) insults(until *time.Time) blacklist.Upload {
	rows := []string{"openid,reason,note", b.openid(0) + ",insults,called us names", b.openid(1) + ",,\"twice, in May\"", b.openid(2) + ",,"}
	return blacklist.Upload{File: strings.NewReader(strings.Join(rows, "\r\n")), Reason: "spam", Note: "ticket 7", Until: until}
}

func (b *bundle) blockFile(t *testing.T, up blacklist.Upload) blacklist.Batch {
	t.Helper()
	batch, _, err := b.uploadAs(t, up)
	require.NoError(t, err)
	return batch
}

func TestNotes(t *testing.T) {
	t.Parallel()

	t.Run("StandWithBatchEntryAndHistory", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		batch, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID,
			blacklist.Request{OpenIDs: b.openids(0, 1), Reason: "spam", Note: "=ticket 7"})
		require.NoError(t, err)
		require.Equal(t, "=ticket 7", batch.Note)
		require.Equal(t, why{"spam", "=ticket 7"}, b.whyOf(t, b.openid(0)))
		require.Equal(t, []why{{"spam", "=ticket 7"}}, b.told(t, b.openid(0)))
		item := b.items(t, batch.ID, "")[0]
		require.Equal(t, why{"spam", "=ticket 7"}, why{item.Reason, item.Note})
		require.Equal(t, "=ticket 7", b.audited(t, "blacklist.block")[0]["note"])
		b.unblock(t, b.openid(0))
		require.Equal(t, why{}, b.whyOf(t, b.openid(0)), "of the last wish")
	})

	t.Run("RowsOfAFileHaveTheirOwn", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 3)
		batch := b.blockFile(t, b.insults(nil))
		want := []why{{"insults", "called us names"}, {"spam", "twice, in May"}, {"spam", "ticket 7"}}
		var exported []why
		require.NoError(t, b.blacklist.ExportItems(t.Context(), b.key, b.tenantID, batch.ID, "", func(i blacklist.Item) error {
			exported = append(exported, why{i.Reason, i.Note})
			return nil
		}))
		require.Equal(t, want, exported)
		for i, item := range b.items(t, batch.ID, "") {
			require.Equal(t, want[i], why{item.Reason, item.Note})
			require.Equal(t, want[i], b.whyOf(t, b.openid(i)))
			require.Equal(t, []why{want[i]}, b.told(t, b.openid(i)))
		}
	})

	t.Run("CancelGivesEachItsOwnBack", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 3)
		b.start(t)
		b.ended(t, b.blockFile(t, b.insults(nil)).ID)
		_, err := b.blacklist.Hold(t.Context(), b.key, b.tenantID, b.account.AppID, "")
		require.NoError(t, err)
		b.cancel(t, b.unblock(t, b.openids(0, 3)...).ID)
		require.Equal(t, why{"insults", "called us names"}, b.whyOf(t, b.openid(0)))
		require.Equal(t, why{"spam", "twice, in May"}, b.whyOf(t, b.openid(1)))
		require.Equal(t, why{"spam", "ticket 7"}, b.whyOf(t, b.openid(2)))
	})

	t.Run("UndoGivesEachItsOwnBack", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 3)
		b.start(t)
		until := b.Clock.Now().Add(time.Hour)
		b.ended(t, b.blockFile(t, b.insults(&until)).ID)
		undone := b.ended(t, b.undo(t, b.ended(t, b.unblock(t, b.openids(0, 3)...).ID).ID).ID)
		require.Equal(t, why{}, why{undone.Reason, undone.Note})
		want := []why{{"insults", "called us names"}, {"spam", "twice, in May"}, {"spam", "ticket 7"}}
		for i, item := range b.items(t, undone.ID, "") {
			require.Equal(t, want[i], why{item.Reason, item.Note})
			require.Equal(t, want[i], b.whyOf(t, b.openid(i)))
			require.Equal(t, []why{want[i], {}, want[i]}, b.told(t, b.openid(i)))
		}
		// And a wish that is withdrawn gives back what the undoing gave, the end included.
		_, err := b.blacklist.Hold(t.Context(), b.key, b.tenantID, b.account.AppID, "")
		require.NoError(t, err)
		b.cancel(t, b.unblock(t, b.openid(0)).ID)
		require.Equal(t, want[0], b.whyOf(t, b.openid(0)))
		require.Equal(t, until, *b.entry(t, b.openid(0)).Until)
	})

	t.Run("RetryKeepsThem", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 0)
		b.start(t)
		retried := b.ended(t, b.retry(t, b.ended(t, b.blockFile(t, b.insults(nil)).ID).ID).ID)
		require.Equal(t, why{"spam", "ticket 7"}, why{retried.Reason, retried.Note})
		for i, want := range []why{{"insults", "called us names"}, {"spam", "twice, in May"}, {"spam", "ticket 7"}} {
			require.Equal(t, want, b.whyOf(t, b.openid(i)))
			require.Equal(t, []why{want, want}, b.told(t, b.openid(i)))
		}
	})

	t.Run("RetryOfAnUndoingKeepsTheEndUntilItHasPassed", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 3)
		b.start(t)
		until := b.Clock.Now().Add(time.Hour)
		b.ended(t, b.blockFile(t, b.insults(&until)).ID)
		unblocked := b.ended(t, b.unblock(t, b.openids(0, 3)...).ID)
		_, err := b.Sim.Inject(simulator.Fault{Path: pathBlock, Code: 40003})
		require.NoError(t, err)
		failed := b.ended(t, b.undo(t, unblocked.ID).ID)
		require.Equal(t, 3, failed.Counts.Failed)
		again := b.ended(t, b.retry(t, failed.ID).ID)
		require.Equal(t, until, *b.entry(t, b.openid(0)).Until)
		b.Clock.Advance(time.Hour)
		_, _, err = b.blacklist.Retry(t.Context(), b.key, b.tenantID, again.ID, blacklist.RetryRequest{})
		require.ErrorIs(t, err, blacklist.ErrNothingToRetry)
	})

	t.Run("BelongToWhatAnIdempotencyKeyStandsFor", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		block := func(note string) error {
			_, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID,
				blacklist.Request{OpenIDs: b.openids(0, 1), Note: note, IdempotencyKey: "k"})
			return err
		}
		require.NoError(t, block("one"))
		require.NoError(t, block("one"))
		require.ErrorIs(t, block("two"), tenant.ErrIdempotencyKeyReused)
		require.ErrorIs(t, block(""), tenant.ErrIdempotencyKeyReused)
	})

	t.Run("AreFoundByWhatStandsInThem", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 3)
		b.blockFile(t, b.insults(nil))
		for part, n := range map[string]int{"NAMES": 1, "t": 2, "ticket": 1, "%": 0, "a\x00": 0} {
			require.Len(t, b.found(t, blacklist.ListParams{Note: part}), n, part)
		}
	})

	t.Run("TooLongOrNoTextIsRefused", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 1)
		for _, note := range []string{strings.Repeat("理", 1001), "a\x00b", "\xff"} {
			req := blacklist.Request{OpenIDs: b.openids(0, 1), Note: note}
			_, _, err := b.blacklist.Block(t.Context(), b.key, b.tenantID, b.account.AppID, req)
			require.ErrorIs(t, err, blacklist.ErrInvalidNote)
			_, err = b.blacklist.Preview(t.Context(), b.key, b.tenantID, b.account.AppID, blacklist.ActionBlock, req)
			require.ErrorIs(t, err, blacklist.ErrInvalidNote)
			_, _, err = b.uploadAs(t, blacklist.Upload{File: strings.NewReader("oA\n"), Note: note})
			require.ErrorIs(t, err, blacklist.ErrInvalidNote)
		}
		wrong := b.refused(t, "openid,note\noA,"+strings.Repeat("理", 1001)+"\noB,a\x00b\noC,"+strings.Repeat("理", 1000)+"\n")
		const tooLong = "its note has more than 1000 characters, or NUL"
		require.Equal(t, []blacklist.WrongLine{{2, tooLong}, {3, tooLong}}, wrong.Lines)
		wrong = b.refused(t, "openid,note,note\noA,x,y\n")
		require.Equal(t, []blacklist.WrongLine{{1, "calls two columns openid, reason or note"}}, wrong.Lines)
	})
}
