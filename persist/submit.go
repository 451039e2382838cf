package persist

import (
	"context"
	"fmt"
	"time"
)

// Submit stores a job, unless another that has not ended has its key; the result says what
// has become of it. When Submit returns nil, what the result says is on disk, or as the
// Durability of the submission has it.
//
// The error is a *SubmissionError for what is wrong with the submission, ErrNotRunning,
// ErrClosing, ErrFull, another error of the store, or the cause of a ctx that has ended; then
// nothing was stored. It is ErrUnknown, maybe with the cause of ctx, if that is not known:
// who submits again with the same key is told what there is.
func (q *Queue) Submit(ctx context.Context, s Submission) (Result, error) {
	results, err := q.submit(ctx, takeTray(1), []Submission{s}, nil, false)
	if len(results) == 0 {
		return Result{}, err
	}
	return results[0], err
}

// SubmitAll stores jobs together: all or none of each MaxBatch of them. Opts are said of all
// of them, and what is said of a single one goes before that. Of several with one key the last
// counts, and the others are its duplicates; or, if it is rejected, those of the job that has the
// key.
//
// The results are in the order of the submissions. If there is an error, which is one of those
// of Submit, the results are of what was stored before, and those of the rest are zero. All are
// checked before anything is stored.
func (q *Queue) SubmitAll(ctx context.Context, subs []Submission, opts ...Option) ([]Result, error) {
	return q.submit(ctx, takeTray(len(subs)), subs, opts, true)
}

func (q *Queue) submit(ctx context.Context, t *tray, subs []Submission, opts []Option, batch bool) ([]Result, error) {
	if len(subs) == 0 {
		return nil, nil
	}
	if q == nil || q.head == nil || q.invalid != nil {
		return nil, q.Validate()
	}
	if err := q.awaitService(ctx); err != nil {
		return nil, fmt.Errorf("submit: %w", err)
	}
	all, relaxed, err := q.prepare(t, subs, opts)
	if err != nil {
		t.putBack()
		return nil, err
	}
	results := make([]Result, len(subs))
	last := t.yield(all)
	defer func() { q.answerFor(last, results) }()
	for from := 0; from < len(all); from += MaxBatch {
		to := min(from+MaxBatch, len(all))
		// The op has results of its own: the writer may still be at it when nobody waits.
		o := &submitOp{
			subs: all[from:to], plans: t.plans[from:to], results: t.results[from:to],
			relaxed: relaxed, batch: batch, reply: make(chan error, 1),
		}
		if err := q.hand(ctx, o); err != nil {
			return results, fmt.Errorf("submit: %w", err) // and what is on the tray
		}
		copy(results[from:], o.results)
	}
	if !relaxed {
		t.putBack()
	}
	return results, nil
}

// outranked is a submission that had to yield.
type outranked struct {
	by  int // the place of the last one of its key
	how Duplicates
}

// answerFor makes the results of those that had to yield of those of the last ones.
func (q *Queue) answerFor(last map[int]outranked, results []Result) {
	if len(last) == 0 {
		return
	}
	q.book.mu.Lock()
	defer q.book.mu.Unlock()
	for i, o := range last {
		if results[i] = o.result(results[o.by]); results[i].Kind != 0 {
			q.book.counts.results[results[i].Kind]++
		}
	}
}

// result is what becomes of it, given what has become of the last one. That this was to be rejected
// is not said of the others.
func (o *outranked) result(last Result) Result {
	switch {
	case last.Kind == 0: // it was not stored
		return Result{}
	case last.Kind != Rejected:
		return Result{Kind: Duplicate, ID: last.ID}
	case o.how == Reject:
		return last
	}
	return Result{Kind: Duplicate, ID: last.Other}
}

// hand gives submissions to the writer, and returns when they are stored.
func (q *Queue) hand(ctx context.Context, o *submitOp) error {
	relaxed := o.relaxed && !q.isLarge(o)
	b := q.book
	b.mu.Lock()
	switch {
	case b.phase != inService:
		b.mu.Unlock()
		return ErrClosing
	case relaxed && q.acceptAtOnce(o):
		return nil
	}
	b.enqueue(o)
	b.asking++
	reply, changed := o.reply, q.opened // the writer may change the one, and the run the other
	b.mu.Unlock()
	if answered, err := q.answer(ctx, reply, changed); answered {
		return err
	}
	b.mu.Lock()
	if !o.planned {
		o.withdrawn = true
		b.asking = max(b.asking-1, 0)
		b.mu.Unlock()
		return context.Cause(ctx)
	}
	b.mu.Unlock()
	select {
	case err := <-reply: // it was in time after all
		return err
	default:
		return fmt.Errorf("%w: %w", ErrUnknown, context.Cause(ctx))
	}
}

// answer waits for what the writer has to say of what it was handed. It returns false if ctx ends
// before that.
func (q *Queue) answer(ctx context.Context, reply chan error, changed chan struct{}) (answered bool, err error) {
	for {
		select {
		case err := <-reply:
			return true, err
		case <-ctx.Done():
			return false, nil
		case <-changed:
		}
		q.book.mu.Lock()
		phase := q.book.phase
		changed = q.opened
		q.book.mu.Unlock()
		if phase == closing {
			continue // it answers all
		}
		select {
		case err := <-reply:
			return true, err
		default: // it has ended in the middle of it
			return true, fmt.Errorf("%w: %w", ErrUnknown, ErrNotRunning)
		}
	}
}

// maxRelaxed is about how many jobs may be accepted that are not stored yet, and maxRelaxedBytes how
// large their payloads may be, before relaxed submissions wait for the writer too.
const (
	maxRelaxed      = 4 * maxSteps
	maxRelaxedBytes = 4 * maxBytes
)

// isLarge reports whether the store might never have room for a submission: it is not accepted before
// that is known, for no other could be stored while it waits.
func (q *Queue) isLarge(o *submitOp) bool {
	const small, share = 256 << 10, 4
	store, n := q.store.Load(), o.bytes()
	if store == nil || n <= small {
		return false
	}
	limit := (*store).Usage().Limit
	return limit > 0 && int64(n) > limit/share
}

// acceptAtOnce has relaxed submissions take effect before they are stored, unless they are
// about jobs of which something is being stored right now, or end others, who may be told of
// their ends only when these are durable. It is called with the book locked, and unlocks it if
// it returns true.
func (q *Queue) acceptAtOnce(o *submitOp) bool {
	b := q.book
	if b.broken != nil || b.unstored > maxRelaxed || b.pledged+o.bytes() > maxRelaxedBytes {
		return false
	}
	for _, p := range o.subs {
		if p == nil {
			continue
		}
		// An end is not told before it is stored.
		if e := b.holding(p.job.Digest); e != nil && (p.duplicates == Supersede || !b.quiet(e) || !b.quiet(e.follower())) {
			return false
		}
	}
	c := &commit{now: time.Now()}
	b.keepTime(c.now)
	o.reply = nil
	o.plan(b, c)
	o.done(b, c)
	o.steps = c.steps
	if len(o.steps) > 0 {
		for i := range o.plans {
			if e := o.plans[i].job; e != nil {
				b.keepUnstored(e, o.subs[i])
			}
		}
		b.pledged += o.bytes()
		b.inbox = append(b.inbox, o)
		b.pokeLater(q.cfg.RelaxedDelay)
	}
	b.mu.Unlock()
	for _, f := range c.after {
		f()
	}
	q.dispatch()
	return true
}

// quiet reports whether nothing about a job is being stored right now.
func (b *book) quiet(e *entry) bool {
	return e == nil || e.place != arriving && e.place != leaving && e.place != settling
}

// pokeLater wakes the writer after a while.
func (b *book) pokeLater(d time.Duration) {
	if b.patient {
		return
	}
	b.patient = true
	time.AfterFunc(d, func() {
		b.mu.Lock()
		b.patient = false
		b.mu.Unlock()
		poke(b.wake)
	})
}
