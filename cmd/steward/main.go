// Command steward runs Steward: the server, a demo of it with a WeChat of its own, the simulator alone, and the operator's tools.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is the command line. Everything else is configured by the environment, see Config.
type cli struct {
	Serve    serveCmd    `cmd:"" help:"Serve the API, the console and WeChat's callbacks, and do the background work."`
	Demo     demoCmd     `cmd:"" help:"Show everything on this machine: a database, a simulated WeChat, seeded merchants."`
	Simulate simulateCmd `cmd:"" help:"Serve a simulated WeChat alone."`
	Migrate  migrateCmd  `cmd:"" help:"Bring the database's schema up, down, or say where it stands."`
	Admin    adminCmd    `cmd:"" help:"Make platform keys; rotate sealing keys."`
	Doctor   doctorCmd   `cmd:"" help:"Check configuration, database, tickets and callbacks, and say what to do."`

	Blacklist blacklistCmd `cmd:"" help:"Block and unblock people by file, through the API of a Steward that runs."`
}

// program is what every command gets: the world outside, so that tests can be one.
type program struct {
	ctx            context.Context //nolint:containedctx // one command, one context; kong calls Run without one
	environ        []string
	stdout, stderr io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run does what args say and returns the exit code: 0 done, 1 failed, 2 not understood.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	exited, code := false, 0
	parser, err := kong.New(&cli{}, kong.Name("steward"), kong.Writers(stdout, stderr), kong.UsageOnError(),
		kong.Description("Runs many merchants' WeChat official accounts from one third-party platform."),
		kong.Exit(func(c int) { exited, code = true, c }))
	if err != nil {
		fmt.Fprintln(stderr, "steward:", err)
		return 2
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if exited { // --help
		return code
	}
	if err != nil {
		fmt.Fprintf(stderr, "steward: %v\nsteward --help lists the commands.\n", err)
		return 2
	}
	err = command.Run(&program{ctx: ctx, environ: environ, stdout: stdout, stderr: stderr})
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "steward:", err)
		if _, is := errors.AsType[*usageError](err); is {
			return 2
		}
		return 1
	}
	return 0
}

func newLogger(cfg Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
