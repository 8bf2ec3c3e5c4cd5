package keyring

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/secret"
)

// Kind says what a key is.
type Kind string

// The kinds of keys.
const (
	KindSealing Kind = "sealing" // in the database, under a master key
	KindMaster  Kind = "master"  // given to the process
	KindUnknown Kind = "unknown" // neither: what it sealed cannot be read
)

// Key is a key and what it is needed for.
type Key struct {
	ID      string // eight hexadecimal digits
	Kind    Kind
	Current bool // it seals
	// Of a sealing key.
	CreatedAt time.Time
	CreatedBy string
	Under     string // the id of the master key that it lies under
	// Counts has, by table, the rows that hold something which the key sealed, and those of each column.
	Counts []Count
}

// Count is a number of rows; an empty Column stands for the whole row.
type Count struct {
	Table, Column string
	Rows          int
}

// Rows is how many rows hold something that the key sealed.
func (k Key) Rows() int {
	rows := 0
	for _, c := range k.Counts {
		if c.Column == "" {
			rows += c.Rows
		}
	}
	return rows
}

// Status counts what each key is needed for: sealing keys, newest first, then master keys, then keys that nobody knows. It
// reads all sealed columns.
func (r *Ring) Status(ctx context.Context) ([]Key, error) {
	stored, err := readKeys(ctx, r.pool)
	if err == nil {
		err = r.take(ctx, stored)
	}
	if err != nil {
		return nil, fmt.Errorf("status of the sealing keys: %w", err)
	}
	current := r.box.KeyID()
	var keys []Key
	for _, s := range stored {
		under, _ := secret.SealedBy(s.wrapped)
		keys = append(keys, Key{
			ID: s.id.String(), Kind: KindSealing, Current: s.id == current, CreatedAt: s.createdAt, CreatedBy: s.createdBy, Under: under.String(),
		})
	}
	for _, raw := range r.masterKeys {
		id := secret.IDOf(raw)
		keys = append(keys, Key{ID: id.String(), Kind: KindMaster, Current: id == current})
	}
	for _, t := range tables() {
		if keys, err = r.addCounts(ctx, t, keys); err != nil {
			return nil, fmt.Errorf("status of the sealing keys: %w", err)
		}
	}
	return keys, nil
}

// addCounts adds what is in a table to the keys, and the keys that nobody knows.
func (r *Ring) addCounts(ctx context.Context, t table, keys []Key) ([]Key, error) {
	rows, err := r.pool.Query(ctx, t.countByKey())
	if err != nil {
		return nil, err
	}
	var prefix []byte
	count := Count{Table: t.name}
	_, err = pgx.ForEachRow(rows, []any{&prefix, &count.Column, &count.Rows}, func() error {
		id := hex.EncodeToString(prefix) // of something that was never sealed
		if key, ok := secret.SealedBy(prefix); ok {
			id = key.String()
		}
		for i := range keys {
			if keys[i].ID == id {
				keys[i].Counts = append(keys[i].Counts, count)
				return nil
			}
		}
		keys = append(keys, Key{ID: id, Kind: KindUnknown, Counts: []Count{count}})
		return nil
	})
	return keys, err
}
