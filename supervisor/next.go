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
	if last != nil && last.Claim() && res.Exit.IsFailure() {
		pause = c.pause(last, &res)
	}
	var left []*actor.StuckError
	if c.set.head != nil {
		left = stuckBelow(res.Err)
	}
	r := c.run
	r.mu.Lock()
	vacant := false
	defer func() {
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
		first, provided := r.provide()
		r.vacant = true
		if provided {
			r.provider.Receive(first)
		}
		r.guard.Next()
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
		return r.advance(c, time.Now())
	}
	r.attemptEnded(c, last, res, pause)
	return r.advance(c, res.Ended)
}

// gaveUp is the pause of a backoff that wants no further attempt.
const gaveUp time.Duration = -1

// pause returns how long to wait after a failure.
func (c *child) pause(last *actor.Attempt, res *actor.Result) time.Duration {
	if res.Exit == policy.Panicked && c.set.terms.Spec.OnPanic == policy.PanicCrash {
		crash(c.Path(), res.Err)
	}
	if last.Up(res.Ended) >= c.set.terms.Spec.ResetAfter {
		last.Keep = nil
	}
	if res.HasAfter {
		return res.After
	}
	backoff := &c.set.terms.Spec.Backoff
	if backoff.Shape == policy.ShapeNone && backoff.Custom == nil {
		return 0
	}
	return c.askBackoff(backoff, last, res)
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

// crash ends the process with the panic of a task that asked for it.
func crash(path string, err error) {
	var p *actor.PanicError
	if errors.As(err, &p) {
		panic(fmt.Sprintf("task %s: %v\n\n%s", path, p, p.Stack))
	}
	panic(err)
}

// attemptEnded takes note of how the present attempt ended and decides what
// follows.
func (r *run) attemptEnded(c *child, at *actor.Attempt, res *actor.Result, pause time.Duration) {
	now := res.Ended
	r.tellAttemptEnded(c, at, res)
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
	// A healthy run gives back the budget, and the first pause.
	if at.Up(now) >= c.set.terms.Spec.ResetAfter {
		if c.set.budgetHeals {
			c.failures = 0
		}
		if res.Exit == policy.Stopped {
			at.Keep = nil
		}
	}
	if res.Exit == policy.Stopped {
		if c.told == goOn {
			c.told = end // nobody but the task itself has ended its context
		}
		if res.Err != nil && c.told == end {
			c.troubled().stopErr = res.Err
		}
		if c.failures > 0 {
			c.troubled().pauses = at.Keep // the streak goes on after a stop of the group
		}
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
	switch decision {
	case policy.Complete:
		c.result = events.Completed
	case policy.GiveUp:
		c.result = events.Failed
	case policy.Escalate:
		c.result = events.Failed
		if c.told == goOn {
			r.beginStop(&EscalatedError{Path: r.name(), Child: c.Path(), Err: actor.Contain(res.Err)}, r.ordered(), now)
		}
	case policy.Repeat:
		if c.told == goOn {
			r.scheduleRepeat(c, at, res, now)
		}
	case policy.Retry:
		if c.told == goOn {
			r.retry(c, res, pause, now)
		}
	}
}

// scheduleRepeat sets when a task that succeeded runs again.
func (r *run) scheduleRepeat(c *child, at *actor.Attempt, res *actor.Result, now time.Time) {
	delay := policy.RepeatDelay(c.set.terms.Spec.Every, now.Sub(at.Began()))
	if delay == 0 {
		return
	}
	c.troubled().next = after(now, delay)
	if c.set.terms.Spec.Every > 0 {
		r.tellRetry(c, res, delay, now)
	}
}

// retry has a child that failed run again: alone, or with its group.
func (r *run) retry(c *child, res *actor.Result, pause time.Duration, now time.Time) {
	if r.stop != nil {
		c.told, c.reason = end, events.ReasonShutdown
		return
	}
	// A member that fails while its group is being stopped is stopped.
	if r.group != nil && r.group.includes(c) {
		c.told = halt
		return
	}
	if !r.cfg.Intensity.IsZero() && !r.window.Allow(r.cfg.Intensity, now) {
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

// alone says that a failure of c concerns only c. Before the first start is
// over that holds for a child that has not been ready, whatever the strategy:
// its elders do not have to suffer for it, and its younger siblings wait.
// Otherwise it is a matter of whether the span has other members.
func (r *run) alone(c *child) bool {
	switch r.cfg.Strategy {
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

func (r *run) exceeded(c *child, last error, now time.Time) {
	err := &IntensityError{
		Path: r.name(), Child: c.Path(), Restarts: r.window.InUse(r.cfg.Intensity, now),
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
