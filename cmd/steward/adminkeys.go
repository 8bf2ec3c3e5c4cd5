package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wechat-steward/steward/keyring"
	"github.com/wechat-steward/steward/migrations"
)

// takeUp is by when every process that serves has taken up a new key: sweeps come no further apart than half of it.
const takeUp = 3 * sweepEvery

type adminKeysCmd struct {
	Rotate adminKeysRotateCmd `cmd:"" help:"Add a sealing key, and seal with it what older ones sealed, while Steward serves."`
	Reseal adminKeysResealCmd `cmd:"" help:"Seal with the newest key what older ones sealed: go on where a rotation was interrupted."`
	Status adminKeysStatusCmd `cmd:"" help:"Say how many rows each key is still needed for."`
}

type (
	adminKeysRotateCmd struct{}
	adminKeysResealCmd struct{}
	adminKeysStatusCmd struct{}
)

// Run implements steward admin keys rotate.
func (*adminKeysRotateCmd) Run(p *program) error {
	return p.withKeys(func(ring *keyring.Ring) error {
		id, err := ring.Rotate(p.ctx, "admin")
		if err != nil {
			return err
		}
		fmt.Fprintf(p.stdout, "key %s is added and seals from now on\n", id)
		// What a process seals until then would be left under an older key.
		fmt.Fprintf(p.stdout, "waiting %s, until every process has taken it up\n", takeUp)
		select {
		case <-p.ctx.Done():
			return errors.New("interrupted before anything was sealed anew; `steward admin keys reseal` goes on")
		case <-time.After(takeUp):
		}
		return reseal(p, ring)
	})
}

// Run implements steward admin keys reseal.
func (*adminKeysResealCmd) Run(p *program) error {
	return p.withKeys(func(ring *keyring.Ring) error { return reseal(p, ring) })
}

// Run implements steward admin keys status.
func (*adminKeysStatusCmd) Run(p *program) error {
	return p.withKeys(func(ring *keyring.Ring) error {
		keys, err := ring.Status(p.ctx)
		if err != nil {
			return err
		}
		return printKeys(p.stdout, keys)
	})
}

// withKeys is for commands that work on the keys alone, beside whoever serves.
func (p *program) withKeys(do func(*keyring.Ring) error) error {
	cfg, err := readConfig(p.environ)
	if err != nil {
		return err
	}
	if err := cfg.requireServing(); err != nil {
		return err
	}
	pool, err := openPool(p.ctx, cfg)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := migrations.Check(p.ctx, pool); err != nil {
		return err
	}
	ring, err := openKeys(p.ctx, cfg, pool, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return do(ring)
}

// reseal says how it goes, and at the end what is left under older keys and why; anything left is an error.
func reseal(p *program, ring *keyring.Ring) error {
	report, err := ring.Reseal(p.ctx, func(step keyring.Progress) {
		fmt.Fprintf(p.stdout, "%s: %d of %d rows\n", step.Table, step.Done, step.Total)
	})
	if err != nil {
		// Not wrapped: interrupted is not done, and the exit code has to say so.
		return fmt.Errorf("stopped after %d rows; what is done stays done, and `steward admin keys reseal` goes on: %v", report.Resealed, err) //nolint:errorlint // see above
	}
	keys, err := ring.Status(p.ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%d rows were sealed anew; %d rows are still on older keys\n", report.Resealed, report.Left)
	for _, key := range keys {
		if !key.Current {
			fmt.Fprintf(p.stdout, "key %s (%s): %d rows%s\n", key.ID, key.Kind, key.Rows(), byColumn(key))
		}
	}
	if report.Left == 0 {
		return nil
	}
	return fmt.Errorf("%d rows are still on older keys: %s", report.Left, whyLeft(report))
}

func byColumn(key keyring.Key) string {
	var columns []string
	for _, count := range key.Counts {
		if count.Column != "" {
			columns = append(columns, fmt.Sprintf("%s.%s %d", count.Table, count.Column, count.Rows))
		}
	}
	if columns == nil {
		return ""
	}
	return ": " + strings.Join(columns, ", ")
}

func whyLeft(report keyring.Report) string {
	var reasons []string
	unreadable := 0
	for _, u := range report.Unreadable {
		unreadable += u.Rows
		reasons = append(reasons, fmt.Sprintf("no key opens %d of %s.%s, the first in row %s (was a former master key left out of STEWARD_PREVIOUS_MASTER_KEY?)",
			u.Rows, u.Table, u.Column, u.First))
	}
	if report.Left > unreadable {
		reasons = append(reasons, "other transactions held some all the time, or a process wrote them that does not know the newest key yet"+
			" (run `steward admin keys reseal` again)")
	}
	return strings.Join(reasons, "; ")
}

func printKeys(w io.Writer, keys []keyring.Key) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KEY\tKIND\tADDED\tUNDER\tROWS\t")
	for _, key := range keys {
		added, remark := "", ""
		if !key.CreatedAt.IsZero() {
			added = key.CreatedAt.Format(time.RFC3339)
		}
		if key.Current {
			remark = "seals"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\n", key.ID, key.Kind, cmp.Or(added, "-"), cmp.Or(key.Under, "-"), key.Rows(), remark)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, key := range keys {
		for _, count := range key.Counts {
			if count.Column == "" {
				continue
			}
			if _, err := fmt.Fprintf(w, "%s  %s.%s: %d\n", key.ID, count.Table, count.Column, count.Rows); err != nil {
				return err
			}
		}
	}
	return nil
}
