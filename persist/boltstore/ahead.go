package boltstore

import (
	"bytes"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
)

// ahead keeps jobs that nobody has asked for yet. Jobs are mostly read once each, and in the
// order of their IDs: then one transaction is enough for several. What is kept is as it was
// submitted, with a payload that lies with it, so there is little of it.
type ahead struct {
	mu   sync.Mutex
	jobs map[persist.ID]*persist.Job
	last persist.ID // that was asked for
	busy bool       // somebody reads
	turn uint64     // grows with what is committed
}

const (
	// aheadMost is how many jobs are read ahead.
	aheadMost = 32
	// aheadNear is how far from the last ID one may be, to count as the next: several workers
	// ask at a time.
	aheadNear = 64
)

// take returns a job that is there. It is not kept any more.
func (a *ahead) take(id persist.ID) *persist.Job {
	a.mu.Lock()
	defer a.mu.Unlock()
	j := a.jobs[id]
	if j != nil {
		delete(a.jobs, id)
		a.last = id
	}
	return j
}

// begin says whether to read more than the job asked for. If so, end has to be called.
func (a *ahead) begin(id persist.ID) (turn uint64, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	more = !a.busy && id+aheadNear > a.last && id < a.last+aheadNear
	a.last = id
	a.busy = a.busy || more
	return a.turn, more
}

// end keeps what was read, unless something was committed meanwhile: it may be older than that.
func (a *ahead) end(turn uint64, found []*persist.Job) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy = false
	if turn != a.turn {
		return
	}
	if a.jobs == nil {
		a.jobs = make(map[persist.ID]*persist.Job, aheadMost)
	}
	clear(a.jobs) // they were passed over
	for _, j := range found {
		a.jobs[j.ID] = j
	}
}

// changed forgets the jobs that have got a state.
func (a *ahead) changed(steps []persist.Step) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.turn++
	if len(a.jobs) == 0 {
		return
	}
	for i := range steps {
		delete(a.jobs, steps[i].ID)
	}
}

// forget forgets all.
func (a *ahead) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.turn++
	clear(a.jobs)
}

// following returns the jobs after id, as far as they have no state and their payloads lie with
// them. What is wrong with one is told to who asks for it.
func (s *Store) following(tx *bbolt.Tx, id persist.ID) (found []*persist.Job) {
	var key idKey
	js, ss := tx.Bucket(bucketNames[jobs]).Cursor(), tx.Bucket(bucketNames[states]).Cursor()
	k, v := js.Seek(key.set(id + 1))
	sk, _ := ss.Seek(key[:])
	for range aheadMost {
		if k == nil {
			break
		}
		for sk != nil && bytes.Compare(sk, k) < 0 {
			sk, _ = ss.Next()
		}
		if !bytes.Equal(sk, k) {
			next, err := readID(k)
			if err != nil {
				break
			}
			j := &persist.Job{}
			j.ID = next
			here, apart, err := s.readJob(k, v, nil, false, nil, j)
			if err != nil || apart != nil {
				break
			}
			j.Payload = bytes.Clone(here)
			found = append(found, j)
		}
		k, v = js.Next()
	}
	return found
}
