// Package simulator is a WeChat on this machine: an http.Handler that answers the API of a third-party platform
// (第三方平台), shows the consent page, and pushes encrypted events, with state, a clock that can be moved and faults
// on demand. It is for tests, demos and development, needs no account at WeChat, reaches nothing but the callback
// URLs it is given, and keeps nothing: with the process its state is gone. It is no proof of how WeChat behaves;
// where WeChat's pages are silent or contradict each other it does what [Settings] say.
//
//	sim := simulator.New(simulator.Config{EventURL: "http://127.0.0.1:8080/events"})
//	defer sim.Close()
//	server := httptest.NewServer(sim) // server.URL stands for https://api.weixin.qq.com, mp.… and open.…
//	_ = sim.AddAccount(simulator.Account{AppID: "wx00000000000000aa", FollowerCount: 100})
//	_ = sim.PushTicket(ctx)
//	code, _ := sim.Authorize("wx00000000000000aa", 1, 2)
//	_ = sim.Push(ctx, simulator.Event{AuthorizationCode: code})
//
// The package shares no path, number or JSON shape with package wechat, so that a mistake made there is not made here
// too; only the encryption of callbacks is the same code, and is held against WeChat's published vectors there.
//
// # What is checked, in which order
//
// Calls with the token of an account: method (43002, 43001), token given (41001), token known (40001; 40014 if it
// does not look like one; 61015 if it is a component's), not expired (42001), IP address (61004), authorization not
// revoked (Settings.RevokedCode), account not banned (48004), cancelled or frozen (50002), permission set granted
// (61007) and confirmed (61016), account verified where that is needed (48001), quota of the minute (45011) and of
// the day (45009), body given (44002), JSON (47001), length of the list (40032), openids (40003, 49003).
//
// Calls with the token of a component: method, token given (Settings.MissingCATCode), known (40001; 61014 if it is an
// account's), not expired (Settings.ExpiredCATCode), IP address (61004), quota, body (44002, 47001), component_appid
// (41018, 40013, 61011); then for api_authorizer_token: account authorized (61003), refresh token (61023).
//
// api_component_token: method, body, component_appid, IP address, secret (41004, 40125), ticket (61006 unknown,
// 61005 too old), quota.
//
// api_query_auth: code given (40097), known (61009), not expired (61010), account authorized (61003), code not older
// than a revocation (61009), not used before where Settings.CodeOnce says so (61009).
//
// # Choices where nothing is published
//
// A blacklist is listed in the order of blocking, the openids of one call in the order of their letters. The cursor
// is exclusive; an openid that was unblocked still marks its former place; an openid of this account that was never
// blocked is refused with 40003. To block twice, or to unblock who is not blocked, succeeds. Who leaves an account stays
// blocked. A batch may name an openid twice.
//
// A refresh token is born when a code is exchanged: before that, lists show none. It stays the same over renewals and
// repeated authorizations unless Settings say otherwise, and is another one after a revocation.
//
// Quotas come back at midnight in China. Calls that WeChat refuses after the check of quotas have been counted.
//
// # The control API
//
// Below /__sim/ a simulator that runs as a program takes what tests do through methods: JSON in, JSON out, 400 or 404
// with {"error": "…"} for mistakes; unknown fields are mistakes. There is no authentication: never let anybody but
// yourself reach a simulator. Answers named "push" are {"delivered", "held", "error"}.
//
//	GET    /__sim/state                              clock, settings, components, accounts, authorizations, faults
//	GET    /__sim/calls?path=&appid=&limit=          recorded calls, oldest first; DELETE forgets them
//	GET    /__sim/deliveries                         tries to push; DELETE forgets them
//	GET    /__sim/settings                           see Settings
//	POST   /__sim/settings                           any part of Settings
//	POST   /__sim/clock                              {"advance_seconds": 7200}
//	POST   /__sim/expire-tokens                      {"appids": [], "superseded": false}; no appids means every token
//	POST   /__sim/quotas                             {"appid": "", "path": "/cgi-bin/user/get", "daily": 500, "minute": 0}
//	POST   /__sim/ticket                             pushes a fresh ticket to every component
//	POST   /__sim/events                             {"events": [Event, …]}, pushed in this order
//	POST   /__sim/events/release                     {"reverse": false}; pushes what hold_pushes holds
//	GET    /__sim/faults                             see Fault
//	POST   /__sim/faults                             a Fault; answers {"id": "…"}
//	POST   /__sim/faults/release                     lets hanging calls go
//	DELETE /__sim/faults  and  /__sim/faults/{id}
//	POST   /__sim/components/{appid}                 {"event_url": "", "message_url": ""}
//	POST   /__sim/accounts                           an Account
//	PATCH  /__sim/accounts/{appid}                   any part of an Account
//	POST   /__sim/accounts/{appid}/authorize         {"permission_sets": [1, 2], "component_appid": "", "pre_auth_code": "", "push": true}
//	POST   /__sim/accounts/{appid}/permission-sets   {"permission_sets": [1], "push": true}
//	POST   /__sim/accounts/{appid}/revoke            {"component_appid": "", "push": true}
//	GET    /__sim/accounts/{appid}/followers
//	POST   /__sim/accounts/{appid}/followers         {"add": [], "generate": 0, "remove": [], "unionids": {}}
//	GET    /__sim/accounts/{appid}/blacklist
//	POST   /__sim/accounts/{appid}/blacklist         {"block": [], "unblock": []}, as the merchant would by hand
//	POST   /__sim/accounts/{appid}/messages          a Message; answers {"delivered", "why", "reply"}
package simulator
