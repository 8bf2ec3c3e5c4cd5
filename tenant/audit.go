package tenant

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Entry is what [Audit] records beside who acted and when.
type Entry struct {
	TenantID uuid.UUID      // uuid.Nil: nobody's but the platform's
	Action   string         // noun.verb: "blacklist.block"
	Target   string         // kind:id: "authorizer:wx…"
	Reason   string         // as the caller gave it
	Detail   map[string]any // figures and former values; never a secret
}

// AuditEntry is one line of the audit trail.
type AuditEntry struct {
	ID        uuid.UUID
	At        time.Time
	ActorKind Kind
	ActorID   string
	ActorName string
	Action    string
	Target    string
	Reason    string
	RequestID string
	Detail    map[string]any
}

// AuditPage is a page of audit entries, newest first.
type AuditPage struct {
	Entries []AuditEntry
	Next    string
}

// Audit records that p did e, in the transaction of the act itself: neither happens without the other.
func Audit(ctx context.Context, tx pgx.Tx, p Principal, at time.Time, e Entry) error {
	detail := e.Detail
	if detail == nil {
		detail = map[string]any{}
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO audit_entries (id, tenant_id, at, actor_kind, actor_id, actor_name, action, target, reason, request_id, detail)
		VALUES (@id, @tenant_id, @at, @actor_kind, @actor_id, @actor_name, @action, @target, @reason, @request_id, @detail)`,
		pgx.NamedArgs{
			"id": id, "tenant_id": nullable(e.TenantID), "at": at,
			"actor_kind": p.Kind, "actor_id": p.ID, "actor_name": p.Name,
			"action": e.Action, "target": e.Target, "reason": e.Reason, "request_id": p.RequestID, "detail": detail,
		})
	if err != nil {
		return fmt.Errorf("audit %s: %w", e.Action, err)
	}
	return nil
}

// ListAudit returns what was done to a tenant, newest first.
func (s *Service) ListAudit(ctx context.Context, p Principal, tenantID uuid.UUID, limit int, cursor string) (AuditPage, error) {
	if err := p.Authorize(tenantID, AuditRead); err != nil {
		return AuditPage{}, err
	}
	before, err := DecodeIDCursor(cursor)
	if err != nil {
		return AuditPage{}, err
	}
	if _, err := s.Get(ctx, p, tenantID); err != nil {
		return AuditPage{}, err
	}
	rows, err := s.pool.Query(ctx, `
		SELECT id, at, actor_kind, actor_id, actor_name, action, target, reason, request_id, detail
		FROM audit_entries
		WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id < $2)
		ORDER BY id DESC LIMIT $3`, tenantID, before, limit+1)
	if err != nil {
		return AuditPage{}, fmt.Errorf("list audit entries: %w", err)
	}
	entries, err := pgx.CollectRows(rows, scanAuditEntry)
	if err != nil {
		return AuditPage{}, fmt.Errorf("list audit entries: %w", err)
	}
	var page AuditPage
	page.Entries, page.Next = CutPage(entries, limit, func(e AuditEntry) string { return e.ID.String() })
	return page, nil
}

func scanAuditEntry(row pgx.CollectableRow) (AuditEntry, error) {
	var e AuditEntry
	var detail []byte
	if err := row.Scan(&e.ID, &e.At, &e.ActorKind, &e.ActorID, &e.ActorName, &e.Action, &e.Target, &e.Reason, &e.RequestID, &detail); err != nil {
		return AuditEntry{}, err
	}
	return e, json.Unmarshal(detail, &e.Detail)
}

// nullable turns the nil UUID into SQL's NULL.
func nullable(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}
