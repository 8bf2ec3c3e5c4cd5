package blacklist

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/tenant"
)

// MaxFileOpenIDs is how many openids one file may hold.
const MaxFileOpenIDs = 1_000_000

// Upload says whom to block or unblock by a file.
type Upload struct {
	// File is CSV. The openids stand in the column that the first line calls openid, or in the first column if it calls none
	// so; columns that it calls reason and note say why for each of them, and the others are not looked at. Rows whose openid
	// is blank or came before count as skipped.
	//
	// It is read once, while the request is being written, and never held in memory as a whole.
	File io.Reader
	// Charset is that of the file. Empty: it is found out, from a byte order mark or from the first line that can be
	// in one charset only.
	Charset Charset
	// Reason, Note, Until and IdempotencyKey are as in [Request]. Reason and Note are for the rows that have none of their own.
	Reason         string
	Note           string
	Until          *time.Time
	IdempotencyKey string
}

// BlockFile is [Service.Block] for up to MaxFileOpenIDs openids in a file. If anything in the file is wrong the error is a
// [*FileError] that says in which lines, and nothing is stored.
func (s *Service) BlockFile(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string, up Upload) (Batch, bool, error) {
	return s.wishFile(ctx, p, tenantID, appid, ActionBlock, up)
}

// UnblockFile is [Service.Unblock] for a file; else it is like [Service.BlockFile].
func (s *Service) UnblockFile(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string, up Upload) (Batch, bool, error) {
	return s.wishFile(ctx, p, tenantID, appid, ActionUnblock, up)
}

func (s *Service) wishFile(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string, action Action, up Upload) (Batch, bool, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistWrite); err != nil {
		return Batch{}, false, err
	}
	if err := checkKey(up.IdempotencyKey); err != nil {
		return Batch{}, false, err
	}
	account, err := s.authorizers.Find(ctx, p, tenantID, appid)
	if err != nil {
		return Batch{}, false, fmt.Errorf("%s file: %w", action, err)
	}
	req := up.request()
	w, refusal := s.newWishes(ctx, p, tenantID, account, action, req)
	if refusal != nil && up.IdempotencyKey == "" {
		return Batch{}, false, fmt.Errorf("%s file: %w", action, refusal)
	}
	ctx, done, err := s.transfer(ctx)
	if err != nil {
		return Batch{}, false, err
	}
	defer done()
	var batch Batch
	var replayed bool
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// The file comes as slowly as its sender likes, so all of it is there before anything is locked.
		content := sha256.New()
		w.list, err = stage(ctx, tx, io.TeeReader(up.File, content), up.Charset)
		if err != nil {
			return err
		}
		fingerprint := func() []byte {
			return up.fingerprint(req.fingerprint(action, account.AppID), content.Sum(nil))
		}
		batch, replayed, err = onceIn(ctx, tx, w, up.IdempotencyKey, fingerprint, func(tx pgx.Tx) (Batch, error) {
			if refusal != nil {
				return Batch{}, refusal
			}
			return s.accept(ctx, tx, w)
		})
		return err
	})
	if err != nil {
		return Batch{}, false, fmt.Errorf("%s file: %w", action, err)
	}
	return batch, replayed, nil
}

// request is what an upload asks for beside its file.
func (u Upload) request() Request {
	return Request{Reason: u.Reason, Note: u.Note, Until: u.Until}
}

// fingerprint is the same for uploads that ask the same by the same file. What a field that came later adds to it is left out
// where the field is empty, so that whoever repeats a request of an older version is understood.
func (u Upload) fingerprint(request, content []byte) []byte {
	fields := []string{"file", string(request), string(content)}
	if u.Charset != "" {
		fields = append(fields, string(u.Charset))
	}
	return fingerprintOf(fields...)
}

const createStage = `
	CREATE TEMPORARY TABLE blacklist_upload (
		openid text COLLATE "C" NOT NULL, seq integer NOT NULL, reason text, note text, until timestamptz
	) ON COMMIT DROP`

// stage copies the rows of a file into a table that ends with the transaction.
func stage(ctx context.Context, tx pgx.Tx, file io.Reader, charset Charset) (listed, error) {
	rows, err := newFileRows(file, charset)
	if err != nil {
		return listed{}, err
	}
	staged, err := copyRows(ctx, tx, rows)
	if err != nil {
		return listed{}, err
	}
	return listed{given: rows.given, staged: staged}, nil
}

// copyRows makes that table, and returns how many rows it has then.
func copyRows(ctx context.Context, tx pgx.Tx, rows *fileRows) (int, error) {
	if _, err := tx.Exec(ctx, createStage); err != nil {
		return 0, fmt.Errorf("stage file: %w", err)
	}
	n, err := tx.CopyFrom(ctx, pgx.Identifier{"blacklist_upload"}, []string{"openid", "seq", "reason", "note"}, rows)
	if rows.failed != nil { // what the database says then is that it got no more rows
		return 0, rows.failed
	}
	if err != nil {
		return 0, fmt.Errorf("stage file: %w", err)
	}
	return int(n), nil
}

// insertStagedItems stores an item for each openid of the file, in the place where it came first, with what it has of its own.
func insertStagedItems(ctx context.Context, tx pgx.Tx, w wishes) (listed, error) {
	tag, err := tx.Exec(ctx, `
		INSERT INTO blacklist_items (tenant_id, batch_id, seq, openid, reason, note, until)
		SELECT DISTINCT ON (openid) $1::uuid, $2::uuid, seq, openid, reason, note, until FROM blacklist_upload ORDER BY openid, seq`, w.tenantID, w.batchID)
	if err != nil {
		return listed{}, fmt.Errorf("insert items: %w", err)
	}
	list := listed{given: w.list.given, staged: int(tag.RowsAffected())}
	if list.staged < w.list.staged {
		if _, err := tx.Exec(ctx, `UPDATE blacklist_batches SET skipped = $3 WHERE tenant_id = $1 AND id = $2`, w.tenantID, w.batchID, list.skipped()); err != nil {
			return listed{}, fmt.Errorf("count duplicates: %w", err)
		}
	}
	return list, nil
}

// stagedWishes are the openids of the file with what is to stand in their entries.
const stagedWishes = `
	SELECT DISTINCT ON (openid) openid, coalesce(reason, @reason) AS reason, coalesce(note, @note) AS note, coalesce(until, @until) AS until
	FROM blacklist_upload ORDER BY openid, seq`
