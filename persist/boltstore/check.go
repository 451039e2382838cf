package boltstore

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
)

// maxFaults is how many faults Check tells.
const maxFaults = 20

// Check looks through the whole file: pages, checksums, and whether what is said in
// several places agrees. What it finds is a *persist.CorruptError. Nothing is committed
// meanwhile, so on a large file it is not for a busy hour.
func (s *Store) Check(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	switch empty, err := inspectFile(s.file, s.path); {
	case err != nil:
		return err
	case empty:
		return s.corrupt(errEmpty)
	}
	if err := describedTwice(s.file); err != nil {
		return s.corrupt(err)
	}
	c := checker{ctx: ctx, tally: s.tally, ends: map[uint64]persist.ID{}}
	err := s.see(func(tx *bbolt.Tx) error { return c.all(tx) })
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case len(c.faults) > 0:
		return s.corrupt(errors.Join(c.faults...))
	}
	return nil
}

// checker collects what is wrong.
type checker struct {
	ctx    context.Context
	tx     *bbolt.Tx
	tally  tally                 // what the file should hold
	found  tally                 // what it does
	ends   map[uint64]persist.ID // by their places
	faults []error
	seen   int
	sheets reader // one after the other
	single reader // of jobs that are looked for
	key    idKey
}

func (c *checker) fault(in bucket, key []byte, err error) {
	if len(c.faults) < maxFaults {
		c.faults = append(c.faults, fmt.Errorf("bucket %s, key %s: %w", in, keyText(key), err))
	}
}

func (c *checker) all(tx *bbolt.Tx) error {
	c.tx = tx
	for err := range tx.Check() { // to the end: else its goroutine would stay
		if len(c.faults) < maxFaults {
			c.faults = append(c.faults, err)
		}
	}
	c.single.c = c.get(jobs).Cursor()
	c.each(jobs, c.sheet)
	c.each(states, c.state)
	c.each(blobs, c.blob)

	// The sums.
	c.found.serial = c.tally.serial
	c.found.last = persist.ID(c.get(jobs).Sequence())
	c.found.seq = c.tally.seq
	if c.found != c.tally {
		c.fault(meta, tallyKey, fmt.Errorf("says %+v, and there is %+v", c.tally, c.found))
	}
	if _, err := number(meta, formatKey, c.get(meta).Get(formatKey)); err != nil {
		c.fault(meta, formatKey, err)
	}
	return nil
}

func (c *checker) get(b bucket) *bbolt.Bucket { return c.tx.Bucket(bucketNames[b]) }

// each calls look for each entry of a bucket, until the context ends.
func (c *checker) each(in bucket, look func(k, v []byte) error) {
	cursor := c.get(in).Cursor()
	for k, v := cursor.First(); k != nil; k, v = cursor.Next() {
		if c.seen++; c.seen%1024 == 0 && c.ctx.Err() != nil {
			return
		}
		if err := look(k, v); err != nil {
			c.fault(in, k, err)
		}
	}
}

// sheet looks at the records on one sheet.
func (c *checker) sheet(k, v []byte) error {
	if err := c.sheets.open(k, v); err != nil {
		return err
	}
	empty := true
	for id, record := c.sheets.sheet.take(); id != 0; id, record = c.sheets.sheet.take() {
		empty = false
		if err := c.job(id, record); err != nil {
			c.fault(jobs, c.key.set(id), err)
		}
	}
	switch {
	case empty:
		return errors.New("has no job")
	case uint64(c.sheets.last) > c.get(jobs).Sequence():
		return errors.New("is higher than the last ID")
	}
	return nil
}

func (c *checker) job(id persist.ID, record []byte) error {
	k := c.key.set(id)
	if c.get(states).Get(k) == nil {
		c.found.pending++
	}
	apart, err := c.blobOf(k, record)
	if err != nil || apart == nil {
		return err
	}
	if p := c.get(blobs).Get(k); p == nil || !apart.fits(p) {
		return errNoBlob
	}
	return nil
}

// blobOf says what lies apart of a job.
func (c *checker) blobOf(k, record []byte) (apart *blob, err error) {
	if record, err = unseal(jobs, k, record); err != nil {
		return nil, err
	}
	var r persist.Record
	_, apart, err = readRecord(record, &r, nil)
	return apart, err
}

func (c *checker) state(k, v []byte) error {
	id, err := readID(k)
	if err != nil {
		return err
	}
	c.found.states++
	if _, err := c.record(id); err != nil {
		return err
	}
	if v, err = unseal(states, k, v); err != nil {
		return err
	}
	var s persist.State
	end, err := readState(v, &s)
	if err != nil {
		return err
	}
	if end == nil {
		c.found.pending++
		return nil
	}
	c.found.past[end.Kind]++
	if other, taken := c.ends[end.Seq]; taken {
		return fmt.Errorf("has ended at place %d, and so has job %d", end.Seq, other)
	}
	c.ends[end.Seq] = id
	if end.Seq == 0 || end.Seq > c.tally.seq {
		return errPlace
	}
	return nil
}

func (c *checker) blob(k, _ []byte) error {
	c.found.blobs++
	id, err := readID(k)
	if err != nil {
		return err
	}
	record, err := c.record(id)
	if err != nil {
		return err
	}
	if apart, err := c.blobOf(k, record); err != nil || apart == nil {
		return errors.New("its job has the payload itself")
	}
	return nil
}

// record returns the record of a job.
func (c *checker) record(id persist.ID) ([]byte, error) {
	record, err := c.single.find(id)
	switch {
	case err != nil:
		return nil, fmt.Errorf("where the job should be: %w", err)
	case record == nil:
		return nil, errNoJob
	}
	return record, nil
}
