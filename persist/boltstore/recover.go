package boltstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
)

const (
	// slice is how many jobs are looked at in one transaction, and slab how many are
	// allocated at once.
	slice, slab = 1000, 250
)

// Recover implements persist.Store. It looks at all jobs in slices: while each is called,
// no transaction is open.
func (s *Store) Recover(ctx context.Context, each func(*persist.Job) error) (persist.Recovery, error) {
	r := persist.Recovery{}
	w := recovery{s: s, known: texts{}, found: make([]*persist.Job, 0, slice)}
	for done := false; !done; {
		var err error
		w.found = w.found[:0]
		if err = s.view(ctx, func(tx *bbolt.Tx) error { done, err = w.slice(tx); return err }); err != nil {
			return r, err
		}
		w.pending += uint64(len(w.found))
		for _, j := range w.found {
			if err := each(j); err != nil {
				return r, err
			}
		}
	}

	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.usable(); err != nil {
		return r, err
	}
	if err := s.see(func(tx *bbolt.Tx) error { r.Clean = isClean(tx); return nil }); err != nil {
		return r, err
	}
	if err := s.ends.wrong(); err != nil {
		return r, s.corrupt(err)
	}
	ends := s.ends.count()
	if w.pending != s.tally.pending || ends != s.tally.past || w.states != s.tally.states {
		return r, s.corrupt(fmt.Errorf("it has %d jobs, ends %v, and %d states, and should have %d, %v, and %d",
			w.pending, ends, w.states, s.tally.pending, s.tally.past, s.tally.states))
	}
	for kind, n := range ends {
		r.Past[kind] = int(n)
	}
	r.Next = s.tally.last + 1
	s.owed = !r.Clean
	return r, s.mark(true)
}

func isClean(tx *bbolt.Tx) bool { return tx.Bucket(bucketNames[meta]).Get(openKey) == nil }

// recovery goes through jobs and states side by side.
type recovery struct {
	s       *Store
	known   texts
	from    persist.ID // of the next job to look at
	key     idKey
	slab    []persist.Job
	found   []*persist.Job
	pending uint64
	states  uint64
}

// slice appends the jobs to found that have not ended, of the next few. Done says that
// there are no more.
func (w *recovery) slice(tx *bbolt.Tx) (done bool, err error) {
	js, ss := reader{c: tx.Bucket(bucketNames[jobs]).Cursor()}, tx.Bucket(bucketNames[states]).Cursor()
	id, record, err := js.seek(w.from)
	sk, sv := ss.Seek(w.key.set(w.from))
	for n := 0; err == nil && id != 0; n++ {
		if n == slice {
			w.from = id
			return false, nil
		}
		var state []byte
		switch bytes.Compare(w.key.set(id), sk) {
		case 0:
			state = sv
			sk, sv = ss.Next()
		case 1:
			if sk != nil {
				return true, w.s.damaged(states, sk, errNoJob)
			}
		}
		if err := w.job(id, w.key[:], record, state); err != nil {
			return true, err
		}
		id, record, err = js.next()
	}
	switch {
	case err != nil:
		return true, w.s.damaged(jobs, js.key, err)
	case sk != nil:
		return true, w.s.damaged(states, sk, errNoJob)
	}
	return true, nil
}

var errNoJob = errors.New("there is no such job")

// job appends a job, unless it has ended. State is nil if it is as it was submitted.
func (w *recovery) job(id persist.ID, k, record, state []byte) (err error) {
	if state != nil {
		w.states++
		if state, err = unseal(states, k, state); err != nil {
			return w.s.damaged(states, k, err)
		}
		g, err := readGist(state)
		if err != nil {
			return w.s.damaged(states, k, err)
		}
		if g.ended() {
			return nil
		}
	} else {
		w.s.untouched.found(id)
	}
	if len(w.slab) == 0 {
		w.slab = make([]persist.Job, slab)
	}
	j := &w.slab[0]
	w.slab = w.slab[1:]
	j.ID = id
	if _, _, err = w.s.readJob(k, record, state, state != nil, w.known, j); err != nil {
		return err
	}
	w.found = append(w.found, j)
	return nil
}

// readJob reads a job, of which only the ID is known, and k is its key. State is unsealed, if there is
// one.
func (s *Store) readJob(k, record, state []byte, hasState bool, known texts, j *persist.Job) (payload []byte, apart *blob, err error) {
	record, err = unseal(jobs, k, record)
	if err == nil {
		payload, apart, err = readRecord(record, &j.Record, known)
	}
	if err != nil {
		return nil, nil, s.damaged(jobs, k, err)
	}
	if !hasState {
		j.State = j.InitialState()
		return payload, apart, nil
	}
	if j.End, err = readState(state, &j.State); err != nil {
		return nil, nil, s.damaged(states, k, err)
	}
	return payload, apart, nil
}
