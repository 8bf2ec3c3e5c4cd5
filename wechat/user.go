package wechat

import (
	"context"
	"net/url"
	"time"
)

const (
	pathFollowers     = "/cgi-bin/user/get"
	pathUserInfoBatch = "/cgi-bin/user/info/batchget"
)

// MaxUserInfoBatch is how many openids WeChat takes in one [Client.UserInfoBatch].
const MaxUserInfoBatch = 100

// UserInfo is what an account may know of one user. It is personal data, to be deleted when the user unfollows.
type UserInfo struct {
	OpenID string
	// UnionID is the same for all accounts under one Open Platform account; empty where this one is under none.
	UnionID string
	// Subscribed is false for somebody who does not follow; then most of the rest is empty.
	Subscribed bool
	// SubscribedAt is in UTC; zero where WeChat did not say.
	SubscribedAt   time.Time
	Language       string
	Remark         string
	GroupID        int
	TagIDs         []int
	SubscribeScene string
	QRScene        int
	QRSceneStr     string
}

// Followers reads the page of followers after nextOpenID, or the first one where that is empty: up to 10000. Unless its
// quota was raised, an account may ask 500 times a day.
//
// WeChat's page: 获取用户列表, https://developers.weixin.qq.com/doc/offiaccount/User_Management/Getting_a_User_List.html
func (c *Client) Followers(ctx context.Context, token, nextOpenID string) (OpenIDPage, error) {
	query := url.Values{}
	if nextOpenID != "" { // the parameter without a value was answered with 40003 once
		query.Set("next_openid", nextOpenID)
	}
	var out openIDAnswer
	if err := c.get(ctx, pathFollowers, accessCredential(token), query, &out); err != nil {
		return OpenIDPage{}, err
	}
	return out.page(), nil
}

// UserInfoBatch reads what the account may know of 1 to [MaxUserInfoBatch] users; any other number fails with
// [ErrListSize] and is not sent. The answer may be shorter than openids, in any order.
//
// WeChat's page: 批量获取用户基本信息 (batchUserinfo),
// https://developers.weixin.qq.com/doc/service/api/usermanage/userinfo/api_batchuserinfo
func (c *Client) UserInfoBatch(ctx context.Context, token string, openids []string) ([]UserInfo, error) {
	if len(openids) == 0 || len(openids) > MaxUserInfoBatch {
		return nil, ErrListSize
	}
	type user struct {
		OpenID string `json:"openid"`
		Lang   string `json:"lang"`
	}
	body := struct {
		Users []user `json:"user_list"`
	}{make([]user, len(openids))}
	for i, id := range openids {
		body.Users[i] = user{OpenID: id, Lang: "zh_CN"}
	}
	var out struct {
		Users []lenientObject[userRow] `json:"user_info_list"`
	}
	if err := c.post(ctx, pathUserInfoBatch, accessCredential(token), body, &out); err != nil {
		return nil, err
	}
	users := make([]UserInfo, 0, len(out.Users))
	for _, row := range out.Users {
		if row.value.OpenID != "" {
			users = append(users, row.value.info())
		}
	}
	return users, nil
}

type userRow struct {
	OpenID         lenientString `json:"openid"`
	UnionID        lenientString `json:"unionid"`
	Subscribe      lenientInt    `json:"subscribe"`
	SubscribeTime  lenientInt    `json:"subscribe_time"`
	Language       lenientString `json:"language"`
	Remark         lenientString `json:"remark"`
	GroupID        lenientInt    `json:"groupid"`
	TagIDs         lenientInts   `json:"tagid_list"`
	SubscribeScene lenientString `json:"subscribe_scene"`
	QRScene        lenientInt    `json:"qr_scene"`
	QRSceneStr     lenientString `json:"qr_scene_str"`
}

func (r userRow) info() UserInfo {
	return UserInfo{
		OpenID:         string(r.OpenID),
		UnionID:        string(r.UnionID),
		Subscribed:     r.Subscribe.bool(),
		SubscribedAt:   r.SubscribeTime.time(),
		Language:       string(r.Language),
		Remark:         string(r.Remark),
		GroupID:        int(r.GroupID),
		TagIDs:         r.TagIDs,
		SubscribeScene: string(r.SubscribeScene),
		QRScene:        int(r.QRScene),
		QRSceneStr:     string(r.QRSceneStr),
	}
}
