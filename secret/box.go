// Package secret keeps secrets secret: [Box] seals database columns, and [String] is a string that never prints itself.
//
// It does not fetch, store or rotate keys; it is handed them.
package secret

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// KeySize is the length of a master key in bytes.
const KeySize = 32

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

// Box seals and opens with AES-256-GCM. The first five bytes of what it seals name the key.
type Box struct {
	aead tink.AEAD
}

// NewBox returns a box that seals with current and opens what current or any of previous sealed. Keys are KeySize bytes.
func NewBox(current []byte, previous ...[]byte) (*Box, error) {
	parameters, err := aesgcm.NewParameters(aesgcm.ParametersOpts{
		KeySizeInBytes: KeySize,
		IVSizeInBytes:  12,
		TagSizeInBytes: 16,
		Variant:        aesgcm.VariantTink,
	})
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	manager := keyset.NewManager()
	for i, raw := range append([][]byte{current}, previous...) {
		if len(raw) != KeySize {
			return nil, fmt.Errorf("secret: a master key has %d bytes, want %d", len(raw), KeySize)
		}
		key, err := aesgcm.NewKey(secretdata.NewBytesFromData(raw, insecuresecretdataaccess.Token{}), keyID(raw), parameters)
		if err != nil {
			return nil, fmt.Errorf("secret: %w", err)
		}
		id, err := manager.AddKey(key)
		if err != nil {
			return nil, fmt.Errorf("secret: the same master key is given twice: %w", err)
		}
		if i == 0 {
			if err := manager.SetPrimary(id); err != nil {
				return nil, fmt.Errorf("secret: %w", err)
			}
		}
	}
	handle, err := manager.Handle()
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	primitive, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	return &Box{aead: primitive}, nil
}

// keyID derives the id from the key, so that the same key has the same id in every process and after every restart.
func keyID(raw []byte) uint32 {
	sum := sha256.Sum256(append([]byte("steward key id/"), raw...))
	// Tink keeps 0 for keys that need no id.
	return max(binary.BigEndian.Uint32(sum[:4]), 1)
}

// Seal encrypts plain for its place. The result is Overhead bytes longer.
func (b *Box) Seal(plain String, at Place) ([]byte, error) {
	sealed, err := b.aead.Encrypt([]byte(plain.Reveal()), at.associatedData())
	if err != nil {
		return nil, fmt.Errorf("secret: seal %s.%s: %w", at.Table, at.Column, err)
	}
	return sealed, nil
}

// Open decrypts what Seal made for the same place. Every failure is [ErrOpen].
func (b *Box) Open(sealed []byte, at Place) (String, error) {
	plain, err := b.aead.Decrypt(sealed, at.associatedData())
	if err != nil {
		return String{}, fmt.Errorf("%w (%s.%s)", ErrOpen, at.Table, at.Column)
	}
	return New(string(plain)), nil
}
