package persist

import (
	"context"
	"slices"
	"time"
)

// While many jobs end one after the other, and nobody waits for that to be durable, the writer
// rests a little between two commits: each costs two syncs and some pages, however much is in it.
const (
	// flow is how many ops the last commit had, when jobs end quickly.
	flow = 64
	// enoughEnds is for how many it rests, and maxRest for how long.
	enoughEnds = maxSteps / 4
	maxRest    = 5 * time.Millisecond
)

// rest waits until there is enough for a commit, or something that hurries.
func (w *writer) rest(ctx context.Context) {
	if !w.flows || time.Since(w.committed) > maxRest {
		return
	}
	b := w.q.book
	select {
	case <-b.wake: // for what is looked at now
	default:
	}
	rests := false
	w.locked(func() {
		rests = b.mayRest() && !slices.ContainsFunc(b.inbox, hurries)
		b.resting = rests
	})
	if !rests {
		return
	}
	timer := time.NewTimer(maxRest)
	defer timer.Stop()
	select {
	case <-b.wake:
	case <-timer.C:
	case <-ctx.Done():
	}
	w.locked(func() { b.resting = false })
}

// mayRest reports whether more is to come, and there is room for it.
func (b *book) mayRest() bool { return b.running > 0 && len(b.inbox) < enoughEnds }

// rouse wakes the writer.
func (b *book) rouse() {
	b.resting = false
	poke(b.wake)
}

// hurries reports whether somebody waits for what an op stores: all but the ends of jobs for which
// nobody does.
func hurries(o op) bool {
	s, ok := o.(*settleOp)
	if !ok || s.move != endNow {
		return true
	}
	x := s.job.more
	return x != nil && (x.ended != nil || x.follower != nil)
}
