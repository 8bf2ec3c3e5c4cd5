package component

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

// RecordEvent keeps an event in the caller's transaction: raw, the decrypted XML, sealed, since it may hold a code.
// An event that WeChat pushed before is not kept twice: then isNew is false and id that of the first. Events of a kind
// that we do not know count as processed at once. It fails with [ErrUnknownComponent].
func (s *Service) RecordEvent(ctx context.Context, tx pgx.Tx, ev wechat.Event, raw []byte) (id uuid.UUID, isNew bool, err error) {
	id, err = uuid.NewV7()
	if err != nil {
		return uuid.Nil, false, fmt.Errorf("record event: %w", err)
	}
	body, err := s.box.Seal(secret.New(string(raw)), eventPlace(id.String()))
	if err != nil {
		return uuid.Nil, false, fmt.Errorf("record event: %w", err)
	}
	h, digest, now := ev.Header(), sha256.Sum256(raw), s.now().UTC()
	authorizer, processed := about(ev, now)
	happened := h.CreateTime
	if happened.IsZero() {
		happened = now
	}
	tag, err := tx.Exec(ctx, `
		INSERT INTO component_events (id, component_appid, digest, info_type, authorizer_appid, body_sealed, happened_at, received_at, processed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT ON CONSTRAINT component_events_once DO NOTHING`,
		id, h.AppID, digest[:], h.InfoType, authorizer, body, happened, now, processed)
	if violated, ok := errors.AsType[*pgconn.PgError](err); ok && violated.ConstraintName == "component_events_component_appid_fkey" {
		return uuid.Nil, false, ErrUnknownComponent
	}
	if err != nil {
		return uuid.Nil, false, fmt.Errorf("record event: %w", err)
	}
	if tag.RowsAffected() == 1 {
		return id, true, nil
	}
	err = tx.QueryRow(ctx, `SELECT id FROM component_events WHERE component_appid = $1 AND digest = $2`, h.AppID, digest[:]).Scan(&id)
	if err != nil {
		return uuid.Nil, false, fmt.Errorf("record event: %w", err)
	}
	return id, false, nil
}

// Neglected tells whether an event came before that time and nothing has come of it yet.
func (s *Service) Neglected(ctx context.Context, tx pgx.Tx, id uuid.UUID, before time.Time) (bool, error) {
	var neglected bool
	err := tx.QueryRow(ctx, `SELECT processed_at IS NULL AND received_at < $2 FROM component_events WHERE id = $1`, id, before.UTC()).Scan(&neglected)
	if err != nil {
		return false, fmt.Errorf("look at event: %w", err)
	}
	return neglected, nil
}

// about returns the account that an event names, and when the event was dealt with if that is at once.
func about(ev wechat.Event, now time.Time) (authorizer string, processed *time.Time) {
	switch ev := ev.(type) {
	case wechat.AuthorizedEvent:
		return ev.AuthorizerAppID, nil
	case wechat.UnauthorizedEvent:
		return ev.AuthorizerAppID, nil
	case wechat.UnknownEvent:
		return ev.AuthorizerAppID, &now
	}
	return "", &now
}

// StoredEvent is an event as it was kept.
type StoredEvent struct {
	ID          uuid.UUID
	Event       wechat.Event
	HappenedAt  time.Time // by WeChat's clock
	ReceivedAt  time.Time
	ProcessedAt *time.Time
}

// OpenEvent reads a kept event. It fails with [tenant.ErrNotFound], and with [wechat.ErrEvent] if it is not readable.
func (s *Service) OpenEvent(ctx context.Context, id uuid.UUID) (StoredEvent, error) {
	stored := StoredEvent{ID: id}
	var body []byte
	err := s.pool.QueryRow(ctx, `SELECT body_sealed, happened_at, received_at, processed_at FROM component_events WHERE id = $1`, id).
		Scan(&body, &stored.HappenedAt, &stored.ReceivedAt, &stored.ProcessedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return StoredEvent{}, tenant.ErrNotFound
	}
	if err != nil {
		return StoredEvent{}, fmt.Errorf("open event: %w", err)
	}
	raw, err := s.box.Open(body, eventPlace(id.String()))
	if err != nil {
		return StoredEvent{}, fmt.Errorf("open event: %w", err)
	}
	if stored.Event, err = wechat.ParseEvent([]byte(raw.Reveal())); err != nil {
		return StoredEvent{}, fmt.Errorf("open event: %w", err)
	}
	return stored, nil
}

// FinishEvent notes that an event has been dealt with; remark says why nothing came of it, and is empty if something did.
// Neither holds a secret.
func (s *Service) FinishEvent(ctx context.Context, id uuid.UUID, remark string) error {
	_, err := s.pool.Exec(ctx, `UPDATE component_events SET processed_at = $2, last_error = $3 WHERE id = $1 AND processed_at IS NULL`,
		id, s.now().UTC(), remark)
	if err != nil {
		return fmt.Errorf("finish event: %w", err)
	}
	return nil
}

// FailEvent notes why an event could not be dealt with this time; it stays unprocessed.
func (s *Service) FailEvent(ctx context.Context, id uuid.UUID, cause error) error {
	_, err := s.pool.Exec(ctx, `UPDATE component_events SET last_error = $2 WHERE id = $1 AND processed_at IS NULL`, id, cause.Error())
	if err != nil {
		return fmt.Errorf("note the failure of an event: %w", err)
	}
	return nil
}

// UnprocessedEvents returns up to limit events that came in from since until before and are not dealt with, oldest first.
func (s *Service) UnprocessedEvents(ctx context.Context, since, before time.Time, limit int) ([]uuid.UUID, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT id FROM component_events WHERE processed_at IS NULL AND received_at >= $1 AND received_at < $2
		ORDER BY received_at LIMIT $3`, since, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list unprocessed events: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("list unprocessed events: %w", err)
	}
	return ids, nil
}

// RevokedAfter tells whether WeChat pushed that the account took its authorization back, later than at.
func (s *Service) RevokedAfter(ctx context.Context, tx pgx.Tx, componentAppID, authorizerAppID string, at time.Time) (bool, error) {
	var revoked bool
	err := tx.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM component_events
			WHERE component_appid = $1 AND authorizer_appid = $2 AND info_type = 'unauthorized' AND happened_at > $3)`,
		componentAppID, authorizerAppID, at).Scan(&revoked)
	if err != nil {
		return false, fmt.Errorf("look for a revocation: %w", err)
	}
	return revoked, nil
}
