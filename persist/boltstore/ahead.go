package boltstore

import (
	"bytes"
	"cmp"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
)

// ahead keeps jobs that nobody has asked for yet. Jobs are mostly read once each, and in the
// order of their IDs: then one transaction is enough for several. What is kept is as it was
// submitted, with a payload that lies with it: at most aheadMost jobs of aheadBytes in all, and
// what is left of those before them, for who is a little late.
type ahead struct {
	mu    sync.Mutex
	jobs  map[persist.ID]*persist.Job // read the last time
	older map[persist.ID]*persist.Job // read the time before, and left
	last  persist.ID                  // the highest that was asked for, of those near it
	busy  bool                        // somebody reads
	turn  uint64                      // grows with what is committed, and when all is forgotten
	under []persist.Step              // those of the commit that is under way
}

const (
	// aheadMost is how many jobs are read ahead.
	aheadMost = 32
	// aheadBytes is how large they may be in all, as they lie in the file. Payloads can be
	// large, and who reads a job waits for what is read with it.
	aheadBytes = 64 << 10
	// aheadNear is how far from the last ID one may be, to be near it: several workers ask
	// at a time, and a little out of order.
	aheadNear = 64
)

// take returns a job that is there. It is not kept any more.
func (a *ahead) take(id persist.ID) *persist.Job {
	a.mu.Lock()
	defer a.mu.Unlock()
	j := cmp.Or(a.jobs[id], a.older[id])
	if j != nil {
		a.drop(id)
		a.next(id)
	}
	return j
}

// begin says whether to read more than the job asked for. If so, end has to be called.
func (a *ahead) begin(id persist.ID) (turn uint64, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	more = a.next(id) && !a.busy
	a.busy = a.busy || more
	return a.turn, more
}

// next reports whether an ID comes after the last, which it is from now on. One that was
// asked for before, or was passed over a little, does not; and far away is a new beginning.
// The caller holds mu.
func (a *ahead) next(id persist.ID) bool {
	switch {
	case id > a.last && id-a.last < aheadNear:
		a.last = id
		return true
	case id <= a.last && a.last-id < aheadNear:
		return false
	}
	a.last = id
	return false
}

// end keeps what was read, unless something was committed meanwhile: it may be older than that.
// Nor is kept what a commit is about to change. What was passed over twice is not kept any more.
func (a *ahead) end(turn uint64, found []*persist.Job) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy = false
	if turn != a.turn {
		return
	}
	if a.jobs, a.older = a.older, a.jobs; a.jobs == nil {
		a.jobs = make(map[persist.ID]*persist.Job, aheadMost)
	}
	clear(a.jobs)
	for _, j := range found {
		a.jobs[j.ID] = j
	}
	a.dropUnder()
}

// changing forgets the jobs that a commit is about to give a state. Who reads may see it before it
// has returned, and must not be given another of its jobs as it was before.
func (a *ahead) changing(steps []persist.Step) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.under = steps
	a.dropUnder()
}

// changed is called when the commit is over, whatever has become of it.
func (a *ahead) changed() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.turn++
	a.under = nil
}

// dropUnder forgets the jobs of the commit that is under way. The caller holds mu.
func (a *ahead) dropUnder() {
	if len(a.jobs)+len(a.older) == 0 {
		return
	}
	for i := range a.under {
		a.drop(a.under[i].ID)
	}
}

// forget forgets all.
func (a *ahead) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.turn++
	clear(a.jobs)
	clear(a.older)
}

// drop forgets a job. The caller holds mu.
func (a *ahead) drop(id persist.ID) {
	delete(a.jobs, id)
	delete(a.older, id)
}

// following returns the jobs after id, as far as they have no state and their payloads lie with
// them. What goes wrong ends it, and concerns those jobs only: who asks for one of them finds out
// himself.
func (s *Store) following(tx *bbolt.Tx, id persist.ID) (found []*persist.Job, err error) {
	defer caught(s.path, &err) // faults are panics in a view
	var key idKey
	js, ss := reader{c: tx.Bucket(bucketNames[jobs]).Cursor()}, tx.Bucket(bucketNames[states]).Cursor()
	next, record, err := js.seek(id + 1)
	sk, _ := ss.Seek(key.set(next))
	room := aheadBytes
	for range aheadMost {
		if err != nil || next == 0 {
			break
		}
		for key.set(next); sk != nil && bytes.Compare(sk, key[:]) < 0; {
			sk, _ = ss.Next()
		}
		if !bytes.Equal(sk, key[:]) {
			if room -= len(record); room < 0 {
				break
			}
			j, err := s.submitted(next, key[:], record)
			if j == nil {
				return found, err
			}
			found = append(found, j)
		}
		next, record, err = js.next()
	}
	return found, err
}

// submitted returns a job as it was submitted, or nil if its payload lies apart.
func (s *Store) submitted(id persist.ID, key, record []byte) (*persist.Job, error) {
	j := &persist.Job{}
	j.ID = id
	here, apart, err := s.readJob(key, record, nil, false, nil, j)
	if err != nil || apart != nil {
		return nil, err
	}
	j.Payload = bytes.Clone(here)
	return j, nil
}
