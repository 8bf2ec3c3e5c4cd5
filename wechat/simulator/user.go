package simulator

import (
	"encoding/json"
	"slices"
)

// maxUserInfoBatch is WeChat's limit for user/info/batchget.
const maxUserInfoBatch = 100

// userGet is user/get: a page of followers after next_openid.
func (s *Server) userGet(q *request) (object, *refusal) {
	a := q.grant.account
	next := q.query.Get("next_openid")
	seq, ever := a.followers.place(next)
	if next != "" && !ever {
		return nil, refuse(codeBadOpenID)
	}
	size := s.settings.FollowerPageSize
	if !s.settings.HideBlockedFollowers {
		return s.openIDPage(a.followers.live, a.followers.after(seq, size)), nil
	}
	total := a.followers.live
	for _, openid := range a.black.all() {
		if a.followers.has(openid) {
			total--
		}
	}
	page := []string{}
	for _, openid := range a.followers.after(seq, a.followers.live) {
		if len(page) == size {
			break
		}
		if !a.black.has(openid) {
			page = append(page, openid)
		}
	}
	return s.openIDPage(total, page), nil
}

// userInfo is user/info.
func (s *Server) userInfo(q *request) (object, *refusal) {
	openid := q.query.Get("openid")
	if openid == "" {
		return nil, refuse(codeOpenIDMissing)
	}
	return q.grant.account.userInfo(openid)
}

// userInfo answers for followers, and for those who have left; nobody else is known.
func (a *account) userInfo(openid string) (object, *refusal) {
	if _, ever := a.followers.place(openid); !ever {
		return nil, refuse(codeBadOpenID)
	}
	info := object{"subscribe": 0, "openid": openid}
	if unionID := a.unionIDs[openid]; unionID != "" {
		info["unionid"] = unionID
	}
	if !a.followers.has(openid) {
		return info, nil
	}
	for key, value := range (object{
		"subscribe": 1, "language": "zh_CN", "subscribe_time": a.followers.since(openid), "remark": "", "groupid": 0,
		"tagid_list": []int{}, "subscribe_scene": "ADD_SCENE_QR_CODE", "qr_scene": 0, "qr_scene_str": "",
	}) {
		info[key] = value
	}
	return info, nil
}

// userInfoBatch is user/info/batchget.
func (s *Server) userInfoBatch(q *request) (object, *refusal) {
	var users []struct {
		OpenID string `json:"openid"`
	}
	if raw, ok := q.fields["user_list"]; ok {
		if err := json.Unmarshal(raw, &users); err != nil {
			return nil, refuse(codeBadFormat)
		}
	}
	if len(users) == 0 || len(users) > maxUserInfoBatch {
		return nil, refuse(codeListSize)
	}
	list := make([]object, 0, len(users))
	for _, user := range users {
		info, no := q.grant.account.userInfo(user.OpenID)
		if no != nil {
			return nil, no
		}
		list = append(list, info)
	}
	return object{"user_info_list": list}, nil
}

// tagIDs is tags/getidlist. The simulator's followers have no tags.
func (s *Server) tagIDs(q *request) (object, *refusal) {
	openid, no := q.text("openid")
	switch {
	case no != nil:
		return nil, no
	case openid == "":
		return nil, refuse(codeOpenIDMissing)
	case !q.grant.account.followers.has(openid):
		return nil, refuse(codeBadOpenID)
	}
	return object{"tagid_list": []int{}}, nil
}

// FollowersOf returns the openids that follow an account, in the order in which they came.
func (s *Server) FollowersOf(appid string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findAccount(appid)
	if err != nil {
		return nil
	}
	return a.followers.all()
}

// AddFollowers lets openids follow an account. Nothing is pushed: see PushMessage.
func (s *Server) AddFollowers(appid string, openids ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findAccount(appid)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(openids, func(openid string) bool { return !validOpenID(openid) }); i >= 0 {
		return badOpenID(openids[i])
	}
	for _, openid := range openids {
		a.followers.add(openid, s.now().Unix())
	}
	return nil
}

// RemoveFollowers lets openids leave an account. Those that are blocked stay blocked. Nothing is pushed: see PushMessage.
func (s *Server) RemoveFollowers(appid string, openids ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findAccount(appid)
	if err != nil {
		return err
	}
	for _, openid := range openids {
		a.followers.remove(openid)
	}
	return nil
}

// SetUnionID sets the unionid of an openid; an empty unionID takes it away.
func (s *Server) SetUnionID(appid, openid, unionID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.findAccount(appid)
	if err != nil {
		return err
	}
	a.unionIDs[openid] = unionID
	return nil
}
