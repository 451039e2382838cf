package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/taskvisor/taskvisor/persist"
)

// idKey is the key of a job, and pastKey that of its end.
type (
	idKey   [8]byte
	pastKey [9]byte
)

func (k *idKey) set(id persist.ID) []byte {
	binary.BigEndian.PutUint64(k[:], uint64(id))
	return k[:]
}

func (k *pastKey) set(kind persist.Ending, seq uint64) []byte {
	k[0] = byte(kind)
	binary.BigEndian.PutUint64(k[1:], seq)
	return k[:]
}

var errKey = errors.New("is no key")

func readID(key []byte) (persist.ID, error) {
	if len(key) != len(idKey{}) {
		return 0, errKey
	}
	return persist.ID(binary.BigEndian.Uint64(key)), nil
}

func readPastKey(key []byte) (kind persist.Ending, seq uint64, err error) {
	if len(key) != len(pastKey{}) || !known(persist.Ending(key[0])) {
		return 0, 0, errKey
	}
	return persist.Ending(key[0]), binary.BigEndian.Uint64(key[1:]), nil
}

// keyText is how errors name a key.
func keyText(key []byte) string {
	if id, err := readID(key); err == nil {
		return id.String()
	}
	if kind, seq, err := readPastKey(key); err == nil {
		return fmt.Sprintf("%v %d", kind, seq)
	}
	return fmt.Sprintf("%q", key)
}
