package supervisor

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// Next decides what follows an attempt, on the child's own goroutine: an exit
// that had to visit another goroutine would cost a restart several times more.
func (c *child) Next(last *actor.Attempt, res actor.Result) *actor.Attempt {
	pause := res.After
	if last != nil && last.Claim() {
		pause = c.pause(last, &res)
	}
	var left []*actor.StuckError
	if c.set.head != nil {
		left = stuckBelow(res.Err)
	}
	r := c.run
	r.mu.Lock()
	vacant := false
	defer func() { // what tells of the child may call runtime.Goexit
		if !vacant {
			r.release()
		}
	}()
	r.keepLeft(left)
	at := r.follow(c, last, &res, pause)
	if at == nil && (len(r.gone) > 0 || r.halted) {
		vacant = true
		return actor.Vacant // with the lock held, which is for Left
	}
	return at
}

// Left has the guard let in who waits for the child: for that Next has left too little of the
// stack. The first of them gets the goroutine, and the stack as it has grown.
func (c *child) Left() *actor.Attempt {
	r := c.run
	defer r.release()
	if r.halted {
		r.goOnHalting()
		return nil
	}
	if r.tellLeft() {
		r.letIn()
	}
	r.vacant = true
	r.admitNext()
	heir := r.heir
	r.vacant, r.heir = false, nil
	return heir
}

// follow returns what the child does next, or nil.
func (r *run) follow(c *child, last *actor.Attempt, res *actor.Result, pause time.Duration) *actor.Attempt {
	switch {
	case c.attempt != last:
		r.cameLate(c, last, res)
		return nil
	case last == nil:
		return r.advance(c, r.now())
	}
	now := endOf(last, res)
	r.attemptEnded(c, last, res, pause, now)
	if c.hasAsked() {
		now = r.now()
	}
	return r.advance(c, now)
}

// hasAsked says that what is the user's may have been called since the attempt ended, and takes as long as it likes.
func (c *child) hasAsked() bool {
	return !c.set.atOnce || len(c.set.terms.Around) > 0 || c.set.terms.Reviewed
}

// endOf returns when an attempt ended.
func endOf(at *actor.Attempt, res *actor.Result) instant { return instantAt(at.Began() + res.Elapsed) }

// gaveUp is the pause of a backoff that wants no further attempt.
const gaveUp time.Duration = -1

// pause returns how long to wait after an attempt, as far as that is not for the policy to say.
func (c *child) pause(last *actor.Attempt, res *actor.Result) time.Duration {
	if c.healthy(last, res) {
		last.Keep = nil // the next pause is the first again
	}
	if res.Exit == policy.Panicked {
		c.panicked(res.Err)
	}
	if c.set.atOnce || res.HasAfter || !res.Exit.IsFailure() {
		return res.After
	}
	return c.askBackoff(&c.set.spec.Backoff, last, res)
}

// healthy says that an attempt was up for so long that what failed before it is history.
func (c *child) healthy(at *actor.Attempt, res *actor.Result) bool {
	return at.Up(res.Elapsed) >= c.set.resetAfter
}

// askBackoff returns the next pause of the backoff, which is kept from attempt to
// attempt while a streak lasts. It may be the user's: it is asked without the lock, and
// may panic.
func (c *child) askBackoff(backoff *policy.Backoff, last *actor.Attempt, res *actor.Result) (d time.Duration) {
	answered := false
	defer func() {
		if answered {
			return
		}
		d = policy.DefaultMax
		if v := recover(); v != nil {
			res.Err = errors.Join(res.Err, &actor.PanicError{Value: v, Stack: debug.Stack()})
			return
		}
		res.After, res.HasAfter, res.Lost = d, true, true
		c.Resume(last, *res, last.Generation()) // runtime.Goexit takes this goroutine
	}()
	p, ok := last.Keep.(pauses)
	if !ok {
		p = backoff.New()
		last.Keep = p
	}
	d = max(p.NextBackOff(), gaveUp)
	answered = true
	return d
}

// panicked ends the process with the panic of a task that asked for it.
func (c *child) panicked(err error) {
	if c.set.spec.OnPanic != policy.PanicCrash {
		return
	}
	var p *actor.PanicError
	if errors.As(err, &p) {
		panic(fmt.Sprintf("task %s: %v\n\n%s", c.Path(), p, p.Stack))
	}
	panic(err)
}

// attemptEnded takes note of how the present attempt ended and decides what
// follows.
func (r *run) attemptEnded(c *child, at *actor.Attempt, res *actor.Result, pause time.Duration, now instant) {
	c.row().exits[res.Exit]++
	r.tellAttemptEnded(c, at, res, now)
	c.attempt = nil
	r.releasePermit(c)
	if res.Lost {
		c.generation++
	}

	// A restart by hand is followed at once, whatever came of the attempt.
	if c.again && c.told == goOn {
		c.again, c.failures = false, 0
		return
	}
	if c.set.budgetHeals && c.healthy(at, res) {
		c.failures = 0
	}
	if res.Exit == policy.Stopped {
		c.stopped(at, res)
		return
	}

	// The streak of failures.
	if res.Exit.IsFailure() {
		c.failures++
		t := c.troubled()
		t.err, t.pauses = res.Err, at.Keep
	} else {
		c.failures = 0
	}

	// What the policy says; a family told to stop does not try again.
	decision := c.set.rules.Next(res.Exit, int(c.failures))
	if decision == policy.Retry && pause == gaveUp {
		decision = c.set.rules.Next(policy.Fatal, int(c.failures))
	}
	switch {
	case decision != policy.Retry:
		r.conclude(c, decision, res, now)
	case c.told == goOn:
		r.retry(c, res, pause, now)
	}
}

// conclude does what is decided of a child that does not try again.
func (r *run) conclude(c *child, decision policy.Decision, res *actor.Result, now instant) {
	switch decision {
	case policy.Repeat:
		if c.told == goOn {
			r.scheduleRepeat(c, res, now)
		}
	case policy.Complete:
		c.result = events.Completed
	case policy.GiveUp:
		c.result = events.Failed
	case policy.Escalate:
		c.result = events.Failed
		if c.told == goOn {
			r.beginStop(&EscalatedError{Path: r.name(), Child: c.Path(), Err: actor.Contain(res.Err)}, r.ordered(), now)
		}
	}
}

// stopped takes note of an attempt that has done as it was told.
func (c *child) stopped(at *actor.Attempt, res *actor.Result) {
	if c.told == goOn {
		c.told = end // nobody but the task itself has ended its context
	}
	if res.Err != nil && c.told == end {
		c.troubled().stopErr = res.Err
	}
	if c.failures > 0 {
		c.troubled().pauses = at.Keep // the streak goes on after a stop of the group
	}
}

// scheduleRepeat sets when a task that succeeded runs again.
func (r *run) scheduleRepeat(c *child, res *actor.Result, now instant) {
	delay := policy.RepeatDelay(c.set.spec.Every, res.Elapsed)
	if delay == 0 {
		return
	}
	c.troubled().next = after(now, delay)
	if c.set.spec.Every > 0 {
		r.tellRetry(c, res, delay, now)
	}
}

// retry has a child that failed run again: alone, or with its group.
func (r *run) retry(c *child, res *actor.Result, pause time.Duration, now instant) {
	if r.stop != nil {
		c.told, c.reason = end, events.ReasonShutdown
		return
	}
	// A member that fails while its group is being stopped is stopped.
	if r.group != nil && r.group.includes(c) {
		c.told = halt
		return
	}
	if r.limited && !r.allowed(now) {
		c.result = events.Failed
		r.exceeded(c, res.Err, now)
		return
	}
	c.restarts++
	c.row().restarts++
	if !r.alone(c) {
		r.beginGroup(c, pause, now)
		return
	}
	c.troubled().next = after(now, pause)
	r.tellRetry(c, res, pause, now)
}

// allowed counts a restart against the intensity.
func (r *run) allowed(now instant) bool { return r.window.Allow(r.cfg.Intensity, r.time(now)) }

// alone says that a failure of c concerns only c. Before the first start is
// over that holds for a child that has not been ready, whatever the strategy:
// its elders do not have to suffer for it, and its younger siblings wait.
// Otherwise it is a matter of whether the span has other members.
func (r *run) alone(c *child) bool {
	switch r.strategy {
	case OneForOne:
		return true
	case RestForOne:
		if c == r.last {
			return true
		}
	case OneForAll:
		if r.first == r.last {
			return true
		}
	}
	return !r.started && !c.wasReady
}

func (r *run) exceeded(c *child, last error, now instant) {
	err := &IntensityError{
		Path: r.name(), Child: c.Path(), Restarts: r.window.InUse(r.cfg.Intensity, r.time(now)),
		Intensity: r.cfg.Intensity, Err: actor.Contain(last),
	}
	r.own.exceeded++
	if r.wants(events.IntensityExceeded) {
		e := r.event(events.IntensityExceeded, now)
		e.Count, e.Err = uint64(err.Restarts), err
		r.env.bus.Send(e)
	}
	r.beginStop(err, r.ordered(), now)
}
