// Package alert keeps what somebody should look at: one alert for each break, raised once however often the break is seen,
// and cleared when it is mended.
//
// It delivers nothing to anybody; it stores and lists.
package alert

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wechat-steward/steward/token"
)

// Kind is what has broken.
type Kind string

// The kinds. Those of an account are seen by its tenant, those of a component by the service provider alone.
const (
	RenewalFailing       Kind = "renewal_failing"       // account: WeChat refuses to renew its token
	NeedsReauthorization Kind = "needs_reauthorization" // account: the authorization was lost, and no other way back was found
	Revoked              Kind = "revoked"               // account: the merchant took the authorization back
	Limited              Kind = "limited"               // account: WeChat restricts it
	TokenContested       Kind = "token_contested"       // account: tokens stop before their time, so another system fetches them too

	TicketLate              Kind = "ticket_late"               // component: WeChat's tickets do not arrive
	ComponentTokenFailing   Kind = "component_token_failing"   // component: its access token cannot be renewed
	ComponentTokenContested Kind = "component_token_contested" // component: the same, for its own token
	PlatformRefused         Kind = "platform_refused"          // component: WeChat refuses its calls for all accounts
)

// Subject is what an alert is about.
type Subject struct {
	ComponentAppID string
	AuthorizerID   uuid.UUID // uuid.Nil: the component itself
}

// Querier is a pool or a transaction.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Raise opens an alert, or notes that the break it tells of was seen again. cause says what happened and what to do; it
// holds no secret.
func Raise(ctx context.Context, db Querier, kind Kind, about Subject, cause token.Failure) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("raise alert: %w", err)
	}
	_, err = db.Exec(ctx, `
		INSERT INTO alerts (id, kind, component_appid, authorizer_id, raised_at, last_seen_at, errcode, message, rid, advice)
		VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9)
		ON CONFLICT (component_appid, coalesce(authorizer_id, '00000000-0000-0000-0000-000000000000'), kind) WHERE cleared_at IS NULL
		DO UPDATE SET last_seen_at = excluded.last_seen_at, errcode = excluded.errcode, message = excluded.message,
			rid = excluded.rid, advice = excluded.advice`,
		id, kind, about.ComponentAppID, nullable(about.AuthorizerID), cause.At, cause.Code, cause.Message, cause.RID, cause.Advice)
	if err != nil {
		return fmt.Errorf("raise alert: %w", err)
	}
	return nil
}

// Clear notes that breaks of these kinds are mended. Where none was open it does nothing.
func Clear(ctx context.Context, db Querier, about Subject, at time.Time, kinds ...Kind) error {
	_, err := db.Exec(ctx, `
		UPDATE alerts SET cleared_at = $4
		WHERE component_appid = $1 AND coalesce(authorizer_id, '00000000-0000-0000-0000-000000000000') = $2 AND kind = ANY ($3) AND cleared_at IS NULL`,
		about.ComponentAppID, about.AuthorizerID, kinds, at)
	if err != nil {
		return fmt.Errorf("clear alert: %w", err)
	}
	return nil
}

// nullable turns the nil UUID into SQL's NULL.
func nullable(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}
