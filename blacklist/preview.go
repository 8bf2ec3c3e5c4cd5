package blacklist

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/tenant"
)

// MaxPreviewed is how many openids of a kind a preview names. It counts them all.
const MaxPreviewed = 100

// Preview is what a request would do, as far as our copy knows. Each openid given is counted once; Total is the sum of the others.
type Preview struct {
	AuthorizerAppID string
	Action          Action
	Total           int
	WouldChange     int // WeChat has it otherwise
	Already         int // WeChat has it so; it would be asked for all the same
	Unknown         int // WeChat has never said anything about it here
	PendingOther    int // an earlier wish for it is still to be sent, and would be superseded
	Elsewhere       int // it belongs to another account of the tenant, so it would fail here, and WeChat would not be asked
	Malformed       int // no openid at all: the request would be refused for it
	Duplicates      int // given more than once; the further times are counted here
	Blank           int
	// The first of those that belong elsewhere and of those that are malformed, in the order given; see MaxPreviewed.
	ElsewhereFirst []Misplaced
	MalformedFirst []Malformed
	WrongLines     []WrongLine // the malformed ones of a file instead, see [Service.PreviewFile]
}

// Misplaced is an openid that belongs to another account.
type Misplaced struct {
	OpenID string
	AppID  string // the account that it belongs to
}

// Malformed is what stands in a request in place of an openid.
type Malformed struct {
	Index     int    // in Request.OpenIDs, counted from 0
	Beginning string // its first MaxOpenIDLength bytes, without what is no text
}

// Preview tells what Block or Unblock would do with a request, and writes nothing. Who may ask, and what is refused, is as there,
// but for malformed openids, which it counts. The request's IdempotencyKey does not matter.
func (s *Service) Preview(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string, action Action, req Request) (Preview, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistWrite); err != nil {
		return Preview{}, err
	}
	account, err := s.authorizers.Find(ctx, p, tenantID, appid)
	if err != nil {
		return Preview{}, fmt.Errorf("preview: %w", err)
	}
	if err := req.check(action, s.now()); err != nil {
		return Preview{}, fmt.Errorf("preview: %w", err)
	}
	if len(req.OpenIDs) > MaxOpenIDs {
		return Preview{}, fmt.Errorf("preview: %w", &TooManyOpenIDsError{Given: len(req.OpenIDs), Limit: MaxOpenIDs})
	}
	if err := s.authorizers.Check(ctx, p, account, authorizer.OpBlacklist); err != nil {
		return Preview{}, fmt.Errorf("preview: %w", err)
	}
	preview := Preview{AuthorizerAppID: account.AppID, Action: action, Total: len(req.OpenIDs)}
	openids := preview.sift(req.OpenIDs)
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		unknown, err := preview.compare(ctx, tx, tenantID, account.ID, openids)
		if err != nil {
			return err
		}
		elsewhere, err := s.foreseeMisplaced(ctx, tx, account, openidsOf(unknown))
		if err != nil {
			return err
		}
		preview.countUnknown(unknown, elsewhere)
		return nil
	})
	if err != nil {
		return Preview{}, fmt.Errorf("preview: %w", err)
	}
	return preview, nil
}

// sift counts what is no usable openid and returns the rest, each once. It judges as list does.
func (p *Preview) sift(given []string) []string {
	openids, seen := make([]string, 0, len(given)), make(map[string]bool, len(given))
	for i, raw := range given {
		openid := strings.TrimFunc(raw, invisible)
		switch {
		case openid == "":
			p.Blank++
		case seen[openid]:
			p.Duplicates++
		case len(openid) > MaxOpenIDLength || !storable(openid):
			p.Malformed++
			if len(p.MalformedFirst) < MaxPreviewed {
				beginning := openid[:min(len(openid), MaxOpenIDLength)]
				p.MalformedFirst = append(p.MalformedFirst, Malformed{Index: i, Beginning: strings.ToValidUTF8(strings.ReplaceAll(beginning, "\x00", ""), "")})
			}
		default:
			seen[openid] = true
			openids = append(openids, openid)
		}
	}
	return openids
}

// compare counts the openids about which our copy knows something, and returns the others.
//
// LATERAL and OFFSET 0 have the planner look up one entry at a time, however few it believes the account to have.
func (p *Preview) compare(ctx context.Context, tx pgx.Tx, tenantID, authorizerID uuid.UUID, openids []string) ([]entryless, error) {
	rows, err := tx.Query(ctx, `
		SELECT o.openid, coalesce(e.actual, ''), coalesce(e.pending, false) FROM unnest($3::text[]) WITH ORDINALITY AS o (openid, place)
		LEFT JOIN LATERAL (
			SELECT actual, pending FROM blacklist_entries WHERE tenant_id = $1 AND authorizer_id = $2 AND openid = o.openid OFFSET 0
		) e ON true
		ORDER BY o.place`, tenantID, authorizerID, openids)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	var unknown []entryless
	var e entryless
	var actual string
	_, err = pgx.ForEachRow(rows, []any{&e.openid, &actual, &e.pending}, func() error {
		switch {
		case actual == "":
			unknown = append(unknown, e)
		case e.pending:
			p.PendingOther++
		case actual == p.Action.want():
			p.Already++
		default:
			p.WouldChange++
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	return unknown, nil
}

// entryless is an openid of which WeChat has said nothing for this account.
type entryless struct {
	openid  string
	pending bool
}

func openidsOf(entries []entryless) []string {
	openids := make([]string, len(entries))
	for i, e := range entries {
		openids[i] = e.openid
	}
	return openids
}

// countUnknown counts the openids of which WeChat has said nothing for this account.
func (p *Preview) countUnknown(unknown []entryless, elsewhere []Misplaced) {
	p.ElsewhereFirst = append(p.ElsewhereFirst, elsewhere[:min(len(elsewhere), MaxPreviewed-len(p.ElsewhereFirst))]...)
	misplaced := make(map[string]bool, len(elsewhere))
	for _, m := range elsewhere {
		misplaced[m.OpenID] = true
	}
	for _, e := range unknown {
		switch {
		case misplaced[e.openid]:
			p.Elsewhere++
		case e.pending:
			p.PendingOther++
		default:
			p.Unknown++
		}
	}
}
