package boltstore

import (
	"bytes"
	"os"

	"go.etcd.io/bbolt"
)

// identity is by what a file is known again when it is opened once more: while it was closed, it
// may have been replaced, and who has waited for it may have used it.
type identity struct {
	file   os.FileInfo // nil as long as any file will do
	serial uint64      // of the last commit that was acknowledged
	mark   []byte      // what stands at openKey
}

// markOf is what stands at openKey while the store is in use that has that token.
func markOf(token uint64) []byte { return seal(appendNumber(nil, token), 0, meta, openKey) }

// markIn is what stands there, or nil.
func markIn(tx *bbolt.Tx) []byte { return bytes.Clone(tx.Bucket(bucketNames[meta]).Get(openKey)) }

// acquaint takes down by what the file is to be known again.
func (s *Store) acquaint() (err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.known.serial = s.tally.serial
	if s.known.file, err = s.file.Stat(); err != nil {
		return notOpened(s.path, err)
	}
	return s.see(func(tx *bbolt.Tx) error { s.known.mark = markIn(tx); return nil })
}

// recognize says what is wrong if the file is not as this store has left it: as of the last commit,
// or of the one in doubt. Whoever uses it leaves his own mark, or none.
func (s *Store) recognize(tx *bbolt.Tx, serial uint64) error {
	k, mark := &s.known, markIn(tx)
	own := bytes.Equal(mark, k.mark) || bytes.Equal(mark, markOf(s.token))
	switch {
	case k.file == nil:
		return nil
	case serial < k.serial:
		return ErrReplaced
	case own && (serial == k.serial || serial == s.doubtful.Load()):
		return nil
	}
	s.taken = true
	return ErrTaken
}
