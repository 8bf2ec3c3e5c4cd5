package blacklist

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/tenant"
)

// Drift is how an entry differs from what was asked for here, because of something done outside Steward. [Service.List]
// lists such entries; it knows as much as the last pull, and Entry.ActualAt is when we learned of the difference.
type Drift string

// The drifts.
const (
	DriftAny Drift = "any"
	// DriftUnblocked: a block of ours was taken off.
	DriftUnblocked Drift = "unblocked_outside"
	// DriftBlocked: somebody was blocked whom nobody here asked to block, or whom we had unblocked.
	DriftBlocked Drift = "blocked_outside"
)

// drifted is what makes an entry differ. A wish that is on its way, or that WeChat refused, is no drift.
const (
	driftUnblocked = `want = 'blocked' AND actual = 'unblocked' AND NOT pending AND errcode IS NULL`
	driftBlocked   = `want IS DISTINCT FROM 'blocked' AND actual = 'blocked' AND NOT pending AND errcode IS NULL`
)

func (d Drift) where() (string, error) {
	switch d {
	case "", DriftAny:
		return `(` + driftUnblocked + ` OR ` + driftBlocked + `)`, nil
	case DriftUnblocked:
		return driftUnblocked, nil
	case DriftBlocked:
		return driftBlocked, nil
	}
	return "", &UnknownFilterError{Filter: "drift", Value: string(d)}
}

// DriftParams says which differing entries are meant.
type DriftParams struct {
	Drift   Drift    // "": DriftAny
	OpenIDs []string // only these; nil: all. At most MaxOpenIDs
}

// Adopt makes what is the case at WeChat what is wanted here, for entries that differ: a block that was taken off is no
// longer wanted, and somebody who was blocked by hand is wanted to be, in the name of p. It calls nobody. It returns how
// many entries it changed. Audited. It fails like [Service.Block], as far as that is about the request.
func (s *Service) Adopt(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string, params DriftParams, reason string) (int, error) {
	account, where, openids, err := s.drifting(ctx, p, tenantID, appid, params, reason)
	if err != nil {
		return 0, err
	}
	adopted := 0
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := lockLaneShared(ctx, tx, tenantID, account.ID); err != nil {
			return err
		}
		now := s.now()
		tag, err := tx.Exec(ctx, `
			UPDATE blacklist_entries e SET want = e.actual, want_until = NULL, wanted_by = $4, wanted_at = $5, wish = nextval('blacklist_wishes'),
				reason = CASE WHEN $6 <> '' THEN $6 ELSE e.reason END
			FROM (
				SELECT openid FROM blacklist_entries
				WHERE tenant_id = $1 AND authorizer_id = $2 AND ($3::text[] IS NULL OR openid = ANY ($3)) AND `+where+`
				ORDER BY openid FOR NO KEY UPDATE
			) d
			WHERE e.tenant_id = $1 AND e.authorizer_id = $2 AND e.openid = d.openid`,
			tenantID, account.ID, openids, p.Actor(), now, reason)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		adopted = int(tag.RowsAffected())
		return tenant.Audit(ctx, tx, p, now, tenant.Entry{
			TenantID: tenantID, Action: "blacklist.adopt", Target: "authorizer:" + account.AppID, Reason: reason, Detail: map[string]any{"openids": adopted},
		})
	})
	if err != nil {
		return 0, fmt.Errorf("adopt: %w", err)
	}
	return adopted, nil
}

// Restore asks WeChat for what is wanted here once more, for entries that differ: one batch that blocks those whose block
// was taken off, and one that unblocks those who were blocked. Entries that the merchant made by hand, of which nobody here
// ever asked anything, are touched only where params names them. A batch that would be empty is left out. Audited as
// blocks and unblocks are. It fails like [Service.Block].
func (s *Service) Restore(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string, params DriftParams, reason string) ([]Batch, error) {
	account, where, openids, err := s.drifting(ctx, p, tenantID, appid, params, reason)
	if err != nil {
		return nil, err
	}
	if err := s.authorizers.Check(ctx, p, account, authorizer.OpBlacklist); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if openids == nil {
		where = `(` + where + `) AND want IS NOT NULL`
	}
	var batches []Batch
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		for _, action := range []Action{ActionBlock, ActionUnblock} {
			found, err := s.differing(ctx, tx, account, where, openids, action)
			if err != nil || len(found) == 0 {
				if err != nil {
					return err
				}
				continue
			}
			w, err := s.newWishes(ctx, p, tenantID, account, action, Request{OpenIDs: found, Reason: reason})
			if err != nil {
				return err
			}
			batch, err := s.accept(ctx, tx, w)
			if err != nil {
				return err
			}
			batches = append(batches, batch)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	return batches, nil
}

// drifting checks a request about differing entries.
func (s *Service) drifting(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string, params DriftParams, reason string) (authorizer.Account, string, []string, error) {
	if err := p.Authorize(tenantID, tenant.BlacklistWrite); err != nil {
		return authorizer.Account{}, "", nil, err
	}
	where, err := params.Drift.where()
	if err != nil {
		return authorizer.Account{}, "", nil, err
	}
	if err := CheckReason(reason); err != nil {
		return authorizer.Account{}, "", nil, err
	}
	var openids []string
	if params.OpenIDs != nil {
		clean, err := list(params.OpenIDs)
		if err != nil {
			return authorizer.Account{}, "", nil, err
		}
		openids = clean.openids
	}
	account, err := s.authorizers.Find(ctx, p, tenantID, appid)
	return account, where, openids, err
}

// differing returns up to MaxOpenIDs openids that differ and that action would set right.
func (s *Service) differing(ctx context.Context, tx pgx.Tx, account authorizer.Account, where string, openids []string, action Action) ([]string, error) {
	rows, err := tx.Query(ctx, `
		SELECT openid FROM blacklist_entries
		WHERE tenant_id = $1 AND authorizer_id = $2 AND ($3::text[] IS NULL OR openid = ANY ($3)) AND actual <> $4 AND (`+where+`)
		ORDER BY openid LIMIT $5`, account.TenantID, account.ID, openids, action.want(), MaxOpenIDs)
	if err != nil {
		return nil, fmt.Errorf("find differing entries: %w", err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("find differing entries: %w", err)
	}
	return found, nil
}
