package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
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

	t.Run("RefusesTheSameKeyTwice", func(t *testing.T) {
		t.Parallel()
		_, err := secret.NewBox(key(1), key(2), key(1))
		require.ErrorContains(t, err, "twice")
	})

	t.Run("NamesTheKeyInWhatItSealed", func(t *testing.T) {
		t.Parallel()
		b := box(t, key(1), key(2))
		sealed, err := b.Seal(secret.New("token"), place)
		require.NoError(t, err)
		require.Equal(t, secret.IDOf(key(1)), b.KeyID())
		require.True(t, bytes.HasPrefix(sealed, b.KeyID().Prefix()))
		id, ok := secret.SealedBy(sealed)
		require.True(t, ok)
		require.Equal(t, b.KeyID(), id)
		require.Len(t, id.String(), 8)
		for _, garbage := range [][]byte{nil, sealed[:4], []byte("plain text")} {
			_, ok := secret.SealedBy(garbage)
			require.False(t, ok)
		}
	})
}

func TestBoxChangesItsKeys(t *testing.T) {
	t.Parallel()
	seal := func(t *testing.T, b *secret.Box) []byte {
		t.Helper()
		sealed, err := b.Seal(secret.New("token"), place)
		require.NoError(t, err)
		return sealed
	}

	t.Run("SealsWithTheNewKeyAndOpensBoth", func(t *testing.T) {
		t.Parallel()
		b := box(t, key(1))
		before := seal(t, b)
		require.NoError(t, b.Use(key(2), key(1)))
		after := seal(t, b)
		require.True(t, bytes.HasPrefix(after, secret.IDOf(key(2)).Prefix()))
		for _, sealed := range [][]byte{before, after} {
			_, err := b.Open(sealed, place)
			require.NoError(t, err)
		}
	})

	t.Run("KeepsItsKeysWhenTheNewOnesAreWrong", func(t *testing.T) {
		t.Parallel()
		b := box(t, key(1))
		require.Error(t, b.Use(key(2), []byte("short")))
		require.Equal(t, secret.IDOf(key(1)), b.KeyID())
	})

	t.Run("WhileOthersUseIt", func(t *testing.T) {
		t.Parallel()
		b := box(t, key(1), key(2))
		var users sync.WaitGroup
		for range 4 {
			users.Go(func() {
				for range 100 {
					sealed, err := b.Seal(secret.New("token"), place)
					if err == nil {
						_, err = b.Open(sealed, place)
					}
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		for n := range 20 {
			require.NoError(t, b.Use(key(byte(1+n%2)), key(byte(2-n%2))))
		}
		users.Wait()
	})
}

func TestBoxAsksForAnUnknownKey(t *testing.T) {
	t.Parallel()
	unknown := box(t, key(2))
	sealed, err := unknown.Seal(secret.New("token"), place)
	require.NoError(t, err)

	t.Run("AndOpensWithIt", func(t *testing.T) {
		t.Parallel()
		b := box(t, key(1))
		b.OnUnknownKey(func(id secret.KeyID) error {
			require.Equal(t, secret.IDOf(key(2)), id)
			return b.Use(key(2), key(1))
		})
		opened, err := b.Open(sealed, place)
		require.NoError(t, err)
		require.Equal(t, "token", opened.Reveal())
	})

	t.Run("AndRefusesWhatNobodyHas", func(t *testing.T) {
		t.Parallel()
		b := box(t, key(1))
		b.OnUnknownKey(func(secret.KeyID) error { return nil })
		_, err := b.Open(sealed, place)
		require.ErrorIs(t, err, secret.ErrOpen)
	})

	t.Run("AndDoesNotCallItWrongWhenItCannotAsk", func(t *testing.T) {
		t.Parallel()
		b := box(t, key(1))
		away := errors.New("the database is away")
		b.OnUnknownKey(func(secret.KeyID) error { return away })
		_, err := b.Open(sealed, place)
		require.ErrorIs(t, err, away)
		require.NotErrorIs(t, err, secret.ErrOpen)
	})

	t.Run("ButNotForAKnownOneOrForGarbage", func(t *testing.T) {
		t.Parallel()
		b := box(t, key(2))
		b.OnUnknownKey(func(secret.KeyID) error {
			t.Error("it asked")
			return nil
		})
		_, err := b.Open(sealed, secret.Place{Table: "elsewhere"})
		require.ErrorIs(t, err, secret.ErrOpen)
		_, err = b.Open([]byte("garbage"), place)
		require.ErrorIs(t, err, secret.ErrOpen)
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
