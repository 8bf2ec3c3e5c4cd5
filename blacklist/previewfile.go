package blacklist

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/tenant"
)

// previewedAtOnce is how many openids of a file are looked at in one go, and so how many are in memory.
const previewedAtOnce = 10_000

// PreviewFile is [Service.Preview] for a file. Lines for which the real thing would refuse the file are counted as malformed, and
// the first of them are in WrongLines. What cannot be read to its end is a [*FileError] here as well: a file in two
// charsets, one with too many openids, one without any.
func (s *Service) PreviewFile(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string, action Action, up Upload) (Preview, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistWrite); err != nil {
		return Preview{}, err
	}
	account, err := s.authorizers.Find(ctx, p, tenantID, appid)
	if err != nil {
		return Preview{}, fmt.Errorf("preview file: %w", err)
	}
	if _, err := s.newWishes(ctx, p, tenantID, account, action, up.request()); err != nil {
		return Preview{}, fmt.Errorf("preview file: %w", err)
	}
	ctx, done, err := s.transfer(ctx)
	if err != nil {
		return Preview{}, err
	}
	defer done()
	preview := Preview{AuthorizerAppID: account.AppID, Action: action}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		staged, err := preview.stage(ctx, tx, up)
		if err != nil {
			return err
		}
		return s.judgeStaged(ctx, tx, account, &preview, staged)
	})
	if err != nil {
		return Preview{}, fmt.Errorf("preview file: %w", err)
	}
	return preview, nil
}

// stage copies the right rows of a file into the table of the transaction, counts the others, and returns how many it has
// copied. After it the transaction writes nothing.
func (p *Preview) stage(ctx context.Context, tx pgx.Tx, up Upload) (int, error) {
	rows, err := newFileRows(up.File, up.Charset)
	if err != nil {
		return 0, err
	}
	rows.lenient = true
	staged, err := copyRows(ctx, tx, rows)
	if err != nil {
		return 0, err
	}
	p.Total, p.Blank, p.Malformed, p.WrongLines = staged+rows.blank+rows.wrong.Total, rows.blank, rows.wrong.Total, rows.wrong.Lines
	if _, err := tx.Exec(ctx, `SET TRANSACTION READ ONLY`); err != nil {
		return 0, fmt.Errorf("stage file: %w", err)
	}
	return staged, nil
}

// judgeStaged counts the staged openids, some at a time and in the order of the file. Where they may belong is looked up as long
// as in a preview without a file, however many they are; of the rest nothing is known then.
func (s *Service) judgeStaged(ctx context.Context, tx pgx.Tx, account authorizer.Account, preview *Preview, staged int) error {
	if _, err := tx.Exec(ctx, `
		DECLARE previewed NO SCROLL CURSOR FOR
		SELECT openid FROM (SELECT DISTINCT ON (openid) openid, seq FROM blacklist_upload ORDER BY openid, seq) o ORDER BY seq`); err != nil {
		return fmt.Errorf("read staged openids: %w", err)
	}
	search, cancel := context.WithTimeout(ctx, s.searchTimeout)
	defer cancel()
	preview.Duplicates = staged
	for {
		openids, err := fetchPreviewed(ctx, tx)
		if err != nil || len(openids) == 0 {
			return err
		}
		preview.Duplicates -= len(openids)
		unknown, err := preview.compare(ctx, tx, account.TenantID, account.ID, openids)
		if err != nil {
			return err
		}
		var elsewhere []Misplaced
		if search.Err() == nil {
			if elsewhere, err = s.foreseeMisplaced(ctx, tx, account, openidsOf(unknown)); err != nil {
				return err
			}
		}
		preview.countUnknown(unknown, elsewhere)
	}
}

// fetchPreviewed reads on where it ended the last time.
func fetchPreviewed(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf(`FETCH %d FROM previewed`, previewedAtOnce))
	if err != nil {
		return nil, fmt.Errorf("read staged openids: %w", err)
	}
	openids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("read staged openids: %w", err)
	}
	return openids, nil
}
