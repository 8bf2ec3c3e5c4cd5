package blacklist

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/tenant"
)

// Outcome is what came of one openid of a batch.
type Outcome string

// The outcomes; [Counts] says what each means.
const (
	Pending    Outcome = "pending"
	Done       Outcome = "done"
	Already    Outcome = "already"
	Failed     Outcome = "failed"
	Superseded Outcome = "superseded"
	Cancelled  Outcome = "cancelled"
)

// check refuses what no item can have; "" stands for all outcomes.
func (o Outcome) check() error {
	if slices.Contains([]Outcome{"", Pending, Done, Already, Failed, Superseded, Cancelled}, o) {
		return nil
	}
	return &UnknownFilterError{Filter: "outcome", Value: string(o)}
}

// Item is one openid of a batch.
type Item struct {
	OpenID  string
	Outcome Outcome
	// Reason and Note are its own, as a file may have them for each openid, or those of the batch.
	Reason string
	Note   string
	// For failed ones: WeChat's errcode, the rid under which it knows the call, its words, and what to do about it. Without an
	// errcode WeChat was not asked: Error and Advice name the account that the openid belongs to.
	ErrCode *int
	RID     string
	Error   string
	Advice  string
	EndedAt *time.Time
}

// ItemsParams says which items to list.
type ItemsParams struct {
	Outcome Outcome // only those with this outcome; "": all
	Limit   int     // 0: 100; at most 1000
	Cursor  string  // Next of the page before
}

// ItemPage is a page of items, in the order of the request.
type ItemPage struct {
	Items []Item
	Next  string
}

// Items returns what came of each openid of a batch. Skipped ones are not items.
func (s *Service) Items(ctx context.Context, p tenant.Principal, tenantID, batchID uuid.UUID, params ItemsParams) (ItemPage, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistRead); err != nil {
		return ItemPage{}, err
	}
	if err := params.Outcome.check(); err != nil {
		return ItemPage{}, err
	}
	after, err := decodeSeq(params.Cursor)
	if err != nil {
		return ItemPage{}, err
	}
	batch, err := s.GetBatch(ctx, p, tenantID, batchID)
	if err != nil {
		return ItemPage{}, err
	}
	where, args := ``, []any{tenantID, batchID, after, limited(params.Limit) + 1}
	if params.Outcome == Failed {
		where = ` AND outcome = 'failed' AND error <> ''` // by which the index of the failed ones goes
	} else if params.Outcome != "" {
		where, args = ` AND outcome = $5`, append(args, params.Outcome)
	}
	rows, err := s.pool.Query(ctx, `
		SELECT `+itemColumns+` FROM blacklist_items
		WHERE tenant_id = $1 AND batch_id = $2 AND seq > $3`+where+` ORDER BY seq LIMIT $4`, args...)
	if err != nil {
		return ItemPage{}, fmt.Errorf("list items: %w", err)
	}
	var seqs []int
	items, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Item, error) {
		seq, it, err := scanItem(row, batch)
		seqs = append(seqs, seq)
		return it, err
	})
	if err != nil {
		return ItemPage{}, fmt.Errorf("list items: %w", err)
	}
	page := ItemPage{Items: items}
	if n := limited(params.Limit); len(items) > n {
		page.Items = items[:n]
		page.Next = tenant.EncodeCursor(strconv.Itoa(seqs[n-1]))
	}
	return page, nil
}

const itemColumns = `seq, openid, outcome, reason, note, errcode, rid, error, ended_at`

func scanItem(row pgx.CollectableRow, batch Batch) (seq int, it Item, err error) {
	var reason, note *string
	err = row.Scan(&seq, &it.OpenID, &it.Outcome, &reason, &note, &it.ErrCode, &it.RID, &it.Error, &it.EndedAt)
	it.Reason, it.Note = *cmp.Or(reason, &batch.Reason), *cmp.Or(note, &batch.Note)
	it.Advice, it.EndedAt = whatToDo(it.ErrCode, it.Error), utc(it.EndedAt)
	return seq, it, err
}

// whatToDo is what to do about an item that failed with that errcode or error.
func whatToDo(errcode *int, text string) string {
	if appid, is := strings.CutPrefix(text, belongsTo); is && errcode == nil {
		return fmt.Sprintf("It belongs to the account %s, so WeChat was not asked: ask for it there. "+
			"If it does follow this account, turn this account's directory of followers on, or sync it, and retry the batch.", appid)
	}
	return advice(errcode)
}

// decodeSeq reads the cursor of a list of items; 0 comes before the first.
func decodeSeq(cursor string) (int32, error) {
	parts, err := tenant.DecodeCursor(cursor, 1)
	if err != nil || parts[0] == "" {
		return 0, err
	}
	seq, err := strconv.ParseInt(parts[0], 10, 32)
	if err != nil {
		return 0, tenant.ErrInvalidCursor
	}
	return int32(seq), nil
}
