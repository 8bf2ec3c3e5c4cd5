package wechat_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wechat-steward/steward/wechat"
)

const businessPath = "/cgi-bin/tags/members/batchblacklist"

// codeClasses is written from WeChat's tables, apart from the table in the package: each must catch slips of the other.
func codeClasses() map[wechat.Class][]int {
	return map[wechat.Class][]int{
		wechat.ClassRetry:       {-1, -1000, 61450},
		wechat.ClassToken:       {40001, 40014, 42001},
		wechat.ClassComponent:   {40091, 40094, 42006, 61005, 61006},
		wechat.ClassReauthorize: {42002, 42007, 61003, 61023},
		wechat.ClassPermission:  {48001, 50001, 61007, 61016, 61017},
		wechat.ClassQuota:       {45009, 45011, 48006, 45047},
		wechat.ClassCaller: {
			40003, 40013, 40032, 40035, 40097, 40163, 41001, 41002, 41004, 41018, 41021, 41009, 43001, 43002, 43003, 43004, 43006, 43019, 44002, 44005,
			46004, 47001, 47002, 49001, 49003, 50005, 61008, 61009, 61010, 61012, 61013, 61025, 61014, 61015, 61018, 61019, 61020, 61021, 61022, 61024,
			61451, 76001, 76002, 76003, 76021, 76022, 86000, 45015, 9001001, 9001020, 9001036,
		},
		wechat.ClassOperator: {
			40090, 45035, 40125, 40164, 40243, 48017, 61000, 61001, 61002, 61004, 61011, 61026, 61027, 61028, 61029, 61030,
			89501, 89502, 89503, 89504, 89505, 89506, 89507,
		},
		wechat.ClassSuspended: {48004, 50002, 50004},
	}
}

func TestCodes_HaveClassAndAdvice(t *testing.T) {
	t.Parallel()
	sentence := regexp.MustCompile(`^[A-Z][^\n]{20,200}\.$`)
	unknown := wechat.Advice(123456)
	require.Regexp(t, sentence, unknown)
	for class, codes := range codeClasses() {
		for _, code := range codes {
			t.Run(fmt.Sprint(class, "/", code), func(t *testing.T) {
				t.Parallel()
				err := &wechat.Error{Path: businessPath, Code: code}
				require.Equal(t, class, err.Class())
				require.Equal(t, class, wechat.ClassOf(fmt.Errorf("while blocking: %w", err)))
				require.Regexp(t, sentence, err.Advice())
				require.NotEqual(t, unknown, err.Advice())
				require.Equal(t, err.Advice(), wechat.Advice(code))
			})
		}
	}
}

func TestCodes_Unknown(t *testing.T) {
	t.Parallel()
	for _, code := range []int{1, 123456, 9001000, 9001037, -2} {
		require.Equal(t, wechat.ClassCaller, (&wechat.Error{Path: businessPath, Code: code}).Class())
		require.Equal(t, wechat.Advice(123456), wechat.Advice(code))
	}
	require.Empty(t, wechat.Advice(0))
}

func TestCodes_DependOnThePath(t *testing.T) {
	t.Parallel()
	const component = "/cgi-bin/component/"
	for _, tc := range []struct {
		path string
		code int
		want wechat.Class
	}{
		{component + "api_component_token", 40001, wechat.ClassOperator},
		{component + "api_start_push_ticket", 40001, wechat.ClassOperator},
		{component + "clear_quota/v2", 40001, wechat.ClassOperator},
		{component + "api_authorizer_token", 40001, wechat.ClassComponent},
		{component + "api_authorizer_token", 40014, wechat.ClassComponent},
		{component + "api_query_auth", 42001, wechat.ClassComponent},
		{component + "api_create_preauthcode", 40001, wechat.ClassComponent},
		{component + "api_get_authorizer_list", 42001, wechat.ClassComponent},
		{component + "api_authorizer_token", 61003, wechat.ClassReauthorize},
		{component + "api_authorizer_token", 61023, wechat.ClassReauthorize},
		{component + "api_get_authorizer_info", 61003, wechat.ClassReauthorize},
		{component + "api_get_authorizer_info", 40013, wechat.ClassCaller},
		{component + "api_component_token", 40013, wechat.ClassOperator},
		{component + "api_component_token", 48001, wechat.ClassOperator},
		{component + "api_create_preauthcode", 61003, wechat.ClassOperator},
		{component + "api_get_authorizer_list", 50002, wechat.ClassOperator},
		{component + "api_component_token", 61006, wechat.ClassComponent},
		{component + "api_component_token", 45009, wechat.ClassQuota},
		{component + "api_component_token", -1, wechat.ClassRetry},
		{"/cgi-bin/clear_quota", 40001, wechat.ClassToken},
	} {
		err := &wechat.Error{Path: tc.path, Code: tc.code}
		require.Equal(t, tc.want, err.Class(), "%d at %s", tc.code, tc.path)
		require.NotEmpty(t, err.Advice())
	}
	wrongSecret := &wechat.Error{Path: component + "api_component_token", Code: 40001}
	require.Equal(t, wechat.Advice(40125), wrongSecret.Advice())
}

// No call of the component about itself may ever mark a merchant.
func TestCodes_OwnCallsBlameNoMerchant(t *testing.T) {
	t.Parallel()
	for _, codes := range codeClasses() {
		for _, code := range codes {
			for _, path := range []string{"api_component_token", "api_start_push_ticket", "api_create_preauthcode", "api_get_authorizer_list"} {
				class := (&wechat.Error{Path: "/cgi-bin/component/" + path, Code: code}).Class()
				require.NotContains(t, []wechat.Class{wechat.ClassReauthorize, wechat.ClassPermission, wechat.ClassSuspended, wechat.ClassToken}, class, "%d at %s", code, path)
			}
		}
	}
}

func TestClassOf(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		want wechat.Class
	}{
		"Nil":          {nil, wechat.ClassNone},
		"Refused":      {&wechat.Error{Code: 61007}, wechat.ClassPermission},
		"Wrapped":      {fmt.Errorf("a: %w", fmt.Errorf("b: %w", &wechat.Error{Code: 61007})), wechat.ClassPermission},
		"Joined":       {errors.Join(io.EOF, &wechat.Error{Code: 45009}), wechat.ClassQuota},
		"Transport":    {&wechat.TransportError{Path: businessPath}, wechat.ClassRetry},
		"Cancelled":    {context.Canceled, wechat.ClassRetry},
		"Deadline":     {fmt.Errorf("a: %w", context.DeadlineExceeded), wechat.ClassRetry},
		"ListSize":     {fmt.Errorf("a: %w", wechat.ErrListSize), wechat.ClassCaller},
		"AnythingElse": {io.ErrUnexpectedEOF, wechat.ClassRetry},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, wechat.ClassOf(tc.err))
		})
	}
}

func TestClass_String(t *testing.T) {
	t.Parallel()
	want := []string{"none", "retry", "token", "component", "reauthorize", "permission", "quota", "caller", "operator", "suspended"}
	for i, name := range want {
		require.Equal(t, name, wechat.Class(i).String())
	}
	require.Equal(t, "class(10)", wechat.Class(10).String())
	require.Equal(t, "class(-1)", wechat.Class(-1).String())
}

func TestIsBadOpenID(t *testing.T) {
	t.Parallel()
	bad := map[int]bool{40003: true, 49003: true, 43004: true, 46004: true, 43006: true}
	for _, codes := range codeClasses() {
		for _, code := range codes {
			require.Equal(t, bad[code], wechat.IsBadOpenID(fmt.Errorf("while blocking: %w", &wechat.Error{Code: code})), "%d", code)
		}
	}
	require.False(t, wechat.IsBadOpenID(nil))
	require.False(t, wechat.IsBadOpenID(io.EOF))
	require.False(t, wechat.IsBadOpenID(&wechat.TransportError{}))
}
