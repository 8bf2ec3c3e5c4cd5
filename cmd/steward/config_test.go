package main_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/internal/testdb"
)

// nowhere is a database that is not there.
const nowhere = "postgres://steward:s3cretword@127.0.0.1:1/steward"

// usable is an environment with which serve would start, were its database there.
func usable() map[string]string {
	return map[string]string{
		"DATABASE_URL": nowhere, "STEWARD_ADDR": "127.0.0.1:0", "STEWARD_MASTER_KEY": base64.StdEncoding.EncodeToString(make([]byte, 32)),
		"STEWARD_COMPONENT_APPID": "wx1", "STEWARD_COMPONENT_APPSECRET": "component-secret",
		"STEWARD_COMPONENT_TOKEN": "component-token", "STEWARD_COMPONENT_AES_KEY": strings.Repeat("Ab1", 14) + "A",
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args           []string
		code           int
		stdout, stderr string // each must be contained
	}{
		"NoArgumentsShowTheCommands": {nil, 0, "simulate", ""},
		"Help":                       {[]string{"--help"}, 0, "doctor", ""},
		"HelpOfACommand":             {[]string{"serve", "--help"}, 0, "--migrate", ""},
		"UnknownCommand":             {[]string{"sreve"}, 2, "", "sreve"},
		"UnknownFlag":                {[]string{"serve", "--migrat"}, 2, "", "--migrat"},
		"HalfACommand":               {[]string{"admin", "key"}, 2, "", "create"},
		"MissingFlag":                {[]string{"admin", "key", "create"}, 2, "", "--name"},
		"FlagThatIsNoDuration":       {[]string{"admin", "key", "create", "--name=x", "--expires-in=soon"}, 2, "", "expires-in"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := run(t, nil, c.args...)
			require.Equal(t, c.code, p.code, "%s", p.stderr)
			require.Contains(t, p.stdout.String(), c.stdout)
			require.Contains(t, p.stderr.String(), c.stderr)
		})
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "master.key")
	require.NoError(t, os.WriteFile(file, []byte("not base64\n"), 0o600))
	for name, c := range map[string]struct {
		change map[string]string // "" unsets
		says   []string          // what stderr must name
	}{
		"NoMasterKey":            {map[string]string{"STEWARD_MASTER_KEY": ""}, []string{"STEWARD_MASTER_KEY", "openssl rand -base64 32"}},
		"NoDatabase":             {map[string]string{"DATABASE_URL": ""}, []string{"DATABASE_URL"}},
		"NeitherOfThem":          {map[string]string{"DATABASE_URL": "", "STEWARD_MASTER_KEY": ""}, []string{"DATABASE_URL", "STEWARD_MASTER_KEY"}},
		"MasterKeyIsNoBase64":    {map[string]string{"STEWARD_MASTER_KEY": "s3cretword!"}, []string{"STEWARD_MASTER_KEY", "openssl"}},
		"MasterKeyIsTooShort":    {map[string]string{"STEWARD_MASTER_KEY": "czNjcmV0d29yZA=="}, []string{"STEWARD_MASTER_KEY", "openssl"}},
		"MasterKeyOfAFileIsBad":  {map[string]string{"STEWARD_MASTER_KEY": "", "STEWARD_MASTER_KEY_FILE": file}, []string{"STEWARD_MASTER_KEY"}},
		"FileIsMissing":          {map[string]string{"STEWARD_MASTER_KEY": "", "STEWARD_MASTER_KEY_FILE": file + "x"}, []string{"STEWARD_MASTER_KEY_FILE", "no such file"}},
		"NameAndNameFile":        {map[string]string{"STEWARD_MASTER_KEY_FILE": file}, []string{"STEWARD_MASTER_KEY", "STEWARD_MASTER_KEY_FILE", "both"}},
		"HalfAComponent":         {map[string]string{"STEWARD_COMPONENT_TOKEN": ""}, []string{"STEWARD_COMPONENT_APPID", "_TOKEN"}},
		"OnlyTheAppID":           {map[string]string{"STEWARD_COMPONENT_TOKEN": "", "STEWARD_COMPONENT_APPSECRET": "", "STEWARD_COMPONENT_AES_KEY": ""}, []string{"STEWARD_COMPONENT_APPID"}},
		"AESKeyIsTooShort":       {map[string]string{"STEWARD_COMPONENT_AES_KEY": "s3cretword"}, []string{"STEWARD_COMPONENT_AES_KEY", "43"}},
		"AESKeyIsNoBase64":       {map[string]string{"STEWARD_COMPONENT_AES_KEY": "s3cretword" + strings.Repeat("!", 33), "DATABASE_URL": testdb.URL(t)}, []string{"EncodingAESKey"}},
		"PublicURLHasNoScheme":   {map[string]string{"STEWARD_PUBLIC_URL": "steward.example.com"}, []string{"STEWARD_PUBLIC_URL"}},
		"RenewalsAreNone":        {map[string]string{"STEWARD_RENEWALS": "0"}, []string{"STEWARD_RENEWALS is a number from 1 to 1000"}},
		"LogLevelIsUnknown":      {map[string]string{"STEWARD_LOG_LEVEL": "loud"}, []string{"level"}},
		"LogFormatIsUnknown":     {map[string]string{"STEWARD_LOG_FORMAT": "xml"}, []string{"STEWARD_LOG_FORMAT"}},
		"AddressCannotBeHad":     {map[string]string{"STEWARD_ADDR": "192.0.2.1:80"}, []string{"listen", "192.0.2.1:80"}},
		"DatabaseIsNotThere":     {nil, []string{"127.0.0.1", "connect"}},
		"DatabaseIsNoPostgreSQL": {map[string]string{"DATABASE_URL": "mysql://steward:s3cretword@127.0.0.1/steward"}, []string{"DATABASE_URL"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := usable()
			maps.Copy(env, c.change)
			p := run(t, env, "serve")
			require.Equal(t, 1, p.code, "%s", p.stderr)
			require.Empty(t, p.stdout.String())
			for _, says := range c.says {
				require.Contains(t, p.stderr.String(), says)
			}
			require.NotContains(t, p.stderr.String(), "s3cretword")
			require.NotContains(t, p.stderr.String(), "component-secret")
			require.Equal(t, 1, strings.Count(p.stderr.String(), "steward: "), "one message: %s", p.stderr)
		})
	}
}

// No spelling of a connection string makes any command print the password in it.
func TestPasswordOfTheDatabaseIsNeverPrinted(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{
		"NotThere": nowhere, "BadPort": "postgres://steward:s3cretword@localhost:port/steward", "NoColon": "postgres//steward:s3cretword@localhost/steward",
		"Keywords": "host=127.0.0.1 port=1 user=steward password=s3cretword", "BadKeywords": "host=127.0.0.1 port=x password=s3cretword", "SpaceInIt": "postgres://steward:s3cretword x@127.0.0.1:1/steward",
		"BadEscape": "postgres://steward:s3cretword%zz@127.0.0.1:1/steward", "InTheQuery": "postgres://127.0.0.1:1/steward?user=steward&password=s3cretword", "Unquoted": "password='s3cretword host=127.0.0.1",
	} {
		for _, command := range []string{"serve", "serve --migrate", "migrate status", "migrate up", "doctor", "admin key create --name x"} {
			t.Run(name+"/"+command, func(t *testing.T) {
				t.Parallel()
				env := usable()
				env["DATABASE_URL"] = address
				p := run(t, env, strings.Fields(command)...)
				require.Equal(t, 1, p.code)
				require.NotContains(t, p.stderr.String()+p.stdout.String(), "s3cretword")
			})
		}
	}
}

func TestFilesAreAsGoodAsVariables(t *testing.T) {
	t.Parallel()
	w := newOtherWeChat(t, variant{})
	b := newBundle(t, testdb.Empty(t), w.url, w.us)
	dir := t.TempDir()
	for _, name := range []string{"DATABASE_URL", "STEWARD_MASTER_KEY", "STEWARD_COMPONENT_APPSECRET", "STEWARD_COMPONENT_TOKEN", "STEWARD_COMPONENT_AES_KEY"} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(b.env[name]+"\n"), 0o600))
		b.env[name], b.env[name+"_FILE"] = "", path
	}
	b.serve("--migrate")
	b.begin()
	require.Equal(t, "success", w.pushTicket(b.eventURL()))
	b.consentLink(b.connectLink())
	require.Len(t, w.seen(pathComponentToken), 1)
	w.requireNoMistakes()
}

func TestSchema(t *testing.T) {
	t.Parallel()
	t.Run("EmptyIsRefusedAndLeftEmpty", func(t *testing.T) {
		t.Parallel()
		env := usable()
		env["DATABASE_URL"] = testdb.Empty(t)
		for _, command := range []string{"serve", "admin key create --name x", "doctor"} {
			p := run(t, env, strings.Fields(command)...)
			require.Equal(t, 1, p.code, "%s %s", p.stdout, p.stderr)
			require.Contains(t, p.stdout.String()+p.stderr.String(), "steward serve --migrate", "it says what to do")
		}
		require.Zero(t, tables(t, env))
		status := run(t, env, "migrate", "status")
		require.Zero(t, status.code)
		require.Regexp(t, `version 0 of [1-9]`, status.stdout.String())
	})

	t.Run("OlderIsRefusedUntilMigrated", func(t *testing.T) {
		t.Parallel()
		env := usable()
		env["DATABASE_URL"] = testdb.Empty(t)
		require.Zero(t, run(t, env, "migrate", "up").code)
		newest := run(t, env, "migrate", "status").stdout.String()
		require.Regexp(t, `^schema: version (\d+) of (\d+)\n$`, newest)
		require.Zero(t, run(t, env, "migrate", "down", "--steps", "2").code)
		p := run(t, env, "serve")
		require.Equal(t, 1, p.code)
		require.Contains(t, p.stderr.String(), "steward migrate up")
		require.Zero(t, run(t, env, "migrate", "up").code)
		require.Equal(t, newest, run(t, env, "migrate", "status").stdout.String())
		serve(t, env).stop()
		require.Zero(t, run(t, env, "migrate", "down", "--steps", "99").code)
		require.Equal(t, 1, tables(t, env), "only the table of the version may stay")
	})

	for name, c := range map[string]struct{ sql, says string }{
		"NewerIsRefused":                    {`UPDATE schema_migrations SET version = 999`, "newer than this program"},
		"HalfMigratedIsRefused":             {`UPDATE schema_migrations SET dirty = true`, "interrupted"},
		"ThatOfAnotherProgramIsRefused":     {`DROP TABLE schema_migrations; CREATE TABLE schema_migrations (version varchar PRIMARY KEY)`, "another program"},
		"ThatOfARecentJobQueueIsRefusedToo": {`INSERT INTO river_migration (line, version) SELECT 'main', 999`, "newer than this program"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env := usable()
			env["DATABASE_URL"] = testdb.URL(t)
			execute(t, env, c.sql)
			for _, command := range []string{"serve", "serve --migrate"} {
				p := run(t, env, strings.Fields(command)...)
				require.Equal(t, 1, p.code)
				require.Contains(t, p.stderr.String(), c.says, command)
			}
			require.Equal(t, 1, tables(t, env, "components"), "nothing was dropped")
		})
	}
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	somethingElse := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(somethingElse.Close)
	fresh := newOtherWeChat(t, variant{})
	noTicket := newBundle(t, testdb.URL(t), fresh.url, fresh.us)
	noTicket.serve()
	noTicketEnv := noTicket.env
	eventually(t, "there is a component token", func() bool {
		return b.count(`SELECT count(*) FROM component_tokens WHERE access_token_sealed IS NOT NULL`) == 1
	})

	for name, c := range map[string]struct {
		env  map[string]string
		code int
		says []string
	}{
		"Good": {b.env, 0, []string{
			"ok    database", "ok    schema", "warn  callback_url", "a local one, which WeChat cannot reach", "ok    ticket", "ok    app_secret",
			"ok    ip_whitelist", "ok    component_token", "ok    quota", "ok    clock", "ok    second_installation",
		}},
		"NoTicket": {noTicketEnv, 1, []string{
			"FAIL  ticket", "授权事件接收URL", "/wechat/" + noTicket.component + "/events", "FAIL  component_token", "?     app_secret",
		}},
		"DatabaseDown":           {b.envWith(map[string]string{"DATABASE_URL": nowhere}), 1, []string{"FAIL  database"}},
		"NobodyAtThePublicURL":   {b.envWith(map[string]string{"STEWARD_PUBLIC_URL": "http://127.0.0.1:1"}), 1, []string{"FAIL  callback_url", "STEWARD_PUBLIC_URL"}},
		"AnotherAtThePublicURL":  {b.envWith(map[string]string{"STEWARD_PUBLIC_URL": somethingElse.URL}), 1, []string{"FAIL  callback_url", "404"}},
		"AnotherSteward":         {b.envWith(map[string]string{"STEWARD_PUBLIC_URL": noTicket.front.url}), 1, []string{"FAIL  callback_url", "404"}},
		"ConfigurationIsPartial": {b.envWith(map[string]string{"STEWARD_MASTER_KEY": ""}), 1, []string{"FAIL  configuration", "STEWARD_MASTER_KEY"}},
		"WeChatIsNotReached":     {b.envWith(map[string]string{"STEWARD_WECHAT_API_URL": "http://127.0.0.1:1"}), 0, []string{"?     component_token", "?     ip_whitelist"}},
		"NoComponent": {map[string]string{
			"DATABASE_URL": testdb.URL(t), "STEWARD_MASTER_KEY": b.env["STEWARD_MASTER_KEY"], "STEWARD_PUBLIC_URL": b.front.url,
		}, 1, []string{"FAIL  components", "STEWARD_COMPONENT_"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := run(t, c.env, "doctor")
			require.Equal(t, c.code, p.code, "%s %s", p.stdout, p.stderr)
			for _, says := range c.says {
				require.Contains(t, p.stdout.String(), says)
			}
			require.NotContains(t, p.stdout.String(), "s3cretword")
		})
	}
}

// Another master key opens nothing that is stored: better to say so at the start than to fail at every account.
func TestAnotherMasterKeyIsNoticed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	appid, followers := b.connect(1, "1", "2")
	b.steward.stop()
	before := b.dump()
	p := run(t, b.envWith(map[string]string{"STEWARD_MASTER_KEY": usable()["STEWARD_MASTER_KEY"]}), "serve")
	require.Equal(t, 1, p.code)
	require.Contains(t, p.stderr.String(), "MASTER_KEY")
	require.Equal(t, before["components"], b.dump()["components"], "what the right key opens is still there")
	b.serve()
	require.Equal(t, 1, b.block(appid, followers).Counts.Done)
}

// tables counts the tables of a database, or those of a name.
func tables(t *testing.T, env map[string]string, named ...string) int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), env["DATABASE_URL"])
	require.NoError(t, err)
	defer conn.Close(t.Context())
	var n int
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND (tablename = ANY ($1) OR $2)`,
		named, len(named) == 0).Scan(&n))
	return n
}

func execute(t *testing.T, env map[string]string, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), env["DATABASE_URL"])
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
}
