package follower

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wechat-steward/steward/wechat"
)

// receiveWithin is less than the five seconds after which WeChat gives an answer up and pushes again.
const receiveWithin = 4 * time.Second

// WeChat's names.
const (
	typeEvent        = "event"
	eventSubscribe   = "subscribe"
	eventUnsubscribe = "unsubscribe"
)

// Receive keeps the directory of an account current with a message that WeChat pushed for it: with somebody who comes or
// goes, if its directory is on. It ignores all else, and it may be told the same any number of times and in any order. Of
// somebody who goes, all but the openid is deleted.
func (s *Service) Receive(ctx context.Context, componentAppID, appid string, m wechat.Message) error {
	comes := m.Event == eventSubscribe
	if m.MsgType != typeEvent || (!comes && m.Event != eventUnsubscribe) || m.FromUserName == "" || len(m.FromUserName) > MaxOpenIDLength {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, receiveWithin)
	defer cancel()
	var id directoryID
	var unionidDue bool
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
		id, unionidDue, err = s.keepEvent(ctx, tx, componentAppID, appid, m, comes)
		if err != nil || !comes {
			return err
		}
		return s.tell(ctx, tx, Learned{TenantID: id.TenantID, AuthorizerID: id.AuthorizerID, OpenIDs: []string{m.FromUserName}, UnionIDs: []string{""}})
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // nobody's, off, another account's, or older than what we know
	}
	if err != nil {
		return fmt.Errorf("keep an event of a follower: %w", err)
	}
	if !unionidDue {
		return nil
	}
	// Not with the rest: there the directory's row is locked together with others. What is lost here, the next sync does.
	_, err = s.pool.Exec(ctx, `UPDATE follower_directories SET fill_due = true WHERE tenant_id = $1 AND authorizer_id = $2 AND unionids AND NOT fill_due`,
		id.TenantID, id.AuthorizerID)
	if err != nil {
		return fmt.Errorf("have a follower's unionid asked for: %w", err)
	}
	return nil
}

// keepEvent fails with pgx.ErrNoRows if the event changes nothing. The lock keeps the directory from being turned off before
// the event is written, which would be left lying then.
func (s *Service) keepEvent(ctx context.Context, tx pgx.Tx, componentAppID, appid string, m wechat.Message, comes bool) (id directoryID, unionidDue bool, err error) {
	now := s.now()
	err = tx.QueryRow(ctx, `
		WITH directory AS (
			SELECT d.tenant_id, d.authorizer_id, d.unionids
			FROM authorizers a JOIN follower_directories d ON d.tenant_id = a.tenant_id AND d.authorizer_id = a.id
			WHERE a.component_appid = @component AND a.appid = @appid AND d.enabled AND d.chore <> 'erase'
				AND (a.user_name IN ('', @user_name) OR @user_name = '')
			FOR SHARE OF d
		)
		INSERT INTO followers AS f (tenant_id, authorizer_id, openid, following, unionid_due, seq, last_event, changed_at)
		SELECT d.tenant_id, d.authorizer_id, @openid, @comes, @comes AND d.unionids, nextval('follower_changes'), @last_event, @now FROM directory d
		ON CONFLICT (tenant_id, authorizer_id, openid) DO UPDATE SET
			following = excluded.following, unionid = CASE WHEN excluded.following THEN f.unionid END,
			unionid_due = excluded.unionid_due AND f.unionid IS NULL,
			seq = excluded.seq, last_event = excluded.last_event, changed_at = excluded.changed_at
		WHERE coalesce(f.last_event < excluded.last_event, true)
		RETURNING tenant_id, authorizer_id, unionid_due`,
		pgx.NamedArgs{
			"component": componentAppID, "appid": appid, "user_name": m.ToUserName, "openid": m.FromUserName, "comes": comes,
			"last_event": eventMark(m.CreateTime, now, comes), "now": now,
		}).Scan(&id.TenantID, &id.AuthorizerID, &unionidDue)
	return id, unionidDue, err
}

// eventMark orders events, see the migration. One from the future would outdo all that come after it.
func eventMark(at, now time.Time, comes bool) int64 {
	if at.IsZero() || at.After(now) {
		at = now
	}
	mark := at.Unix() * 2
	if !comes {
		mark++
	}
	return mark
}
