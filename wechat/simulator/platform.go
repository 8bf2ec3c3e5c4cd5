package simulator

import (
	"cmp"
	"fmt"
	"slices"
)

// Component is a third-party platform (第三方平台) as WeChat knows it. Empty fields get defaults that suit a test.
type Component struct {
	// AppID defaults to wx0000000000000001 for the first component, wx0000000000000002 for the second, and so on.
	AppID string `json:"appid"`
	// AppSecret defaults to "0123456789abcdef0123456789abcdef".
	AppSecret string `json:"-"`
	// Token signs pushes (消息校验Token). Default "simtoken".
	Token string `json:"-"`
	// EncodingAESKey encrypts pushes (消息加解密Key), 43 characters. Default "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFE".
	EncodingAESKey string `json:"-"`
	// Name is shown on the consent page. Default "Simulated platform".
	Name string `json:"name"`
	// EventURL and MessageURL default to those of Config.
	EventURL   string `json:"event_url"`
	MessageURL string `json:"message_url"`
	// PermissionSets are what the platform asks merchants for. Default 1, 2, 3, 4, 7, 11, 15.
	PermissionSets []int `json:"permission_sets"`
}

type component struct {
	Component
	meter
	tickets []ticket // newest last
	newest  *token
	asked   bool // api_start_push_ticket was called, and StartTickets has not pushed since
}

func newComponent(c Component, i int, cfg Config) *component {
	c.AppID = cmp.Or(c.AppID, fmt.Sprintf("wx%016d", i+1))
	c.AppSecret = cmp.Or(c.AppSecret, "0123456789abcdef0123456789abcdef")
	c.Token = cmp.Or(c.Token, "simtoken")
	c.EncodingAESKey = cmp.Or(c.EncodingAESKey, "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFE")
	c.Name = cmp.Or(c.Name, "Simulated platform")
	c.EventURL = cmp.Or(c.EventURL, cfg.EventURL)
	c.MessageURL = cmp.Or(c.MessageURL, cfg.MessageURL)
	if c.PermissionSets == nil {
		c.PermissionSets = []int{1, 2, 3, 4, 7, 11, 15}
	}
	c.PermissionSets = sortedSets(c.PermissionSets)
	return &component{Component: c, meter: newMeter()}
}

// Component returns the first component, with its defaults filled in.
func (s *Server) Component() Component {
	return s.Components()[0]
}

// Components returns all components, the one of Config.Component first.
func (s *Server) Components() []Component {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Component, len(s.components))
	for i, c := range s.components {
		list[i] = c.Component
		list[i].PermissionSets = slices.Clone(c.PermissionSets)
	}
	return list
}

// SetCallbackURLs sets where a component is pushed to; an empty componentAppID is the first component. This is for
// servers that learn their own address only after the simulator has started.
func (s *Server) SetCallbackURLs(componentAppID, eventURL, messageURL string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.findComponent(componentAppID)
	if err != nil {
		return err
	}
	c.EventURL, c.MessageURL = eventURL, messageURL
	s.wakeTickets()
	return nil
}

// SetCallbackKey changes the token and the AES key with which a component is pushed to from now on; an empty
// componentAppID is the first component. The next push fails if the key is none.
func (s *Server) SetCallbackKey(componentAppID, token, encodingAESKey string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.findComponent(componentAppID)
	if err != nil {
		return err
	}
	c.Token, c.EncodingAESKey = token, encodingAESKey
	return nil
}

func (s *Server) findComponent(appid string) (*component, error) {
	if appid == "" {
		return s.components[0], nil
	}
	for _, c := range s.components {
		if c.AppID == appid {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrUnknownComponent, appid)
}
