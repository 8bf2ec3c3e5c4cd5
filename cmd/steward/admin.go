package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/wechat-steward/steward/migrations"
	"github.com/wechat-steward/steward/tenant"
)

type adminCmd struct {
	Key  adminKeyCmd  `cmd:"" help:"Platform keys."`
	Keys adminKeysCmd `cmd:"" help:"Sealing keys, which keep the secrets in the database."`
}

type adminKeyCmd struct {
	Create adminKeyCreateCmd `cmd:"" help:"Make a platform key and print it, and nothing else, on standard output."`
}

type adminKeyCreateCmd struct {
	Name      string        `required:"" help:"Who or what will use it."`
	ExpiresIn time.Duration `help:"How long it is valid, for example 720h. Default: for ever."`
}

// Run implements steward admin key create.
func (cmd *adminKeyCreateCmd) Run(p *program) error {
	cfg, err := readConfig(p.environ)
	if err != nil {
		return err
	}
	if err := cfg.requireDatabase(); err != nil {
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
	tenants, err := tenant.NewService(tenant.Config{Pool: pool, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	params := tenant.KeyParams{Name: cmd.Name}
	if cmd.ExpiresIn > 0 {
		params.ExpiresAt = new(time.Now().Add(cmd.ExpiresIn).UTC())
	}
	_, key, err := tenants.CreatePlatformKey(p.ctx, tenant.System("admin"), params)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(p.stdout, key.Reveal())
	return err
}
