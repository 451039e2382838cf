package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// least is the least that a queue of jobs does for a batch, on one bbolt file and by one goroutine: each input
// becomes a document, the document a digest by which duplicates are found, and the job a record with a checksum and
// an entry in memory. Nothing is checked, told, counted or ever run.
type least struct {
	db   *bbolt.DB
	last uint64
	keys map[[16]byte]*leastEntry
	buf  []byte
}

// leastEntry is a job that waits.
type leastEntry struct {
	id     uint64
	digest [16]byte
}

var errTwice = errors.New("an input comes twice")

func (l *least) submitAll(ins []note) error {
	return l.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(rawBucket)
		b.FillPercent = 0.9
		entries := make([]leastEntry, len(ins))
		l.buf = l.buf[:0]
		for i := range ins {
			if err := l.put(b, &ins[i], &entries[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *least) put(b *bbolt.Bucket, in *note, e *leastEntry) error {
	document, err := json.Marshal(in)
	if err != nil {
		return err
	}
	l.last++
	sum := sha256.Sum256(document)
	*e = leastEntry{id: l.last, digest: [16]byte(sum[:16])}
	if l.keys[e.digest] != nil {
		return errTwice
	}
	l.keys[e.digest] = e

	start := len(l.buf)
	l.buf = append(append(l.buf, e.digest[:]...), document...)
	l.buf = binary.LittleEndian.AppendUint32(l.buf, crc32.ChecksumIEEE(l.buf[start:]))
	var key [8]byte
	binary.BigEndian.PutUint64(key[:], e.id)
	return b.Put(key[:], l.buf[start:len(l.buf):len(l.buf)])
}

func measureLeast(_ peer, size scale) (f figures, err error) {
	err = withFolder(func(dir string) error {
		r, err := openRaw(filepath.Join(dir, "raw.db"))
		if err != nil {
			return err
		}
		l := &least{db: r.db, keys: map[[16]byte]*leastEntry{}}
		f, err = batches(size, newNote, l.submitAll)
		return errors.Join(err, r.db.Close())
	})
	return f, err
}
