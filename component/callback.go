package component

import (
	"context"
	"fmt"

	"github.com/wechat-steward/steward/wechat"
)

// Open checks and decrypts a push that came for the component. It fails with [ErrUnknownComponent],
// [wechat.ErrSignature] or [wechat.ErrEnvelope].
func (s *Service) Open(ctx context.Context, appid string, push wechat.Push) ([]byte, error) {
	cipher, err := s.cipher(ctx, appid)
	if err != nil {
		return nil, err
	}
	return cipher.Open(push)
}

// SealReply encrypts msg as the passive answer to push, with the key that push came under.
// timestamp is in Unix seconds. It fails like [Service.Open].
func (s *Service) SealReply(ctx context.Context, appid string, push wechat.Push, msg []byte, timestamp, nonce string) (wechat.Sealed, error) {
	cipher, err := s.cipher(ctx, appid)
	if err != nil {
		return wechat.Sealed{}, err
	}
	return cipher.SealReply(push, msg, timestamp, nonce)
}

// VerifyURL returns nil if the GET request with which WeChat tries a receiver URL is WeChat's: its echostr may then be
// echoed. It fails with [ErrUnknownComponent] or [wechat.ErrSignature].
func (s *Service) VerifyURL(ctx context.Context, appid, signature, timestamp, nonce string) error {
	cipher, err := s.cipher(ctx, appid)
	if err != nil {
		return err
	}
	if !cipher.VerifyURL(signature, timestamp, nonce) {
		return wechat.ErrSignature
	}
	return nil
}

// cipher knows the current callback keys and, until they end, those before them.
func (s *Service) cipher(ctx context.Context, appid string) (*wechat.Cipher, error) {
	own, err := s.readCredentials(ctx, s.pool, appid, false)
	if err != nil {
		return nil, fmt.Errorf("callback keys: %w", err)
	}
	own = own.forgetEnded(s.now())
	keys := []wechat.CallbackKey{{Token: own.token.Reveal(), EncodingAESKey: own.aesKey.Reveal()}}
	if !own.previousToken.IsEmpty() {
		keys = append(keys, wechat.CallbackKey{Token: own.previousToken.Reveal(), EncodingAESKey: own.previousAESKey.Reveal()})
	}
	cipher, err := wechat.NewCipher(appid, keys...)
	if err != nil {
		return nil, fmt.Errorf("callback keys: %w", err)
	}
	return cipher, nil
}
