package sanitize

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
)

// minSecret is the shortest secret of a Key, in bytes.
const minSecret = 16

// Key makes the keyed verbs unpredictable to who does not hold the secret, and
// repeatable for who does. It is immutable and safe for concurrent use.
//
// The epoch is part of every draw. Whoever rotates it (all replicas at once, for
// instance by the number of hours since 1970) takes from an attacker what was
// learnt about earlier draws; between two rotations equal inputs give equal draws.
type Key struct {
	secret []byte
	epoch  uint64
}

// NewKey returns a key of epoch 0. The secret, which is copied, has at least 16
// bytes and should be random.
func NewKey(secret []byte) (*Key, error) {
	if len(secret) < minSecret {
		return nil, fmt.Errorf("sanitize: a key of %d bytes; at least %d are needed", len(secret), minSecret)
	}
	return &Key{secret: slices.Clone(secret)}, nil
}

// WithEpoch returns the same key in another epoch.
func (k *Key) WithEpoch(epoch uint64) *Key {
	return &Key{secret: k.secret, epoch: epoch}
}

// Epoch returns the epoch of the key.
func (k *Key) Epoch() uint64 { return k.epoch }

// String hides the secret from logs.
func (k *Key) String() string { return fmt.Sprintf("sanitize.Key(epoch %d)", k.epoch) }

// GoString hides the secret from logs.
func (k *Key) GoString() string { return k.String() }

// draw returns 32 bytes of HMAC-SHA-256 (RFC 2104) over the epoch and the parts,
// each behind its length so that no two lists of parts are read as one.
func (k *Key) draw(parts ...[]byte) [sha256.Size]byte {
	mac := hmac.New(sha256.New, k.secret)
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], k.epoch)
	mac.Write(n[:])
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		mac.Write(n[:])
		mac.Write(p)
	}
	return [sha256.Size]byte(mac.Sum(nil))
}
