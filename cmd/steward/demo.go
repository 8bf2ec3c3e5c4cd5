package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/wechat-steward/steward/internal/localpg"
	"github.com/wechat-steward/steward/migrations"
	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/web"
	"github.com/wechat-steward/steward/wechat/simulator"
)

type demoCmd struct {
	Data          string `help:"Folder of the demo's database and keys." placeholder:"DIR"`
	Reset         bool   `help:"Throw the data of the last demo away first."`
	Addr          string `default:"127.0.0.1:8080" help:"Where Steward listens; if somebody else does already, a free port is taken."`
	SimulatorAddr string `default:"127.0.0.1:8081" help:"Where the simulated WeChat listens; likewise."`
	JSON          bool   `name:"json" help:"Print what was set up as one line of JSON instead of text."`
}

// Run implements steward demo.
func (cmd *demoCmd) Run(p *program) (err error) {
	cfg, err := readConfig(p.environ)
	if err != nil {
		return err
	}
	if err := cmd.prepareData(p.ctx, cfg); err != nil {
		return err
	}
	logFile, err := os.OpenFile(filepath.Join(cmd.Data, "steward.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, logFile.Close()) }()
	logger := newLogger(cfg, logFile)

	if cfg.DatabaseURL.IsEmpty() {
		cmd.say(p, "Starting PostgreSQL in %s …", cmd.Data)
		// The data outlives the demo, a crash of the machine need not.
		server, err := localpg.Start(p.ctx, localpg.Config{Dir: filepath.Join(cmd.Data, "postgres"), MaxConnections: 200, Logger: logger})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, server.Stop()) }()
		cfg.DatabaseURL = secret.New(server.URL)
	}
	return cmd.serve(p, cfg, logger)
}

// serve runs Steward and the simulated WeChat side by side.
func (cmd *demoCmd) serve(p *program, cfg Config, logger *slog.Logger) error {
	if err := migrations.Up(p.ctx, cfg.DatabaseURL.Reveal()); err != nil {
		return err
	}
	listener, err := listenNear(p.ctx, cmd.Addr)
	if err != nil {
		return err
	}
	wechatListener, err := listenNear(p.ctx, cmd.SimulatorAddr)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	cfg.PublicURL = "http://" + listener.Addr().String()
	wechatURL := "http://" + wechatListener.Addr().String()

	sim, err := newDemoWeChat(cfg.PublicURL, logger)
	if err != nil {
		return errors.Join(err, listener.Close(), wechatListener.Close())
	}
	defer sim.Close()
	simServer := &http.Server{Handler: sim, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = simServer.Serve(wechatListener) }()
	defer simServer.Close()

	ours := sim.Component()
	cfg.WeChatAPIURL, cfg.WeChatMPURL, cfg.WeChatOpenURL = wechatURL, wechatURL, wechatURL
	cfg.ComponentAppID, cfg.ComponentAppSecret = ours.AppID, secret.New(ours.AppSecret)
	cfg.ComponentToken, cfg.ComponentAESKey = secret.New(ours.Token), secret.New(ours.EncodingAESKey)
	if cfg.MasterKey, err = demoMasterKey(cmd.Data); err != nil {
		return errors.Join(err, listener.Close())
	}
	return serve(p.ctx, cfg, listener, logger, func(a *app) error {
		seeded, err := seed(p.ctx, a, sim, cmd.Data)
		if err != nil {
			return fmt.Errorf("seed the demo: %w", err)
		}
		sim.StartTickets(p.ctx)
		seeded.URL, seeded.SimulatorURL = cfg.PublicURL, wechatURL
		return cmd.announce(p, seeded)
	})
}

// demoComponentName is what the consent page calls us.
const demoComponentName = "Steward Demo 授权管理平台"

func newDemoWeChat(publicURL string, logger *slog.Logger) (*simulator.Server, error) {
	appid := simulator.New(simulator.Config{}).Component().AppID
	sim := simulator.New(simulator.Config{
		Component:  simulator.Component{Name: demoComponentName, PermissionSets: []int{1, 2, 3, 7, 11, 15}},
		EventURL:   publicURL + "/wechat/" + appid + "/events",
		MessageURL: publicURL + "/wechat/" + appid + "/messages/$APPID$",
		Logger:     logger,
	})
	for _, account := range demoAccounts() {
		if err := sim.AddAccount(account.Account); err != nil {
			return nil, err
		}
	}
	return sim, nil
}

// prepareData finds or makes the folder, after emptying it where that was asked for.
func (cmd *demoCmd) prepareData(ctx context.Context, cfg Config) error {
	if cmd.Data == "" {
		cmd.Data = defaultDataDir()
	}
	if cmd.Reset && !cfg.DatabaseURL.IsEmpty() {
		return errors.New("--reset throws away a database that the demo made itself; DATABASE_URL names yours: empty that one by hand")
	}
	foreign, ours, err := examineFolder(cmd.Data)
	if err != nil {
		return err
	}
	// --data may name anything: somebody's home, for example.
	if foreign != "" && (cmd.Reset || !ours) {
		return fmt.Errorf("%s holds %q, which no demo put there: give --data another folder; nothing was changed", cmd.Data, foreign)
	}
	if cmd.Reset {
		if databaseRuns(ctx, cmd.Data) {
			return fmt.Errorf("a demo is running on %s: end it first", cmd.Data)
		}
		if err := os.RemoveAll(cmd.Data); err != nil {
			return err
		}
	}
	// The folder of PostgreSQL's own user lies inside, so others may pass through; the files in it are for us alone.
	return os.MkdirAll(cmd.Data, 0o755) // see above
}

// defaultDataDir is one that PostgreSQL's own user can reach when we are root, whose home is closed to others.
func defaultDataDir() string {
	if cache, err := os.UserCacheDir(); err == nil && os.Geteuid() != 0 {
		return filepath.Join(cache, "steward-demo")
	}
	return filepath.Join(os.TempDir(), "steward-demo")
}

// examineFolder tells whether a folder holds what a demo put there, and names something else that it holds.
func examineFolder(dir string) (foreign string, ours bool, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	for _, entry := range entries {
		switch entry.Name() {
		case "postgres", masterKeyFile, seedFile, blockFile, "steward.log":
			ours = true
		default:
			foreign = entry.Name()
		}
	}
	return foreign, ours, err
}

// databaseRuns tells whether somebody answers where the folder's PostgreSQL says that it listens; the file that says so
// also outlives a crash.
func databaseRuns(ctx context.Context, dir string) bool {
	content, err := os.ReadFile(filepath.Join(dir, "postgres", "data", "postmaster.pid"))
	lines := strings.Split(string(content), "\n")
	const portLine = 3 // PostgreSQL's documentation calls it the fourth
	if err != nil || len(lines) <= portLine {
		return false
	}
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strings.TrimSpace(lines[portLine])))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

const masterKeyFile = "master.key"

// demoMasterKey makes a master key on the first start and keeps it beside the database that it opens.
func demoMasterKey(dir string) (secret.String, error) {
	path := filepath.Join(dir, masterKeyFile)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key := make([]byte, secret.KeySize)
		_, _ = rand.Read(key) // never fails
		content = []byte(base64.StdEncoding.EncodeToString(key))
		err = os.WriteFile(path, content, 0o600)
	}
	return secret.New(strings.TrimSpace(string(content))), err
}

// listenNear listens on addr, or on a free port of the same host if somebody else listens there already.
func listenNear(ctx context.Context, addr string) (net.Listener, error) {
	listener, err := listenOn(ctx, addr)
	if !errors.Is(err, syscall.EADDRINUSE) {
		return listener, err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	return listenOn(ctx, net.JoinHostPort(host, "0"))
}

func (cmd *demoCmd) say(p *program, format string, args ...any) {
	if !cmd.JSON {
		fmt.Fprintf(p.stdout, format+"\n", args...)
	}
}

// announce prints what there is and lines to copy.
func (cmd *demoCmd) announce(p *program, s seeded) error {
	if cmd.JSON {
		return json.NewEncoder(p.stdout).Encode(s)
	}
	return s.print(p.stdout, cmd.Data)
}

func (s seeded) print(w io.Writer, data string) error {
	console := "sign in with the key"
	if !web.Built() {
		console = "not built: install Node and run `make web`; the API works without it"
	}
	account := s.Tenants[0].Accounts[0]
	_, err := fmt.Fprintf(w, `
Steward is up, and WeChat is a simulator on this machine.

  Console    %[1]s/   (%[2]s)
  Key        %[3]s
  API        %[1]s/docs
  Simulator  %[4]s/__sim/state   (what "WeChat" has: accounts, blacklists, calls)
  Data       %[5]s   (make demo ARGS=--reset starts again; steward.log is there too)

Copy these lines to see the main job done: 45 people blocked twenty a call, read back, three taken off again.

export KEY=%[3]s
export TENANT=%[1]s/v1/tenants/%[6]s
curl -s -H "Authorization: Bearer $KEY" $TENANT/authorizers
curl -s -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -H 'Prefer: wait=30' -d @%[5]s/%[7]s $TENANT/authorizers/%[8]s/blacklist/block
curl -s -H "Authorization: Bearer $KEY" "$TENANT/authorizers/%[8]s/blacklist?limit=3"
curl -s -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -H 'Prefer: wait=30' -d '{"openids":["%[9]s"],"reason":"all is forgiven"}' $TENANT/authorizers/%[8]s/blacklist/unblock
curl -s -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '{}' $TENANT/connect-links

The last one prints a link: open its url in a browser to authorize one more account. Ctrl-C ends the demo.
`, s.URL, console, s.Key, s.SimulatorURL, data, s.Tenants[0].ID, blockFile, account, strings.Join(s.forgiven, `","`))
	return err
}
