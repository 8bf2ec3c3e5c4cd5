package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/wechat-steward/steward/migrations"
	"github.com/wechat-steward/steward/web"
)

type serveCmd struct {
	Migrate bool `help:"Bring the schema up first."`
}

// Run implements steward serve.
func (cmd *serveCmd) Run(p *program) error {
	cfg, err := readConfig(p.environ)
	if err != nil {
		return err
	}
	if err := cfg.requireServing(); err != nil {
		return err
	}
	logger := newLogger(cfg, p.stderr)
	if cmd.Migrate {
		if err := migrations.Up(p.ctx, cfg.DatabaseURL.Reveal()); err != nil {
			return err
		}
	}
	listener, err := listenOn(p.ctx, cfg.Addr)
	if err != nil {
		return err
	}
	return serve(p.ctx, cfg, listener, logger, func(*app) error {
		logger.Info("serving", "addr", listener.Addr().String(), "public_url", cfg.PublicURL, "console_built", web.Built())
		return nil
	})
}

// serve runs the app on listener until ctx ends, then stops gracefully. ready is called once requests are answered, and
// before the background work begins.
func serve(ctx context.Context, cfg Config, listener net.Listener, logger *slog.Logger, ready func(*app) error) error {
	a, err := newApp(ctx, cfg, logger)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	if err := a.registerComponent(ctx, cfg); err != nil {
		return errors.Join(err, listener.Close(), a.close(ctx))
	}
	server := &http.Server{Handler: a.handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	if err = ready(a); err == nil {
		err = a.start(ctx)
	}
	if err == nil {
		select {
		case <-ctx.Done():
			logger.Info("stopping: no new requests; running calls to WeChat end and are recorded")
		case err = <-failed:
		}
	}
	return errors.Join(err, shutDown(server, a))
}

func shutDown(server *http.Server, a *app) error {
	a.stop() // requests that wait for a batch are answered with how it stands
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	return errors.Join(err, a.close(ctx))
}

func listenOn(ctx context.Context, addr string) (net.Listener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listener, nil
}
