package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/migrations"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/web"
)

// doctorCmd changes nothing, except that it may renew a component access token, as serving would.
type doctorCmd struct{}

// ticketLate: WeChat pushes a ticket about every ten minutes.
const (
	ticketLate = 20 * time.Minute
	ticketDead = 12 * time.Hour
)

// report collects findings; one that failed makes the command fail.
type report struct {
	w      io.Writer
	failed bool
}

func (r *report) ok(what, format string, args ...any)   { r.line("ok  ", what, format, args...) }
func (r *report) warn(what, format string, args ...any) { r.line("warn", what, format, args...) }

func (r *report) fail(what, format string, args ...any) {
	r.failed = true
	r.line("FAIL", what, format, args...)
}

func (r *report) line(mark, what, format string, args ...any) {
	fmt.Fprintf(r.w, "%s  %-16s %s\n", mark, what, fmt.Sprintf(format, args...))
}

// Run implements steward doctor.
func (*doctorCmd) Run(p *program) error {
	r := &report{w: p.stdout}
	cfg, err := readConfig(p.environ)
	if err == nil {
		err = cfg.requireServing()
	}
	if err != nil {
		r.fail("configuration", "%v", err)
		return errors.New("the configuration has to be mended first")
	}
	r.ok("configuration", "complete")
	if a := examineDatabase(p.ctx, r, cfg); a != nil {
		examineComponents(p.ctx, r, a)
		_ = a.close(p.ctx) // nothing was started
	}
	examineCallbacks(p.ctx, r, cfg)
	if web.Built() {
		r.ok("console", "built in")
	} else {
		r.warn("console", "not built into this program: run `make web` and build again; the API works without it")
	}
	if r.failed {
		return errors.New("not everything is well; see FAIL above")
	}
	return nil
}

func examineDatabase(ctx context.Context, r *report, cfg Config) *app {
	pool, err := openPool(ctx, cfg)
	if err == nil {
		err = pool.Ping(ctx)
	}
	if err != nil {
		r.fail("database", "cannot be reached (%v): is it running, and does DATABASE_URL name it?", err)
		return nil
	}
	defer pool.Close()
	r.ok("database", "reached")
	if err := migrations.Check(ctx, pool); err != nil {
		r.fail("schema", "%v", err)
		return nil
	}
	r.ok("schema", "is this program's")
	a, err := newApp(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		r.fail("services", "%v", err)
		return nil
	}
	return a
}

func examineComponents(ctx context.Context, r *report, a *app) {
	components, err := a.components.List(ctx, tenant.System("doctor"))
	if err != nil {
		r.fail("components", "%v", err)
		return
	}
	if len(components) == 0 {
		r.fail("components", "none is registered: set the four STEWARD_COMPONENT_… variables and start Steward, or POST /v1/components")
	}
	for _, c := range components {
		examineTicket(r, c, time.Now())
		if _, err := a.components.AccessToken(ctx, c.AppID); err != nil {
			r.fail("component token", "%s: %v", c.AppID, err)
		} else {
			r.ok("component token", "%s: valid", c.AppID)
		}
	}
}

func examineTicket(r *report, c component.Component, now time.Time) {
	const remedy = "is 授权事件接收URL at WeChat this Steward's /wechat/%s/events, and can WeChat reach it on port 80 or 443?"
	if c.TicketReceivedAt == nil {
		r.fail("ticket", "%s: WeChat has pushed none yet: "+remedy, c.AppID, c.AppID)
		return
	}
	age := now.Sub(*c.TicketReceivedAt).Round(time.Second)
	switch {
	case age > ticketDead:
		r.fail("ticket", "%s: %s old and no longer valid: "+remedy, c.AppID, age, c.AppID)
	case age > ticketLate:
		r.warn("ticket", "%s: %s old, and WeChat pushes one every ten minutes: "+remedy, c.AppID, age, c.AppID)
	default:
		r.ok("ticket", "%s: %s old", c.AppID, age)
	}
}

// examineCallbacks asks for our own address the way WeChat does. It can only tell about the way from this machine.
func examineCallbacks(ctx context.Context, r *report, cfg Config) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cfg.PublicURL+"/healthz", nil)
	if err != nil {
		r.fail("callback url", "%v", err)
		return
	}
	client := &http.Client{}
	resp, err := client.Do(req)
	if err != nil {
		r.fail("callback url", "%s cannot be reached from here (%v): is Steward serving, and is STEWARD_PUBLIC_URL right?", cfg.PublicURL, errors.Unwrap(err))
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		r.fail("callback url", "%s/healthz answers %d: something else than Steward is there", cfg.PublicURL, resp.StatusCode)
		return
	}
	r.ok("callback url", "%s is reached from here", cfg.PublicURL)
}
