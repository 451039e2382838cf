package boltstore

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
)

// Job implements persist.Store.
func (s *Store) Job(ctx context.Context, id persist.ID) (j *persist.Job, err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if s.doubtful.Load() == 0 { // else what was read ahead is in doubt too
		if j = s.ahead.take(id); j != nil {
			return j, nil
		}
	}
	turn, more := s.ahead.begin(id)
	var found []*persist.Job
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		j, err = s.job(tx, id, nil)
		if more && err == nil {
			found, _ = s.following(tx, id) // whatever is wrong there, this job is whole
		}
		return err
	})
	if more {
		s.ahead.end(turn, found)
	}
	if err != nil {
		return nil, err
	}
	return j, nil
}

// Payload implements persist.Store.
func (s *Store) Payload(ctx context.Context, id persist.ID) (payload []byte, err error) {
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		v, err := s.record(tx, id)
		if err != nil {
			return err
		}
		var key idKey
		var r persist.Record
		v, err = unseal(jobs, key.set(id), v)
		if err != nil {
			return s.damaged(jobs, key[:], err)
		}
		here, apart, err := readRecord(v, &r, nil)
		if err != nil {
			return s.damaged(jobs, key[:], err)
		}
		payload, err = s.payload(tx, key[:], here, apart)
		return err
	})
	return payload, err
}

// record returns the record of a job, with its checksum, or why there is none.
func (s *Store) record(tx *bbolt.Tx, id persist.ID) ([]byte, error) {
	b := tx.Bucket(bucketNames[jobs])
	if id == 0 || uint64(id) > b.Sequence() {
		return nil, persist.ErrNotFound
	}
	r := reader{c: b.Cursor()}
	switch v, err := r.find(id); {
	case err != nil:
		return nil, s.damaged(jobs, r.key, err)
	case v == nil:
		return nil, persist.ErrPruned
	default:
		return v, nil
	}
}

var errNoBlob = errors.New("the payload is missing, or is not that of the job")

// payload returns a copy of a payload, which is here or lies apart.
func (s *Store) payload(tx *bbolt.Tx, key, here []byte, apart *blob) ([]byte, error) {
	if apart == nil {
		return bytes.Clone(here), nil
	}
	p := tx.Bucket(bucketNames[blobs]).Get(key)
	if p == nil || !apart.fits(p) {
		return nil, s.damaged(blobs, key, errNoBlob)
	}
	return bytes.Clone(p), nil
}

// job returns a job with its payload; or without, if there are texts, as in a list.
func (s *Store) job(tx *bbolt.Tx, id persist.ID, list texts) (*persist.Job, error) {
	v, err := s.record(tx, id)
	if err != nil {
		return nil, err
	}
	var key idKey
	state := tx.Bucket(bucketNames[states]).Get(key.set(id))
	has := state != nil
	if has {
		if state, err = unseal(states, key[:], state); err != nil {
			return nil, s.damaged(states, key[:], err)
		}
	}
	j := &persist.Job{}
	j.ID = id
	here, apart, err := s.readJob(key[:], v, state, has, list, j)
	if err == nil && list == nil {
		j.Payload, err = s.payload(tx, key[:], here, apart)
	}
	return j, err
}

// pastSlice is how many ends are looked at in one transaction.
const pastSlice = 500

// Past implements persist.Store. The longer it has to search, the more transactions it
// takes, and none of them is long: what ends or is pruned meanwhile may be there or not.
func (s *Store) Past(ctx context.Context, q persist.PastQuery) ([]*persist.Job, error) {
	if q.Limit <= 0 {
		q.Limit = persist.DefaultPage
	}
	w := search{s: s, q: q, before: q.Before, known: texts{}}
	w.q.Kinds = kindsOf(q.Kinds)
	if err := s.ends.wrong(); err != nil {
		return nil, s.corrupt(err)
	}
	for done := false; !done; {
		var err error
		err = s.view(ctx, func(tx *bbolt.Tx) error { done, err = w.slice(tx); return err })
		if err != nil && !errors.Is(err, errOutdated) {
			return nil, err
		}
	}
	return w.found, nil
}

// kindsOf returns the kinds that are asked for, each once.
func kindsOf(asked []persist.Ending) []persist.Ending {
	if len(asked) == 0 {
		return persist.Endings()
	}
	kinds := slices.Clone(asked)
	slices.Sort(kinds)
	return slices.DeleteFunc(slices.Compact(kinds), func(kind persist.Ending) bool { return !known(kind) })
}

// search goes through the ends of several kinds, the latest first.
type search struct {
	s      *Store
	q      persist.PastQuery
	before uint64 // from where it goes on, zero for the latest
	last   int    // the last transaction, when it came too late
	known  texts
	found  []*persist.Job
}

// slice looks at the next few. Done says that there are no more, or that these were
// enough.
func (w *search) slice(tx *bbolt.Tx) (done bool, err error) {
	ends, last, ok := w.s.ends.latest(tx.ID(), w.q.Kinds, w.before, pastSlice)
	if !ok {
		if tx.ID() < last && last == w.last { // also when it looks again
			return true, w.s.corrupt(errForgotten)
		}
		w.last = last
		return false, errOutdated
	}
	for _, e := range ends {
		if len(w.found) == w.q.Limit {
			return true, nil
		}
		if err := w.take(tx, e); err != nil {
			return true, err
		}
		w.before = e.seq
	}
	return len(ends) < pastSlice, nil
}

var errNoEnd = errors.New("the job has not ended so")

var errForgotten = errors.New("what was committed last is not there any more")

// errOutdated means: something was committed since the transaction began, so try again.
var errOutdated = errors.New("something was committed meanwhile")

// take appends a job that has ended, if it was asked for.
func (w *search) take(tx *bbolt.Tx, e end) error {
	var key idKey
	if w.q.Type != "" {
		v, err := w.s.record(tx, e.id)
		if err != nil {
			return w.missing(e.id, err)
		}
		if v, err = unseal(jobs, key.set(e.id), v); err != nil {
			return w.s.damaged(jobs, key[:], err)
		}
		name, err := typeOf(v)
		if err != nil {
			return w.s.damaged(jobs, key[:], err)
		}
		if string(name) != w.q.Type {
			return nil
		}
	}
	j, err := w.s.job(tx, e.id, w.known)
	switch {
	case err != nil:
		return w.missing(e.id, err)
	case j.End == nil || j.End.Seq != e.seq:
		return w.s.damaged(states, key.set(e.id), errNoEnd)
	}
	w.found = append(w.found, j)
	return nil
}

// missing says what it means that a job which has ended cannot be read.
func (w *search) missing(id persist.ID, err error) error {
	if errors.Is(err, persist.ErrPruned) || errors.Is(err, persist.ErrNotFound) {
		var key idKey
		return w.s.damaged(states, key.set(id), errNoJob)
	}
	return err
}
