package main_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/internal/ratio"
	"github.com/wechat-steward/steward/secret"
)

// BenchmarkIdle looks at what a process needs that has many accounts and nothing to do. make bench-tokens runs it.
func BenchmarkIdle(t *testing.B) {
	const accounts, sweeps = 100_000, 5
	b := setup(t)
	box, err := secret.NewBox(bytes.Repeat([]byte{1}, secret.KeySize)) // nothing opens what it seals: nothing is due
	require.NoError(t, err)
	factory.ManyAccounts(t, factory.Bulk{
		Pool: b.db, Box: box, ComponentAppID: b.component, TenantID: uuid.MustParse(b.tenant), Now: time.Now(), Count: accounts,
	})
	b.steward.stop()
	b.serve()
	time.Sleep(sweeps * 3 * time.Second)
	b.get("/v1/tenants/" + b.tenant + "/authorizers?limit=200").is(200)
	var out ratio.Table
	out.Row("resident memory of an idle process with 100,000 accounts", "≤ 150 MB", "%d MB", ratio.ResidentMB(t, b.steward.cmd.Process.Pid))
	out.Print(os.Stdout)
}
