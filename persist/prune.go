package persist

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
)

// maxSlack is how many more jobs that have ended may be kept than asked for, so that not every
// commit has to forget one: that would be pages in other places of a file.
const maxSlack = 100

// excess is how many of a kind are to be forgotten when so many are added: none, as long as there
// are only some too many.
func (q *Queue) excess(kind Ending, added int) int {
	keep := q.cfg.History
	if kind == DeadLetter {
		keep = q.cfg.DeadLetters
	}
	if n := q.book.past[kind] + added - keep; n > min(keep/100, maxSlack) {
		return n
	}
	return 0
}

// prune has a commit that adds ends, or has to, forget the oldest of what has ended.
func (w *writer) prune(c *commit) {
	var added [DependencyFailed + 1]int
	for i := range c.steps {
		if c.steps[i].Verb == Resolve {
			added[c.steps[i].End.Kind]++
		}
	}
	for kind, n := range added {
		if n == 0 && !c.overdue[kind] {
			continue
		}
		most := 2*n + maxSlack
		if c.overdue[kind] {
			most = maxSteps
		}
		kind := Ending(kind)
		if excess := w.q.excess(kind, n-c.revivals[kind]); excess > 0 {
			c.steps = append(c.steps, Step{Verb: Prune, Kind: kind, Count: min(excess, most)})
		}
	}
}

// pruneOp has the excess of a kind forgotten without an end that is added: after less history was
// asked for, say. That takes several commits, if there is much.
type pruneOp struct {
	q    *Queue
	kind Ending
}

func (o *pruneOp) plan(_ *book, c *commit) { c.overdue[o.kind] = true }

func (o *pruneOp) done(b *book, _ *commit) {
	if o.q.excess(o.kind, 0) > 0 {
		b.enqueue(o)
	}
}

func (o *pruneOp) undone(*book, error) bool { return false } // there will be another occasion

// sheds are the kinds of which the oldest are forgotten when the store is full, in this order.
// Dead letters are not among them: somebody may still want to revive them.
var sheds = [...]Ending{Completed, Superseded, Expired, Cancelled, DependencyFailed, Failed}

// shedLess is by how much less is forgotten at a time when there is no room for more.
const shedLess = 16

// shed makes room in a store that is full: what is remembered of the past has no right to keep out
// what is to be done. It forgets half of one kind, or less, and says whether there was anything to forget,
// and a use in it.
func (w *writer) shed(ctx context.Context, c *commit) bool {
	if !w.canShed(c) {
		return false
	}
	var step Step
	w.locked(func() {
		for _, kind := range sheds {
			if n := w.q.book.past[kind]; n > 0 {
				step = Step{Verb: Prune, Kind: kind, Count: min((n+1)/2, maxSteps)}
				return
			}
		}
	})
	if step.Verb == 0 {
		return false
	}
	err := ErrFull
	for step.Count > 0 {
		err = unharmed(func() error {
			_, err := w.store.Commit(ctx, []Step{step})
			return err
		})
		if !isFull(err) {
			break
		}
		step.Count /= shedLess // to forget takes room too
	}
	if errors.Is(err, ErrUnknown) {
		committed, settled := w.settle(ctx)
		if settled != nil {
			w.unsettled, w.shedding = true, step // and what it becomes is not to be taken for another commit
		}
		if committed {
			err = nil
		}
	}
	return err == nil && w.locked(func() {
		w.q.book.pruned(&step)
		c.steps = slices.DeleteFunc(c.steps, func(s Step) bool { return s.Verb == Prune }) // the last ones
		w.prune(c)
	})
}

// endRoom is how much of its room a store may keep for the end of each job that has not ended.
const endRoom = 256

// canShed says whether it may help to forget something: not if the payloads could hardly ever
// find room, nor if there is room already. What is about to be revived must not be forgotten.
func (w *writer) canShed(c *commit) bool {
	if c.revivals != [len(c.revivals)]int{} {
		return false
	}
	jobs := 0
	w.locked(func() { jobs = w.q.book.jobs.Len() }) // those of this commit are among them
	u, need := w.store.Usage(), int64(c.bytes)
	enough := 2*need + max(u.Limit/4, 1<<20) + endRoom*int64(jobs)
	return need <= cmp.Or(u.Limit, u.Bytes, math.MaxInt64)/2 && u.Free <= enough
}

// pruned takes note that a step of that kind was made.
func (b *book) pruned(s *Step) {
	b.past[s.Kind] = max(b.past[s.Kind]-s.Count, 0)
	b.counts.pruned += uint64(s.Count)
}
