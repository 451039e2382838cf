package boltstore

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
)

// ends knows the order in which jobs have ended, by kind: 16 bytes each. It is read from the
// states when the file is opened, so that an end is one put, and to forget it takes none.
//
// Who commits changes it as it goes. Who reads has a transaction of its own, and sees the ends as
// they are in that: as of the last commit, or of the one that is just coming to pass.
type ends struct {
	mu      sync.Mutex // guards what follows against readers
	trails  [persist.DependencyFailed + 1]trail
	revived map[place]bool // by the commit that is under way
	fault   error          // what is wrong with them in the file, or nil
	// last is the number of the transaction that was committed last, and next that of the one
	// that is being committed, or zero.
	last, next int
}

// end is a job that has ended, and its place in the order of all ends.
type end struct {
	seq uint64
	id  persist.ID // zero when it has been revived
}

// place is where an end is.
type place struct {
	kind persist.Ending
	seq  uint64
}

// trail is the ends of one kind, in their order.
type trail struct {
	list  []end
	holes int // how many were revived
	// Those that are not forgotten, as of the last commit, and as they will be.
	last, next span
}

// span is a part of a list.
type span struct{ from, to int }

// load reads the ends of a file, in which tally says that so many jobs have ended.
func (e *ends) load(tx *bbolt.Tx, last uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.trails, e.revived, e.fault = [len(e.trails)]trail{}, nil, nil
	e.last, e.next = tx.ID(), 0
	c := tx.Bucket(bucketNames[states]).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if err := e.found(k, v, last); err != nil {
			e.fault = cmp.Or(e.fault, fmt.Errorf("bucket %s, key %s: %w", states, keyText(k), err))
		}
	}
	for i := range e.trails {
		t := &e.trails[i]
		slices.SortFunc(t.list, func(a, b end) int { return cmp.Compare(a.seq, b.seq) })
		for j := 1; j < len(t.list); j++ {
			if a, b := t.list[j-1], t.list[j]; a.seq == b.seq {
				e.fault = cmp.Or(e.fault, fmt.Errorf("jobs %d and %d have ended at one place", a.id, b.id))
			}
		}
		t.next.to = len(t.list)
		t.last = t.next
	}
}

// found takes note of a state of the file.
func (e *ends) found(k, v []byte, last uint64) error {
	id, err := readID(k)
	if err != nil {
		return err
	}
	if v, err = unseal(states, k, v); err != nil {
		return err
	}
	g, err := readGist(v)
	switch {
	case err != nil:
		return err
	case !g.ended():
		return nil
	case g.seq == 0 || g.seq > last:
		return errPlace
	}
	t := &e.trails[g.kind]
	t.list = append(t.list, end{g.seq, id})
	return nil
}

var errPlace = errors.New("has ended at a place that there is not")

// add takes note of a job that ends, after all others.
func (e *ends) add(kind persist.Ending, what end) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := &e.trails[kind]
	t.list = append(t.list, what)
	t.next.to++
}

// revive takes note of one that has not ended any more.
func (e *ends) revive(kind persist.Ending, seq uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.revived == nil {
		e.revived = map[place]bool{}
	}
	e.revived[place{kind, seq}] = true
}

// find returns the end of a place, or nil.
func (t *trail) find(seq uint64) *end {
	i := t.before(seq)
	if i < len(t.list) && t.list[i].seq == seq {
		return &t.list[i]
	}
	return nil
}

// before is how many places there are before a given one.
func (t *trail) before(seq uint64) int {
	return sort.Search(len(t.list), func(i int) bool { return t.list[i].seq >= seq })
}

// take appends the first n of a kind to those that are to be forgotten.
func (e *ends) take(kind persist.Ending, n int, gone []end) []end {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := &e.trails[kind]
	for ; n > 0 && t.next.from < t.next.to; t.next.from++ {
		what := t.list[t.next.from]
		if what.id != 0 && !e.revived[place{kind, what.seq}] {
			gone = append(gone, what)
			n--
		}
	}
	return gone
}

// begin is called when all has been changed and is about to be committed by a transaction.
func (e *ends) begin(tx int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.next = tx
}

// end is called when that has come to pass.
func (e *ends) end() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for p := range e.revived {
		if what := e.trails[p.kind].find(p.seq); what != nil {
			what.id = 0
			e.trails[p.kind].holes++
		}
	}
	for i := range e.trails {
		t := &e.trails[i]
		if rest := t.next.from + t.holes; rest >= trailRest && rest > len(t.list)/2 {
			t.tidy()
		}
		t.last = t.next
	}
	e.revived, e.last, e.next = nil, e.next, 0
}

// tidy forgets what does not count any more.
func (t *trail) tidy() {
	kept := slices.DeleteFunc(t.list[t.next.from:], func(what end) bool { return what.id == 0 })
	t.list = append(make([]end, 0, len(kept)+len(kept)/4), kept...)
	t.holes, t.next = 0, span{0, len(kept)}
}

// trailRest is how many ends a trail may hold that are forgotten or revived, before it is looked at
// whether they are most of it.
const trailRest = 1024

// takeBack is called when it has not.
func (e *ends) takeBack() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.trails {
		t := &e.trails[i]
		t.next = t.last
		t.list = t.list[:t.last.to]
	}
	e.revived, e.next = nil, 0
}

// wrong says what is wrong with the ends in the file, or nil.
func (e *ends) wrong() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.fault
}

// latest returns the last ends of some kinds before a place, or of all if that is zero, the latest
// first, at most n, as they are in a transaction. Ok is false if that is neither the last nor the
// next one.
func (e *ends) latest(tx int, kinds []persist.Ending, before uint64, n int) (found []end, last int, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if tx != e.last && tx != e.next {
		return nil, e.last, false
	}
	left := make([][]end, 0, len(kinds)) // of each kind those that may come next, the last first
	for _, kind := range kinds {
		t := &e.trails[kind]
		seen := t.last
		if tx == e.next {
			seen = t.next
		}
		if before > 0 {
			seen.to = min(seen.to, t.before(before))
		}
		left = append(left, t.list[seen.from:max(seen.from, seen.to)])
	}
	for len(found) < n {
		latest := -1
		for i, l := range left {
			if len(l) > 0 && (latest < 0 || l[len(l)-1].seq > left[latest][len(left[latest])-1].seq) {
				latest = i
			}
		}
		if latest < 0 {
			break
		}
		l := left[latest]
		if what := l[len(l)-1]; what.id != 0 && (tx == e.last || !e.revived[place{kinds[latest], what.seq}]) {
			found = append(found, what)
		}
		left[latest] = l[:len(l)-1]
	}
	return found, e.last, true
}

// count says how many there are of each kind.
func (e *ends) count() (n [persist.DependencyFailed + 1]uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for kind := range e.trails {
		t := &e.trails[kind]
		for _, what := range t.list[t.last.from:t.last.to] {
			if what.id != 0 {
				n[kind]++
			}
		}
	}
	return n
}
