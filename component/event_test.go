package component_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/internal/factory"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

const authorizedXML = `<xml><AppId>wx0000000000000001</AppId><CreateTime>1700000000</CreateTime><InfoType>authorized</InfoType>` +
	`<AuthorizerAppid>wx00000000000000aa</AuthorizerAppid><AuthorizationCode>queryauthcode@@@secret</AuthorizationCode>` +
	`<AuthorizationCodeExpiredTime>1700003600</AuthorizationCodeExpiredTime><PreAuthCode>preauthcode@@@secret</PreAuthCode></xml>`

func record(t *testing.T, w *factory.World, raw string) (id uuid.UUID, isNew bool, err error) {
	t.Helper()
	ev, err := wechat.ParseEvent([]byte(raw))
	require.NoError(t, err)
	err = pgx.BeginFunc(t.Context(), w.Pool, func(tx pgx.Tx) error {
		id, isNew, err = w.Components.RecordEvent(t.Context(), tx, ev, []byte(raw))
		return err
	})
	return id, isNew, err
}

func TestRecordEvent_KeepsAnEventOnceAndSealed(t *testing.T) {
	w := setup(t)
	id, isNew, err := record(t, w, authorizedXML)
	require.NoError(t, err)
	require.True(t, isNew)
	again, isNew, err := record(t, w, authorizedXML)
	require.NoError(t, err)
	require.False(t, isNew)
	require.Equal(t, id, again)
	require.Zero(t, count(t, w, `SELECT count(*) FROM component_events WHERE encode(body_sealed, 'escape') LIKE '%secret%'`))

	stored, err := w.Components.OpenEvent(t.Context(), id)
	require.NoError(t, err)
	ev, ok := stored.Event.(wechat.AuthorizedEvent)
	require.True(t, ok)
	require.Equal(t, "queryauthcode@@@secret", ev.AuthorizationCode)
	require.Equal(t, time.Unix(1700000000, 0).UTC(), stored.HappenedAt.UTC())
	require.Nil(t, stored.ProcessedAt)
}

func TestRecordEvent_CountsUnknownKindsAsProcessed(t *testing.T) {
	w := setup(t)
	id, _, err := record(t, w, `<xml><AppId>wx0000000000000001</AppId><InfoType>notify_3rd_wxa_auth</InfoType></xml>`)
	require.NoError(t, err)
	stored, err := w.Components.OpenEvent(t.Context(), id)
	require.NoError(t, err)
	require.NotNil(t, stored.ProcessedAt)
	require.Equal(t, w.Clock.Now(), stored.HappenedAt.UTC(), "WeChat did not say when, so it was now")
}

func TestRecordEvent_RefusesAnEventOfAnUnknownComponent(t *testing.T) {
	w := setup(t)
	_, _, err := record(t, w, `<xml><AppId>wxunknown</AppId><InfoType>authorized</InfoType><AuthorizerAppid>wx1</AuthorizerAppid></xml>`)
	require.ErrorIs(t, err, component.ErrUnknownComponent)
	_, err = w.Components.OpenEvent(t.Context(), uuid.New())
	require.ErrorIs(t, err, tenant.ErrNotFound)
}

func TestUnprocessedEvents_AreThoseThatNobodyFinished(t *testing.T) {
	w := setup(t)
	id, _, err := record(t, w, authorizedXML)
	require.NoError(t, err)
	now := w.Clock.Now()
	waiting := func() []uuid.UUID {
		ids, err := w.Components.UnprocessedEvents(t.Context(), now.Add(-time.Hour), now.Add(time.Minute), 10)
		require.NoError(t, err)
		return ids
	}
	require.Equal(t, []uuid.UUID{id}, waiting())
	require.NoError(t, w.Components.FailEvent(t.Context(), id, tenant.ErrNotFound))
	require.Equal(t, []uuid.UUID{id}, waiting())
	require.NoError(t, w.Components.FinishEvent(t.Context(), id, ""))
	require.Empty(t, waiting())
	require.Equal(t, 1, count(t, w, `SELECT count(*) FROM component_events WHERE last_error = ''`))
}
