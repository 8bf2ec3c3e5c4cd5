package testdb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/wechat-steward/steward/internal/localpg"
)

const defaultImage = "postgres:17-alpine"

// settings are what the environment says about the choice of the server.
type settings struct {
	databaseURL   string // TEST_DATABASE_URL
	image         string // TEST_POSTGRES_IMAGE
	requireDocker bool   // TEST_REQUIRE_DOCKER=1, or an image named
}

func settingsFromEnvironment() settings {
	image := os.Getenv("TEST_POSTGRES_IMAGE")
	return settings{
		databaseURL:   os.Getenv("TEST_DATABASE_URL"),
		image:         cmp.Or(image, defaultImage),
		requireDocker: image != "" || os.Getenv("TEST_REQUIRE_DOCKER") == "1",
	}
}

// open finds or starts a server, in the order that the package's documentation gives.
func open(ctx context.Context, s settings) (*server, error) {
	if s.requireDocker {
		server, err := openContainer(ctx, s.image, true)
		if err != nil {
			return nil, fmt.Errorf("a container is required by TEST_REQUIRE_DOCKER or TEST_POSTGRES_IMAGE: %w", err)
		}
		return server, nil
	}
	if s.databaseURL != "" {
		return newServer(s.databaseURL, nil, "the server of TEST_DATABASE_URL")
	}
	server, containerErr := openContainer(ctx, s.image, !hasPrograms(ctx))
	if containerErr == nil {
		return server, nil
	}
	local, err := localpg.Start(ctx, localpg.Config{MaxConnections: maxConnections})
	if err != nil {
		return nil, fmt.Errorf("%w; and no container: %w; or set TEST_DATABASE_URL", err, containerErr)
	}
	return newServer(local.URL, local,
		fmt.Sprintf("PostgreSQL %s of this machine, for want of a container: %v", local.Version, containerErr))
}

func hasPrograms(ctx context.Context) bool {
	_, err := localpg.Find(ctx, nil)
	return !errors.Is(err, localpg.ErrNoPrograms)
}
