package persist

import (
	"cmp"
	"context"
	"errors"
	"math"
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

// prune has a commit that adds ends forget the oldest of what has ended.
func (w *writer) prune(c *commit) {
	var added [DependencyFailed + 1]int
	for i := range c.steps {
		if c.steps[i].Verb == Resolve {
			added[c.steps[i].End.Kind]++
		}
	}
	for kind, n := range added {
		if n == 0 {
			continue
		}
		kind := Ending(kind)
		if excess := w.q.excess(kind, n-c.revivals[kind]); excess > 0 {
			c.steps = append(c.steps, Step{Verb: Prune, Kind: kind, Count: min(excess, 2*n+maxSlack)})
		}
	}
}

// pruneOp forgets what is too much without an end that is added: after less history was asked for,
// say. It does so in several commits, if there is much.
type pruneOp struct {
	q    *Queue
	kind Ending
	left bool
}

func (o *pruneOp) plan(_ *book, c *commit) {
	if excess := o.q.excess(o.kind, 0); excess > 0 {
		o.left = excess > maxSteps
		c.steps = append(c.steps, Step{Verb: Prune, Kind: o.kind, Count: min(excess, maxSteps)})
	}
}

func (o *pruneOp) done(b *book, _ *commit) {
	if o.left {
		b.enqueue(&pruneOp{q: o.q, kind: o.kind})
	}
}

func (o *pruneOp) undone(*book, error) bool { return false } // there will be another occasion

// sheds are the kinds of which the oldest are forgotten when the store is full, in this order.
// Dead letters are not among them: somebody may still want to revive them.
var sheds = [...]Ending{Completed, Superseded, Expired, Cancelled, DependencyFailed, Failed}

// shed makes room in a store that is full: what is remembered of the past has no right to keep out
// what is to be done. It forgets half of one kind, and says whether there was anything to forget.
// For payloads that could hardly ever find room it forgets nothing.
func (w *writer) shed(ctx context.Context, c *commit) bool {
	if u := w.store.Usage(); int64(c.bytes) > cmp.Or(u.Limit, u.Bytes, math.MaxInt64)/2 {
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
	err := unharmed(func() error {
		_, err := w.store.Commit(ctx, []Step{step})
		return err
	})
	if errors.Is(err, ErrUnknown) {
		if committed, settled := w.settle(ctx); settled == nil && committed {
			err = nil
		}
	}
	return err == nil && w.locked(func() { w.q.book.pruned(&step) })
}

// pruned takes note that a step of that kind was made.
func (b *book) pruned(s *Step) {
	b.past[s.Kind] = max(b.past[s.Kind]-s.Count, 0)
	b.counts.pruned += uint64(s.Count)
}
