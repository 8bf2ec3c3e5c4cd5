package wechat

import "context"

// The paths of the blacklist calls, by which quotas are asked for.
const (
	PathBlacklist        = "/cgi-bin/tags/members/getblacklist"
	PathBatchBlacklist   = "/cgi-bin/tags/members/batchblacklist"
	PathBatchUnblacklist = "/cgi-bin/tags/members/batchunblacklist"
)

// MaxBatch is how many openids WeChat takes in one [Client.BatchBlacklist] or [Client.BatchUnblacklist].
const MaxBatch = 20

// OpenIDPage is one page of a list of openids.
type OpenIDPage struct {
	// Total counts the whole list, Count what WeChat says this page holds.
	Total int
	Count int
	// OpenIDs is nil where the page is empty. Pages may overlap, so take each openid once.
	OpenIDs []string
	// Next is where the next page begins. The list has ended where it is empty, where the page is, or where it did not
	// move since the page before.
	Next string
}

// openIDAnswer is the answer of getblacklist and of user/get. What stands for an empty list is documented for neither:
// data may be absent, null, an empty object, or hold a null.
type openIDAnswer struct {
	Total lenientInt `json:"total"`
	Count lenientInt `json:"count"`
	Data  lenientObject[struct {
		OpenID lenientStrings `json:"openid"`
	}] `json:"data"`
	Next lenientString `json:"next_openid"`
}

func (a openIDAnswer) page() OpenIDPage {
	return OpenIDPage{Total: int(a.Total), Count: int(a.Count), OpenIDs: a.Data.value.OpenID, Next: string(a.Next)}
}

// Blacklist reads the page of the account's blacklist that follows beginOpenID, or the first one where that is empty.
// A page holds up to 1000 openids, 10000 by WeChat's older pages; follow Next and count on neither.
//
// WeChat's page: 获取黑名单列表 (getBlacklist),
// https://developers.weixin.qq.com/doc/service/en/api/usermanage/userinfo/api_getblacklist
func (c *Client) Blacklist(ctx context.Context, token, beginOpenID string) (OpenIDPage, error) {
	body := struct {
		// Sent even when empty: a POST without a body is refused with 44002.
		Begin string `json:"begin_openid"`
	}{beginOpenID}
	var out openIDAnswer
	if err := c.post(ctx, PathBlacklist, accessCredential(token), body, &out); err != nil {
		return OpenIDPage{}, err
	}
	return out.page(), nil
}

// BatchBlacklist blocks 1 to [MaxBatch] followers; any other number fails with [ErrListSize] and is not sent. WeChat
// tells no result for each openid: if [IsBadOpenID] holds for the error, one of them is at fault, and whether the others
// were blocked is not known.
//
// WeChat's page: 拉黑用户 (batchBlacklist),
// https://developers.weixin.qq.com/doc/service/en/api/usermanage/userinfo/api_batchblacklist
func (c *Client) BatchBlacklist(ctx context.Context, token string, openids []string) error {
	return c.batch(ctx, PathBatchBlacklist, token, openids)
}

// BatchUnblacklist takes 1 to [MaxBatch] followers off the blacklist, like [Client.BatchBlacklist] in all else.
//
// WeChat's page: 取消拉黑用户 (batchUnblacklist),
// https://developers.weixin.qq.com/doc/service/en/api/usermanage/userinfo/api_batchunblacklist
func (c *Client) BatchUnblacklist(ctx context.Context, token string, openids []string) error {
	return c.batch(ctx, PathBatchUnblacklist, token, openids)
}

func (c *Client) batch(ctx context.Context, path, token string, openids []string) error {
	if len(openids) == 0 || len(openids) > MaxBatch {
		return ErrListSize
	}
	body := struct {
		OpenIDs []string `json:"openid_list"` // "opened_list" in WeChat's examples is a slip, the server wants this
	}{openids}
	return c.post(ctx, path, accessCredential(token), body, nil)
}
