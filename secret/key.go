package secret

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// KeySize is the length of a key in bytes.
const KeySize = 32

// PrefixSize is the length of what sealed bytes begin with: the key's [KeyID.Prefix].
const PrefixSize = 5

// tinkPrefix begins the prefix of every key that is used as Tink uses them.
const tinkPrefix = 1

// KeyID names a key, and gives nothing of it away.
type KeyID uint32

// IDOf derives the id from the key, so that the same key has the same id in every process and after every restart.
func IDOf(key []byte) KeyID {
	sum := sha256.Sum256(append([]byte("steward key id/"), key...))
	// Tink keeps 0 for keys that need no id.
	return KeyID(max(binary.BigEndian.Uint32(sum[:4]), 1))
}

// SealedBy returns which key made sealed, if these are bytes that a box may have made.
func SealedBy(sealed []byte) (KeyID, bool) {
	if len(sealed) < PrefixSize || sealed[0] != tinkPrefix {
		return 0, false
	}
	return KeyID(binary.BigEndian.Uint32(sealed[1:])), true
}

// Prefix is what everything that the key sealed begins with: PrefixSize bytes.
func (id KeyID) Prefix() []byte {
	return binary.BigEndian.AppendUint32([]byte{tinkPrefix}, uint32(id))
}

// String returns eight hexadecimal digits.
func (id KeyID) String() string { return fmt.Sprintf("%08x", uint32(id)) }

// keys are the keys of a box at one time.
type keys struct {
	aead    tink.AEAD
	current KeyID
	all     map[KeyID]bool
}

func newKeys(current []byte, previous [][]byte) (*keys, error) {
	parameters, err := aesgcm.NewParameters(aesgcm.ParametersOpts{
		KeySizeInBytes: KeySize,
		IVSizeInBytes:  12,
		TagSizeInBytes: 16,
		Variant:        aesgcm.VariantTink,
	})
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	k := &keys{current: IDOf(current), all: map[KeyID]bool{}}
	manager := keyset.NewManager()
	for _, raw := range append([][]byte{current}, previous...) {
		if len(raw) != KeySize {
			return nil, fmt.Errorf("secret: a key has %d bytes, want %d", len(raw), KeySize)
		}
		id := IDOf(raw)
		if k.all[id] {
			return nil, fmt.Errorf("secret: the same key is given twice: %s", id)
		}
		k.all[id] = true
		key, err := aesgcm.NewKey(secretdata.NewBytesFromData(raw, insecuresecretdataaccess.Token{}), uint32(id), parameters)
		if err != nil {
			return nil, fmt.Errorf("secret: %w", err)
		}
		if _, err := manager.AddKey(key); err != nil {
			return nil, fmt.Errorf("secret: %w", err)
		}
	}
	if err := manager.SetPrimary(uint32(k.current)); err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	handle, err := manager.Handle()
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	if k.aead, err = aead.New(handle); err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	return k, nil
}
