package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/migrations"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/web"
)

// doctorCmd changes nothing, except that it may renew a component access token, as serving would.
type doctorCmd struct{}

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
	fmt.Fprintf(r.w, "%s  %-20s %s\n", mark, what, fmt.Sprintf(format, args...))
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
		examineComponents(p.ctx, r, a, cfg.PublicURL)
		_ = a.close(p.ctx) // nothing was started
	}
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

func examineComponents(ctx context.Context, r *report, a *app, publicURL string) {
	doctor := tenant.System("doctor")
	components, err := a.components.List(ctx, doctor)
	if err != nil {
		r.fail("components", "%v", err)
		return
	}
	if len(components) == 0 {
		r.fail("components", "none is registered: set the four STEWARD_COMPONENT_… variables and start Steward, or POST /v1/components")
	}
	for _, c := range components {
		d, err := a.components.Diagnose(ctx, doctor, c.AppID, strings.TrimSuffix(publicURL, "/")+"/wechat/"+c.AppID+"/events")
		if err != nil {
			r.fail("components", "%s: %v", c.AppID, err)
			continue
		}
		for _, check := range d.Checks {
			r.check(c.AppID, check)
		}
	}
}

// check reports one finding of a diagnosis, with what to do about it.
func (r *report) check(appid string, c component.Check) {
	finding := appid + ": " + c.Reason
	if c.Remedy != "" {
		finding += " " + c.Remedy
	}
	switch c.Status {
	case component.CheckOK:
		r.ok(string(c.Name), "%s", finding)
	case component.CheckWarn:
		r.warn(string(c.Name), "%s", finding)
	case component.CheckFail:
		r.fail(string(c.Name), "%s", finding)
	default:
		r.line("?   ", string(c.Name), "%s", finding)
	}
}
