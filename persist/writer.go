package persist

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

// writer is the loop that commits: one at a time, and whatever has gathered meanwhile. So
// nobody waits who comes alone, and many who come together share one commit.
type writer struct {
	q     *Queue
	run   uint64 // of the book
	store Store
	kept  []op // what could not be stored, and has to be
	pause time.Duration
	// round is what write is at.
	round round
	steps []Step // room for those of the next commit
	// patience is how long it lets others come before the next commit.
	patience linger
	// flows says that the last commit was of many ends, and that nobody waits for the next.
	flows     bool
	committed time.Time     // when that was
	took      time.Duration // the last one, in the store
	// unsettled says that it is not known what has become of a commit that was given up.
	unsettled bool
	shedding  Step // what that was to forget, if it was made for room
}

// locked calls f with the book locked, unless the writer was left behind.
func (w *writer) locked(f func()) (mine bool) { return w.q.book.during(w.run, f) }

// loop commits until ctx ends, and then what is left. The end of ctx does not break off what is
// being stored; what is not stored finishWithin then is not.
func (w *writer) loop(ctx context.Context) error {
	bounded, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(finishWithin, cancel) })()
	for ctx.Err() == nil {
		w.linger(ctx)
		w.rest(ctx)
		ops, mine := w.gather()
		if !mine {
			return ErrNotRunning
		}
		if len(ops) > 0 {
			w.write(bounded, ops)
			continue
		}
		if len(w.kept) > 0 {
			if w.doze(ctx) {
				w.write(bounded, nil)
			}
			continue
		}
		select {
		case <-w.q.book.wake:
		case <-ctx.Done():
		}
	}
	return w.finish(bounded)
}

// finish takes nothing in any more, and stores what was handed in before.
func (w *writer) finish(ctx context.Context) error {
	w.locked(func() { w.q.enterPhase(closing) })
	for {
		ops, mine := w.gather()
		if !mine {
			return ErrNotRunning
		}
		if len(ops) == 0 && len(w.kept) == 0 {
			return nil
		}
		if ctx.Err() != nil || errors.Is(w.q.book.trouble(), ErrClosed) {
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
	err := &LostError{}
	w.locked(func() {
		b := w.q.book
		for _, o := range append(ops, b.inbox...) {
			if o.undone(b, ErrClosing) {
				w.kept = append(w.kept, o)
			}
		}
		b.inbox = nil
		if err.Err = b.broken; err.Err == nil {
			err.Err = fmt.Errorf("the store is too slow: its last commit took %v, and a stop waits %v", w.took.Round(time.Millisecond), finishWithin)
		}
		for _, o := range w.kept { // who has not begun, or has expired, is as it was
			switch o := o.(type) {
			case *submitOp:
				err.Submissions += len(o.steps)
			case *settleOp:
				err.Count++
			}
		}
	})
	if err.Count+err.Submissions == 0 {
		return nil
	}
	w.q.lost.Store(err)
	return err
}

// write commits ops, together with what could not be stored before. What there is no room for is
// tried in smaller pieces, so that it keeps out nothing but what needs as much room, or has to come
// after it. After any other failure the rest is not tried.
func (w *writer) write(ctx context.Context, ops []op) {
	prepare(ops)
	w.begin(ops)
	all, again := len(w.round.ops), false
	for len(w.round.ops) > 0 {
		if err := w.commit(ctx); err != nil && !isFull(err) {
			w.refuse(append(w.round.ops, w.round.later...), settled(err)) // of these it is known
			w.round = round{}
			return
		}
		if len(w.round.ops) == 0 && len(w.kept) > 0 && !again {
			again = true // it may be that what they wait for is not what could not be stored
			w.round.ops, w.round.later = w.round.later, nil
		}
	}
	later := w.round.later
	w.round.ops, w.round.later = nil, nil
	switch {
	case len(later) == 0:
	case len(w.kept) > 0:
		w.refuse(later, w.round.lack.err)
	default:
		w.locked(func() {
			w.q.book.inbox = append(later, w.q.book.inbox...)
			poke(w.q.book.wake)
		})
		if len(later) == all {
			w.sleep(ctx) // what they wait for is still to be handed in
		}
	}
}

// trouble is why the last commit failed, or nil.
func (b *book) trouble() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.broken
}

// refuse fails what can be, and keeps the rest, without having tried.
func (w *writer) refuse(ops []op, err error) {
	w.locked(func() {
		for _, o := range ops {
			if o.undone(w.q.book, err) {
				w.kept = append(w.kept, o)
			}
		}
	})
}

// commit stores what goes next of the round, and has it take effect.
func (w *writer) commit(ctx context.Context) error {
	b := w.q.book
	c := &commit{now: time.Now(), steps: w.steps[:0]}
	callers := 0
	w.flows = false
	mine := w.locked(func() {
		b.keepTime(c.now)
		w.plan(c, w.next())
		w.prune(c)
		callers = asking(c.ops)
		b.asking += asking(c.later)
		w.notice(c)
	})
	if !mine {
		return ErrNotRunning
	}
	w.acquaint(ctx, c)

	var err error
	if len(c.steps) > 0 {
		err = w.commitSteps(ctx, c)
		for isFull(err) && w.shed(ctx, c) {
			err = w.commitSteps(ctx, c)
		}
		if err != nil && ctx.Err() != nil && !errors.Is(err, ErrUnknown) {
			err = fmt.Errorf("%w: %w", ErrClosing, err)
		}
	}

	w.took = c.stored
	mine = w.locked(func() {
		b.about = c.about
		switch {
		case err == nil:
			w.patience = w.patience.after(callers, b.asking, c.stored)
			w.committed = time.Now()
			w.flows = callers == 0 && b.asking == 0 && len(c.ops) >= flow
			w.done(c)
			w.round.grow()
		case isFull(err) && len(c.ops) > 1:
			w.patience = linger{}
			w.split(c)
		default:
			w.patience = linger{}
			w.round.miss(c, err)
			w.undone(c, err)
		}
		b.about = nil
	})
	if !mine {
		return ErrNotRunning
	}
	for _, f := range c.after {
		f()
	}
	if cap(c.steps) > 2*MaxBatch {
		c.steps = w.steps[:cap(w.steps)] // which they have outgrown, and left copies in
	}
	clear(c.steps)
	w.steps = c.steps
	w.q.dispatch()
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

// plan has the ops decide. What it is known of that there is no room for it is not tried.
func (w *writer) plan(c *commit, ops []op) {
	b := w.q.book
	c.ops = make([]op, 0, len(ops))
	for _, o := range ops {
		steps, later, bytes, first := len(c.steps), len(c.later), c.bytes, c.first
		o.plan(b, c)
		switch {
		case len(c.later) > later:
		case w.round.lack.bars(b, c.steps[steps:]):
			clear(c.steps[steps:])
			c.steps, c.bytes, c.first = c.steps[:steps], bytes, first
			if o.undone(b, w.round.lack.err) {
				w.kept = append(w.kept, o)
			}
		default:
			c.ops = append(c.ops, o)
		}
	}
	w.round.later = append(w.round.later, c.later...)
}

// tellUnknown lets those go that wait, since it may take long.
func (w *writer) tellUnknown(c *commit, err error) {
	w.locked(func() {
		for _, o := range c.ops {
			if s, ok := o.(*submitOp); ok && !s.withdrawn && s.steps == nil {
				s.reply <- err
				s.reply = make(chan error, 1) // for what is said later
			}
		}
	})
}

// done has what is durable take effect.
func (w *writer) done(c *commit) {
	b := w.q.book
	if b.broken != nil && len(c.steps) > 0 && !w.round.jammed() {
		b.broken = nil
		b.publish(events.StoreRecovered, func(*events.Event) {})
	}
	if len(c.steps) > 0 {
		w.pause = 0
		b.counts.commits++
		b.counts.steps += uint64(len(c.steps))
		b.counts.committing += c.stored
	}
	for i := range c.steps {
		switch s := &c.steps[i]; s.Verb {
		case Resolve:
			b.past[s.End.Kind]++
		case Prune:
			b.pruned(s)
		}
	}
	for _, o := range c.ops {
		o.done(b, c)
	}
}

// undone takes back what was decided.
func (w *writer) undone(c *commit, err error) {
	w.failedLocked(c, err)
	var kept []op
	for _, o := range slices.Backward(c.ops) {
		if o.undone(w.q.book, err) {
			kept = append(kept, o)
		}
	}
	slices.Reverse(kept)
	w.kept = append(w.kept, kept...)
}

func (w *writer) failed(c *commit, err error) { w.locked(func() { w.failedLocked(c, err) }) }

func (w *writer) failedLocked(c *commit, err error) {
	b := w.q.book
	if b.broken == nil {
		b.publish(events.StoreFailed, func(e *events.Event) { e.Err, e.Count = err, uint64(len(c.steps)) })
	}
	if b.broken == nil || !errors.Is(err, ErrClosing) { // which is why it was given up, and not what was wrong
		b.broken = err
	}
	if !c.failed {
		c.failed = true
		b.counts.failures++
	}
}

// sleep waits a little before the next try, and longer each time.
func (w *writer) sleep(ctx context.Context) {
	t := w.timer()
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// doze is sleep that ends when somebody asks for something: then it returns false.
func (w *writer) doze(ctx context.Context) (over bool) {
	t := w.timer()
	defer t.Stop()
	b := w.q.book
	for {
		select {
		case <-t.C:
			return true
		case <-ctx.Done():
			return true
		case <-b.wake:
		}
		asked := false
		if !w.locked(func() { asked = slices.ContainsFunc(b.inbox, asks) }) || asked {
			return false
		}
	}
}

func (w *writer) timer() *time.Timer {
	w.pause = min(max(2*w.pause, 10*time.Millisecond), time.Second)
	return time.NewTimer(w.pause)
}
