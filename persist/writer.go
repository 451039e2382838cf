package persist

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

// writer is the loop that commits: one at a time, and whatever has gathered meanwhile. So
// nobody waits who comes alone, and many who come together share one commit.
type writer struct {
	q     *Queue
	store Store
	kept  []op // what could not be stored, and has to be
	pause time.Duration
}

// run commits until ctx ends, and then what is left.
func (w *writer) run(ctx context.Context) error {
	for ctx.Err() == nil {
		ops := w.gather()
		if len(ops) > 0 {
			w.write(ctx, ops)
			continue
		}
		if len(w.kept) > 0 {
			w.sleep(ctx)
			w.write(ctx, nil)
			continue
		}
		select {
		case <-w.q.book.wake:
		case <-ctx.Done():
		}
	}
	return w.finish()
}

// finish takes nothing in any more, and stores what was handed in before.
func (w *writer) finish() error {
	b := w.q.book
	b.mu.Lock()
	w.q.enterPhase(closing)
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), finishWithin)
	defer cancel()
	for {
		ops := w.gather()
		if len(ops) == 0 && len(w.kept) == 0 {
			return nil
		}
		if ctx.Err() != nil {
			return w.giveUp(ops)
		}
		if len(w.kept) > 0 {
			w.sleep(ctx)
		}
		w.write(ctx, ops)
	}
}

// finishWithin is how long a stop may take to store what is left. It is less than the grace
// of the ledger.
const finishWithin = 8 * time.Second

// giveUp tells those that wait that nothing comes of it.
func (w *writer) giveUp(ops []op) error {
	b := w.q.book
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range ops {
		o.undone(b, ErrClosing)
	}
	return &LostError{Count: len(w.kept), Err: b.broken}
}

// gather takes what was handed in, as much as one commit is for.
func (w *writer) gather() []op {
	b := w.q.book
	b.mu.Lock()
	defer b.mu.Unlock()
	n, steps, bytes := 0, 0, 0
	for _, o := range b.inbox {
		s, size := weight(o)
		steps += s
		bytes += size
		if n > 0 && (steps > maxSteps || bytes > maxBytes) {
			break
		}
		n++
	}
	ops := b.inbox[:n:n]
	b.inbox = b.inbox[n:]
	if len(b.inbox) > 0 {
		poke(b.wake)
	} else {
		b.inbox = nil
	}
	return ops
}

// weight is about how many steps an op makes, and how many bytes.
func weight(o op) (steps, bytes int) {
	s, ok := o.(*submitOp)
	if !ok {
		return 1, 0
	}
	for _, p := range s.subs {
		bytes += len(p.record.Payload)
	}
	return len(s.subs), bytes
}

// write commits ops. After a failure, what has to be stored goes first, and alone: it may be
// that there is room for that, and not for more.
func (w *writer) write(ctx context.Context, ops []op) {
	if len(w.kept) > 0 {
		kept := w.kept
		w.kept = nil
		if err := w.commit(ctx, kept); err != nil {
			w.refuse(ops, err)
			return
		}
	}
	if len(ops) > 0 {
		_ = w.commit(ctx, ops) // those that wait have been told
	}
}

// refuse fails what can be, and keeps the rest, without having tried.
func (w *writer) refuse(ops []op, err error) {
	b := w.q.book
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range ops {
		if o.undone(b, err) {
			w.kept = append(w.kept, o)
		}
	}
}

// commit stores ops together, and has them take effect.
func (w *writer) commit(ctx context.Context, ops []op) error {
	b := w.q.book
	c := &commit{now: time.Now()}
	prepare(ops)
	b.mu.Lock()
	ops = w.withDecided(ops)
	w.plan(c, ops)
	w.prune(c)
	b.mu.Unlock()

	var err error
	if len(c.steps) > 0 {
		began := time.Now()
		err = w.commitSteps(ctx, c)
		c.stored = time.Since(began)
	}

	b.mu.Lock()
	if err == nil {
		w.done(c)
	} else {
		w.undone(c, err)
	}
	b.mu.Unlock()
	for _, f := range c.after {
		f()
	}
	w.q.dispatch()
	if len(c.ops) == 0 && len(c.later) > 0 {
		w.sleep(ctx) // what they wait for could not be stored
	}
	return err
}

// prepare calls what may call a user's code.
func prepare(ops []op) {
	for _, o := range ops {
		if p, ok := o.(interface{ prepare() }); ok {
			p.prepare()
		}
	}
}

// withDecided adds what was decided when it was handed in, if ops are to be given IDs: its own
// are lower, and the store takes IDs in their order only. It may have come after ops were
// gathered, or have been too much then.
func (w *writer) withDecided(ops []op) []op {
	if !slices.ContainsFunc(ops, func(o op) bool { s, ok := o.(*submitOp); return ok && s.steps == nil }) {
		return ops
	}
	b := w.q.book
	b.inbox = slices.DeleteFunc(b.inbox, func(o op) bool {
		s, ok := o.(*submitOp)
		if ok = ok && s.steps != nil; ok {
			ops = append(ops, o)
		}
		return ok
	})
	return ops
}

// plan has the ops decide. Those that were decided before come first: their IDs are lower.
func (w *writer) plan(c *commit, ops []op) {
	b := w.q.book
	for _, early := range []bool{true, false} {
		for _, o := range ops {
			if s, ok := o.(*submitOp); (ok && s.steps != nil) != early {
				continue
			}
			before := len(c.later)
			o.plan(b, c)
			if len(c.later) == before {
				c.ops = append(c.ops, o)
			}
		}
	}
	b.inbox = append(c.later, b.inbox...)
	if len(c.later) > 0 {
		poke(b.wake)
	}
}

// prune forgets the oldest of what has ended, a little more than what is added.
func (w *writer) prune(c *commit) {
	b := w.q.book
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
		keep := w.q.cfg.History
		if Ending(kind) == DeadLetter {
			keep = w.q.cfg.DeadLetters
		}
		if excess := b.past[kind] + n - keep; excess > 0 {
			c.steps = append(c.steps, Step{Verb: Prune, Kind: Ending(kind), Count: min(excess, 2*n)})
		}
	}
}

// commitSteps returns nil when the steps are durable, and an error when they are not. In
// between it does not return.
func (w *writer) commitSteps(ctx context.Context, c *commit) error {
	stale, err := w.store.Commit(context.WithoutCancel(ctx), c.steps) // what was gathered is stored, also at the end
	if !errors.Is(err, ErrUnknown) {
		c.stale = stale
		return err
	}
	w.failed(c, err)
	told := false
	for {
		committed, settleErr := w.store.Settle(context.WithoutCancel(ctx))
		switch {
		case settleErr == nil && committed:
			return nil
		case settleErr == nil:
			return err
		}
		if !told {
			told = true
			w.tellUnknown(c, err)
		}
		w.sleep(ctx)
		if ctx.Err() != nil {
			return err
		}
	}
}

// tellUnknown lets those go that wait, since it may take long.
func (w *writer) tellUnknown(c *commit, err error) {
	b := w.q.book
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range c.ops {
		if s, ok := o.(*submitOp); ok && !s.withdrawn && s.steps == nil {
			s.reply <- err
			s.reply = make(chan error, 1) // for what is said later
		}
	}
}

// done has what is durable take effect.
func (w *writer) done(c *commit) {
	b := w.q.book
	if b.broken != nil {
		b.broken = nil
		b.publish(events.StoreRecovered, func(*events.Event) {})
	}
	w.pause = 0
	if len(c.steps) > 0 {
		b.counts.commits++
		b.counts.steps += uint64(len(c.steps))
		b.counts.committing += c.stored
	}
	for i := range c.steps {
		switch s := &c.steps[i]; s.Verb {
		case Resolve:
			b.past[s.End.Kind]++
		case Prune:
			b.past[s.Kind] -= s.Count
			b.counts.pruned += uint64(s.Count)
		}
	}
	for _, o := range c.ops {
		o.done(b, c)
	}
}

// undone takes back what was decided.
func (w *writer) undone(c *commit, err error) {
	w.failedLocked(c, err)
	for i := len(c.ops) - 1; i >= 0; i-- {
		if o := c.ops[i]; o.undone(w.q.book, err) {
			w.kept = append(w.kept, o)
		}
	}
	for i, j := 0, len(w.kept)-1; i < j; i, j = i+1, j-1 {
		w.kept[i], w.kept[j] = w.kept[j], w.kept[i]
	}
}

func (w *writer) failed(c *commit, err error) {
	w.q.book.mu.Lock()
	defer w.q.book.mu.Unlock()
	w.failedLocked(c, err)
}

func (w *writer) failedLocked(c *commit, err error) {
	b := w.q.book
	if b.broken == nil {
		b.publish(events.StoreFailed, func(e *events.Event) { e.Err, e.Count = err, uint64(len(c.steps)) })
	}
	b.broken = err
	b.counts.failures++
}

// sleep waits a little before the next try, and longer each time.
func (w *writer) sleep(ctx context.Context) {
	w.pause = min(max(2*w.pause, 10*time.Millisecond), time.Second)
	t := time.NewTimer(w.pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
