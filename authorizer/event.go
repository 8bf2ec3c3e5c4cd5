package authorizer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

// repeatPatience is how long the job of a push is left alone when the push comes again.
const repeatPatience = 3 * time.Second

// Receive keeps an event that WeChat pushed for a component; when it returns nil the event is durable and WeChat may be
// answered. What has to be done about it is a job. raw is the decrypted XML. The same push twice does no harm, and an
// event of a kind that we do not know is kept and left alone. It fails with component.ErrUnknownComponent.
func (s *Service) Receive(ctx context.Context, ev wechat.Event, raw []byte) error {
	if ticket, ok := ev.(wechat.TicketEvent); ok {
		return s.components.StoreTicket(ctx, ticket)
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		id, isNew, err := s.components.RecordEvent(ctx, tx, ev, raw)
		if err != nil {
			return err
		}
		job := authorizationEventArgs{EventID: id}
		if !isNew {
			// WeChat repeats after five seconds what it was not answered. The process that took the first push may have died over
			// its job, whose name stays taken until the queue finds out.
			now := s.now()
			neglected, err := s.components.Neglected(ctx, tx, id, now.Add(-repeatPatience))
			if err != nil || !neglected {
				return err
			}
			job.Repeated = now.Unix()
		}
		switch ev.(type) {
		case wechat.AuthorizedEvent, wechat.UnauthorizedEvent:
			_, err = s.jobs.InsertTx(ctx, tx, job, oncePerArgs(eventAttempts))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("receive event: %w", err)
	}
	return nil
}

// processEvent does what an event asks for. It may run any number of times, and events in any order.
func (s *Service) processEvent(ctx context.Context, id uuid.UUID) error {
	stored, err := s.components.OpenEvent(ctx, id)
	if errors.Is(err, tenant.ErrNotFound) {
		return river.JobCancel(err)
	}
	if err != nil {
		return err
	}
	if stored.ProcessedAt != nil {
		return nil
	}
	var remark string
	switch ev := stored.Event.(type) {
	case wechat.AuthorizedEvent:
		remark, err = s.processAuthorized(ctx, ev, stored.HappenedAt)
	case wechat.UnauthorizedEvent:
		remark, err = s.processUnauthorized(ctx, ev, stored.HappenedAt)
	}
	if err != nil {
		if noteErr := s.components.FailEvent(ctx, id, err); noteErr != nil {
			s.logger.ErrorContext(ctx, "cannot note why an event failed", "event_id", id, "error", noteErr)
		}
		return fmt.Errorf("process event: %w", err)
	}
	return s.components.FinishEvent(ctx, id, remark)
}

// processAuthorized returns why nothing came of the event, if nothing did.
func (s *Service) processAuthorized(ctx context.Context, ev wechat.AuthorizedEvent, at time.Time) (string, error) {
	if IsReleaseTestAccount(ev.AuthorizerAppID) {
		return "an account of WeChat's release test, which is not kept", nil
	}
	link, err := s.linkByPreAuthCode(ctx, ev.AppID, ev.PreAuthCode)
	if err != nil {
		return "", err
	}
	g := grant{
		componentAppID: ev.AppID, code: ev.AuthorizationCode, appID: ev.AuthorizerAppID, pushedAt: at, link: link,
		actor: tenant.System("authorization events"),
	}
	if link != nil {
		g.actor = tenant.AsMerchant(link.tenantID, link.id)
	}
	done, err := s.authorize(ctx, g)
	switch {
	case err == nil:
		return done.remark, nil
	case done.refused != nil:
		return done.refused.Error(), nil
	case refusedWith(err, codeAuthCodeInvalid, codeAuthCodeExpired, codeNotAuthorized):
		return err.Error(), nil // no later try can have another answer
	}
	return "", err
}

// processUnauthorized revokes, unless the account has authorized us since.
func (s *Service) processUnauthorized(ctx context.Context, ev wechat.UnauthorizedEvent, at time.Time) (string, error) {
	const which = `WHERE a.component_appid = $1 AND a.appid = $2`
	seen, err := s.one(ctx, s.pool, which, ev.AppID, ev.AuthorizerAppID)
	if errors.Is(err, tenant.ErrNotFound) {
		return "we have no such account", nil
	}
	if err != nil {
		return "", err
	}
	if seen.State != StateRevoked && !at.After(seen.AuthorizedAt) {
		// Our clock may have made the one time, WeChat's the other, which counts in seconds: only WeChat knows which was last.
		still, err := s.stillAuthorizes(ctx, seen)
		if err != nil {
			return "", err
		}
		if still {
			return "the account has authorized us since", nil
		}
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		account, err := s.one(ctx, tx, which+` FOR NO KEY UPDATE OF a`, ev.AppID, ev.AuthorizerAppID)
		switch {
		case err != nil:
			return err
		case account.State == StateRevoked:
			return s.laterRevocation(ctx, tx, account, at)
		case !account.AuthorizedAt.Equal(seen.AuthorizedAt):
			return errors.New("the account authorized us at this very moment: look again")
		}
		return s.setState(ctx, tx, tenant.System("authorization events"), account, StateRevoked, revokedReason, at, "authorizer.revoke")
	})
	return "", err
}

// stillAuthorizes asks WeChat whether it lets us read the account's profile.
func (s *Service) stillAuthorizes(ctx context.Context, account Account) (bool, error) {
	err := s.components.Call(ctx, account.ComponentAppID, func(ctx context.Context, cat string) error {
		_, err := s.wechat.AuthorizerInfo(ctx, cat, account.ComponentAppID, account.AppID)
		return err
	})
	if refusedWith(err, codeNotAuthorized) {
		return false, nil
	}
	return err == nil, err
}

// laterRevocation notes the newest time at which an account that is revoked already was revoked.
func (s *Service) laterRevocation(ctx context.Context, tx pgx.Tx, account Account, at time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE authorizers SET revoked_at = $2 WHERE id = $1 AND revoked_at < $2`, account.ID, at)
	return err
}
