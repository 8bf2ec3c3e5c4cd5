package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/wechat-steward/steward/wechat/simulator"
)

// simulateCmd takes our own credentials at the simulated WeChat from the STEWARD_COMPONENT_… variables; without them the
// simulator has its own, which docs/simulator.md names.
type simulateCmd struct {
	Addr       string `default:"127.0.0.1:8081" help:"Where to listen."`
	EventURL   string `help:"Where to push tickets and authorization events (授权事件接收URL)." placeholder:"URL"`
	MessageURL string `name:"message-url" help:"Where to push followers' messages (消息与事件接收URL); $APPID$ is replaced." placeholder:"URL"`
	Accounts   int    `default:"3" help:"How many official accounts to begin with; more through the control API."`
	Tickets    bool   `default:"true" negatable:"" help:"Push a ticket at once and every ten minutes."`
}

// Run implements steward simulate.
func (cmd *simulateCmd) Run(p *program) error {
	cfg, err := readConfig(p.environ)
	if err != nil {
		return err
	}
	logger := newLogger(cfg, p.stderr)
	sim := simulator.New(simulator.Config{
		Component: simulator.Component{
			AppID: cfg.ComponentAppID, AppSecret: cfg.ComponentAppSecret.Reveal(),
			Token: cfg.ComponentToken.Reveal(), EncodingAESKey: cfg.ComponentAESKey.Reveal(),
		},
		EventURL: cmd.EventURL, MessageURL: cmd.MessageURL, Logger: logger,
	})
	defer sim.Close()
	for n := range cmd.Accounts {
		if err := sim.AddAccount(simulator.Account{
			AppID: fmt.Sprintf("wx51a0%012x", n+1), UserName: fmt.Sprintf("gh_51a0%08x", n+1), NickName: fmt.Sprintf("Simulated account %d", n+1),
			ServiceType: 2, PermissionSets: []int{1, 2, 3}, FollowerCount: 200,
		}); err != nil {
			return err
		}
	}
	listener, err := listenOn(p.ctx, cmd.Addr)
	if err != nil {
		return err
	}
	ours := sim.Component()
	logger.Info("simulating WeChat", "addr", listener.Addr().String(), "component_appid", ours.AppID, "state", "http://"+listener.Addr().String()+"/__sim/state")
	if cmd.Tickets && cmd.EventURL != "" {
		sim.StartTickets(p.ctx)
	}
	server := &http.Server{Handler: sim, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err = <-failed:
		return err
	case <-p.ctx.Done():
	}
	sim.Close() // releases calls that hang on purpose
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return server.Shutdown(ctx)
}
