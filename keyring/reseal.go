package keyring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/secret"
)

// batchSize is how many rows one transaction locks, for some milliseconds.
const batchSize = 500

// Progress is how far Reseal is with a table.
type Progress struct {
	Table       string
	Done, Total int // rows that were sealed by older keys
}

// Report is what came of Reseal, in rows.
type Report struct {
	Resealed   int
	Unreadable []Unreadable
	// Left is how many rows still hold something that another key sealed than the newest: what is unreadable, rows that
	// somebody held all the time, and what a process wrote meanwhile that had not noticed the newest key.
	Left int
}

// Unreadable says how many values of a column no key opens: they were tampered with, or sealed by a key that is gone. They
// are left as they are.
type Unreadable struct {
	Table, Column string
	Rows          int
	First         string // the primary key of the first such row
}

// Reseal seals with the newest key what others sealed: in transactions of some hundred rows each, beside whoever reads and
// writes. It may be stopped at any moment and run again, and several may run at once. progress is told of each batch; it
// may be nil.
func (r *Ring) Reseal(ctx context.Context, progress func(Progress)) (Report, error) {
	if progress == nil {
		progress = func(Progress) {}
	}
	if err := r.Refresh(ctx); err != nil {
		return Report{}, fmt.Errorf("reseal: %w", err)
	}
	var report Report
	for _, t := range tables() {
		if err := r.resealTable(ctx, t, &report, progress); err != nil {
			return report, fmt.Errorf("reseal %s: %w", t.name, err)
		}
	}
	if err := r.resealHeld(ctx, &report); err != nil {
		return report, fmt.Errorf("reseal: %w", err)
	}
	for _, t := range tables() {
		left, err := r.countOld(ctx, t)
		if err != nil {
			return report, fmt.Errorf("reseal %s: %w", t.name, err)
		}
		report.Left += left
	}
	return report, nil
}

// resealTable goes through a table once and passes over rows that somebody holds.
func (r *Ring) resealTable(ctx context.Context, t table, report *Report, progress func(Progress)) error {
	total, err := r.countOld(ctx, t)
	if err != nil || total == 0 {
		return err
	}
	done := 0
	for after := []string(nil); ; {
		b, err := r.resealBatch(ctx, t, t.selectOld(after != nil)+" SKIP LOCKED", after, batchSize)
		if err != nil {
			return err
		}
		done, report.Resealed = done+b.seen, report.Resealed+b.resealed
		progress(Progress{Table: t.name, Done: done, Total: max(done, total)})
		if b.seen < batchSize {
			return nil
		}
		after = b.last
	}
}

// resealHeld comes back to what was passed over, and waits for each row in turn: whoever holds it may have changed it. One
// row a transaction, so that nobody ever waits for us while we wait.
func (r *Ring) resealHeld(ctx context.Context, report *Report) error {
	waiting, cancel := context.WithTimeout(ctx, r.lockWait)
	defer cancel()
	for _, t := range tables() {
		for after := []string(nil); ; {
			b, err := r.resealBatch(waiting, t, t.selectOld(after != nil), after, 1)
			if waiting.Err() != nil && ctx.Err() == nil {
				return nil // what is left is counted
			}
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			report.Resealed += b.resealed
			report.note(b.unreadable)
			if b.seen == 0 {
				break
			}
			after = b.last
		}
	}
	return nil
}

func (r *Report) note(unreadable []Unreadable) {
	for _, u := range unreadable {
		known := slices.IndexFunc(r.Unreadable, func(k Unreadable) bool { return k.Table == u.Table && k.Column == u.Column })
		if known < 0 {
			r.Unreadable = append(r.Unreadable, u)
		} else {
			r.Unreadable[known].Rows += u.Rows
		}
	}
}

// batch is what one transaction did.
type batch struct {
	seen, resealed int
	last           []string // the key of the last row seen
	unreadable     []Unreadable
}

// resealBatch locks rows and writes them in one transaction, so nothing that was written in between is lost.
func (r *Ring) resealBatch(ctx context.Context, t table, sql string, after []string, limit int) (batch, error) {
	var b batch
	args := []any{r.box.KeyID().Prefix(), limit}
	for _, part := range after {
		args = append(args, part)
	}
	err := pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		found, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		rows, err := pgx.CollectRows(found, t.scan)
		if err != nil || len(rows) == 0 {
			return err
		}
		b.seen, b.last = len(rows), rows[len(rows)-1].key
		var changed []sealedRow
		for _, row := range rows {
			resealed, err := r.resealRow(t, row, &b)
			if err != nil {
				return err
			}
			if resealed {
				changed = append(changed, row)
			}
		}
		if b.resealed = len(changed); b.resealed == 0 {
			return nil
		}
		_, err = tx.Exec(ctx, t.update(), t.updateArgs(changed)...)
		return err
	})
	return b, err
}

// resealRow seals the values of a row anew, in place, and tells whether any was. What does not open stays as it is.
func (r *Ring) resealRow(t table, row sealedRow, b *batch) (bool, error) {
	changed, current := false, r.box.KeyID().Prefix()
	for n, sealed := range row.sealed {
		if sealed == nil || bytes.HasPrefix(sealed, current) {
			continue
		}
		at := t.place(n, row)
		plain, err := r.box.Open(sealed, at)
		if errors.Is(err, secret.ErrOpen) {
			b.unreadable = append(b.unreadable, Unreadable{Table: t.name, Column: t.columns[n], Rows: 1, First: at.Row})
			continue
		}
		if err == nil {
			row.sealed[n], err = r.box.Seal(plain, at)
		}
		if err != nil {
			return false, err
		}
		changed = true
	}
	return changed, nil
}

// countOld counts the rows that hold something which another key sealed than the newest.
func (r *Ring) countOld(ctx context.Context, t table) (int, error) {
	var n int
	err := r.pool.QueryRow(ctx, "SELECT count(*) FROM "+t.name+" t WHERE "+t.old(), r.box.KeyID().Prefix()).Scan(&n)
	return n, err
}
