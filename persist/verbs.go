package persist

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/taskvisor/taskvisor/supervisor"
)

// Job returns what is known of a job, whether it has ended or not. The error is a *JobError
// with ErrNotFound, ErrPruned, ErrNotRunning, or what the store says.
func (q *Queue) Job(ctx context.Context, id ID) (*Job, error) {
	store, err := q.reader(ctx)
	if err != nil {
		return nil, &JobError{Act: "find", ID: id, Err: err}
	}
	j, err := q.find(ctx, store, id)
	if err != nil {
		return nil, &JobError{Act: "find", ID: id, Err: err}
	}
	return j, nil
}

// Decode returns the input of a job of the type from its payload, as a handler is given it in
// this queue. The error is a *TypeError, or says what the codec does.
func (t *Type[In]) Decode(q *Queue, payload []byte) (in In, err error) {
	codec, err := q.codecOf(&t.def)
	if err == nil {
		err = decode(codec, payload, &in)
	}
	return in, err
}

func (q *Queue) codecOf(def *definition) (Codec, error) {
	if q.invalid != nil || q.head == nil {
		return nil, q.Validate()
	}
	q.book.mu.Lock()
	defer q.book.mu.Unlock()
	k, err := q.book.define(def)
	if err != nil {
		return nil, err
	}
	return k.set.codec, nil
}

// find reads a job, or takes it from the book if it was accepted and is not stored yet.
func (q *Queue) find(ctx context.Context, store Store, id ID) (*Job, error) {
	b := q.book
	b.mu.Lock()
	e := b.find(id)
	if e == nil || !e.unstored {
		b.mu.Unlock()
		return store.Job(ctx, id)
	}
	j := &Job{Record: e.kept.Record, State: e.state(&b.clock)}
	b.mu.Unlock()
	j.own()
	return j, nil
}

// Past returns jobs that have ended, the latest first, without their payloads. Those of a type are
// also those that were stored under its aliases; an alias asks for those that were stored under it.
func (q *Queue) Past(ctx context.Context, query PastQuery) ([]*Job, error) {
	store, err := q.reader(ctx)
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	var list []*Job
	if aliases := q.aliasesOf(query.Type); len(aliases) > 0 {
		list, err = pastOf(ctx, store, query, append(aliases, query.Type))
	} else {
		list, err = store.Past(ctx, query)
	}
	if list == nil && err == nil {
		list = []*Job{} // [] in JSON
	}
	return list, err
}

// aliasesOf returns the other names under which jobs of a type were stored, each once.
func (q *Queue) aliasesOf(name string) []string {
	q.book.mu.Lock()
	defer q.book.mu.Unlock()
	k := q.book.kinds[name]
	if k == nil || k.name != name {
		return nil
	}
	aliases := slices.Sorted(slices.Values(k.set.aliases))
	return slices.Compact(aliases)
}

// pastOf asks for jobs of several names. Jobs end meanwhile: what ends after the first look is left
// out of all lists, else one of them would be passed over by who goes on behind the last.
func pastOf(ctx context.Context, store Store, query PastQuery, names []string) ([]*Job, error) {
	latest, err := store.Past(ctx, PastQuery{Limit: 1})
	if err != nil || len(latest) == 0 {
		return nil, err
	}
	if end := latest[0].End.Seq + 1; query.Before == 0 || query.Before > end {
		query.Before = end
	}
	var all []*Job
	for _, query.Type = range names {
		list, err := store.Past(ctx, query)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	slices.SortFunc(all, func(a, b *Job) int { return cmp.Compare(b.End.Seq, a.End.Seq) })
	limit := cmp.Or(max(query.Limit, 0), DefaultPage)
	return all[:min(limit, len(all))], nil
}

// DeadLetters returns jobs that have failed as often as they may, the latest first. Before is
// the End.Seq of the last one of the page before, or zero; limit may be zero.
func (q *Queue) DeadLetters(ctx context.Context, before uint64, limit int) ([]*Job, error) {
	return q.Past(ctx, PastQuery{Kinds: []Ending{DeadLetter}, Before: before, Limit: limit})
}

// reader returns the store, once it is open.
func (q *Queue) reader(ctx context.Context) (Store, error) {
	if err := q.awaitService(ctx); err != nil && !errors.Is(err, ErrClosing) {
		return nil, err
	}
	if s := q.store.Load(); s != nil {
		return *s, nil
	}
	return nil, ErrNotRunning
}

// Await returns a job that has ended, as soon as it has and that is durable. A dead letter
// counts. The error is a *JobError: with supervisor.ErrSelf for a job that would wait for itself,
// with the cause of ctx if that ends before, or as for Job.
func (q *Queue) Await(ctx context.Context, id ID) (*Job, error) {
	fail := func(err error) (*Job, error) { return nil, &JobError{Act: "await", ID: id, Err: err} }
	self, _ := FromContext(ctx)
	for {
		if _, err := q.reader(ctx); err != nil {
			return fail(err)
		}
		b := q.book
		b.mu.Lock()
		e, changed := b.find(id), q.opened
		var ended chan struct{}
		if e != nil {
			ended = e.awaited()
			if b.resting {
				b.rouse() // its end may have been handed in
			}
		}
		own := e != nil && self.isAt(e)
		b.mu.Unlock()
		if own {
			return fail(supervisor.ErrSelf)
		}
		if e == nil {
			if j, err := q.Job(ctx, id); err != nil || j.Ended() {
				return j, err
			}
			continue // it was revived meanwhile
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return fail(context.Cause(ctx))
		case <-changed: // the queue stops, say, which the job may still live to see
		}
	}
}

// isAt reports whether it is the present attempt at a job, and has not returned. It is called with
// the book locked.
func (a Attempt) isAt(e *entry) bool {
	return a.c != nil && e.claim == a.c && a.c.end.Load() != returned
}

// Lookup returns the job that has not ended and has the key that s would have; ok is false if
// there is none, or if s has no key. The error is that of Submit for a submission that cannot be
// stored.
func (q *Queue) Lookup(ctx context.Context, s Submission) (id ID, ok bool, err error) {
	if _, err := q.reader(ctx); err != nil {
		return 0, false, fmt.Errorf("look up: %w", err)
	}
	all, _, err := q.prepare(takeTray(1), []Submission{s}, nil)
	if err != nil {
		return 0, false, err
	}
	q.book.mu.Lock()
	defer q.book.mu.Unlock()
	e := q.book.holding(all[0].job.Digest)
	if e == nil || e.place == arriving {
		return 0, false, nil
	}
	return e.id, true, nil
}

// Parked returns why the jobs wait that somebody has to release, in the order of their IDs.
func (q *Queue) Parked() []Wait {
	b := q.known()
	b.mu.Lock()
	list := []Wait{}
	for at := range b.jobs.All() {
		e := *at
		if e.place == parked {
			list = append(list, b.why(e))
		}
	}
	b.mu.Unlock()
	slices.SortFunc(list, func(a, o Wait) int { return cmp.Compare(a.ID, o.ID) })
	return list
}

// Cancel ends a job as Cancelled, and returns when that is durable. One that runs is told to
// stop, its context ending with actor.ErrCancelled as its cause, and is waited for as long as
// ctx allows, also if it was given up; what its attempt returns then changes nothing any more, and
// after a crash it is not run again either.
//
// The error is a *JobError: with ErrEnded, ErrPruned or ErrNotFound if there is nothing to
// cancel, ErrEnded also for one that was superseded before, supervisor.ErrSelf for a job that would cancel itself and should return [Cancel]
// instead, the cause of ctx, or what the store says.
func (q *Queue) Cancel(ctx context.Context, id ID) error {
	fail := func(err error) error { return &JobError{Act: "cancel", ID: id, Err: err} }
	if q.isOwn(ctx, id) {
		return fail(supervisor.ErrSelf)
	}
	o := &cancelOp{id: id, reply: make(chan error, 1)}
	if err := q.ask(ctx, o, o.reply); err != nil {
		if errors.Is(err, ErrEnded) {
			if _, known := q.Job(ctx, id); known != nil {
				return fail(errors.Unwrap(known))
			}
		}
		return fail(err)
	}
	if o.ended == nil {
		return nil
	}
	switch j, err := q.Await(ctx, id); {
	case err != nil && !errors.Is(err, ErrPruned):
		return fail(errors.Unwrap(err))
	case err == nil && j.End.Kind != Cancelled:
		return fail(ErrEnded) // its end in another way was decided before
	}
	return nil
}

// isOwn reports whether ctx is that of the present attempt at a job.
func (q *Queue) isOwn(ctx context.Context, id ID) bool {
	a, ok := FromContext(ctx)
	if !ok || a.c.q != q {
		return false
	}
	q.book.mu.Lock()
	defer q.book.mu.Unlock()
	e := q.book.find(id)
	return e != nil && a.isAt(e)
}

// Revive puts a job back that has ended: a dead letter above all, but any but a completed one.
// It keeps its ID, its key and its history, and has all its retries again. The error is a
// *JobError: with ErrNotEnded, ErrCompleted, a *KeyError if another job has its key now, or
// as for Job.
func (q *Queue) Revive(ctx context.Context, id ID) error {
	for {
		err := q.revive(ctx, id)
		if err == nil {
			return nil
		}
		if !errors.Is(err, errOutdated) {
			return &JobError{Act: "revive", ID: id, Err: err}
		}
	}
}

func (q *Queue) revive(ctx context.Context, id ID) error {
	if err := q.awaitService(ctx); err != nil {
		return err
	}
	q.book.mu.Lock()
	seen := q.book.revivals
	q.book.mu.Unlock()
	j, err := q.Job(ctx, id)
	switch {
	case err != nil:
		return errors.Unwrap(err)
	case !j.Ended():
		return ErrNotEnded
	case j.End.Kind == Completed:
		return ErrCompleted
	}
	o := &reviveOp{job: j, seen: seen, reply: make(chan error, 1)}
	return q.ask(ctx, o, o.reply)
}

// Release lets a job go on that was set aside. The error is a *JobError with ErrNotParked, or
// as for Job.
func (q *Queue) Release(ctx context.Context, id ID) error {
	o := &releaseOp{id: id, reply: make(chan error, 1)}
	err := q.ask(ctx, o, o.reply)
	if errors.Is(err, ErrEnded) {
		err = ErrNotParked
		if _, unknown := q.Job(ctx, id); unknown != nil {
			err = errors.Unwrap(unknown)
		}
	}
	if err != nil {
		return &JobError{Act: "release", ID: id, Err: err}
	}
	return nil
}

// ask hands something to the writer and waits for the answer.
func (q *Queue) ask(ctx context.Context, o op, reply chan error) error {
	if err := q.awaitService(ctx); err != nil {
		return err
	}
	b := q.book
	b.mu.Lock()
	if b.phase != inService {
		b.mu.Unlock()
		return ErrClosing
	}
	b.enqueue(o)
	changed := q.opened
	b.mu.Unlock()
	if answered, err := q.answer(ctx, reply, changed); answered {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnknown, context.Cause(ctx))
}
