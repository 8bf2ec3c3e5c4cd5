package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wechat-steward/steward/secret"
)

var place = secret.Place{Table: "authorizer_tokens", Column: "refresh_token", Row: "1"}

func key(b byte) []byte { return bytes.Repeat([]byte{b}, secret.KeySize) }

func box(t *testing.T, current []byte, previous ...[]byte) *secret.Box {
	t.Helper()
	b, err := secret.NewBox(current, previous...)
	require.NoError(t, err)
	return b
}

func TestBox(t *testing.T) {
	t.Parallel()

	t.Run("OpensWhatItSealed", rapid.MakeCheck(func(t *rapid.T) {
		b, err := secret.NewBox(key(1))
		require.NoError(t, err)
		plain := rapid.String().Draw(t, "plain")
		sealed, err := b.Seal(secret.New(plain), place)
		require.NoError(t, err)
		require.Len(t, sealed, len(plain)+secret.Overhead)
		opened, err := b.Open(sealed, place)
		require.NoError(t, err)
		require.Equal(t, plain, opened.Reveal())
	}))

	t.Run("RefusesAValueCopiedToAnotherRowColumnOrTable", func(t *testing.T) {
		t.Parallel()
		b := box(t, key(1))
		sealed, err := b.Seal(secret.New("token"), place)
		require.NoError(t, err)
		for _, other := range []secret.Place{
			{Table: place.Table, Column: place.Column, Row: "2"},
			{Table: place.Table, Column: "access_token", Row: place.Row},
			{Table: "components", Column: place.Column, Row: place.Row},
		} {
			_, err := b.Open(sealed, other)
			require.ErrorIs(t, err, secret.ErrOpen)
		}
	})

	t.Run("RefusesEveryFlippedByte", func(t *testing.T) {
		t.Parallel()
		b := box(t, key(1))
		sealed, err := b.Seal(secret.New("token"), place)
		require.NoError(t, err)
		for i := range sealed {
			tampered := bytes.Clone(sealed)
			tampered[i] ^= 1
			_, err := b.Open(tampered, place)
			require.ErrorIs(t, err, secret.ErrOpen, "byte %d", i)
		}
	})

	t.Run("OpensWithThePreviousKeyAndSealsWithTheCurrentOne", func(t *testing.T) {
		t.Parallel()
		old := box(t, key(1))
		sealed, err := old.Seal(secret.New("token"), place)
		require.NoError(t, err)

		rotated := box(t, key(2), key(1))
		opened, err := rotated.Open(sealed, place)
		require.NoError(t, err)
		require.Equal(t, "token", opened.Reveal())

		resealed, err := rotated.Seal(opened, place)
		require.NoError(t, err)
		_, err = old.Open(resealed, place)
		require.ErrorIs(t, err, secret.ErrOpen)
	})

	t.Run("RefusesAKeyOfAnotherLength", func(t *testing.T) {
		t.Parallel()
		_, err := secret.NewBox([]byte("short"))
		require.ErrorContains(t, err, "5 bytes, want 32")
	})
}

func TestStringNeverPrints(t *testing.T) {
	t.Parallel()
	s := secret.New("hunter2")
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "s", s, "nested", struct{ S secret.String }{s})
	asJSON, err := json.Marshal(map[string]any{"s": s})
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.NotContains(t, fmt.Sprintf(verb, s), "hunter2")
		require.NotContains(t, fmt.Sprintf(verb, struct{ S secret.String }{s}), "hunter2")
		require.NotContains(t, fmt.Sprintf(verb, struct{ s secret.String }{s}), "hunter2")
		require.NotContains(t, fmt.Sprintf(verb, []secret.String{s}), "hunter2")
	}
	require.NotContains(t, log.String(), "hunter2")
	require.NotContains(t, string(asJSON), "hunter2")
	require.Equal(t, "hunter2", s.Reveal())
}
