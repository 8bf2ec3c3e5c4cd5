package wechat

import (
	"context"
	"time"
)

const (
	pathQuota               = "/cgi-bin/openapi/quota/get"
	pathClearQuota          = "/cgi-bin/clear_quota"
	pathClearComponentQuota = "/cgi-bin/component/clear_quota/v2"
	pathRID                 = "/cgi-bin/openapi/rid/get"
)

// Quota is how often an account may call one API. What the platform calls counts against the merchant's own quota.
type Quota struct {
	// DailyLimit, Used and Remain count calls of today.
	DailyLimit, Used, Remain int
	// Rate is the limit of the account, ComponentRate that of the platform; zero where there is none.
	Rate, ComponentRate RateLimit
}

// RateLimit allows Calls calls in each span of Per.
type RateLimit struct {
	Calls int
	Per   time.Duration
}

// RIDRecord is what WeChat kept of one call. URL and bodies have tokens and other secrets taken out.
type RIDRecord struct {
	// InvokedAt is in UTC; zero where WeChat did not say.
	InvokedAt time.Time
	// Cost is how long the call took at WeChat.
	Cost         time.Duration
	RequestURL   string
	RequestBody  string
	ResponseBody string
	ClientIP     string
}

// Quota reads how much of its quota for the API at cgiPath (such as /cgi-bin/tags/members/batchblacklist) an account
// has left. token is that of the account, or the component's for APIs of the component. 76021 and 76003 say that
// WeChat keeps no quota for cgiPath.
//
// WeChat's page: 查询API调用额度, https://developers.weixin.qq.com/doc/offiaccount/openApi/get_api_quota.html
func (c *Client) Quota(ctx context.Context, token, cgiPath string) (Quota, error) {
	body := struct {
		Path string `json:"cgi_path"`
	}{cgiPath}
	type rate struct {
		Calls   lenientInt `json:"call_count"`
		Seconds lenientInt `json:"refresh_second"`
	}
	var out struct {
		Quota lenientObject[struct {
			Limit  lenientInt `json:"daily_limit"`
			Used   lenientInt `json:"used"`
			Remain lenientInt `json:"remain"`
		}] `json:"quota"`
		Rate          lenientObject[rate] `json:"rate_limit"`
		ComponentRate lenientObject[rate] `json:"component_rate_limit"`
	}
	if err := c.post(ctx, pathQuota, accessCredential(token), body, &out); err != nil {
		return Quota{}, err
	}
	q, own, component := out.Quota.value, out.Rate.value, out.ComponentRate.value
	return Quota{
		DailyLimit: int(q.Limit), Used: int(q.Used), Remain: int(q.Remain),
		Rate:          RateLimit{Calls: int(own.Calls), Per: own.Seconds.seconds()},
		ComponentRate: RateLimit{Calls: int(component.Calls), Per: component.Seconds.seconds()},
	}, nil
}

// QuotaReset returns when daily quotas begin anew after now: the next midnight in China, as far as is known. China has one
// time zone and no summer time, so that this needs no time zone database.
func QuotaReset(now time.Time) time.Time {
	china := now.In(time.FixedZone("UTC+8", 8*60*60))
	y, m, d := china.Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, china.Location()).UTC()
}

// ClearQuota sets all daily counts of the account appid to zero, with a token of that same account; with the
// component's for the component. WeChat allows it ten times a month and answers 48006 after that.
//
// WeChat's page: 重置API调用次数, https://developers.weixin.qq.com/doc/offiaccount/openApi/clear_quota.html
func (c *Client) ClearQuota(ctx context.Context, token, appid string) error {
	body := struct {
		AppID string `json:"appid"`
	}{appid}
	return c.post(ctx, pathClearQuota, accessCredential(token), body, nil)
}

// ClearComponentQuota does what [Client.ClearQuota] does without a token, for the day on which the quota for tokens
// itself is used up: for the account authorizerAppID, or for the component where that is empty. Both ways share the ten
// times a month.
//
// WeChat's page: 使用AppSecret重置第三方平台API调用次数,
// https://developers.weixin.qq.com/doc/oplatform/openApi/openapi/api_componentclearquota_v2.html
func (c *Client) ClearComponentQuota(ctx context.Context, appid, appsecret, authorizerAppID string) error {
	body := struct {
		ComponentAppID string `json:"component_appid"`
		Secret         string `json:"appsecret"`
		AppID          string `json:"appid,omitempty"`
	}{appid, appsecret, authorizerAppID}
	return c.post(ctx, pathClearComponentQuota, secretsOnly(appsecret), body, nil)
}

// RID reads what WeChat kept of the failed call rid, with a token of the account that made it. WeChat forgets after
// seven days (76001).
//
// WeChat's page: 查询rid信息, https://developers.weixin.qq.com/doc/service/openApi/get_rid_info.html
func (c *Client) RID(ctx context.Context, token, rid string) (RIDRecord, error) {
	body := struct {
		RID string `json:"rid"`
	}{rid}
	var out struct {
		Request lenientObject[struct {
			InvokeTime   lenientInt    `json:"invoke_time"`
			CostMS       lenientInt    `json:"cost_in_ms"`
			RequestURL   lenientString `json:"request_url"`
			RequestBody  lenientString `json:"request_body"`
			ResponseBody lenientString `json:"response_body"`
			ClientIP     lenientString `json:"client_ip"`
		}] `json:"request"`
	}
	if err := c.post(ctx, pathRID, accessCredential(token), body, &out); err != nil {
		return RIDRecord{}, err
	}
	r, red := out.Request.value, newRedactor(token)
	return RIDRecord{
		InvokedAt:    r.InvokeTime.time(),
		Cost:         r.CostMS.seconds() / 1000,
		RequestURL:   red.text(string(r.RequestURL)),
		RequestBody:  red.text(string(r.RequestBody)),
		ResponseBody: red.text(string(r.ResponseBody)),
		ClientIP:     string(r.ClientIP),
	}, nil
}
