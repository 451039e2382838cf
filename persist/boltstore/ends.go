package boltstore

import (
	"cmp"
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
	revived []place // by the commit that is under way
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
	list []end
	// Those that are not forgotten, as of the last commit, and as they will be.
	last, next span
}

// span is a part of a list.
type span struct{ from, to int }

// load reads the ends of a file. What it cannot read is no end here: Recover and Check say what
// is wrong with it.
func (e *ends) load(tx *bbolt.Tx) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.trails, e.revived = [len(e.trails)]trail{}, nil
	e.last, e.next = tx.ID(), 0
	c := tx.Bucket(bucketNames[states]).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		id, err := readID(k)
		if err == nil {
			v, err = unseal(states, k, v)
		}
		if err != nil {
			continue
		}
		if g, err := readGist(v); err == nil && g.ended() {
			t := &e.trails[g.kind]
			t.list = append(t.list, end{g.seq, id})
		}
	}
	for i := range e.trails {
		t := &e.trails[i]
		slices.SortFunc(t.list, func(a, b end) int { return cmp.Compare(a.seq, b.seq) })
		t.next.to = len(t.list)
		t.last = t.next
	}
}

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
	e.revived = append(e.revived, place{kind, seq})
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
		if what.id != 0 && !slices.Contains(e.revived, place{kind, what.seq}) {
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
	for _, p := range e.revived {
		if what := e.trails[p.kind].find(p.seq); what != nil {
			what.id = 0
		}
	}
	for i := range e.trails {
		t := &e.trails[i]
		if from := t.next.from; from >= trailRest && from > len(t.list)/2 {
			t.list = append(t.list[:0], t.list[from:]...)
			t.next = span{0, len(t.list)}
		}
		t.last = t.next
	}
	e.revived, e.last, e.next = e.revived[:0], e.next, 0
}

// trailRest is how many ends that are forgotten a trail may hold, before it is looked at whether
// they are most of it.
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
	e.revived, e.next = e.revived[:0], 0
}

// latest returns the last ends of some kinds before a place, or of all if that is zero, the latest
// first, at most n, as they are in a transaction: ok is false if that is over.
func (e *ends) latest(tx int, kinds []persist.Ending, before uint64, n int) (found []end, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if tx != e.last && tx != e.next {
		return nil, false
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
		if what := l[len(l)-1]; what.id != 0 {
			found = append(found, what)
		}
		left[latest] = l[:len(l)-1]
	}
	return found, true
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
