package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// pushed says what became of the pushes of one call of the control API.
type pushed struct {
	// Delivered: the component took every event. Held: HoldPushes holds it. Both are false if nothing was to be pushed.
	Delivered bool   `json:"delivered"`
	Held      bool   `json:"held"`
	Error     string `json:"error,omitempty"`
}

// pushFor pushes an event for the control API. A push that is not taken is no mistake of the caller.
func (s *Server) pushFor(ctx context.Context, e Event, wanted *bool) pushed {
	if wanted != nil && !*wanted {
		return pushed{}
	}
	if s.Settings().HoldPushes {
		_ = s.pushByItself(ctx, e) // a held event cannot fail
		return pushed{Held: true}
	}
	return outcome(s.pushByItself(ctx, e))
}

func outcome(err error) pushed {
	if err != nil {
		return pushed{Error: plain(err)}
	}
	return pushed{Delivered: true}
}

func (s *Server) controlTicket(ctx context.Context, _ *http.Request, _ none) (any, error) {
	return outcome(s.PushTicket(ctx)), nil
}

type eventsBody struct {
	Events []Event `json:"events"`
}

func (s *Server) controlEvents(ctx context.Context, _ *http.Request, in eventsBody) (any, error) {
	if len(in.Events) == 0 {
		return nil, errors.New("events is empty")
	}
	return outcome(s.Push(ctx, in.Events...)), nil
}

type releaseHeldBody struct {
	Reverse bool `json:"reverse"`
}

func (s *Server) controlReleaseHeld(ctx context.Context, _ *http.Request, in releaseHeldBody) (any, error) {
	return outcome(s.ReleaseHeld(ctx, in.Reverse)), nil
}

type componentBody struct {
	EventURL   string `json:"event_url"`
	MessageURL string `json:"message_url"`
}

func (s *Server) controlComponent(_ context.Context, r *http.Request, in componentBody) (any, error) {
	return nil, s.SetCallbackURLs(r.PathValue("appid"), in.EventURL, in.MessageURL)
}

func (s *Server) controlAddAccount(_ context.Context, _ *http.Request, in Account) (any, error) {
	if err := s.AddAccount(in); err != nil {
		return nil, err
	}
	return s.showAccount(in.AppID)
}

// controlUpdateAccount takes any of the properties of an account; what is left out stays.
func (s *Server) controlUpdateAccount(_ context.Context, r *http.Request, in json.RawMessage) (any, error) {
	var wrong error
	err := s.UpdateAccount(r.PathValue("appid"), func(a *Account) {
		next := *a
		next.FollowerCount = 0
		wrong = decodeStrict(in, &next)
		switch {
		case wrong != nil:
		case next.AppID != a.AppID:
			wrong = errors.New("appid cannot be changed")
		case next.Followers != nil || next.FollowerCount != 0 || next.UnionIDs != nil || next.Blacklist != nil:
			wrong = errors.New("followers and blacklist are changed at …/followers and …/blacklist")
		default:
			*a = next
		}
	})
	if wrong != nil {
		return nil, wrong
	}
	if err != nil {
		return nil, err
	}
	return s.showAccount(r.PathValue("appid"))
}

func (s *Server) showAccount(appid string) (any, error) {
	for _, a := range s.Accounts() {
		if a.AppID == appid {
			return a, nil
		}
	}
	return nil, ErrUnknownAccount
}

type authorizeBody struct {
	ComponentAppID string `json:"component_appid"`
	PreAuthCode    string `json:"pre_auth_code"`
	PermissionSets []int  `json:"permission_sets"`
	Push           *bool  `json:"push"`
}

func (s *Server) controlAuthorize(ctx context.Context, r *http.Request, in authorizeBody) (any, error) {
	code, err := s.AuthorizeFor(Grant{
		ComponentAppID: in.ComponentAppID, AppID: r.PathValue("appid"), PreAuthCode: in.PreAuthCode, PermissionSets: in.PermissionSets,
	})
	if err != nil {
		return nil, err
	}
	return s.pushCode(ctx, code, in.Push), nil
}

type permissionSetsBody struct {
	PermissionSets []int `json:"permission_sets"`
	Push           *bool `json:"push"`
}

func (s *Server) controlPermissionSets(ctx context.Context, r *http.Request, in permissionSetsBody) (any, error) {
	code, err := s.SetPermissionSets(r.PathValue("appid"), in.PermissionSets...)
	if err != nil {
		return nil, err
	}
	return s.pushCode(ctx, code, in.Push), nil
}

// pushCode pushes the event of an authorization, unless nothing has changed by it.
func (s *Server) pushCode(ctx context.Context, code string, wanted *bool) object {
	s.mu.Lock()
	infoType := s.codes[code].infoType
	s.mu.Unlock()
	answer := object{"authorization_code": code, "event": infoType, "push": pushed{}}
	if infoType != "" {
		answer["push"] = s.pushFor(ctx, Event{AuthorizationCode: code}, wanted)
	}
	return answer
}

type revokeBody struct {
	ComponentAppID string `json:"component_appid"`
	Push           *bool  `json:"push"`
}

func (s *Server) controlRevoke(ctx context.Context, r *http.Request, in revokeBody) (any, error) {
	appid := r.PathValue("appid")
	if err := s.RevokeFor(in.ComponentAppID, appid); err != nil {
		return nil, err
	}
	e := Event{ComponentAppID: in.ComponentAppID, InfoType: Unauthorized, AuthorizerAppID: appid}
	return object{"event": Unauthorized, "push": s.pushFor(ctx, e, in.Push)}, nil
}

func (s *Server) controlListFollowers(_ context.Context, r *http.Request, _ none) (any, error) {
	return s.showOpenIDs(r.PathValue("appid"), s.FollowersOf)
}

func (s *Server) controlListBlacklist(_ context.Context, r *http.Request, _ none) (any, error) {
	return s.showOpenIDs(r.PathValue("appid"), s.Blacklisted)
}

func (s *Server) showOpenIDs(appid string, list func(string) []string) (any, error) {
	if _, err := s.showAccount(appid); err != nil {
		return nil, err
	}
	openids := list(appid)
	return object{"total": len(openids), "openids": openids}, nil
}

type followersBody struct {
	Add      []string          `json:"add"`
	Generate int               `json:"generate"`
	Remove   []string          `json:"remove"`
	UnionIDs map[string]string `json:"unionids"`
}

func (s *Server) controlFollowers(_ context.Context, r *http.Request, in followersBody) (any, error) {
	appid := r.PathValue("appid")
	if in.Generate < 0 {
		return nil, errors.New("generate must not be negative")
	}
	for i := range in.Generate {
		in.Add = append(in.Add, OpenID(appid, i))
	}
	if err := s.AddFollowers(appid, in.Add...); err != nil {
		return nil, err
	}
	if err := s.RemoveFollowers(appid, in.Remove...); err != nil {
		return nil, err
	}
	for openid, unionID := range in.UnionIDs {
		if err := s.SetUnionID(appid, openid, unionID); err != nil {
			return nil, err
		}
	}
	return object{"total": len(s.FollowersOf(appid))}, nil
}

type blacklistBody struct {
	Block   []string `json:"block"`
	Unblock []string `json:"unblock"`
}

func (s *Server) controlBlacklist(_ context.Context, r *http.Request, in blacklistBody) (any, error) {
	appid := r.PathValue("appid")
	if err := s.RemoteBlock(appid, in.Block...); err != nil {
		return nil, err
	}
	if err := s.RemoteUnblock(appid, in.Unblock...); err != nil {
		return nil, err
	}
	return object{"total": len(s.Blacklisted(appid))}, nil
}

func (s *Server) controlMessage(ctx context.Context, r *http.Request, in Message) (any, error) {
	reply, err := s.PushMessage(ctx, r.PathValue("appid"), in)
	if errors.Is(err, ErrUnknownAccount) || errors.Is(err, ErrNoCallbackURL) {
		return nil, err
	}
	answer := object{"delivered": reply.Delivered, "why": reply.Why, "reply": string(reply.Content)}
	if err != nil {
		answer["error"] = plain(err)
	}
	return answer, nil
}
