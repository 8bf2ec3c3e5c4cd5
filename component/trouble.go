package component

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/wechat-steward/steward/alert"
	"github.com/wechat-steward/steward/token"
)

// worksEvery is how often one process notes that nothing is wrong with a component: another may have said that there is.
const worksEvery = time.Minute

// Sweep sees to it that components have tokens and tickets, and forgets what has ended. Any number of processes may call it
// every few seconds. Part of it failing does not stop the rest.
func (s *Service) Sweep(ctx context.Context) error {
	return errors.Join(s.warm(ctx), s.watchTickets(ctx), s.settleContested(ctx), s.forgetCallbackKeys(ctx))
}

// each does something for every component at once: WeChat may keep one of them waiting, and the others shall not wait for it.
func each(appids []string, do func(appid string) error) error {
	failures := make([]error, len(appids))
	var all sync.WaitGroup
	for i, appid := range appids {
		all.Go(func() { failures[i] = do(appid) })
	}
	all.Wait()
	return errors.Join(failures...)
}

// Report notes that WeChat refused a call for a reason that concerns all accounts and none in particular.
func (s *Service) Report(ctx context.Context, appid string, refused error) {
	now := s.now().UTC()
	s.mu.Lock()
	delete(s.worksAt, appid)
	s.mu.Unlock()
	err := alert.Raise(ctx, s.pool, alert.PlatformRefused, alert.Subject{ComponentAppID: appid}, token.NewFailure(refused, now))
	if err != nil {
		s.logger.ErrorContext(ctx, "cannot raise an alert", "component", appid, "error", err)
	}
}

// Works notes that WeChat takes a component's calls: what [Service.Report] said is over. It is cheap to call often.
func (s *Service) Works(ctx context.Context, appid string) {
	now := s.now().UTC()
	s.mu.Lock()
	lately := now.Sub(s.worksAt[appid]) < worksEvery
	s.mu.Unlock()
	if lately {
		return
	}
	if err := alert.Clear(ctx, s.pool, alert.Subject{ComponentAppID: appid}, now, alert.PlatformRefused); err != nil {
		s.logger.ErrorContext(ctx, "cannot clear an alert", "component", appid, "error", err)
		return
	}
	s.mu.Lock()
	s.worksAt[appid] = now
	s.mu.Unlock()
}
