package main_test

import (
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// metric is the value of one time series, as it stands in the exposition; nil: there is none.
func (b *bundle) metric(series string) *float64 {
	b.t.Helper()
	line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindSubmatch(b.visit("/metrics").is(200).body)
	if line == nil {
		return nil
	}
	value, err := strconv.ParseFloat(string(line[1]), 64)
	require.NoError(b.t, err)
	return &value
}

func TestMetricsTellHowEverythingStands(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.connect(1, "1", "2")
	lost, _ := b.connect(1, "1", "2")
	label := `{component="` + b.component + `"}`
	age := b.metric("steward_component_ticket_age_seconds" + label)
	require.NotNil(t, age)
	require.InDelta(t, 60, *age, 60)
	left := b.metric("steward_component_token_expires_in_seconds" + label)
	require.NotNil(t, left)
	require.InDelta(t, 7100, *left, 100)
	require.Equal(t, 2.0, *b.metric(`steward_accounts{state="active"}`))
	require.Equal(t, 0.0, *b.metric(`steward_accounts{state="revoked"}`))
	require.Equal(t, 0.0, *b.metric(`steward_accounts_failing{health="failing"}`))
	require.Equal(t, 0.0, *b.metric(`steward_tokens_due`))

	_, err := b.db.Exec(t.Context(), `UPDATE authorizer_tokens t SET failures = 14, renew_after = now() + interval '1 day', last_error = '{}'
		FROM authorizers a WHERE a.id = t.authorizer_id AND a.appid = $1`, lost)
	require.NoError(t, err)
	require.Equal(t, 1.0, *b.metric(`steward_accounts_failing{health="exhausted"}`))
	require.Nil(t, b.metric(`steward_alerts_open{kind="ticket_late"}`))
	_, err = b.db.Exec(t.Context(), `UPDATE components SET ticket_received_at = now() - interval '1 hour', ticket_requested_at = now()`)
	require.NoError(t, err)
	eventually(t, "the ticket is found late", func() bool { return b.metric(`steward_alerts_open{kind="ticket_late"}`) != nil })
	require.InDelta(t, 3660, *b.metric("steward_component_ticket_age_seconds" + label), 60)
}

func TestMetricsAreThereWhenTheDatabaseIsNot(t *testing.T) {
	t.Parallel()
	b, server := setupWithOwnDatabase(t)
	require.NotNil(t, b.metric("steward_tokens_due"))
	server.way.silence(true)
	require.Nil(t, b.metric("steward_tokens_due"))
	require.NotNil(t, b.metric("go_goroutines"))
	require.Contains(t, b.steward.stderr.String(), "cannot read metrics")
	server.way.silence(false)
	eventually(t, "all metrics are back", func() bool { return b.metric("steward_tokens_due") != nil })
}
