package testdb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx" of the wait strategy
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	tclog "github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
	"github.com/testcontainers/testcontainers-go/wait"
)

const (
	// engineTimeout is how long a Docker engine may take to say that it is there.
	engineTimeout = 10 * time.Second

	// pullTimeout bounds a pull: testcontainers would go on trying for a quarter of an hour without a network.
	pullTimeout = 3 * time.Minute

	readyTimeout = time.Minute
)

// openContainer starts PostgreSQL in a container. An image that the engine lacks is pulled only if pull is set.
func openContainer(ctx context.Context, image string, pull bool) (*server, error) {
	tclog.SetDefault(silent{})
	leaveRyuk()
	engine, err := findEngine(ctx)
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	lookHere(engine)
	if _, err := engine.ImageInspect(ctx, image); err != nil {
		if !pull {
			return nil, fmt.Errorf("the Docker engine has no image %[1]s; to use it: docker pull %[1]s", image)
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, pullTimeout)
		defer cancel()
	}
	container, err := run(ctx, image)
	var hold *os.File
	if err == nil {
		hold, err = endWithUs(ctx, container.GetContainerID(), engine.DaemonHost())
	}
	var address string
	if err == nil {
		address, err = container.ConnectionString(ctx, "sslmode=disable")
	}
	if err != nil {
		return nil, errors.Join(err, testcontainers.TerminateContainer(container))
	}
	return newServer(address, hold, "a container of "+image)
}

// findEngine returns an error unless a Docker engine answers. testcontainers panics in some of these cases.
func findEngine(ctx context.Context) (engine client.APIClient, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("no Docker engine: %v", r)
		}
	}()
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return nil, fmt.Errorf("no Docker engine: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	if err := provider.Health(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("the Docker engine does not answer: %w", err), provider.Close())
	}
	return provider.Client(), nil
}

// leaveRyuk turns off testcontainers' own way to remove containers, which is one more image to pull, where endWithUs
// does the same without. testcontainers reads the variable once, when it is first used.
func leaveRyuk() {
	if canEndWithUs() {
		setUnlessGiven("TESTCONTAINERS_RYUK_DISABLED", "true")
	}
}

// lookHere corrects testcontainers, which takes a virtual machine that has /.dockerenv for a container and looks for
// published ports at its gateway. Where the engine's bridge is one of our interfaces, they are here.
func lookHere(engine client.APIClient) {
	_, dockerenv := os.Stat("/.dockerenv")
	_, bridge := net.InterfaceByName("docker0")
	if dockerenv == nil && bridge == nil && strings.HasPrefix(engine.DaemonHost(), "unix://") {
		setUnlessGiven("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")
	}
}

func setUnlessGiven(name, value string) {
	if _, given := os.LookupEnv(name); !given {
		os.Setenv(name, value)
	}
}

func run(ctx context.Context, image string) (*postgres.PostgresContainer, error) {
	// The official image starts twice, first for itself and without TCP; so a query that is answered over TCP is the one
	// sign of readiness that holds for every image.
	ready := wait.ForSQL("5432/tcp", "pgx", func(host string, port network.Port) string {
		return "postgres://postgres:postgres@" + net.JoinHostPort(host, port.Port()) + "/postgres?sslmode=disable"
	})
	return postgres.Run(ctx, image,
		postgres.WithDatabase("postgres"),
		postgres.WithUsername("postgres"),
		postgres.WithPassword("postgres"),
		testcontainers.WithCmdArgs("-c", "max_connections="+strconv.Itoa(maxConnections),
			"-c", "synchronous_commit=off", "-c", "full_page_writes=off"),
		testcontainers.WithWaitStrategyAndDeadline(readyTimeout, ready),
	)
}

func canEndWithUs() bool {
	_, shell := exec.LookPath("sh")
	_, docker := exec.LookPath("docker")
	return shell == nil && docker == nil
}

// endWithUs removes the container when this test binary has ended, however it ended: a shell waits for the end of its
// standard input, whose other end is ours alone.
// The caller must keep that end, or the garbage collector closes it.
func endWithUs(ctx context.Context, container, host string) (*os.File, error) {
	if !canEndWithUs() {
		return nil, nil // testcontainers' Ryuk is on and does it
	}
	const script = `trap '' INT TERM HUP; cat >/dev/null; exec docker -H "$1" rm -f -v "$2"`
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "sh", "-c", script, "sh", host, container)
	input, hold, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer input.Close()
	cmd.Stdin = input
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, hold.Close())
	}
	return hold, nil
}

// silent drops what testcontainers has to say about itself.
type silent struct{}

// Printf implements the logger of testcontainers.
func (silent) Printf(string, ...any) {}
