package boltstore

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
)

// ladder leads from the first format to the newest: each step to the next.
type ladder []func(*bbolt.Tx) error

func (l ladder) newest() uint64 { return uint64(len(l)) + 1 }

// climb makes the file one of the newest format. Each step is one transaction, and so is
// the creation of a new file: there is no file between two formats.
func (l ladder) climb(db *bbolt.DB, path string) error {
	for {
		found, err := formatOf(db, path)
		switch {
		case err != nil:
			return err
		case found == l.newest():
			return nil
		case found > l.newest():
			return &persist.FormatError{Path: path, Format: found, Newest: l.newest()}
		}
		step := create
		if found > 0 {
			step = l[found-1]
		}
		next := found + 1
		if found == 0 {
			next = l.newest() // a new file is made as it is now
		}
		if err := db.Update(func(tx *bbolt.Tx) error {
			if err := step(tx); err != nil {
				return err
			}
			return putFormat(tx, next)
		}); err != nil {
			return fmt.Errorf("to format %d: %w", next, err)
		}
	}
}

// formatOf returns the format of the file, zero for a new one.
func formatOf(db *bbolt.DB, path string) (found uint64, err error) {
	err = db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketNames[meta])
		if b == nil {
			if name, _ := tx.Cursor().First(); name != nil {
				return &persist.CorruptError{Path: path, Err: fmt.Errorf("it has a bucket %q, and is no store of jobs", name)}
			}
			return nil
		}
		found, err = number(meta, formatKey, b.Get(formatKey))
		if err == nil && found == 0 {
			err = errors.New("is zero")
		}
		if err != nil {
			return &persist.CorruptError{Path: path, Err: fmt.Errorf("the format: %w", err)}
		}
		return nil
	})
	return found, err
}

func putFormat(tx *bbolt.Tx, v uint64) error {
	return tx.Bucket(bucketNames[meta]).Put(formatKey, seal(appendNumber(nil, v), 0, meta, formatKey))
}

// number reads a value that is one number.
func number(in bucket, key, value []byte) (uint64, error) {
	b, err := unseal(in, key, value)
	if err != nil {
		return 0, err
	}
	return readNumber(b)
}

// create makes the buckets.
func create(tx *bbolt.Tx) error {
	for _, name := range bucketNames {
		if _, err := tx.CreateBucket(name); err != nil {
			return err
		}
	}
	return putTally(tx, &tally{})
}

func putTally(tx *bbolt.Tx, t *tally) error {
	return tx.Bucket(bucketNames[meta]).Put(tallyKey, seal(appendTally(nil, t), 0, meta, tallyKey))
}
