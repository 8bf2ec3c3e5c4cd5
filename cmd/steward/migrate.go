package main

import (
	"fmt"

	"github.com/wechat-steward/steward/migrations"
)

type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Bring the schema up to this program's."`
	Down   migrateDownCmd   `cmd:"" help:"Take the last steps back. Loses what the dropped tables hold."`
	Status migrateStatusCmd `cmd:"" help:"Say where the schema stands."`
}

type (
	migrateUpCmd   struct{}
	migrateDownCmd struct {
		Steps int `default:"1" help:"How many steps."`
	}
	migrateStatusCmd struct{}
)

// databaseURL is what the commands need that work on the schema alone.
func (p *program) databaseURL() (string, error) {
	cfg, err := readConfig(p.environ)
	if err != nil {
		return "", err
	}
	return cfg.DatabaseURL.Reveal(), cfg.requireDatabase()
}

// Run implements steward migrate up.
func (*migrateUpCmd) Run(p *program) error {
	url, err := p.databaseURL()
	if err != nil {
		return err
	}
	if err := migrations.Up(p.ctx, url); err != nil {
		return err
	}
	return printStatus(p, url)
}

// Run implements steward migrate down.
func (cmd *migrateDownCmd) Run(p *program) error {
	url, err := p.databaseURL()
	if err != nil {
		return err
	}
	if err := migrations.Down(p.ctx, url, cmd.Steps); err != nil {
		return err
	}
	return printStatus(p, url)
}

// Run implements steward migrate status.
func (*migrateStatusCmd) Run(p *program) error {
	url, err := p.databaseURL()
	if err != nil {
		return err
	}
	return printStatus(p, url)
}

func printStatus(p *program, url string) error {
	status, err := migrations.Status(p.ctx, url)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "schema: version %d of %d", status.Current, status.Wanted)
	if err == nil && status.Dirty {
		_, err = fmt.Fprint(p.stdout, ", dirty: the last migration failed half way; repair it by hand, then set the version")
	}
	fmt.Fprintln(p.stdout)
	return err
}
