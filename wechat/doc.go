// Package wechat speaks WeChat's wire for a third-party platform (第三方平台): it calls the HTTP API, sorts
// WeChat's error codes, opens and seals callbacks, and reads the events inside them. It keeps no token, retries
// nothing, stores nothing and decides nothing: which token to use, when to renew it and what a refusal means for
// a merchant is the business of its callers.
//
// # Words
//
// A component is the third-party platform itself; an authorizer is an official account that authorized it. A
// component_access_token (cat in parameter names) opens calls about authorizers, an authorizer_access_token (token
// in parameter names) opens calls on behalf of one authorizer.
//
// # Errors
//
// A call fails with *[Error] when WeChat refused it, and with *[TransportError] when no readable answer came.
// [ClassOf] says what kind of failure it is, [Advice] says what a person should do about it. No error text holds a
// token, a secret, a ticket or a code, even if WeChat or a proxy echoed one.
package wechat
