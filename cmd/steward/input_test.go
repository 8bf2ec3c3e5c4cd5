package main_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat/simulator"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	b := setup(t)
	appid, followers := b.connect(2, "1", "2")
	var stranger struct{ ID string }
	b.post("/v1/tenants", map[string]string{"name": "Harbour Books"}).is(201).into(&stranger)
	var key struct{ Key string }
	b.post("/v1/tenants/"+stranger.ID+"/api-keys", map[string]string{"name": "till"}).is(201).into(&key)
	block := b.account(appid) + "/blacklist/block"
	good := `{"openids":["` + followers[0] + `"]}`
	const get, post = http.MethodGet, http.MethodPost

	for name, c := range map[string]struct {
		request
		status   int
		code     string
		pointers []string // each must be in errors
	}{
		"NoKey":                    {request{method: get, url: "/v1/tenants"}, 401, "unauthenticated", nil},
		"WrongKey":                 {request{method: get, url: "/v1/tenants", key: "stw_" + strings.Repeat("A", 52)}, 401, "unauthenticated", nil},
		"KeyWithoutItsLastLetter":  {request{method: get, url: "/v1/tenants", key: b.key[:len(b.key)-1]}, 401, "unauthenticated", nil},
		"BasicInsteadOfBearer":     {request{method: get, url: "/v1/tenants", header: map[string]string{"Authorization": "Basic " + b.key}}, 401, "unauthenticated", nil},
		"AnotherTenantsAccount":    {request{method: get, url: b.account(appid), key: key.Key}, 404, "not-found", nil},
		"AnotherTenantsBlacklist":  {request{method: post, url: block, key: key.Key, body: good}, 404, "not-found", nil},
		"AccountUnderOwnTenant":    {request{method: post, url: "/v1/tenants/" + stranger.ID + "/authorizers/" + appid + "/blacklist/block", key: key.Key, body: good}, 404, "not-found", nil},
		"TenantKeyMakesTenants":    {request{method: post, url: "/v1/tenants", key: key.Key, body: `{"name":"Mine"}`}, 403, "platform-only", nil},
		"UnknownAccount":           {request{method: get, url: b.account("wx0000000000000000"), key: b.key}, 404, "not-found", nil},
		"TenantThatIsNoUUID":       {request{method: get, url: "/v1/tenants/1%20or%201=1/authorizers", key: b.key}, 404, "not-found", nil},
		"UnknownPath":              {request{method: get, url: "/v1/nothing", key: b.key}, 404, "not-found", nil},
		"BadMethod":                {request{method: http.MethodDelete, url: block, key: b.key}, 405, "method-not-allowed", nil},
		"PostToTheConsole":         {request{method: post, url: "/", body: "{}"}, 405, "method-not-allowed", nil},
		"NotJSON":                  {request{method: post, url: block, key: b.key, body: `openids=` + followers[0]}, 400, "malformed-body", nil},
		"JSONThatBreaksOff":        {request{method: post, url: block, key: b.key, body: good[:len(good)-1]}, 400, "malformed-body", nil},
		"TwoJSONValues":            {request{method: post, url: block, key: b.key, body: good + good}, 400, "malformed-body", nil},
		"NotUTF8":                  {request{method: post, url: block, key: b.key, body: "{\"openids\":[\"o\xff\xfe\"]}"}, 0, "", nil},
		"NULInAnOpenID":            {request{method: post, url: block, key: b.key, body: `{"openids":["o\u0000x"]}`}, 422, "", nil},
		"NULInTheReason":           {request{method: post, url: block, key: b.key, body: `{"openids":["oA"],"reason":"a\u0000b"}`}, 422, "", nil},
		"NoBody":                   {request{method: post, url: block, key: b.key}, 0, "", nil},
		"WrongContentType":         {request{method: post, url: block, key: b.key, body: good, contentType: "text/plain"}, 415, "unsupported-media-type", nil},
		"Form":                     {request{method: post, url: block, key: b.key, body: "openids=1", contentType: "application/x-www-form-urlencoded"}, 415, "unsupported-media-type", nil},
		"OpenidsIsAString":         {request{method: post, url: block, key: b.key, body: `{"openids":"oA"}`}, 422, "invalid-request", []string{"/openids"}},
		"OneOpenidIsANumber":       {request{method: post, url: block, key: b.key, body: `{"openids":["oA",7]}`}, 422, "invalid-request", []string{"/openids/1"}},
		"NoOpenids":                {request{method: post, url: block, key: b.key, body: `{"openids":[]}`}, 422, "invalid-request", []string{"/openids"}},
		"OpenidsMissing":           {request{method: post, url: block, key: b.key, body: `{"reason":"spam"}`}, 422, "invalid-request", []string{"/openids"}},
		"UnknownField":             {request{method: post, url: block, key: b.key, body: `{"openids":["oA"],"opened_list":["oA"]}`}, 422, "invalid-request", []string{"/opened_list"}},
		"ReasonTooLong":            {request{method: post, url: block, key: b.key, body: `{"openids":["oA"],"reason":"` + strings.Repeat("长", 501) + `"}`}, 422, "invalid-request", []string{"/reason"}},
		"UntilIsNoTime":            {request{method: post, url: block, key: b.key, body: `{"openids":["oA"],"until":"tomorrow"}`}, 422, "invalid-request", []string{"/until"}},
		"UntilIsOver":              {request{method: post, url: block, key: b.key, body: `{"openids":["oA"],"until":"2020-01-01T00:00:00Z"}`}, 422, "", nil},
		"UntilOfAnUnblock":         {request{method: post, url: b.account(appid) + "/blacklist/unblock", key: b.key, body: `{"openids":["oA"],"until":"2099-01-01T00:00:00Z"}`}, 422, "invalid-request", []string{"/until"}},
		"TooManyOpenids":           {request{method: post, url: block, key: b.key, body: `{"openids":["o` + strings.Repeat(`","o`, 100_000) + `"]}`}, 422, "", nil},
		"BodyOf21MB":               {request{method: post, url: block, key: b.key, body: `{"openids":["` + strings.Repeat("a", 21<<20) + `"]}`}, 413, "body-too-large", nil},
		"Limit0":                   {request{method: get, url: "/v1/tenants?limit=0", key: b.key}, 422, "invalid-request", []string{"query:limit"}},
		"Limit9999":                {request{method: get, url: "/v1/tenants?limit=9999", key: b.key}, 422, "invalid-request", []string{"query:limit"}},
		"LimitIsAWord":             {request{method: get, url: "/v1/tenants?limit=many", key: b.key}, 422, "invalid-request", []string{"query:limit"}},
		"UnknownOutcome":           {request{method: get, url: b.account(appid) + "/blacklist?actual=perhaps", key: b.key}, 422, "invalid-request", []string{"query:actual"}},
		"CursorOfTenants":          {request{method: get, url: "/v1/tenants?cursor=x", key: b.key}, 400, "invalid-cursor", nil},
		"CursorOfAuthorizers":      {request{method: get, url: "/v1/tenants/" + b.tenant + "/authorizers?cursor=%25%25", key: b.key}, 400, "invalid-cursor", nil},
		"CursorOfTheBlacklist":     {request{method: get, url: b.account(appid) + "/blacklist?cursor=AAAA", key: b.key}, 400, "invalid-cursor", nil},
		"CursorOfBatches":          {request{method: get, url: "/v1/tenants/" + b.tenant + "/batches?cursor=e30", key: b.key}, 400, "invalid-cursor", nil},
		"CursorOfAudit":            {request{method: get, url: "/v1/tenants/" + b.tenant + "/audit?cursor=zz", key: b.key}, 400, "invalid-cursor", nil},
		"CursorOfConnectLinks":     {request{method: get, url: "/v1/tenants/" + b.tenant + "/connect-links?cursor=zz", key: b.key}, 400, "invalid-cursor", nil},
		"IdempotencyKeyTooLong":    {request{method: post, url: block, key: b.key, body: good, header: map[string]string{"Idempotency-Key": strings.Repeat("k", 256)}}, 422, "invalid-request", []string{"header:Idempotency-Key"}},
		"ReturnURLIsAScript":       {request{method: post, url: "/v1/tenants/" + b.tenant + "/connect-links", key: b.key, body: `{"return_url":"javascript:alert(1)"}`}, 422, "", nil},
		"NameOfSpaces":             {request{method: post, url: "/v1/tenants", key: b.key, body: `{"name":"   "}`}, 422, "", nil},
		"UnknownScope":             {request{method: post, url: "/v1/tenants/" + b.tenant + "/api-keys", key: b.key, body: `{"name":"till","scopes":["everything"]}`}, 422, "", nil},
		"ComponentWithAShortKey":   {request{method: post, url: "/v1/components", key: b.key, body: `{"appid":"wx1","appsecret":"s","token":"t","encoding_aes_key":"short"}`}, 422, "invalid-request", []string{"/encoding_aes_key"}},
		"ComponentWithAnUnusedKey": {request{method: post, url: "/v1/components", key: b.key, body: `{"appid":"wx1","appsecret":"s","token":"t","encoding_aes_key":"` + strings.Repeat("!", 43) + `"}`}, 422, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := b.send(c.request)
			a.t = t
			p := a.problem()
			if c.status == 0 {
				require.Contains(t, []int{400, 422}, a.status, "%s", a.body)
			} else {
				require.Equal(t, c.status, a.status, "%s", a.body)
			}
			if c.code != "" {
				require.Equal(t, c.code, p.Code, "%s", a.body)
			}
			require.Equal(t, a.status == 401, a.header.Get("WWW-Authenticate") != "")
			for _, pointer := range c.pointers {
				require.True(t, slices.ContainsFunc(p.Errors, func(e struct{ Pointer, Detail string }) bool {
					return e.Pointer == pointer && e.Detail != ""
				}), "%s is not pointed to: %s", pointer, a.body)
			}
		})
	}
	t.Cleanup(func() { // after all of them
		require.Zero(t, b.count(`SELECT count(*) FROM blacklist_batches`))
		require.Zero(t, b.sim.CallCount(pathBlock))
		require.Equal(t, 1, b.count(`SELECT count(*) FROM components`))
	})
}

// us is what the simulator's platform console shows.
func (b *bundle) us() ours {
	c := b.sim.Component()
	return ours{c.AppID, c.AppSecret, c.Token, c.EncodingAESKey}
}

func TestForgedCallbacks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	us := b.us()
	appid := b.addAccount(1)
	code, err := b.sim.Authorize(appid, 1, 2)
	require.NoError(t, err)
	event := func(component string) string {
		return fmt.Sprintf(`<xml><AppId>%s</AppId><CreateTime>%d</CreateTime><InfoType>authorized</InfoType><AuthorizerAppid>%s</AuthorizerAppid>`+
			`<AuthorizationCode>%s</AuthorizationCode></xml>`, component, time.Now().Unix(), appid, code)
	}
	ticketOf := func(at time.Time) string {
		return fmt.Sprintf(`<xml><AppId>%s</AppId><CreateTime>%d</CreateTime><InfoType>component_verify_ticket</InfoType>`+
			`<ComponentVerifyTicket>ticket@@@forged</ComponentVerifyTicket></xml>`, us.appid, at.Unix())
	}
	ticket := ticketOf(time.Now().Add(time.Minute))
	otherToken, otherKey := us, us
	otherToken.token, otherKey.aesKey = "anothertoken", aesKeyText()
	with := func(r request, change func(*request)) request {
		change(&r)
		return r
	}
	good := push(us, us.appid, b.eventURL(), event(us.appid))
	stored := `SELECT count(*) FROM component_events`
	const second = "wx00000000000000fe" // another component of ours, with secrets of its own
	b.post("/v1/components", map[string]string{"appid": second, "appsecret": hexText(16), "token": "secondtoken", "encoding_aes_key": aesKeyText()}).is(200)
	ticketBefore := b.ticket()

	for name, c := range map[string]struct {
		request
		statuses []int
	}{
		"SignedWithAnotherToken":        {push(otherToken, us.appid, b.eventURL(), event(us.appid)), []int{401, 403}},
		"TicketSignedWithAnotherToken":  {push(otherToken, us.appid, b.eventURL(), ticket), []int{401, 403}},
		"RightSignatureWrongKey":        {push(otherKey, us.appid, b.eventURL(), event(us.appid)), []int{401, 403}},
		"TicketRightSignatureWrongKey":  {push(otherKey, us.appid, b.eventURL(), ticket), []int{401, 403}},
		"ForAnotherComponent":           {push(us, "wx00000000000000ff", b.eventURL(), event(us.appid)), []int{401, 403}},
		"AboutAnotherComponent":         {push(us, us.appid, b.eventURL(), event("wx00000000000000ff")), []int{400, 401, 403, 404}},
		"TicketOfAnotherComponent":      {push(us, us.appid, b.eventURL(), strings.ReplaceAll(ticket, us.appid, "wx00000000000000ff")), []int{400, 401, 403, 404}},
		"ToAnotherComponentOfOurs":      {push(us, us.appid, b.front.url+"/wechat/"+second+"/events", event(us.appid)), []int{401, 403}},
		"MessageSignedWithAnotherToken": {push(otherToken, us.appid, b.front.url+"/wechat/"+us.appid+"/messages/"+appid, "<xml></xml>"), []int{401, 403}},
		"ToAComponentThatWeAreNot":      {push(us, us.appid, b.front.url+"/wechat/wx00000000000000ff/events", event(us.appid)), []int{401, 403, 404}},
		"EncryptedGarbage":              {push(us, us.appid, b.eventURL(), "<xml><InfoType>"), []int{400, 403}},
		"EncryptedNothing":              {push(us, us.appid, b.eventURL(), ""), []int{400, 403}},
		"TicketThatIsEmpty":             {push(us, us.appid, b.eventURL(), strings.Replace(ticket, "ticket@@@forged", "", 1)), []int{400, 403}},
		"SignatureInsteadOfMsgSignature": {with(good, func(r *request) {
			r.url = strings.ReplaceAll(strings.ReplaceAll(r.url, "msg_signature", "x"), "signature", "msg_signature")
		}), []int{401, 403}},
		"NoQuery":          {with(good, func(r *request) { r.url = b.eventURL() }), []int{400, 401, 403}},
		"AnotherTimestamp": {with(good, func(r *request) { r.url = strings.Replace(r.url, "timestamp=1", "timestamp=2", 1) }), []int{401, 403}},
		"GarbageXML":       {with(good, func(r *request) { r.body = "<xml><Encrypt>" }), []int{400, 401, 403}},
		"JSON":             {with(good, func(r *request) { r.body = `{"Encrypt":"x"}` }), []int{400, 401, 403}},
		"EmptyBody":        {with(good, func(r *request) { r.body = "" }), []int{400, 401, 403}},
		"TwoMegabytes":     {with(good, func(r *request) { r.body = "<xml><Encrypt>" + strings.Repeat("A", 2<<20) + "</Encrypt></xml>" }), []int{413}},
		"EntitiesThatGrow": {with(good, func(r *request) {
			r.body = `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><xml><Encrypt>&b;</Encrypt></xml>`
		}), []int{400, 401, 403}},
		"GETWithAForgedSignatureOfEchostr": {request{method: http.MethodGet, url: b.eventURL() + "?echostr=hello&timestamp=1&nonce=2&signature=" + strings.Repeat("a", 40)}, []int{401, 403}},
	} {
		t.Run(name, func(t *testing.T) {
			c.url = strings.Replace(c.url, b.front.url, b.steward.url, 1)
			a := b.send(c.request)
			a.t = t
			require.Contains(t, c.statuses, a.status, "%s", a.body)
			require.NotContains(t, string(a.body), "success")
			require.NotContains(t, string(a.body), "hello")
			require.Zero(t, b.count(stored))
			require.Equal(t, ticketBefore, b.ticket(), "the ticket is as it was")
		})
	}

	t.Run("TheSameGenuinePushFiveTimesAtOnceIsOne", func(t *testing.T) {
		var group sync.WaitGroup
		for range 5 {
			group.Go(func() {
				if a, err := b.try(good); err != nil || a.status != 200 || string(a.body) != "success" {
					t.Errorf("%d %s %v", a.status, a.body, err)
				}
			})
		}
		group.Wait()
		require.Equal(t, 1, b.count(stored))
		eventually(t, "it is processed", func() bool { return b.count(stored+` WHERE processed_at IS NOT NULL`) == 1 })
		require.Equal(t, 1, b.sim.CallCount(pathQueryAuth))
		require.Equal(t, 1, b.count(`SELECT count(*) FROM authorizers`))
		require.Equal(t, 1, b.count(`SELECT count(*) FROM river_job WHERE kind = 'authorization_event'`))
	})

	t.Run("AnOlderTicketNeverReplacesANewerOne", func(t *testing.T) {
		old := ticketOf(time.Now().Add(-time.Hour))
		require.Equal(t, "success", string(b.send(push(us, us.appid, b.eventURL(), old)).is(200).body))
		require.Equal(t, ticketBefore, b.ticket())
		require.Equal(t, "success", string(b.send(push(us, us.appid, b.eventURL(), ticket)).is(200).body))
		require.NotEqual(t, ticketBefore, b.ticket())
	})

	t.Run("AGenuineProbeIsAnswered", func(t *testing.T) {
		probe := b.eventURL() + "?echostr=hello&timestamp=1&nonce=2&signature=" + sign(us.token, "1", "2")
		require.Equal(t, "hello", string(b.visit(probe).is(200).body))
	})

	t.Run("AGenuineMessageIsAcknowledged", func(t *testing.T) {
		require.NoError(t, b.sim.SetCallbackURLs("", b.eventURL(), b.front.url+"/wechat/"+us.appid+"/messages/$APPID$"))
		reply, err := b.sim.PushMessage(t.Context(), appid, simulator.Message{From: b.sim.FollowersOf(appid)[0], MsgType: "text", Content: "你好"})
		require.NoError(t, err)
		require.True(t, reply.Delivered, reply.Why)
	})

	t.Run("AnEventOfAnUnknownKindIsKeptAndLeftAlone", func(t *testing.T) {
		require.NoError(t, b.sim.Push(t.Context(), simulator.Event{InfoType: "notify_third_fasteregister", Fields: map[string]string{"status": "0"}}))
		require.Equal(t, 1, b.count(stored+` WHERE info_type = 'notify_third_fasteregister' AND processed_at IS NOT NULL`))
	})
}

// push is a push as WeChat sends it; tail is the appid at the end of the plain text.
func push(us ours, tail, url, event string) request {
	target, body := seal(us, tail, url, event)
	return request{method: http.MethodPost, url: target, body: body, contentType: "text/xml"}
}

// Who holds the callback keys of one of our components can say nothing about another.
func TestComponentsCannotSpeakForEachOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	us := b.us()
	const other = "wx00000000000000fe"
	b.post("/v1/components", map[string]string{"appid": other, "appsecret": hexText(16), "token": "secondtoken", "encoding_aes_key": aesKeyText()}).is(200)
	before := b.ticket()
	for name, event := range map[string]string{
		"Ticket":       `<InfoType>component_verify_ticket</InfoType><ComponentVerifyTicket>ticket@@@forged</ComponentVerifyTicket>`,
		"Unauthorized": `<InfoType>unauthorized</InfoType><AuthorizerAppid>wx00000000000000aa</AuthorizerAppid>`,
	} {
		event = fmt.Sprintf(`<xml><AppId>%s</AppId><CreateTime>%d</CreateTime>%s</xml>`, other, time.Now().Unix(), event)
		a := b.send(push(us, us.appid, b.steward.url+"/wechat/"+us.appid+"/events", event))
		require.Contains(t, []int{400, 401, 403, 404}, a.status, name)
		require.Equal(t, before, b.ticket(), name)
		require.Zero(t, b.count(`SELECT count(*) FROM component_events`), name)
	}
}

// ticket is what the database holds of our tickets, sealed.
func (b *bundle) ticket() string {
	b.t.Helper()
	var row string
	require.NoError(b.t, b.db.QueryRow(b.t.Context(), `
		SELECT string_agg(concat(appid, ticket_sealed, ticket_created_at, ticket_received_at), ' ' ORDER BY appid) FROM components`).Scan(&row))
	return row
}
