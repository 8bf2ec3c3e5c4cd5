package main_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shown is what steward demo --json prints.
type shown struct {
	URL          string `json:"url"`
	SimulatorURL string `json:"simulator_url"`
	Key          string `json:"key"`
	Tenants      []struct {
		ID, Name string
		Accounts []string
	} `json:"tenants"`
}

// demo starts the demo on free ports and returns when it has printed what there is.
func demo(t *testing.T, dir string, args ...string) (*bundle, shown) {
	t.Helper()
	// WeChat's events count in seconds: those of the demo before, if they were of this second, would be the same events.
	now := time.Now().Unix()
	eventually(t, "another second begins", func() bool { return time.Now().Unix() > now })
	p := start(t, nil, append([]string{"demo", "--json", "--data", dir, "--addr", "127.0.0.1:0", "--simulator-addr", "127.0.0.1:0"}, args...)...)
	eventually(t, "the demo is up", func() bool {
		require.False(t, p.hasEnded(), "%s", p.stderr)
		return strings.HasSuffix(p.stdout.String(), "\n")
	})
	var s shown
	require.NoError(t, json.Unmarshal([]byte(p.stdout.String()), &s), "one line of JSON and nothing else: %s", p.stdout)
	p.url = s.URL
	return &bundle{t: t, steward: p, key: s.Key, tenant: s.Tenants[0].ID}, s
}

func TestDemo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(dirForPostgres(t), "demo")
	b, first := demo(t, dir)
	requireTrue(t, b, first)

	appid := first.Tenants[0].Accounts[0]
	const seeded = 4 + 25 // by the merchant, and by two batches
	settled(t, b, appid, seeded)
	var body struct{ OpenIDs []string }
	require.NoError(t, json.Unmarshal(readFile(t, dir, "block.json"), &body))
	require.Len(t, body.OpenIDs, 45)
	require.Equal(t, "done", b.block(appid, body.OpenIDs).Status)
	total, _ := b.blocked(appid)
	require.Equal(t, seeded+45, total)
	var read pull
	b.postAndWait(b.account(appid)+"/blacklist/pull", struct{}{}).is(200).into(&read)
	require.Equal(t, []int{total, 0, 0}, []int{read.Read, read.Added, read.Removed}, "WeChat says the same")
	b.steward.stop()

	t.Run("TheSecondStartKeepsKeyTenantsAndBlacklist", func(t *testing.T) {
		b, second := demo(t, dir)
		require.Equal(t, first.Key, second.Key)
		require.Equal(t, first.Tenants, second.Tenants)
		requireTrue(t, b, second)
		again, _ := b.blocked(appid)
		require.Equal(t, total, again)
		var read pull
		b.postAndWait(b.account(appid)+"/blacklist/pull", struct{}{}).is(200).into(&read)
		require.Equal(t, []int{total, 0, 0}, []int{read.Read, read.Added, read.Removed}, "the new simulator has it too")

		beside := run(t, nil, "demo", "--json", "--data", dir, "--addr", "127.0.0.1:0", "--simulator-addr", "127.0.0.1:0")
		require.Equal(t, 1, beside.code, "two at once on the same data")
		require.Contains(t, beside.stderr.String(), "another program")
		besides := run(t, nil, "demo", "--reset", "--json", "--data", dir, "--addr", "127.0.0.1:0", "--simulator-addr", "127.0.0.1:0")
		require.Equal(t, 1, besides.code, "the data of a running demo")
		require.Contains(t, besides.stderr.String(), "a demo is running")
		require.Equal(t, 1, b.block(appid, body.OpenIDs[:1]).Counts.Already, "it goes on")
		b.steward.stop()
	})

	t.Run("KilledAndStartedAgain", func(t *testing.T) {
		b, third := demo(t, dir)
		requireTrue(t, b, third)
		b.steward.kill()
		b, fourth := demo(t, dir)
		requireTrue(t, b, fourth)
		again, _ := b.blocked(appid)
		require.Equal(t, total, again)
		b.steward.stop()
	})

	t.Run("ResetBeginsAnew", func(t *testing.T) {
		b, anew := demo(t, dir, "--reset")
		require.NotEqual(t, first.Key, anew.Key)
		requireTrue(t, b, anew)
		settled(t, b, appid, seeded)
		b.steward.stop()
	})
}

func TestDemoLeavesForeignFoldersAlone(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"--reset"}} {
		t.Run(strings.Join(args, ""), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "thesis.txt"), []byte("years of work"), 0o600))
			p := run(t, nil, append([]string{"demo", "--data", dir, "--addr", "127.0.0.1:0", "--simulator-addr", "127.0.0.1:0"}, args...)...)
			require.Equal(t, 1, p.code)
			require.Contains(t, p.stderr.String(), "thesis.txt")
			require.Equal(t, "years of work", string(readFile(t, dir, "thesis.txt")))
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, entries, 1, "nothing was put there")
		})
	}
}

// settled waits until our copy of a blacklist has that many: the demo's first batches go on after it is up.
func settled(t *testing.T, b *bundle, appid string, want int) {
	t.Helper()
	eventually(t, "the demo's own batches are done", func() bool {
		total, _ := b.blocked(appid)
		return total == want
	})
}

// requireTrue holds what the demo prints against what is.
func requireTrue(t *testing.T, b *bundle, s shown) {
	t.Helper()
	b.visit("/healthz").is(200)
	b.visit("/readyz").is(200)
	b.visit(s.SimulatorURL + "/__sim/state").is(200)
	require.Len(t, s.Tenants, 3)
	states := map[string]int{}
	for _, tenant := range s.Tenants {
		var got struct{ Name string }
		b.get("/v1/tenants/" + tenant.ID).is(200).into(&got)
		require.Equal(t, tenant.Name, got.Name)
		eventually(t, "the accounts of "+tenant.Name+" are in their states", func() bool {
			var list struct{ Data []authorizer }
			b.get("/v1/tenants/" + tenant.ID + "/authorizers").is(200).into(&list)
			states = map[string]int{}
			for _, a := range list.Data {
				require.Contains(t, tenant.Accounts, a.AppID)
				states[a.State]++
			}
			return len(list.Data) == len(tenant.Accounts) && (tenant.Name[0] == 'L' || states["revoked"]+states["limited"] == 1)
		})
	}
	me := b.send(request{method: http.MethodGet, url: "/v1/me", key: s.Key}).is(200)
	require.Contains(t, string(me.body), "platform_key")
}

func readFile(t *testing.T, dir, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return content
}
