package persist

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
	"unicode/utf8"

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
	task     supervisor.Candidate // guarded by the door until it has begun
	unwanted bool                 // guarded by the door: it was told to end before that
	fence    uint32
	era      uint64 // the run of the book
	kind     *kind  // of the job, of which only the names are looked at without book.mu
	at       int    // among those that are active, or -1; guarded by book.mu
	attempt  int
	priority Priority
	rules    *Rules // read only
	run      func(ctx context.Context, c Codec, payload []byte) error
	codec    Codec
	clock    clock        // of the book, for now
	taken    instant      // when it was claimed
	ready    instant      // since when the job was
	entered  atomic.Int64 // the instant at which the attempt began, or zero
	timed    bool         // the job has a time to live
	stored   bool         // the store knows of it
	about    atomic.Pointer[events.Job]
	known    atomic.Bool                // about has all that the record says
	progress atomic.Pointer[events.Job] // what was told last
	state    []any                      // what StateOf finds
	given    *Job                       // what is kept of the job, or nil
	lent     bool                       // it is still to be stored
	record   *Job                       // once it is read

	then settleOp // what follows it

	// What the handler's goroutine leaves for who looks after its end.
	v    verdict
	done bool          // it returned nil
	late bool          // when its context had ended
	end  atomic.Uint32 // who takes care of what follows

	// lost is why it was given up. It is guarded by book.mu.
	lost events.Reason
}

// Who takes care of what follows an attempt: who comes first sets it.
const (
	nobody    uint32 = iota
	returned         // the goroutine has returned: the guard sees to it
	abandoned        // it was given up while it ran, and sees to it when it returns
)

// introduce says what is known of the job before it is read.
func (c *claim) introduce() {
	var about *events.Job
	if c.given != nil {
		about = aboutRecord(&c.given.Record, "", 0, 0)
	} else {
		about = &events.Job{}
	}
	if g := c.job.group; g != nil {
		about.Group = g.name
	}
	about.ID, about.Type, about.Domain = uint64(c.job.id), c.kind.name, c.kind.domain.name
	about.Priority, about.Attempt = uint8(c.priority), c.attempt
	c.about.Store(about)
	c.known.Store(c.given != nil)
}

// Describe says what the events of the child are about.
func (c *claim) Describe() *events.Job { return c.about.Load() }

// Run reads the job and gives it to its handler.
func (c *claim) Run(ctx context.Context) error {
	c.v, c.done, c.late = verdict{}, false, false // it may be another attempt, by hand
	c.entered.Store(0)
	c.end.CompareAndSwap(returned, nobody) // unless it was given up before it came here
	job, err := c.read(ctx)
	if err != nil {
		c.v = unbegun(err)
		return err
	}
	if !c.enter() {
		c.v = verdict{exit: policy.Stopped, expired: true}
		return nil
	}
	c.record = job
	if !c.known.Load() {
		was := c.about.Load()
		about := aboutRecord(&job.Record, was.Domain, job.State.Priority, c.attempt)
		about.Type = was.Type // which may be its new name
		c.about.Store(about)
		c.known.Store(true)
	}
	c.publish(events.JobStarted, func(e *events.Event) { e.Elapsed = c.waited() })
	err = c.q.chain(context.WithValue(ctx, claimKey{}, c), job, func(ctx context.Context) error {
		return c.run(ctx, c.codec, job.Payload)
	})
	c.judge(ctx, err)
	return c.report(err)
}

// enter begins the attempt: it may have been waited for long since it was claimed, for a permit or for
// the store. It returns false if the job is not worth it any more.
func (c *claim) enter() (worth bool) {
	now := c.clock.now()
	if !c.timed {
		c.entered.Store(int64(now))
		return true
	}
	b := c.q.book
	b.mu.Lock()
	defer b.mu.Unlock()
	e := c.job
	known := b.has(c) && e.place == running // else nobody asks what becomes of it
	if known && e.expired(now) {
		return false
	}
	c.entered.Store(int64(now))
	if x := e.more; known && x.ttl > 0 && x.ttlFrom == TTLFromFirstAttempt && x.expires == 0 {
		x.expires = b.clock.after(x.ttl)
		b.enqueue(&noteOp{job: e})
	}
	return true
}

// since is when the attempt began, or else when the job was claimed for it.
func (c *claim) since() instant {
	if at := c.entered.Load(); at != 0 {
		return instant(at)
	}
	return c.taken
}

// waited is for how long the job was ready before its attempt began.
func (c *claim) waited() time.Duration {
	if c.ready == 0 {
		return 0
	}
	return max(0, time.Duration(c.since()-c.ready))
}

// unbegun is how an attempt ends that could not be made: it is put off, and does not count. A job
// that the store has no more, or not whole, is set aside.
func unbegun(err error) verdict {
	v := verdict{exit: policy.Failed, snooze: true, asked: true, after: retryAfter, text: clipText(fmt.Sprint(err))}
	var damaged *CorruptError
	v.lost = errors.As(err, &damaged) || errors.Is(err, ErrPruned) || errors.Is(err, ErrNotFound)
	return v
}

// retryAfter is when a job is tried again that could not be begun.
const retryAfter = time.Second

// read gets what the book does not keep.
func (c *claim) read(ctx context.Context) (*Job, error) {
	store := c.q.store.Load()
	if store == nil {
		return nil, ErrClosed
	}
	if j := c.given; j != nil {
		if !c.lent {
			c.given = nil // it belongs to this attempt, and there may be another, by hand
		}
		return j.again(c.lent, c.priority), nil
	}
	return (*store).Job(ctx, c.job.id)
}

// judge takes note of what the handler says of its job, beyond how the attempt ends.
func (c *claim) judge(ctx context.Context, err error) {
	v := &c.v
	if err == nil {
		c.done, c.late = true, ctx.Err() != nil
		return
	}
	if d, ok := asSnooze(err); ok {
		v.snooze, v.after, v.asked = true, d, true
		return
	}
	if v.cancel = asCancel(err); v.cancel {
		v.text = clipText(fmt.Sprint(err))
	}
}

// report is what the supervisor is told: a job that is put off, or cancelled by its own wish,
// has not failed.
func (c *claim) report(err error) error {
	if c.v.snooze || c.v.cancel {
		return nil
	}
	return err
}

// Review is called when the attempt has ended, and its helpers have, for what those do counts too. It is the
// attempt's own goroutine: here a user's errors and backoffs may be asked.
func (c *claim) Review(at *actor.Attempt, res actor.Result) {
	defer c.leave()
	v := &c.v
	overran := res.Exit == policy.TimedOut || res.Exit == policy.Stalled
	switch {
	case v.expired:
		return
	case c.record == nil && res.Exit == policy.Stopped:
		*v = verdict{} // it was told to end before it had begun
	case v.cancel, v.snooze && (!overran || c.record == nil): // nil: the handler was never entered
		v.exit = policy.Failed
		return
	case c.done && (c.late || !at.Helped()) && (res.Exit == policy.Stopped || overran):
		v.exit = policy.Succeeded // else a helper was waited for
		return
	}
	v.exit, v.after, v.asked, v.err, v.snooze = res.Exit, res.After, res.HasAfter, res.Err, false
	v.read()
	if v.exit.IsFailure() && !v.asked && c.rules.Backoff.Custom != nil {
		v.after, v.asked = c.askBackoff(), true
		v.enough = v.after < 0
	}
}

// askBackoff asks a user's own backoff, which may panic. Less than nothing is none any more.
func (c *claim) askBackoff() (pause time.Duration) {
	pause = policy.DefaultMax
	defer func() { _ = recover() }()
	return c.rules.Backoff.Pause(int(c.job.failures), 0)
}

// leave sees to what follows if nobody else does.
func (c *claim) leave() {
	if c.end.CompareAndSwap(nobody, returned) {
		return
	}
	// It was given up, and is late.
	b := c.q.book
	b.mu.Lock()
	v := c.v
	if v.exit == policy.Stopped {
		v.reason = c.lost
	}
	if b.has(c) && c.job.place == running { // else it has ended, or that run of the queue
		b.giveBackLimits(c.job)
		b.settle(c, &v)
	}
	b.mu.Unlock()
	c.q.dispatch()
}

func (c *claim) path() string { return c.gate.door.Path() + "/" + c.name() }

// name is what its child is called.
func (c *claim) name() string { return strconv.FormatUint(uint64(c.job.id), 10) }

// begin gives the job to its child, after its claim was stored.
func (c *claim) begin() {
	c.gate.door.Lock()
	defer c.gate.door.Unlock()
	_ = c.gate.enter(c)
}

// stop tells the attempt to end.
func (c *claim) stop(why events.Reason) {
	c.gate.door.Lock()
	defer c.gate.door.Unlock()
	if c.task == (supervisor.Candidate{}) {
		c.unwanted = true
		return
	}
	c.task.Stop(why)
}

// outcome is how the attempt ended. It is called with the book locked.
func (c *claim) outcome() (v verdict, givenUp bool) {
	o, _ := c.task.Handle().Outcome()
	if o.Kind == events.Abandoned && c.end.CompareAndSwap(nobody, abandoned) {
		c.lost = o.Reason
		return v, true
	}
	v = c.v
	switch {
	case v.exit == 0 && o.Kind == events.Failed: // it has not come so far
		v.exit, v.err = exitOf(o.Err), o.Err
	case v.exit == 0, v.exit == policy.Stopped:
		v.exit, v.reason = policy.Stopped, o.Reason
	}
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
		v.text = fmt.Sprint(v.err) // survives a panic
	}
	v.text = clipText(v.text)
}

// clipText returns as much of a text as is kept, and no part of a rune.
func clipText(s string) string {
	const room = MaxErrorText - len("...")
	if len(s) <= MaxErrorText {
		return s
	}
	end := room
	for end > room-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "..."
}
