package persisttest

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/persist"
)

// Work submits one job to a queue of its own, with these handlers, has one attempt made at it,
// and returns what has become of it. It is stored, decoded and settled as in a program.
func Work(t testing.TB, s persist.Submission, handlers ...persist.Handler) *persist.Job {
	t.Helper()
	q := New(t, persist.Config{Handlers: handlers})
	return q.Work(q.Add(s))
}

// Add submits a job that has to be taken, and returns the one that does what was submitted: a
// new one, or the one that has its key. It waits until that is stored.
func (q *Queue) Add(s persist.Submission) persist.ID {
	q.t.Helper()
	ctx, cancel := q.context()
	defer cancel()
	r, err := q.Submit(ctx, s)
	switch {
	case err != nil:
		q.t.Fatal(err)
	case r.Kind == persist.Rejected:
		q.t.Fatalf("the submission was rejected: job %d has its key", r.Other)
	}
	return r.ID
}

// WorkNext has one attempt made at the job that goes first, and returns what has become of it:
// it may have ended, or wait for a retry. If all wait for a time, that passes. The queue has to
// be held.
func (q *Queue) WorkNext() *persist.Job {
	q.t.Helper()
	id := q.work(0)
	if id == 0 {
		q.t.Fatalf("no job is left to run\n%s", q.report())
	}
	return q.job(id)
}

// Work is WorkNext for this job, which has to be the one that goes first: a job does not jump
// the queue for a test. Those of types without a handler do not go before any.
func (q *Queue) Work(id persist.ID) *persist.Job {
	q.t.Helper()
	w := q.why(id)
	switch {
	case w.Phase == persist.Ended, w.Phase == persist.Blocked, w.Phase == persist.Parked, w.Reason == persist.WaitsForHandler:
		q.t.Fatalf("job %d cannot run: %v\n%s", id, w, q.report())
	}
	if first := q.work(id); first != id {
		q.t.Fatalf("it is not the turn of job %d: job %d goes before it\n%s", id, first, q.report())
	}
	return q.job(id)
}

// work lets one attempt through, and returns whose it was when what follows is stored; zero
// if there is nothing to run.
func (q *Queue) work(want persist.ID) (taker persist.ID) {
	q.t.Helper()
	if !q.held {
		q.t.Fatalf("the queue runs by itself: Hold it before")
	}
	p, late := &pass{want: want}, q.late()
	q.life.admit(p)
	q.staff(1)
	done := q.until(func() bool {
		if taker = q.life.taker(p); taker == 0 {
			return !q.left(late)
		}
		return q.Counts()[persist.Running] == 0
	})
	q.staff(persist.NoWorkers)
	q.life.admit(nil)
	if !done {
		q.t.Fatalf("no attempt came to an end within %v\n%s", q.patience(), q.report())
	}
	return taker
}

// Drain lets jobs run until none is left that may run now. Those that are put off wait, and so
// do those that have failed and are to be retried. See DrainAll.
func (q *Queue) Drain() { q.t.Helper(); q.drain(time.Time{}) }

// DrainAll is Drain, and waits for all that is put off, or is to be retried, too. What has to
// be released, or has no handler, is left. It fails the test if there is no end to it within
// Patience and AttemptLimit.
func (q *Queue) DrainAll() { q.t.Helper(); q.drain(q.late()) }

// late is when the test has no patience any more.
func (q *Queue) late() time.Time { return time.Now().Add(q.patience()) }

func (q *Queue) drain(late time.Time) {
	q.t.Helper()
	if q.held {
		q.staff(q.crew())
	}
	if !q.until(func() bool { return q.life.dead() || !q.left(late) }) {
		q.t.Fatalf("there were jobs to run after %v\n%s", q.patience(), q.report())
	}
	if q.held {
		q.Hold()
	}
}

// left says whether there are jobs that run or can run: now if late is zero, or else at all.
// Whether a delayed job has a handler is seen when its time has come. If that is too late, the
// configuration has to say.
func (q *Queue) left(late time.Time) bool {
	if q.Counts()[persist.Running] > 0 {
		return true // the rest is not worth a look
	}
	for w, err := range q.waits() {
		switch {
		case err != nil:
			return true // nobody knows
		case w.Phase == persist.Running:
			return true
		case w.Phase == persist.Delayed && !late.IsZero() && (w.Until.Before(late) || q.handles(w.ID)):
			return true
		case w.Phase == persist.Ready && w.Reason != persist.WaitsForHandler:
			return true
		}
	}
	return false
}

// handles says whether the configuration has a handler for a job. What Handle has added to a
// queue that runs is not seen.
func (q *Queue) handles(id persist.ID) bool {
	ctx, cancel := q.context()
	defer cancel()
	j, err := q.Job(ctx, id)
	if err != nil {
		return true // nobody knows
	}
	handled, asked := q.handled[j.Type]
	if !asked {
		// A queue does not say it, but refuses a second one.
		idle := func(context.Context, []byte) error { return nil }
		handled = persist.New(q.cfg).Handle(persist.HandleRaw(j.Type, idle)) != nil
		q.handled[j.Type] = handled
	}
	return handled
}

// maxGap is how many IDs in a row may have been given to what could not be stored.
const maxGap = 1000

// waits says of every job why it does not run, ended ones included. IDs are given in order: the first
// that never was is the end, unless there are more jobs that have not ended.
func (q *Queue) waits() iter.Seq2[persist.Wait, error] {
	return func(yield func(persist.Wait, error) bool) {
		ctx, cancel := q.context()
		defer cancel()
		open, gap := 0, 0
		for id := persist.ID(1); ; id++ {
			w, err := q.Why(ctx, id)
			switch {
			case errors.Is(err, persist.ErrPruned):
				continue
			case errors.Is(err, persist.ErrNotFound):
				if gap++; gap > maxGap || open >= q.unfinished() {
					return
				}
				continue
			}
			if gap = 0; w.Phase != persist.Ended {
				open++
			}
			if !yield(w, err) || err != nil {
				return
			}
		}
	}
}

// unfinished is how many jobs have not ended.
func (q *Queue) unfinished() (n int) {
	for phase, count := range q.Counts() {
		if phase != persist.Ended {
			n += count
		}
	}
	return n
}

// why says why a job does not run.
func (q *Queue) why(id persist.ID) persist.Wait {
	q.t.Helper()
	ctx, cancel := q.context()
	defer cancel()
	w, err := q.Why(ctx, id)
	if err != nil {
		q.t.Fatalf("%v\n%s", err, q.report())
	}
	return w
}

// job returns what is stored of a job.
func (q *Queue) job(id persist.ID) *persist.Job {
	q.t.Helper()
	ctx, cancel := q.context()
	defer cancel()
	j, err := q.Job(ctx, id)
	if err != nil {
		q.t.Fatalf("%v\n%s", err, q.report())
	}
	return j
}

// Jobs returns all that are stored, ended ones included, in the order of their IDs: those of a
// type by the full name under which they are stored, or all if that is empty.
func (q *Queue) Jobs(typeName string) []*persist.Job {
	q.t.Helper()
	return q.jobs(func(name string) bool { return typeName == "" || name == typeName })
}

// jobs returns those of the types whose names match.
func (q *Queue) jobs(match func(typeName string) bool) []*persist.Job {
	q.t.Helper()
	var jobs []*persist.Job
	for w, err := range q.waits() {
		if err != nil {
			q.t.Fatalf("list: %v\n%s", err, q.report())
		}
		if j := q.job(w.ID); match(j.Type) {
			jobs = append(jobs, j)
		}
	}
	return jobs
}
