// Package secret keeps secrets secret: [Box] seals database columns, and [String] is a string that never prints itself.
//
// It does not make, store or fetch keys; it is handed them.
package secret

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// Overhead is how many bytes longer sealed bytes are than what was sealed: key id (5), nonce (12), tag (16).
const Overhead = 33

// ErrOpen is returned by [Box.Open] for bytes that were not sealed by one of the box's keys, or not for that place.
var ErrOpen = errors.New("secret: cannot open: wrong MASTER_KEY, or the row was tampered with")

// Place is where a sealed value lives. It is authenticated, not stored: a value copied to another row does not open there.
type Place struct {
	Table, Column, Row string
}

func (p Place) associatedData() []byte {
	return []byte(p.Table + "/" + p.Column + "/" + p.Row)
}

// Box seals and opens with AES-256-GCM. The first five bytes of what it seals name the key. It is safe for concurrent use,
// also while its keys change.
type Box struct {
	keys   atomic.Pointer[keys]
	reload func(KeyID) error // nil: nobody to ask
}

// NewBox returns a box that seals with current and opens what current or any of previous sealed. Keys are KeySize bytes.
func NewBox(current []byte, previous ...[]byte) (*Box, error) {
	b := &Box{}
	if err := b.Use(current, previous...); err != nil {
		return nil, err
	}
	return b, nil
}

// Use changes the keys: from now on the box seals with current, and opens what current or any of previous sealed. On an
// error the keys stay as they were.
func (b *Box) Use(current []byte, previous ...[]byte) error {
	k, err := newKeys(current, previous)
	if err != nil {
		return err
	}
	b.keys.Store(k)
	return nil
}

// OnUnknownKey has Open call reload when it meets a key that the box does not have, and try again when that returns nil.
// reload calls Use if there are new keys; callers of Open wait for it, maybe many at once. Call it before the box is used.
func (b *Box) OnUnknownKey(reload func(KeyID) error) { b.reload = reload }

// KeyID names the key that the box seals with now.
func (b *Box) KeyID() KeyID { return b.keys.Load().current }

// Has tells whether the box opens what that key sealed.
func (b *Box) Has(id KeyID) bool { return b.keys.Load().all[id] }

// Seal encrypts plain for its place. The result is Overhead bytes longer.
func (b *Box) Seal(plain String, at Place) ([]byte, error) {
	sealed, err := b.keys.Load().aead.Encrypt([]byte(plain.Reveal()), at.associatedData())
	if err != nil {
		return nil, fmt.Errorf("secret: seal %s.%s: %w", at.Table, at.Column, err)
	}
	return sealed, nil
}

// Open decrypts what Seal made for the same place. It fails with [ErrOpen]; or, when the key is unknown and could not be
// asked for, with what kept it from that.
func (b *Box) Open(sealed []byte, at Place) (String, error) {
	if id, ok := SealedBy(sealed); ok && b.reload != nil && !b.Has(id) {
		if err := b.reload(id); err != nil {
			return String{}, fmt.Errorf("secret: key %s of %s.%s: %w", id, at.Table, at.Column, err)
		}
	}
	plain, err := b.keys.Load().aead.Decrypt(sealed, at.associatedData())
	if err != nil {
		return String{}, fmt.Errorf("%w (%s.%s)", ErrOpen, at.Table, at.Column)
	}
	return New(string(plain)), nil
}
