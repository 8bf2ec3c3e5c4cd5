package authorizer

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/token"
)

const (
	// DefaultRenewals is how many renewals one process has under way in the background.
	DefaultRenewals = 32
	// shards is how many jobs share a component's accounts, see migration 5: enough for several processes to help each other.
	shards = 8
	// renewChunk is how many due accounts a job reads at a time.
	renewChunk = 200
	// renewTurn is how long one job goes on, more or less; then the next begins if anything is left.
	renewTurn = 30 * time.Second
)

// sweepTokens has the tokens renewed that are due: a job for each component and shard with any.
func (s *Service) sweepTokens(ctx context.Context) error {
	now := s.now().UTC()
	rows, err := s.pool.Query(ctx, `
		SELECT c.appid, n FROM components c CROSS JOIN generate_series(0, $2::integer - 1) n
		WHERE EXISTS (SELECT FROM authorizer_tokens t WHERE t.component_appid = c.appid AND t.shard = n AND t.renew_after <= $1)`,
		now, shards)
	if err != nil {
		return fmt.Errorf("sweep tokens: %w", err)
	}
	due, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (args renewTokensArgs, err error) {
		args.Turn = now.Unix() / int64(renewTurn/time.Second)
		return args, row.Scan(&args.ComponentAppID, &args.Shard)
	})
	if err == nil {
		err = insertJobs(ctx, s, 1, func(args renewTokensArgs) river.JobArgs { return args }, due)
	}
	if err != nil {
		return fmt.Errorf("sweep tokens: %w", err)
	}
	return nil
}

// renewDue renews the tokens of one component and shard that are due. What it does not get done, or could not do, the
// next sweep finds: an account's row says when to try again.
func (s *Service) renewDue(ctx context.Context, componentAppID string, shard int) error {
	gate, err := s.gate(ctx, componentAppID)
	if err != nil {
		return err
	}
	for end := s.now().Add(renewTurn); s.now().Before(end); {
		// Before any account: without this token there is no use in trying, and no account is to blame.
		cat, err := s.components.AccessToken(ctx, componentAppID)
		if err != nil {
			return river.JobCancel(err)
		}
		due, err := s.readDue(ctx, componentAppID, shard)
		if err != nil || len(due) == 0 {
			return err
		}
		renewed, err := s.renewAll(ctx, gate, cat, due)
		if err != nil {
			return river.JobCancel(err)
		}
		if renewed == 0 {
			return nil
		}
	}
	return nil
}

// gate is what a component's renewals have to pass that no caller waits for. Where there are several components, none may
// fill the background alone: if WeChat hangs for one, the others go on.
func (s *Service) gate(ctx context.Context, componentAppID string) (*semaphore.Weighted, error) {
	var several bool
	if err := s.pool.QueryRow(ctx, `SELECT count(*) > 1 FROM components`).Scan(&several); err != nil {
		return nil, fmt.Errorf("count components: %w", err)
	}
	if !several {
		return s.background, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	gate, ok := s.gates[componentAppID]
	if !ok {
		gate = semaphore.NewWeighted(s.share)
		s.gates[componentAppID] = gate
	}
	return gate, nil
}

// enter waits at a gate. Who asks first goes first, so jobs share what there is.
func (s *Service) enter(ctx context.Context, gate *semaphore.Weighted) (leave func(), err error) {
	if err := gate.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	if gate == s.background {
		return func() { gate.Release(1) }, nil
	}
	if err := s.background.Acquire(ctx, 1); err != nil {
		gate.Release(1)
		return nil, err
	}
	return func() { s.background.Release(1); gate.Release(1) }, nil
}

// readDue reads the accounts whose tokens are due, the longest due first, without their tokens.
func (s *Service) readDue(ctx context.Context, componentAppID string, shard int) ([]tokenRow, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT t.authorizer_id, a.appid, t.version, t.failures, t.failing_since, t.renew_after
		FROM authorizer_tokens t JOIN authorizers a ON a.id = t.authorizer_id
		WHERE t.component_appid = $1 AND t.shard = $2 AND t.renew_after <= $3 ORDER BY t.renew_after LIMIT $4`,
		componentAppID, shard, s.now().UTC(), renewChunk)
	if err != nil {
		return nil, fmt.Errorf("read due tokens: %w", err)
	}
	due, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (tokenRow, error) {
		r := tokenRow{componentAppID: componentAppID}
		var since *time.Time
		err := row.Scan(&r.id, &r.appID, &r.Version, &r.Attempts.Failures, &since, &r.Attempts.RenewAfter)
		r.Attempts.Since = orZero(since)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("read due tokens: %w", err)
	}
	return due, nil
}

// renewAll renews the tokens of accounts side by side and returns how many it renewed. It stops, with an error, when
// WeChat refuses the platform: it would refuse all the others too.
func (s *Service) renewAll(ctx context.Context, gate *semaphore.Weighted, cat string, due []tokenRow) (int, error) {
	var renewed atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for _, row := range due {
		group.Go(func() error {
			leave, err := s.enter(ctx, gate)
			if err != nil {
				return err
			}
			defer leave()
			err = s.renewOne(ctx, cat, row)
			if err == nil {
				renewed.Add(1)
				return nil
			}
			if faultOf(err) == token.FaultPlatform {
				return err
			}
			return nil // it is in the account's row
		})
	}
	err := group.Wait()
	return int(renewed.Load()), err
}

// renewOne renews one account's token, unless that has been done meanwhile.
func (s *Service) renewOne(ctx context.Context, cat string, row tokenRow) error {
	_, err := s.renewOrKeep(ctx, row, token.Want{Due: true}, func(ctx context.Context) (tokenRow, error) {
		if err := s.slots.Acquire(ctx, 1); err != nil {
			return tokenRow{}, err
		}
		held, err := s.renewLocked(ctx, cat, row, token.Want{Due: true})
		s.slots.Release(1)
		if component.TokenRefused(err) { // the component's: this way gets another
			return s.renew(ctx, row, token.Want{Due: true})
		}
		return held, err
	})
	return err
}

// RenewNow renews an account's token whatever its age, and whatever the ladder of failures says. An account that lost its
// authorization is brought back, if WeChat will have it. Audited. It fails with [tenant.ErrNotFound], *[tenant.ScopeMissingError],
// *[AccountStateError], or with what WeChat answered.
func (s *Service) RenewNow(ctx context.Context, p tenant.Principal, tenantID uuid.UUID, appid string) (Account, error) {
	if err := p.Authorize(tenantID, tenant.AuthorizersWrite); err != nil {
		return Account{}, err
	}
	account, err := s.find(ctx, tenantID, appid)
	if err != nil {
		return Account{}, err
	}
	if account.State == StateActive || account.State == StateLimited {
		err = s.renewByHand(ctx, account.ID)
	} else {
		err = s.restoreByHand(ctx, p, account)
	}
	detail := map[string]any{"component_appid": account.ComponentAppID}
	if err != nil {
		detail["error"] = err.Error()
	}
	// Who went away meanwhile has renewed all the same.
	auditCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	auditErr := pgx.BeginFunc(auditCtx, s.pool, func(tx pgx.Tx) error {
		return tenant.Audit(auditCtx, tx, p, s.now().UTC(), tenant.Entry{TenantID: tenantID, Action: "authorizer.renew", Target: account.target(), Detail: detail})
	})
	if err = errors.Join(err, auditErr); err != nil {
		return Account{}, fmt.Errorf("renew by hand: %w", err)
	}
	return s.FindByID(ctx, account.ID)
}

func (s *Service) renewByHand(ctx context.Context, id uuid.UUID) error {
	row, err := s.readToken(ctx, id)
	if err != nil {
		return err
	}
	_, err = s.token(ctx, id, token.Want{Refused: row.Version, ByHand: true})
	return err
}

func (s *Service) restoreByHand(ctx context.Context, p tenant.Principal, account Account) error {
	restored, err := s.restore(ctx, p, account)
	if err == nil && !restored {
		return &AccountStateError{AppID: account.AppID, State: account.State, Reason: account.StateReason, ConnectURL: s.reconnectURL(ctx, p, account)}
	}
	return err
}
