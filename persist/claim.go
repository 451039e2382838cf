package persist

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// claim is one attempt of a job: the task that a child of the workers runs.
type claim struct {
	q        *Queue
	gate     *gate
	job      *entry
	task     supervisor.Candidate
	fence    uint32
	attempt  int
	rules    Rules
	run      func(ctx context.Context, c Codec, payload []byte) error
	codec    Codec
	waited   time.Duration
	began    instant
	stored   bool // the store knows of it
	about    atomic.Pointer[events.Job]
	progress atomic.Pointer[events.Job] // what was told last
	state    []any                      // what StateOf finds
	record   *Job                       // once it is read

	// What the handler's goroutine leaves for who looks after its end.
	v        verdict
	custom   time.Duration // what a custom backoff says
	returned bool          // v is the handler's own; else it did not return
	end      atomic.Uint32 // who takes care of what follows
}

// Who takes care of what follows an attempt: who comes first sets it.
const (
	nobody    uint32 = iota
	returned         // the goroutine has returned: the guard sees to it
	abandoned        // it was given up while it ran, and sees to it when it returns
)

// Describe says what the events of the child are about.
func (c *claim) Describe() *events.Job { return c.about.Load() }

// Run reads the job and gives it to its handler.
func (c *claim) Run(ctx context.Context) (err error) {
	defer c.leave()
	job, err := c.read(ctx)
	if err != nil {
		var damaged *CorruptError
		c.v = verdict{exit: policy.Failed, snooze: true, asked: true, after: rereadAfter, text: clipText(err.Error())}
		c.v.lost = errors.As(err, &damaged) || errors.Is(err, ErrPruned) || errors.Is(err, ErrNotFound)
		c.returned = true
		return err
	}
	c.record = job
	c.about.Store(aboutRecord(&job.Record, c.job.kind.domain.name, job.State.Priority, c.attempt))
	c.publish(events.JobStarted, func(e *events.Event) { e.Elapsed = c.waited })
	err = c.q.chain(context.WithValue(ctx, claimKey{}, c), job, func(ctx context.Context) error {
		return c.run(ctx, c.codec, job.Payload)
	})
	c.judge(ctx, err)
	return c.report(err)
}

// rereadAfter is when a job is tried again that could not be read.
const rereadAfter = time.Second

// read gets what the book does not keep.
func (c *claim) read(ctx context.Context) (*Job, error) {
	store := c.q.store.Load()
	if store == nil {
		return nil, ErrClosed
	}
	return c.q.find(ctx, *store, c.job.id)
}

// judge says how the attempt ended, for whom a user's errors are not to be asked again.
func (c *claim) judge(ctx context.Context, err error) {
	v := &c.v
	v.exit, v.after, v.asked = actor.Exit(err)
	if err == nil {
		c.returned = true
		return
	}
	if d, ok := asSnooze(err); ok {
		v.snooze, v.after, v.asked = true, d, true
	} else {
		v.text = clipText(err.Error())
	}
	v.cancel = asCancel(err)
	if at := actor.Current(ctx); at != nil && at.Err() != nil && !v.snooze && !v.cancel {
		v.exit = 0 // the supervisor knows
		v.asked = false
	}
	if c.rules.Backoff.Custom != nil {
		c.custom = max(c.rules.Backoff.Pause(int(c.job.failures), 0), 0)
	}
	c.returned = true
}

// report is what the supervisor is told: a job that is put off, or cancelled by its own wish,
// has not failed.
func (c *claim) report(err error) error {
	if c.v.snooze || c.v.cancel {
		return nil
	}
	return err
}

// leave sees to what follows if nobody else does.
func (c *claim) leave() {
	if c.end.CompareAndSwap(nobody, returned) {
		return
	}
	// It was given up, and is late.
	v := c.v
	if !c.returned {
		v = verdict{exit: policy.Panicked, text: "the attempt was given up, and did not return later"}
	} else if v.exit == 0 {
		v.exit = policy.TimedOut
	}
	b := c.q.book
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.jobs[c.job.id] == c.job { // else that run of the queue is over
		b.giveBackLimits(c.job)
		b.settle(c, &v)
	}
}

func (c *claim) path() string { return c.task.Handle().Path() }

// begin gives the job to its child, after its claim was stored.
func (c *claim) begin() {
	c.gate.door.Lock()
	defer c.gate.door.Unlock()
	_ = c.gate.enter(c)
}

// stop tells the attempt to end.
func (c *claim) stop(why events.Reason) {
	c.q.book.mu.Lock()
	task := c.task
	c.q.book.mu.Unlock()
	if task == (supervisor.Candidate{}) {
		return // it has not begun, and will look
	}
	c.gate.door.Lock()
	defer c.gate.door.Unlock()
	task.Stop(why)
}

// outcome is how the attempt ended, as its supervisor sees it.
func (c *claim) outcome() (v verdict, givenUp bool) {
	o, _ := c.task.Handle().Outcome()
	if o.Kind == events.Abandoned && c.end.CompareAndSwap(nobody, abandoned) {
		return v, true
	}
	v = c.v
	switch {
	case c.returned && v.exit != 0:
		return v, false
	case o.Kind == events.Stopped, o.Kind == events.Abandoned:
		v.exit, v.reason = policy.Stopped, o.Reason
		return v, false
	}
	v.exit, v.err = exitOf(o.Err), o.Err
	return v, false
}

// exitOf reads what the runtime itself has put around an error.
func exitOf(err error) policy.Exit {
	switch err.(type) { //nolint:errorlint // the outermost is the runtime's
	case nil:
		return policy.Succeeded
	case *actor.PanicError:
		return policy.Panicked
	case *actor.GoexitError:
		return policy.Exited
	case *actor.TimeoutError:
		return policy.TimedOut
	case *actor.StallError:
		return policy.Stalled
	}
	return policy.Failed
}

// read makes the text of the error, which may call a user's methods.
func (v *verdict) read() {
	switch e := v.err.(type) { //nolint:errorlint // the outermost is the runtime's
	case nil:
		return
	case *actor.PanicError:
		v.text = fmt.Sprintf("panic: %v\n%s", e.Value, e.Traces())
	default:
		if v.text == "" || v.exit != policy.Failed {
			v.text = fmt.Sprint(v.err)
		}
	}
	v.text = clipText(v.text)
}

func clipText(s string) string {
	if len(s) <= MaxErrorText {
		return s
	}
	return s[:MaxErrorText-3] + "..."
}
