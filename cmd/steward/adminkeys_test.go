package main_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/secret"
	"github.com/wechat-steward/steward/wechat/simulator"
)

const nothingLeft = "; 0 rows are still on older keys\n"

// exacting is setup with a WeChat in which whoever loses a refresh token, be it once, has lost the account.
func exacting(t *testing.T) *bundle {
	t.Helper()
	b := setup(t)
	require.NoError(t, b.sim.Change(func(s *simulator.Settings) {
		s.RotateOnRenew, s.OverlapSeconds, s.RefreshTokenOverlapSeconds = true, 0, 0
	}))
	return b
}

// use renews the account's token and makes a call with it, and has WeChat push a ticket: everything that opens and seals.
func (b *bundle) use(appid string, openids []string) {
	b.t.Helper()
	b.sim.ExpireTokens(appid)
	blocked := b.block(appid, openids).Counts
	require.Equal(b.t, len(openids), blocked.Done+blocked.Already)
	require.NoError(b.t, b.sim.PushTicket(b.t.Context()))
}

// rowsByKey is what `steward admin keys status` says: the rows of each key, and which one seals.
func (b *bundle) rowsByKey(env map[string]string) (rows map[string]int, seals string) {
	b.t.Helper()
	p := run(b.t, env, "admin", "keys", "status")
	require.Zero(b.t, p.code, "%s", p.stderr)
	rows = map[string]int{}
	for _, line := range regexp.MustCompile(`(?m)^(\S{8}) +(?:sealing|master|unknown) +\S+ +\S+ +(\d+) *(seals)?$`).FindAllStringSubmatch(p.stdout.String(), -1) {
		n, err := strconv.Atoi(line[2])
		require.NoError(b.t, err)
		rows[line[1]] = n
		if line[3] != "" {
			seals = line[1]
		}
	}
	require.NotEmpty(b.t, seals, "%s", p.stdout)
	return rows, seals
}

// requireOnly: everything is sealed by the key that seals now.
func (b *bundle) requireOnly(env map[string]string) {
	b.t.Helper()
	rows, seals := b.rowsByKey(env)
	for key, n := range rows {
		require.Equal(b.t, key == seals, n > 0, "key %s has %d rows, %s seals", key, n, seals)
	}
}

func newMasterKey() string {
	key := make([]byte, secret.KeySize)
	_, _ = rand.Read(key) // never fails
	return base64.StdEncoding.EncodeToString(key)
}

func TestSealingKeysRotateWhileServing(t *testing.T) {
	t.Parallel()
	b := exacting(t)
	appid, followers := b.connect(3, "1", "2")
	second := serve(t, b.env)
	rotation := start(t, b.env, "admin", "keys", "rotate")
	for !rotation.hasEnded() {
		b.use(appid, followers)
	}
	// A process that the machine kept waiting may have sealed with the old key after all.
	if rotation.code != 0 {
		require.Contains(t, rotation.stderr.String(), "steward admin keys reseal")
		rotation = b.run("admin", "keys", "reseal")
	}
	require.Zero(t, rotation.code, "%s", rotation.stderr)
	require.Contains(t, rotation.stdout.String(), nothingLeft)
	b.requireOnly(b.env)
	require.Equal(t, 1, b.count(`SELECT count(*) FROM sealing_keys`))

	b.use(appid, followers)
	b.steward.stop()
	b.steward = second
	b.front.to(second)
	b.use(appid, followers)
	second.stop()
	b.serve()
	b.use(appid, followers)
	b.requireOnly(b.env)
}

func TestMasterKeyChangesWhileServing(t *testing.T) {
	t.Parallel()
	b := exacting(t)
	appid, followers := b.connect(3, "1", "2")
	former, next := b.env["STEWARD_MASTER_KEY"], newMasterKey()
	file := filepath.Join(t.TempDir(), "previous")
	require.NoError(t, os.WriteFile(file, []byte(" "+former+" ,\n"), 0o600))
	onlyFormer := b.envWith(nil)
	changing := b.envWith(map[string]string{"STEWARD_MASTER_KEY": next, "STEWARD_PREVIOUS_MASTER_KEY_FILE": file})
	onlyNext := b.envWith(map[string]string{"STEWARD_MASTER_KEY": next})

	// All processes learn to read what the next key sealed, before any seals with it.
	b.steward.stop()
	b.env = b.envWith(map[string]string{"STEWARD_PREVIOUS_MASTER_KEY": next})
	b.serve()
	b.use(appid, followers)
	changed := serve(t, changing)
	b.use(appid, followers)
	b.env = changing
	rotation := b.run("admin", "keys", "rotate")
	require.Zero(t, rotation.code, "%s", rotation.stderr)
	b.use(appid, followers) // still by the process that has the former key first
	b.requireOnly(changing)
	b.steward.stop()
	b.steward = changed
	b.front.to(changed)
	b.use(appid, followers)
	changed.stop()

	b.env = onlyNext
	b.serve()
	b.use(appid, followers)
	b.requireOnly(onlyNext)
	refused := run(t, onlyFormer, "serve")
	require.Equal(t, 1, refused.code)
	require.Contains(t, refused.stderr.String(), "STEWARD_MASTER_KEY")
	for _, p := range append(b.started, refused) {
		for _, key := range []string{former, next} {
			require.NotContains(t, p.stdout.String()+p.stderr.String(), key)
		}
	}
}

func TestMasterKeyChangesWithoutASealingKey(t *testing.T) {
	t.Parallel()
	b := exacting(t)
	appid, followers := b.connect(1, "1", "2")
	b.steward.stop()
	former := b.env["STEWARD_MASTER_KEY"]
	b.env["STEWARD_MASTER_KEY"], b.env["STEWARD_PREVIOUS_MASTER_KEY"] = newMasterKey(), former
	resealed := b.run("admin", "keys", "reseal")
	require.Zero(t, resealed.code, "%s", resealed.stderr)
	require.Contains(t, resealed.stdout.String(), nothingLeft)
	b.env["STEWARD_PREVIOUS_MASTER_KEY"] = ""
	b.serve()
	b.use(appid, followers)
}

func TestKilledInTheMiddleOfAReseal(t *testing.T) {
	t.Parallel()
	b := exacting(t)
	appid, followers := b.connect(2, "1", "2")
	ids := b.addEvents(5000)
	// Somebody holds one of them, so that the work cannot come to its end.
	holder, err := b.db.Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = holder.Rollback(context.WithoutCancel(t.Context())) })
	_, err = holder.Exec(t.Context(), `SELECT FROM component_events WHERE id = $1 FOR UPDATE`, ids[0])
	require.NoError(t, err)

	rotation := start(t, b.env, "admin", "keys", "rotate")
	eventually(t, "a batch is done", func() bool { return strings.Contains(rotation.stdout.String(), "component_events: 500 of") })
	rotation.kill()
	rows, seals := b.rowsByKey(b.env)
	require.NotZero(t, rows[seals])
	left := 0
	for key, n := range rows {
		if key != seals {
			left += n
		}
	}
	require.NotZero(t, left)
	b.use(appid, followers) // whatever is sealed by which key
	require.NoError(t, holder.Rollback(t.Context()))

	again := b.run("admin", "keys", "reseal")
	require.Zero(t, again.code, "%s", again.stderr)
	require.Contains(t, again.stdout.String(), nothingLeft)
	b.requireOnly(b.env)
	require.Equal(t, 1, b.count(`SELECT count(*) FROM sealing_keys`), "going on takes no further key")
	b.steward.stop()
	require.Zero(t, b.run("admin", "keys", "rotate").code)
	require.Equal(t, 2, b.count(`SELECT count(*) FROM sealing_keys`))
	b.requireOnly(b.env)
	b.serve()
	b.use(appid, followers)
}

// addEvents stores that many events, sealed by the master key.
func (b *bundle) addEvents(n int) []uuid.UUID {
	b.t.Helper()
	key, err := base64.StdEncoding.DecodeString(b.env["STEWARD_MASTER_KEY"])
	require.NoError(b.t, err)
	box, err := secret.NewBox(key)
	require.NoError(b.t, err)
	ids, now := make([]uuid.UUID, n), time.Now()
	_, err = b.db.CopyFrom(b.t.Context(), pgx.Identifier{"component_events"},
		[]string{"id", "component_appid", "digest", "info_type", "body_sealed", "happened_at", "received_at", "processed_at"},
		pgx.CopyFromSlice(n, func(i int) ([]any, error) {
			ids[i] = uuid.New()
			body, err := box.Seal(secret.New("<xml/>"), secret.Place{Table: "component_events", Column: "body", Row: ids[i].String()})
			return []any{ids[i], b.component, ids[i][:], "test", body, now, now, now}, err
		}))
	require.NoError(b.t, err)
	return ids
}

func TestReseal(t *testing.T) {
	t.Parallel()

	t.Run("SaysWhatNoKeyOpensAndFails", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		id := b.addEvents(1)[0]
		_, err := b.db.Exec(t.Context(), `UPDATE component_events SET body_sealed = 'garbage'`)
		require.NoError(t, err)
		p := b.run("admin", "keys", "reseal")
		require.Equal(t, 1, p.code)
		require.Contains(t, p.stdout.String(), "; 1 rows are still on older keys\n")
		for _, says := range []string{"no key opens 1 of component_events.body_sealed", id.String(), "STEWARD_PREVIOUS_MASTER_KEY"} {
			require.Contains(t, p.stderr.String(), says)
		}
	})

	t.Run("InterruptedSaysHowToGoOn", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		p := start(t, b.env, "admin", "keys", "rotate")
		eventually(t, "it waits for the other processes", func() bool { return strings.Contains(p.stdout.String(), "waiting") })
		p.terminate()
		p.wait()
		require.Equal(t, 1, p.code)
		require.Contains(t, p.stderr.String(), "steward admin keys reseal")
		require.Zero(t, b.run("admin", "keys", "reseal").code)
	})
}

func TestConfigurationOfMasterKeys(t *testing.T) {
	t.Parallel()
	good := newMasterKey()
	for name, c := range map[string]struct{ previous, says string }{
		"NoBase64":        {good + ",s3cretword!", "base64 of 32 bytes"},
		"TooShort":        {"czNjcmV0d29yZA==", "base64 of 32 bytes"},
		"TheCurrentOne":   {good + "," + usable()["STEWARD_MASTER_KEY"], "twice"},
		"OneOfThemTwice":  {good + "," + good, "twice"},
		"SeveralAreTaken": {good + ", " + newMasterKey() + ",", "127.0.0.1"}, // the database that is not there
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := usable()
			env["STEWARD_PREVIOUS_MASTER_KEY"] = c.previous
			for _, command := range []string{"serve", "admin keys rotate", "admin keys reseal", "admin keys status"} {
				p := run(t, env, strings.Fields(command)...)
				require.Equal(t, 1, p.code)
				require.Contains(t, p.stderr.String(), c.says)
				for _, inside := range []string{"s3cretword", "czNjcmV0d29yZA", good, env["STEWARD_MASTER_KEY"]} {
					require.NotContains(t, p.stderr.String(), inside)
				}
			}
		})
	}
}
