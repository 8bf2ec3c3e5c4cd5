package authorizer

import (
	"context"
	"sync"

	"github.com/google/uuid"

	"github.com/wechat-steward/steward/token"
	"github.com/wechat-steward/steward/wechat"
)

// Call hands call an access token of the account. If call fails because WeChat does not take the token, the token is
// renewed, unless somebody has done so meanwhile, and call is called once more; never more often. What WeChat's refusal
// says about the account is kept: that it took its authorization back (asked again first), that permission sets changed
// (read again in the background), that it is restricted. It fails like [Service.Token], or with call's error.
func (s *Service) Call(ctx context.Context, authorizerID uuid.UUID, call func(ctx context.Context, accessToken string) error) error {
	return s.Caller(authorizerID).Call(ctx, call)
}

// Caller makes calls for one account, any number of them side by side. It reads the account's token when it has none that
// will do, and not for each call; so it is for the work of some seconds, and not to be kept.
type Caller struct {
	service *Service
	id      uuid.UUID

	mu   sync.Mutex
	held tokenRow
}

// Caller returns one for an account. Whether there is such an account shows in the first call.
func (s *Service) Caller(authorizerID uuid.UUID) *Caller {
	return &Caller{service: s, id: authorizerID}
}

// Call is like [Service.Call].
func (c *Caller) Call(ctx context.Context, call func(ctx context.Context, accessToken string) error) error {
	held := c.get()
	if !held.Does(token.Want{}, c.service.now()) {
		var err error
		if held, err = c.service.token(ctx, c.id, token.Want{}); err != nil {
			return err
		}
	}
	held, err := c.service.callWith(ctx, held, call)
	if err != nil {
		held = tokenRow{} // something about the account may have changed
	}
	c.set(held)
	return err
}

func (c *Caller) get() tokenRow {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held
}

func (c *Caller) set(held tokenRow) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = held
}

// callWith makes a call with a token, and once more with another if WeChat does not take that one. It returns the one used last.
func (s *Service) callWith(ctx context.Context, held tokenRow, call func(ctx context.Context, accessToken string) error) (tokenRow, error) {
	err := call(ctx, held.Value.Reveal())
	if wechat.ClassOf(err) == wechat.ClassToken {
		refused := err
		if held, err = s.token(ctx, held.id, token.Want{Refused: held.Version}); err != nil {
			return tokenRow{}, err
		}
		if err = call(ctx, held.Value.Reveal()); wechat.ClassOf(err) == wechat.ClassToken {
			s.logger.WarnContext(ctx, "WeChat refuses a token that it just gave: does another system fetch tokens for this account?",
				"appid", held.appID, "error", refused)
		}
	}
	return held, s.judge(ctx, held, err)
}
