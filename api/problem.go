package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/follower"
	"github.com/wechat-steward/steward/sharedlist"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

// answer is what an error becomes: the HTTP status, a code that stays the same for ever, and a title.
type answer struct {
	status int
	code   string
	title  string
}

// rule says which errors become which answer.
type rule struct {
	matches func(error) error // the error inside that the rule is about; nil: none
	answer
	pointer string // the field at fault, where it is always the same one
	advice  string // what to do, said after the error's own words
}

func is(target error) func(error) error {
	return func(err error) error {
		if errors.Is(err, target) {
			return target
		}
		return nil
	}
}

func as[T error](err error) error {
	if target, ok := errors.AsType[T](err); ok {
		return target
	}
	return nil
}

// The answers that no domain package's error stands behind, and those that several do.
var (
	malformedBody        = answer{http.StatusBadRequest, "malformed-body", "The body is not JSON"}
	invalidRequest       = answer{http.StatusUnprocessableEntity, "invalid-request", "The request is not valid"}
	unsupportedMediaType = answer{http.StatusUnsupportedMediaType, "unsupported-media-type", "Not in a format that is taken here"}
	invalidFile          = answer{http.StatusUnprocessableEntity, "invalid-file", "The file cannot be taken"}
	untilPast            = answer{http.StatusUnprocessableEntity, "until-past", "The block would have ended already"}
	bodyTooLarge         = answer{http.StatusRequestEntityTooLarge, "body-too-large", "The body is too large"}
	methodNotAllowed     = answer{http.StatusMethodNotAllowed, "method-not-allowed", "Not with this method"}
	noRoute              = answer{http.StatusNotFound, "not-found", "No such thing"}
	internal             = answer{http.StatusInternalServerError, "internal", "Something went wrong on our side"}
)

// Short names, so that a rule is a line.
const (
	bad         = http.StatusBadRequest
	unknown     = http.StatusUnauthorized
	forbidden   = http.StatusForbidden
	notFound    = http.StatusNotFound
	conflict    = http.StatusConflict
	unusable    = http.StatusUnprocessableEntity
	tooMany     = http.StatusTooManyRequests
	badGateway  = http.StatusBadGateway
	unavailable = http.StatusServiceUnavailable
)

// rules is the one table from errors to answers; the first that matches wins.
// A test reads the domain packages' source and proves that every exported error stands in it.
func rules() []rule {
	return append(append(blacklistRules(), listRules()...), []rule{
		{
			is(errCrossOrigin),
			answer{forbidden, "cross-origin", "Another site's page may not do this"},
			"",
			"Use the console itself, or call with a key instead of a cookie.",
		},

		{is(tenant.ErrNotFound), noRoute, "", "Check the ids: it does not exist, or not for this key."},
		{
			is(tenant.ErrUnauthenticated),
			answer{unknown, "unauthenticated", "No valid key"},
			"",
			"Send a valid key as Authorization: Bearer stw_…, or sign in again.",
		},
		{
			is(tenant.ErrPlatformOnly),
			answer{forbidden, "platform-only", "For platform keys only"},
			"",
			"Ask the service provider, whose keys these are, to do it.",
		},
		{
			is(tenant.ErrTokenHandoutOff),
			answer{forbidden, "token-handout-off", "Access tokens are not handed out here"},
			"",
			"Ask the service provider to turn token_handout on for the tenant. Nothing was handed out.",
		},
		{
			as[*tenant.ScopeMissingError],
			answer{forbidden, "scope-missing", "The key may not do this"},
			"",
			"Use a key that has it, or have one made.",
		},
		{as[*tenant.UnknownScopeError], answer{unusable, "unknown-scope", "No such scope"}, "/scopes", "Choose among the scopes that the reference at /docs lists."},
		{is(tenant.ErrInvalidName), answer{unusable, "invalid-name", "The name is not usable"}, "/name", "Blanks at its ends do not count."},
		{is(tenant.ErrKeyExpiryPast), answer{unusable, "expiry-past", "The end lies in the past"}, "/expires_at", "Choose a later time, or leave it out."},
		{is(tenant.ErrInvalidCursor), answer{bad, "invalid-cursor", "The cursor is not usable"}, "query:cursor", ""},
		{
			is(tenant.ErrIdempotencyKeyReused),
			answer{conflict, "idempotency-key-reused", "The Idempotency-Key was used for something else"},
			"header:Idempotency-Key", "Nothing was done. Repeat the first request unchanged, or choose a new key for a new request.",
		},

		{
			is(component.ErrUnknownComponent),
			answer{notFound, "unknown-component", "No such component"},
			"",
			"Check the component's appid; the service provider registers components.",
		},
		{
			is(component.ErrNoTicket),
			answer{unavailable, "no-ticket", "The platform has no ticket from WeChat"},
			"",
			"WeChat pushes one every ten minutes: try again then. If none comes, check the authorization event URL in the Open Platform console.",
		},
		{as[*component.InvalidParamError], invalidRequest, "", "Copy it from the Open Platform console."},

		{
			as[*authorizer.PermissionMissingError],
			answer{forbidden, "permission-missing", "The merchant has not granted what this needs"},
			"",
			"One of these has to be ticked when authorizing. Nothing was done.",
		},
		{as[*authorizer.AccountStateError], answer{conflict, "account-not-active", "Nothing can be done for the account as it is"}, "", "Nothing was done."},
		{
			as[*authorizer.AccountTakenError],
			answer{conflict, "account-taken", "The account is another tenant's"},
			"",
			"An account stays with the tenant that it was given to first.",
		},
		{
			is(authorizer.ErrNoComponent),
			answer{conflict, "no-component", "No component is registered"},
			"",
			"Only the service provider can do that.",
		},
		{as[*authorizer.ComponentChoiceError], answer{unusable, "component-choice", "There are several components"}, "/component_appid", ""},
		{as[*authorizer.InvalidLinkError], invalidRequest, "", "No link was made."},

		{
			is(follower.ErrDirectoryOff),
			answer{conflict, "directory-off", "The account's followers are not kept"},
			"",
			"Turn the directory on with PUT …/followers/directory.",
		},
		{is(follower.ErrWhomToFind), invalidRequest, "", "Give one of them in the query."},
		{is(follower.ErrUnionIDsWithoutDirectory), invalidRequest, "/unionids", "Leave it out, or turn the directory on. Nothing was done."},

		{is(wechat.ErrSignature), answer{forbidden, "bad-signature", "Not signed by WeChat"}, "", "Check the callback token of the component."},
		{is(wechat.ErrEnvelope), answer{forbidden, "bad-envelope", "Cannot be decrypted"}, "", "Check the EncodingAESKey and the appid of the component."},
		{is(wechat.ErrEvent), answer{bad, "unreadable-event", "Decrypted, and not readable"}, "", "If WeChat sent it, report it as a bug."},
		{quotaRefusal, answer{tooMany, "wechat-quota", "WeChat allows no more calls for now"}, "", ""},
		{as[*wechat.Error], answer{badGateway, "wechat-refused", "WeChat refused"}, "", ""},
		{
			as[*wechat.TransportError],
			answer{badGateway, "wechat-unreachable", "WeChat gave no usable answer"},
			"",
			"Try again; if it stays so, the operator looks into the network.",
		},
	}...)
}

// blacklistRules are those of the rules that are about package blacklist.
func blacklistRules() []rule {
	return []rule{
		{is(blacklist.ErrUntilPast), untilPast, "/until", "Choose a later time, or leave it out. Nothing was done."},
		{
			is(blacklist.ErrBlockWouldHaveEnded),
			untilPast,
			"",
			"Block them anew with a later until, or without one. Nothing was done.",
		},
		{
			is(blacklist.ErrBatchNotEnded),
			answer{conflict, "batch-not-ended", "The batch is still under way"},
			"",
			"Cancel it first, or wait for its end. Nothing was done.",
		},
		{
			is(blacklist.ErrNothingToUndo),
			answer{conflict, "nothing-to-undo", "Nothing is left to undo"},
			"",
			"It was undone before, later wishes took its place, or it changed nothing. Nothing was done.",
		},
		{
			is(blacklist.ErrNothingToRetry),
			answer{conflict, "nothing-to-retry", "Nothing is left to retry"},
			"",
			"It was retried before, later wishes took its place, or nothing has failed. Nothing was done.",
		},
		{is(blacklist.ErrWhomToRoute), invalidRequest, "", "Give one of them, or both. Nothing was done."},
		{is(blacklist.ErrUntilOnUnblock), invalidRequest, "/until", "Leave it out. Nothing was done."},
		{is(blacklist.ErrInvalidReason), invalidRequest, "/reason", "Nothing was done."},
		{is(blacklist.ErrInvalidNote), invalidRequest, "/note", "Nothing was done."},
		{is(blacklist.ErrIdempotencyKeyTooLong), invalidRequest, "header:Idempotency-Key", "Nothing was done."},
		{as[*blacklist.TooManyOpenIDsError], invalidRequest, "/openids", "Nothing was done."},
		{as[*blacklist.InvalidOpenIDError], invalidRequest, "", "Nothing was done: take it out, or correct it."},
		{
			is(blacklist.ErrSearchTooWide),
			answer{unusable, "search-too-wide", "The search would take too long"},
			"",
			"Narrow it down with q, the beginning of the openid, or with actual; or export the list and search in the file.",
		},
		{
			is(blacklist.ErrBusy),
			answer{unavailable, "busy", "Too many files at this moment"},
			"",
			"Nothing was done. Try again in a minute.",
		},
		{as[*blacklist.FileError], invalidFile, "", "See errors for each; nothing was done."},
		{as[*blacklist.UnknownFilterError], invalidRequest, "", "Choose among the values that the reference at /docs lists."},
	}
}

// listRules are those of the rules that are about package sharedlist.
func listRules() []rule {
	return []rule{
		{
			is(sharedlist.ErrNameTaken),
			answer{conflict, "list-name-taken", "The name is taken"},
			"/name", "Choose another one, or put the people on the list that there is. Nothing was done.",
		},
		{
			is(sharedlist.ErrListFull),
			answer{conflict, "list-full", "The list would hold too many people"},
			"",
			"Take somebody off, or make another list: any number of them work side by side. Nothing was done.",
		},
		{is(sharedlist.ErrNobody), invalidRequest, "", "Nothing was done."},
		{is(sharedlist.ErrWhoseOpenIDs), invalidRequest, "/appid", "Nothing was done."},
		{as[*sharedlist.TooManyPersonsError], invalidRequest, "", "Nothing was done."},
		{as[*sharedlist.InvalidPersonError], invalidRequest, "", "Nothing was done: take it out, or correct it."},
	}
}

// quotaRefusal tells a refusal that passes with time, which nobody should repeat at once, from the others.
func quotaRefusal(err error) error {
	if refused, ok := errors.AsType[*wechat.Error](err); ok && refused.Class() == wechat.ClassQuota {
		return refused
	}
	return nil
}

// problemFor is the one way from an error to an answer. What is not in the table is a 500 with a fixed sentence; its cause is logged.
func problemFor(err error, requestID string) Problem {
	a, detail, facts := answerFor(err)
	p := Problem{Type: "/docs#error-" + a.code, Title: a.title, Status: a.status, Code: a.code, Detail: detail, RequestID: requestID}
	facts(&p)
	return p
}

// answerFor returns the answer to err, its sentences, and what adds to the problem the facts that err knows.
func answerFor(err error) (answer, string, func(*Problem)) {
	nothing := func(*Problem) {}
	if invalid, ok := errors.AsType[*validationError](err); ok {
		return invalid.answer, invalid.detail, func(p *Problem) {
			if len(invalid.fields) > 0 {
				p.Errors = &invalid.fields
			}
		}
	}
	for _, r := range rules() {
		if matched := r.matches(err); matched != nil {
			return r.answer, detailOf(matched, r.advice), func(p *Problem) { addFacts(p, r.pointer, matched) }
		}
	}
	a, detail := answerForEcho(err)
	return a, detail, nothing
}

// answerForEcho answers what Echo itself refuses. Anything else is our fault.
func answerForEcho(err error) (answer, string) {
	fromEcho := (*echo.HTTPError)(nil)
	if !errors.As(err, &fromEcho) {
		return internal, "What was accepted before is not lost. Try again; if it stays so, give the operator the request id."
	}
	switch fromEcho.Code {
	case http.StatusNotFound:
		return noRoute, "There is no such path. The reference is at /docs."
	case http.StatusMethodNotAllowed:
		return methodNotAllowed, "The path exists, but not with this method. The reference is at /docs."
	case http.StatusRequestEntityTooLarge:
		return bodyTooLarge, "At most 64 MB go into a CSV file, 20 MB into JSON with openids, and 64 KB into any other request: split it."
	case http.StatusBadRequest:
		return invalidRequest, "The request could not be read. The reference is at /docs."
	}
	return internal, "Try again; if it stays so, give the operator the request id."
}

// statusGone is what nginx logs for a caller who did not wait for the answer. Nobody but our log and metrics sees it.
const statusGone = 499

// answerError is Echo's error handler.
func (s *server) answerError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	if errors.Is(err, context.Canceled) && c.Request().Context().Err() != nil {
		c.Response().WriteHeader(statusGone)
		return
	}
	p := problemFor(err, c.Response().Header().Get(echo.HeaderXRequestID))
	if p.Status == http.StatusUnauthorized {
		c.Response().Header().Set(echo.HeaderWWWAuthenticate, `Bearer realm="steward"`)
	}
	if after := retryAfter(err); after > 0 {
		c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(after))
	}
	writeProblem(c.Response(), p)
}

func writeProblem(w http.ResponseWriter, p Problem) {
	w.Header().Set(echo.HeaderContentType, "application/problem+json")
	w.Header().Set(echo.HeaderCacheControl, "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the caller is gone if this fails
}
