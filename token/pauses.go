package token

import (
	"sync"
	"time"
)

// Between failed renewals of one token a process pauses, longer each time that WeChat refuses: the daily limit of calls
// would be gone within hours, and with it the first renewal that could succeed again.
const (
	shortestCallerPause = time.Second
	longestCallerPause  = time.Minute
)

// Pauses remembers failed renewals for the callers of one process: until a pause ends, they are told of the last failure
// instead of asking WeChat again. The zero value is ready.
type Pauses struct {
	mu     sync.Mutex
	failed map[string]pause
}

type pause struct {
	err    error
	key    string
	length time.Duration
	until  time.Time
}

// Recent returns why the last renewal of the token called name failed, while it is too early for the next one. key is
// whatever a renewal depends on: when it has changed, the next one is worth a try at once.
func (p *Pauses) Recent(name, key string, now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	last, ok := p.failed[name]
	if !ok || last.key != key || !now.Before(last.until) {
		return nil
	}
	return last.err
}

// Failed notes a failure. Failures that pass by themselves keep the shortest pause.
func (p *Pauses) Failed(name, key string, err error, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	length := shortestCallerPause
	if last, ok := p.failed[name]; ok && last.key == key && FaultOf(err) != FaultPassing {
		length = min(last.length*2, longestCallerPause)
	}
	if p.failed == nil {
		p.failed = map[string]pause{}
	}
	p.failed[name] = pause{err: err, key: key, length: length, until: now.Add(length)}
}

// Forget is for a renewal that succeeded.
func (p *Pauses) Forget(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.failed, name)
}
