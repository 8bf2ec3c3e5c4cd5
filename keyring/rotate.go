package keyring

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/secret"
)

// Rotate adds a key, with which the ring's box seals from now on; other processes take it up with their next Refresh, or when
// they meet what it sealed. Sealing keys that lie under a previous master key are put under the current one. What older keys
// sealed stays as it is until [Ring.Reseal].
func (r *Ring) Rotate(ctx context.Context, actor string) (secret.KeyID, error) {
	added, err := r.newKey(actor)
	if err != nil {
		return 0, fmt.Errorf("rotate: %w", err)
	}
	err = pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		// Rotations take turns, so that the order of seq is that of commits; readers need not wait.
		if _, err := tx.Exec(ctx, `LOCK TABLE sealing_keys IN SHARE ROW EXCLUSIVE MODE`); err != nil {
			return err
		}
		if err := r.rewrap(ctx, tx); err != nil {
			return err
		}
		added.seq, err = insertKey(ctx, tx, added)
		return err
	})
	if err == nil {
		// Only now: a key whose row was rolled back must never have sealed anything.
		err = r.take(ctx, []storedKey{added})
	}
	if err != nil {
		return 0, fmt.Errorf("rotate: %w", err)
	}
	return added.id, nil
}

// newKey makes a key whose id no other has.
func (r *Ring) newKey(actor string) (storedKey, error) {
	raw := make([]byte, secret.KeySize)
	for {
		_, _ = rand.Read(raw) // never fails
		if !r.box.Has(secret.IDOf(raw)) {
			break
		}
	}
	s := storedKey{id: secret.IDOf(raw), createdAt: r.now().UTC(), createdBy: actor}
	var err error
	s.wrapped, err = r.masters.Seal(secret.New(string(raw)), s.place())
	return s, err
}

// rewrap puts every key under the current master key.
func (r *Ring) rewrap(ctx context.Context, tx pgx.Tx) error {
	stored, err := readKeys(ctx, tx)
	if err != nil {
		return err
	}
	for _, s := range stored {
		raw, err := r.unwrap(s)
		if err != nil {
			return err
		}
		if under, _ := secret.SealedBy(s.wrapped); under == r.masters.KeyID() {
			continue
		}
		wrapped, err := r.masters.Seal(secret.New(string(raw)), s.place())
		if err != nil {
			return err
		}
		if err := updateWrapped(ctx, tx, s.id, wrapped); err != nil {
			return err
		}
	}
	return nil
}
