package blacklist

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/sony/gobreaker/v2"
)

const (
	// breakAfter calls that fail in passing, one after the other and for at least breakAcross accounts, WeChat is taken to be
	// in trouble with all accounts of a component. One account's trouble holds up no other: it rests by itself.
	breakAfter  = 10
	breakAcross = 2
	// defaultBreak is how long no calls are made then.
	defaultBreak = 15 * time.Second
)

// brokenError says that a call was not made, because WeChat has been failing for other accounts too.
type brokenError struct{ pause time.Duration }

func (e *brokenError) Error() string {
	return "WeChat fails for several accounts of the platform. Steward tries one call after the other until one succeeds, and goes on with all accounts then."
}

// breakers are one for each component. They are a process's own: what they spare is calls, not correctness.
type breakers struct {
	pause   time.Duration
	changed func(component string, from, to gobreaker.State)

	mu  sync.Mutex
	all map[string]*breaker
}

// breaker keeps the calls of a component's accounts back while WeChat fails for all of them. Each would find out for itself
// otherwise, three tries at a time, and WeChat would get a thousand accounts' tries while it is trying to get up.
type breaker struct {
	circuit *gobreaker.CircuitBreaker[struct{}]
	pause   time.Duration

	mu      sync.Mutex
	failing map[uuid.UUID]bool // the accounts whose calls have failed since one succeeded
}

func (b *breakers) of(component string) *breaker {
	b.mu.Lock()
	defer b.mu.Unlock()
	one := b.all[component]
	if one == nil {
		one = &breaker{pause: b.pause, failing: map[uuid.UUID]bool{}}
		one.circuit = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
			Name: component, Timeout: b.pause, IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
			IsSuccessful: func(err error) bool { return err == nil || !passing(err) }, // WeChat that refuses works
			ReadyToTrip: func(counts gobreaker.Counts) bool {
				return counts.ConsecutiveFailures >= breakAfter && one.accounts() >= breakAcross
			},
			OnStateChange: b.changed,
		})
		if b.all == nil {
			b.all = map[string]*breaker{}
		}
		b.all[component] = one
	}
	return one
}

// call makes a call for an account, or returns a [*brokenError] at once.
func (b *breaker) call(authorizerID uuid.UUID, call func() error) error {
	_, err := b.circuit.Execute(func() (struct{}, error) {
		err := call()
		b.note(authorizerID, err)
		return struct{}{}, err
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return &brokenError{pause: b.pause}
	}
	return err
}

func (b *breaker) note(authorizerID uuid.UUID, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil && passing(err) {
		b.failing[authorizerID] = true
	} else {
		clear(b.failing)
	}
}

func (b *breaker) accounts() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.failing)
}
