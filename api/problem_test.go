package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/api"
	"github.com/wechat-steward/steward/authorizer"
	"github.com/wechat-steward/steward/blacklist"
	"github.com/wechat-steward/steward/component"
	"github.com/wechat-steward/steward/tenant"
	"github.com/wechat-steward/steward/wechat"
)

// onPages is the reason of errors that merchants see as a page in two languages: TestConnectPages shows each.
const onPages = "answered by the pages of connect.go"

// neverAnswered are exported errors that no caller of the table can meet, each with the reason.
var neverAnswered = map[string]string{
	"authorizer.ErrLinkUnknown":         onPages,
	"authorizer.ErrLinkExpired":         onPages,
	"authorizer.ErrLinkUsed":            onPages,
	"authorizer.UnexpectedAccountError": onPages,
	"wechat.ErrListSize":                "only jobs send lists of openids to WeChat, in parts that fit",
}

// The table of errors is kept by hand; the source of the domain packages says whether it is complete.
func TestEveryExportedErrorOfADomainPackageHasAnAnswer(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("problem.go")
	require.NoError(t, err)
	mentioned := string(source)
	pages, err := os.ReadFile("connect.go")
	require.NoError(t, err)
	seen, found := map[string]bool{}, 0
	for _, pkg := range []string{"tenant", "token", "alert", "component", "authorizer", "follower", "blacklist", "sharedlist", "wechat"} {
		names := exportedErrors(t, "../"+pkg)
		found += len(names)
		for _, name := range names {
			qualified := pkg + "." + name
			if neverAnswered[qualified] != "" {
				seen[qualified] = true
				require.NotContains(t, mentioned, qualified, "it has an answer after all")
				if neverAnswered[qualified] == onPages {
					require.Contains(t, string(pages), qualified)
				}
				continue
			}
			if !strings.Contains(mentioned, "is("+qualified+")") && !strings.Contains(mentioned, "as[*"+qualified+"]") {
				t.Errorf("%s has no answer in the table of problem.go", qualified)
			}
		}
	}
	require.Greater(t, found, 20)
	for qualified := range neverAnswered {
		require.True(t, seen[qualified], "%s does not exist any more", qualified)
	}
}

// wrapped is how errors come out of the domain packages.
func wrapped(err error) error { return fmt.Errorf("block: %w", fmt.Errorf("secret of ours: %w", err)) }

func TestProblems(t *testing.T) {
	t.Parallel()
	const connectURL = "https://steward.test/connect/abc"
	set := authorizer.DescribePermissionSets
	quota := &wechat.Error{Path: "/cgi-bin/x", Code: 45009, Message: "reach max api daily quota limit", RID: "6123-45-67"}
	minute := &wechat.Error{Path: "/cgi-bin/x", Code: 45011, Message: "reach minute quota"}
	refused := &wechat.Error{Path: "/cgi-bin/x", Code: 40003, Message: "invalid openid"}

	for name, w := range map[string]struct {
		err   error
		want  string // the problem as JSON, without type and request_id
		after int    // Retry-After
	}{
		"PermissionMissing": {
			err: &authorizer.PermissionMissingError{
				AppID: "wx1", Operation: authorizer.OpBlacklist, Granted: set([]int{1}), Needed: set([]int{2, 100}), ConnectURL: connectURL,
			},
			want: `{"status":403,"code":"permission-missing","title":"The merchant has not granted what this needs",
				"detail":"Account wx1 has not granted the permission set that blacklist work needs: 2 (user management) or 100 (no name published by WeChat). One of these has to be ticked when authorizing. Nothing was done. Send connect_url to the account's administrator, who authorizes again through it.",
				"granted_sets":[{"id":1,"name_zh":"消息管理权限","name_en":"message management"}],
				"needed_sets":[{"id":2,"name_zh":"用户管理权限","name_en":"user management"},{"id":100,"name_zh":"微信未公布名称","name_en":"no name published by WeChat"}],
				"connect_url":"https://steward.test/connect/abc"}`,
		},
		"PermissionMissingOfAccountWithoutAnyAndWithoutLink": {
			err: &authorizer.PermissionMissingError{AppID: "wx1", Operation: authorizer.OpBlacklist, Needed: set([]int{2})},
			want: `{"status":403,"code":"permission-missing","title":"The merchant has not granted what this needs",
				"detail":"Account wx1 has not granted the permission set that blacklist work needs: 2 (user management). One of these has to be ticked when authorizing. Nothing was done. Make a connect link for the account, through which its administrator authorizes again.",
				"granted_sets":[],"needed_sets":[{"id":2,"name_zh":"用户管理权限","name_en":"user management"}]}`,
		},
		"AccountRevoked": {
			err: &authorizer.AccountStateError{AppID: "wx1", State: authorizer.StateRevoked, Reason: "the merchant said so.", ConnectURL: connectURL},
			want: `{"status":409,"code":"account-not-active","title":"Nothing can be done for the account as it is","account_state":"revoked",
				"detail":"Account wx1: the merchant said so. Nothing was done. Send connect_url to the account's administrator, who authorizes again through it.",
				"connect_url":"https://steward.test/connect/abc"}`,
		},
		"AccountNeedsReauthorizationWithoutLink": {
			err: &authorizer.AccountStateError{AppID: "wx1", State: authorizer.StateNeedsReauthorization},
			want: `{"status":409,"code":"account-not-active","title":"Nothing can be done for the account as it is","account_state":"needs_reauthorization",
				"detail":"Account wx1: the authorization has been lost. Nothing was done. Make a connect link for the account, through which its administrator authorizes again."}`,
		},
		"AccountLimited": {
			err: &authorizer.AccountStateError{AppID: "wx1", State: authorizer.StateLimited, ConnectURL: connectURL},
			want: `{"status":409,"code":"account-not-active","title":"Nothing can be done for the account as it is","account_state":"limited",
				"detail":"Account wx1: WeChat restricted it. Nothing was done. Ask the merchant to log in to mp.weixin.qq.com and see to the notice there.",
				"connect_url":"https://steward.test/connect/abc"}`,
		},
		"AccountTaken": {
			err: &authorizer.AccountTakenError{AppID: "wx1"},
			want: `{"status":409,"code":"account-taken","title":"The account is another tenant's",
				"detail":"Account wx1 already belongs to another tenant of this platform. An account stays with the tenant that it was given to first."}`,
		},
		"ComponentChoice": {
			err: &authorizer.ComponentChoiceError{AppIDs: []string{"wx1", "wx2"}},
			want: `{"status":422,"code":"component-choice","title":"There are several components","detail":"Several components are registered; name one of wx1, wx2.",
				"errors":[{"pointer":"/component_appid","detail":"several components are registered; name one of wx1, wx2"}]}`,
		},
		"NoComponent": {
			err: authorizer.ErrNoComponent,
			want: `{"status":409,"code":"no-component","title":"No component is registered",
				"detail":"No component (third-party platform) is registered yet: register one before making connect links. Only the service provider can do that."}`,
		},
		"InvalidLink": {
			err: &authorizer.InvalidLinkError{Param: "return_url", Why: "must be an absolute http or https URL"},
			want: `{"status":422,"code":"invalid-request","title":"The request is not valid","detail":"Return_url must be an absolute http or https URL. No link was made.",
				"errors":[{"pointer":"/return_url","detail":"must be an absolute http or https URL"}]}`,
		},
		"InvalidComponent": {
			err: &component.InvalidParamError{Param: "EncodingAESKey", Why: "is too short"},
			want: `{"status":422,"code":"invalid-request","title":"The request is not valid","detail":"Encoding_aes_key is too short. Copy it from the Open Platform console.",
				"errors":[{"pointer":"/encoding_aes_key","detail":"is too short"}]}`,
		},
		"InvalidEndOfComponentKeys": {
			err: &component.InvalidParamError{Param: "PreviousKeysUntil", Why: "lies in the past"},
			want: `{"status":422,"code":"invalid-request","title":"The request is not valid","detail":"Previous_keys_until lies in the past. Choose another time, or leave it out.",
				"errors":[{"pointer":"/previous_keys_until","detail":"lies in the past"}]}`,
		},
		"TokenHandoutOff": {
			err: tenant.ErrTokenHandoutOff,
			want: `{"status":403,"code":"token-handout-off","title":"Access tokens are not handed out here",
				"detail":"Access tokens are not handed out to this tenant's systems. Ask the service provider to turn token_handout on for the tenant. Nothing was handed out."}`,
		},
		"TooManyOpenIDs": {
			err: &blacklist.TooManyOpenIDsError{Given: 7, Limit: 5},
			want: `{"status":422,"code":"invalid-request","title":"The request is not valid","detail":"The request holds 7 openids; one may hold 5, so send it in parts. Nothing was done.",
				"errors":[{"pointer":"/openids","detail":"the request holds 7 openids; one may hold 5, so send it in parts"}]}`,
		},
		"InvalidOpenID": {
			err: &blacklist.InvalidOpenIDError{Index: 3},
			want: `{"status":422,"code":"invalid-request","title":"The request is not valid",
				"detail":"Openids[3] is not an openid: it has more than 128 bytes, or bytes that are not text. Nothing was done: take it out, or correct it.",
				"errors":[{"pointer":"/openids/3","detail":"openids[3] is not an openid: it has more than 128 bytes, or bytes that are not text"}]}`,
		},
		"InvalidUnionID": {
			err: &blacklist.InvalidOpenIDError{Index: 3, UnionID: true},
			want: `{"status":422,"code":"invalid-request","title":"The request is not valid",
				"detail":"Unionids[3] is not a unionid: it has more than 128 bytes, or bytes that are not text. Nothing was done: take it out, or correct it.",
				"errors":[{"pointer":"/unionids/3","detail":"unionids[3] is not a unionid: it has more than 128 bytes, or bytes that are not text"}]}`,
		},
		"UnknownFilter": {
			err: &blacklist.UnknownFilterError{Filter: "outcome", Value: offending},
			want: `{"status":422,"code":"invalid-request","title":"The request is not valid","detail":"This value is not one of those allowed. Choose among the values that the reference at /docs lists.",
				"errors":[{"pointer":"query:outcome","detail":"this value is not one of those allowed"}]}`,
		},
		"UnknownScope": {
			err: &tenant.UnknownScopeError{Scope: offending},
			want: `{"status":422,"code":"unknown-scope","title":"No such scope","detail":"This value is not one of those allowed. Choose among the scopes that the reference at /docs lists.",
				"errors":[{"pointer":"/scopes","detail":"this value is not one of those allowed"}]}`,
		},
		"IdempotencyKeyReused": {
			err: tenant.ErrIdempotencyKeyReused,
			want: `{"status":409,"code":"idempotency-key-reused","title":"The Idempotency-Key was used for something else",
				"detail":"This Idempotency-Key was used within the last 24 hours for another request. Nothing was done. Repeat the first request unchanged, or choose a new key for a new request.",
				"errors":[{"pointer":"header:Idempotency-Key","detail":"this Idempotency-Key was used within the last 24 hours for another request"}]}`,
		},
		"NoTicket": {
			err: component.ErrNoTicket, after: 600,
			want: `{"status":503,"code":"no-ticket","title":"The platform has no ticket from WeChat",
				"detail":"WeChat has pushed no component_verify_ticket yet, or the last one is more than 12 hours old. WeChat pushes one every ten minutes: try again then. If none comes, check the authorization event URL in the Open Platform console."}`,
		},
		"WeChatRefused": {
			err: refused,
			want: `{"status":502,"code":"wechat-refused","title":"WeChat refused","detail":"WeChat refused with 40003: invalid openid. ` + refused.Advice() + `",
				"errcode":40003,"advice":"` + refused.Advice() + `"}`,
		},
		"WeChatQuotaOfDay": {
			err: quota, after: 3600,
			want: `{"status":429,"code":"wechat-quota","title":"WeChat allows no more calls for now","detail":"WeChat refused with 45009: reach max api daily quota limit. ` + quota.Advice() + `",
				"errcode":45009,"rid":"6123-45-67","advice":"` + quota.Advice() + `"}`,
		},
		"WeChatQuotaOfMinute": {
			err: minute, after: 60,
			want: `{"status":429,"code":"wechat-quota","title":"WeChat allows no more calls for now","detail":"WeChat refused with 45011: reach minute quota. ` + minute.Advice() + `",
				"errcode":45011,"advice":"` + minute.Advice() + `"}`,
		},
		"WeChatUnreachable": {
			err: &wechat.TransportError{Path: "/cgi-bin/10.0.0.7"},
			want: `{"status":502,"code":"wechat-unreachable","title":"WeChat gave no usable answer",
				"detail":"WeChat could not be reached, or its answer could not be read. Try again; if it stays so, the operator looks into the network."}`,
		},
		"UnreadableEvent": {
			err:  wechat.ErrEvent,
			want: `{"status":400,"code":"unreadable-event","title":"Decrypted, and not readable","detail":"The decrypted message is not a readable event. If WeChat sent it, report it as a bug."}`,
		},
		"Unknown": {
			err: errors.New("secret of ours"),
			want: `{"status":500,"code":"internal","title":"Something went wrong on our side",
				"detail":"What was accepted before is not lost. Try again; if it stays so, give the operator the request id."}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, after := api.ProblemFor(wrapped(w.err))
			require.Equal(t, w.after, after)
			require.Equal(t, "/docs#error-"+p.Code, p.Type)
			require.Equal(t, "request-1", p.RequestID)
			packed, err := json.Marshal(p)
			require.NoError(t, err)
			require.NoError(t, loadSpec(t).Components.Schemas["Problem"].Value.VisitJSON(decoded(packed)))
			require.NotContains(t, string(packed), "secret of ours")
			require.NotContains(t, string(packed), offending)
			var have map[string]any
			require.NoError(t, json.Unmarshal(packed, &have))
			delete(have, "type")
			delete(have, "request_id")
			packed, err = json.Marshal(have)
			require.NoError(t, err)
			require.JSONEq(t, w.want, string(packed))
		})
	}
}

// codes reads the codes and statuses of problem.go.
func codes(t *testing.T) map[string]string {
	t.Helper()
	source, err := os.ReadFile("problem.go")
	require.NoError(t, err)
	found := map[string]string{}
	for _, match := range regexp.MustCompile(`answer\{([\w.]+), "([a-z-]+)"`).FindAllStringSubmatch(string(source), -1) {
		require.NotContains(t, found, match[2], "a code with two answers")
		found[match[2]] = match[1]
	}
	require.NotEmpty(t, found)
	return found
}

// exportedErrors lists a package's exported sentinel errors (var Err…) and error types (type …Error).
func exportedErrors(t *testing.T, dir string) []string {
	t.Helper()
	fset := token.NewFileSet()
	var names []string
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		if !isSource(entry) {
			continue
		}
		file, err := parser.ParseFile(fset, dir+"/"+entry.Name(), nil, 0)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			if general, ok := decl.(*ast.GenDecl); ok {
				names = append(names, errorsOf(general)...)
			}
		}
	}
	return names
}

func isSource(entry fs.DirEntry) bool {
	return strings.HasSuffix(entry.Name(), ".go") && !strings.HasSuffix(entry.Name(), "_test.go")
}

func errorsOf(decl *ast.GenDecl) (names []string) {
	for _, spec := range decl.Specs {
		switch spec := spec.(type) {
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				if strings.HasPrefix(name.Name, "Err") && name.IsExported() {
					names = append(names, name.Name)
				}
			}
		case *ast.TypeSpec:
			// An alias is the other package's error.
			if spec.Name.IsExported() && strings.HasSuffix(spec.Name.Name, "Error") && !spec.Assign.IsValid() {
				names = append(names, spec.Name.Name)
			}
		}
	}
	return names
}
