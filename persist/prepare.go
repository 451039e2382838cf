package persist

import (
	"slices"
	"sync"
	"time"
)

// tray is the memory in which submissions are made ready: that of a batch is used again for another, when nobody
// needs it any more.
type tray struct {
	subs    []Submission // of a type
	records []prepared
	all     []*prepared
	plans   []insertion
	results []Result
	places  map[Digest]int
	scribe  scribe
	digests digests
}

// leastKept is how large a batch has to be for its tray to be worth keeping. That of more than MaxBatch
// is not kept either.
const leastKept = 64

var trays = sync.Pool{New: func() any { return new(tray) }}

// takeTray returns a tray for so many submissions.
func takeTray(n int) *tray {
	t := &tray{}
	if n >= leastKept && n <= MaxBatch {
		t = trays.Get().(*tray)
	}
	if cap(t.records) < n {
		t.records, t.all, t.plans, t.results = make([]prepared, n), make([]*prepared, n), make([]insertion, n), make([]Result, n)
	}
	t.records, t.all, t.plans, t.results = t.records[:n], t.all[:n], t.plans[:n], t.results[:n]
	t.scribe.batch, t.scribe.left = n > 1, n
	return t
}

// putBack says that nobody needs what is on the tray any more. A job that is kept is not on it: see lasting.
func (t *tray) putBack() {
	if n := len(t.records); n < leastKept || n > MaxBatch {
		return
	}
	clear(t.subs)
	t.subs = t.subs[:0]
	clear(t.records)
	clear(t.plans)
	clear(t.results)
	clear(t.places)
	t.scribe.clear()
	trays.Put(t)
}

// prepare makes records of submissions. They are relaxed if all of them are. What is a user's is called on this
// goroutine.
func (q *Queue) prepare(t *tray, subs []Submission, opts []Option) (all []*prepared, relaxed bool, err error) {
	now := time.Now()
	layered, of, err := q.layered(subs, opts)
	if err != nil {
		return nil, false, err
	}
	all = t.all
	relaxed = true
	defer t.digests.wait()
	for i := range subs {
		p := &t.records[i]
		p.shares = len(subs) > 1
		base := &layered[of[i]]
		set := &base.set
		if len(subs[i].opts) > 0 {
			own := base.set.with(ofCall, subs[i].opts)
			set = &own
		}
		if err := subs[i].prepare(p, &t.scribe, base.kind, set, q.cfg.MaxPayload, now); err != nil {
			return nil, false, &SubmissionError{Index: i, Type: base.kind.name, Err: err}
		}
		t.digests.add(t.records, i+1)
		all[i] = p
		relaxed = relaxed && set.durability == Relaxed
	}
	t.digests.rest(t.records)
	return all, relaxed, nil
}

// typed is a type with the settings that a batch has of it.
type typed struct {
	kind *kind
	set  settings
}

// layered returns the types of submissions, and which of them each is of: most are of the one
// before.
func (q *Queue) layered(subs []Submission, opts []Option) (list []typed, of []int, err error) {
	of = make([]int, len(subs))
	q.book.mu.Lock()
	defer q.book.mu.Unlock()
	for i := range subs {
		k, err := q.book.kindOf(&subs[i])
		if err != nil {
			return nil, nil, &SubmissionError{Index: i, Type: subs[i].typeName(), Err: err}
		}
		at := slices.IndexFunc(list, func(t typed) bool { return t.kind == k || t.kind.name == k.name })
		if at < 0 {
			at = len(list)
			list = append(list, typed{k, k.set})
		}
		of[i] = at
	}
	if len(opts) > 0 {
		for i := range list {
			list[i].set = list[i].set.with(ofBatch, opts)
		}
	}
	return list, of, nil
}

func (s *Submission) typeName() string {
	if s.def != nil {
		return s.def.fullName()
	}
	return s.raw
}

// kindOf returns the type of a submission.
func (b *book) kindOf(s *Submission) (*kind, error) {
	if s.def != nil {
		return b.define(s.def)
	}
	if err := checkFullName("Type", s.raw); err != nil {
		return nil, err
	}
	return b.seen(s.raw), nil
}

// yield takes out those of which a later one has the key, and says by their places which one that
// is.
func (t *tray) yield(all []*prepared) (last map[int]outranked) {
	if len(all) < 2 {
		return nil
	}
	if t.places == nil {
		t.places = make(map[Digest]int, len(all))
	}
	seen := t.places
	for i := len(all) - 1; i >= 0; i-- {
		d := all[i].job.Digest
		if d.IsZero() {
			continue
		}
		j, twice := seen[d]
		if !twice {
			seen[d] = i
			continue
		}
		if last == nil {
			last = map[int]outranked{}
		}
		all[i], last[i] = nil, outranked{by: j, how: all[i].duplicates}
	}
	return last
}
