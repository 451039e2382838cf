package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/taskvisor/taskvisor/persist"
)

// idKey is the key of a job.
type idKey [8]byte

func (k *idKey) set(id persist.ID) []byte {
	binary.BigEndian.PutUint64(k[:], uint64(id))
	return k[:]
}

var errKey = errors.New("is no key")

func readID(key []byte) (persist.ID, error) {
	if len(key) != len(idKey{}) {
		return 0, errKey
	}
	return persist.ID(binary.BigEndian.Uint64(key)), nil
}

// keyText is how errors name a key.
func keyText(key []byte) string {
	if id, err := readID(key); err == nil {
		return id.String()
	}
	return fmt.Sprintf("%q", key)
}
