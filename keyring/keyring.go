// Package keyring keeps the keys that seal database columns: it reads them from the database, where each lies sealed itself
// under a master key, hands them to a [secret.Box] that all services share, adds new ones, and seals anew what older ones
// sealed.
//
// It knows where sealed values are, and nothing of what they mean.
package keyring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wechat-steward/steward/secret"
)

const (
	// askTimeout bounds how long somebody waits who met a key that this process does not have yet.
	askTimeout = 5 * time.Second
	// defaultLockWait is longer than a renewal holds its row while WeChat does not answer.
	defaultLockWait = 2 * time.Minute
)

// Config holds what a [Ring] needs. Keys have [secret.KeySize] bytes.
type Config struct {
	Pool            *pgxpool.Pool    // required
	Master          []byte           // required; seals sealing keys, and values while there are none
	PreviousMasters [][]byte         // open what they sealed, and seal nothing
	LockWait        time.Duration    // how long Reseal waits in all for rows that others hold; 0: two minutes
	Now             func() time.Time // nil: time.Now
	Logger          *slog.Logger     // nil: slog.Default()
}

// Ring holds the keys. It is safe for concurrent use, and any number of them, in any number of processes, may work on one
// database.
//
// Nothing here deletes a key. A process that has not noticed a newer one seals with the old one still, and so does a
// transaction that is under way; backups hold what older keys sealed. A key that nobody needs any more takes one row.
type Ring struct {
	pool       *pgxpool.Pool
	masters    *secret.Box // seals sealing keys
	masterKeys [][]byte    // the current one first
	box        *secret.Box
	lockWait   time.Duration
	now        func() time.Time
	logger     *slog.Logger

	asking chan struct{} // holds whoever asks for an unknown key, one at a time
	mu     sync.Mutex
	keys   []sealingKey // newest first
}

type sealingKey struct {
	id  secret.KeyID
	seq int64
	raw []byte
}

// Open reads the sealing keys. It fails if one of them lies under a master key that it was not given; whether values that the
// master key sealed itself can be opened shows only when one is.
func Open(ctx context.Context, cfg Config) (*Ring, error) {
	if cfg.Pool == nil {
		return nil, errors.New("keyring: Config.Pool is required")
	}
	if cfg.LockWait == 0 {
		cfg.LockWait = defaultLockWait
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	r := &Ring{
		pool: cfg.Pool, masterKeys: append([][]byte{cfg.Master}, cfg.PreviousMasters...),
		lockWait: cfg.LockWait, now: cfg.Now, logger: cfg.Logger, asking: make(chan struct{}, 1),
	}
	var err error
	if r.masters, err = secret.NewBox(cfg.Master, cfg.PreviousMasters...); err != nil {
		return nil, fmt.Errorf("keyring: master keys: %w", err)
	}
	if r.box, err = secret.NewBox(cfg.Master, cfg.PreviousMasters...); err != nil {
		return nil, fmt.Errorf("keyring: master keys: %w", err)
	}
	r.box.OnUnknownKey(r.ask)
	return r, r.Refresh(ctx)
}

// Box returns the box whose keys the ring keeps up to date: the newest sealing key seals, older ones and the master keys
// open. Without a sealing key the master key seals. It is always the same box.
func (r *Ring) Box() *secret.Box { return r.box }

// Refresh takes up keys that were added since. A program calls it every few seconds in every process.
func (r *Ring) Refresh(ctx context.Context) error {
	stored, err := readKeys(ctx, r.pool)
	if err != nil {
		return err
	}
	return r.take(ctx, stored)
}

// ask is what the box does when it meets a key that it does not have: another process has added one since our last Refresh.
func (r *Ring) ask(id secret.KeyID) error {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	select {
	case r.asking <- struct{}{}:
		defer func() { <-r.asking }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.box.Has(id) {
		return nil // whoever was before us brought it
	}
	// Not from the pool: those who wait for us may hold all of its connections.
	conn, err := pgx.ConnectConfig(ctx, r.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	stored, err := readKeys(ctx, conn)
	if err != nil {
		return err
	}
	if err := r.take(ctx, stored); err != nil && !r.box.Has(id) {
		return err
	}
	return nil
}

// take adds keys to the ring and to the box. A key that does not open is left out, and the error names it; the others are
// taken all the same. Since keys only come, it does no harm that a reading arrives late.
func (r *Ring) take(ctx context.Context, stored []storedKey) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var problems []error
	keys := slices.Clone(r.keys)
	for _, s := range stored {
		if slices.ContainsFunc(keys, func(k sealingKey) bool { return k.id == s.id }) {
			continue
		}
		raw, err := r.unwrap(s)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		keys = append(keys, sealingKey{id: s.id, seq: s.seq, raw: raw})
	}
	if len(keys) > len(r.keys) {
		slices.SortFunc(keys, func(a, b sealingKey) int { return cmp.Compare(b.seq, a.seq) })
		if err := r.use(keys); err != nil {
			return errors.Join(append(problems, err)...)
		}
		r.keys = keys
		r.logger.InfoContext(ctx, "sealing keys were taken up", "sealing", keys[0].id.String(), "keys", len(keys))
	}
	return errors.Join(problems...)
}

func (r *Ring) use(keys []sealingKey) error {
	var all [][]byte
	for _, k := range keys {
		all = append(all, k.raw)
	}
	all = append(all, r.masterKeys...)
	return r.box.Use(all[0], all[1:]...)
}

// unwrap opens a sealing key.
func (r *Ring) unwrap(s storedKey) ([]byte, error) {
	raw, err := r.masters.Open(s.wrapped, s.place())
	if err != nil {
		under, _ := secret.SealedBy(s.wrapped)
		return nil, fmt.Errorf("sealing key %s lies under the master key %s, which is not given: STEWARD_MASTER_KEY is another than the one that"+
			" this database was used with; if it was changed, the former one belongs into STEWARD_PREVIOUS_MASTER_KEY: %w", s.id, under, err)
	}
	return []byte(raw.Reveal()), nil
}
