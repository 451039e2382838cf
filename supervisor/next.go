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
	if c.head != nil {
		left = stuckBelow(res.Err)
	}
	r := c.run
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keepLeft(left)
	if c.attempt != last {
		r.cameLate(c, last, &res)
		return nil
	}
	if last == nil {
		return r.advance(c, time.Now())
	}
	r.attemptEnded(c, last, &res, pause)
	return r.advance(c, res.Ended)
}

// gaveUp is the pause of a backoff that wants no further attempt.
const gaveUp time.Duration = -1

// pause returns how long to wait after a failure. The backoff, kept from attempt
// to attempt while a streak lasts, may be the user's: it is asked without the
// lock, and may panic.
func (c *child) pause(last *actor.Attempt, res *actor.Result) (d time.Duration) {
	if res.Exit == policy.Panicked && c.set.spec.OnPanic == policy.PanicCrash {
		crash(c.Path(), res.Err)
	}
	if last.Up(res.Ended) >= c.set.spec.ResetAfter {
		last.Keep = nil
	}
	if res.HasAfter {
		return res.After
	}
	backoff := &c.set.spec.Backoff
	if backoff.Shape == policy.ShapeNone && backoff.Custom == nil {
		return 0
	}
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
		c.Resume(last, *res) // runtime.Goexit takes this goroutine
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
		c.Relabel(int(c.generation))
	}

	// A restart by hand is followed at once, whatever came of the attempt.
	if c.again && c.told == goOn {
		c.again, c.failures = false, 0
		return
	}
	// A healthy run gives back the budget, and the first pause.
	if at.Up(now) >= c.set.spec.ResetAfter {
		if c.set.budgetHeals {
			c.failures = 0
		}
		if res.Exit == policy.Stopped {
			at.Keep = nil
		}
	}
	if res.Exit == policy.Stopped {
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
	delay := policy.RepeatDelay(c.set.spec.Every, now.Sub(at.Began()))
	if delay == 0 {
		return
	}
	c.troubled().next = after(now, delay)
	if c.set.spec.Every > 0 {
		r.tellRetry(c, res, delay, now)
	}
}

// retry has a child that failed run again: alone, or with its group.
func (r *run) retry(c *child, res *actor.Result, pause time.Duration, now time.Time) {
	// A member that fails while its group is being stopped is stopped.
	if r.group != nil && r.group.includes(c) {
		c.told = halt
		return
	}
	if !r.window.Allow(r.cfg.Intensity, now) {
		c.result = events.Failed
		r.exceeded(c, res.Err, now)
		return
	}
	c.restarts++
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
	if r.wants(events.IntensityExceeded) {
		e := r.event(events.IntensityExceeded, now)
		e.Count, e.Err = uint64(err.Restarts), err
		r.env.bus.Publish(e)
	}
	r.beginStop(err, r.ordered(), now)
}

// advance brings a child that has no attempt to its next one, waiting as long
// as it has to, or ends its goroutine and returns nil. It is called and returns
// with mu held.
func (r *run) advance(c *child, now time.Time) *actor.Attempt {
	for {
		t := c.trouble
		switch {
		case c.result != 0:
			r.finish(c, c.result, nil, now)
			return nil
		case c.told == end:
			r.finish(c, events.Stopped, nil, now)
			return nil
		case c.told == halt:
			c.alive, c.ready = false, false
			r.alive--
			c.enterState(StateRestarting, now)
			r.dropPermit(c)
			r.poke()
			return nil
		case r.group != nil && r.group.includes(c):
			c.told, c.reason = groupOrder(c), events.ReasonGroup // nothing starts before all have stopped
			continue
		case t != nil && now.Before(t.next):
			c.enterState(StateBackingOff, now)
			r.sleep(c, t.next.Sub(now))
		case !r.permitted(c):
			c.enterState(StateWaiting, now)
			r.sleep(c, 0)
		default:
			return r.enter(c, now)
		}
		now = time.Now()
	}
}

// sleep waits without the lock, until the child is roused or d is over; a d of
// zero is no bound.
func (r *run) sleep(c *child, d time.Duration) {
	wake := c.waker()
	r.mu.Unlock()
	defer r.mu.Lock()
	if d == 0 {
		<-wake
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	}
}

// enter makes the next attempt of c.
func (r *run) enter(c *child, now time.Time) *actor.Attempt {
	if c.again { // a pause was cut short by hand
		c.again, c.failures = false, 0
	}
	c.reason = 0
	c.attempts++
	c.attempt = c.Attempt(int(c.attempts), int(c.generation), now, r.startTimeout(c))
	if t := c.trouble; t != nil {
		t.forgetAttempt()
		if c.failures > 0 {
			c.attempt.Keep = t.pauses
		}
	}
	if c.head != nil {
		c.head.stopBy.Store(0)
	}
	c.ready = !c.set.spec.AwaitReady
	if c.ready {
		c.enterState(StateRunning, now)
		if !c.wasReady {
			c.wasReady = true
			c.MarkReady()
		}
	} else {
		c.enterState(StateStarting, now)
	}
	r.tell(c, events.AttemptStarted, now)
	c.tellWaiters()
	return c.attempt
}

// startTimeout is how long an attempt may take to be ready. During the first
// start the conductor keeps the time, for all attempts of a child together.
func (r *run) startTimeout(c *child) time.Duration {
	if !c.set.spec.AwaitReady || (c == r.unready && !r.started) {
		return 0
	}
	return c.set.spec.StartTimeout
}

// launch gives a linked child a goroutine.
func (r *run) launch(c *child, now time.Time) {
	c.alive = true
	r.alive++
	c.told, c.ready = goOn, false
	r.tellAdded(c, now)
	if r.permitted(c) {
		c.Begin(r.enter(c, now))
		return
	}
	c.enterState(StateWaiting, now)
	c.Resume(nil, actor.Result{})
}

// finish ends a child for good: the books first, then whoever waits.
func (r *run) finish(c *child, kind events.Outcome, stuck *actor.StuckError, now time.Time) {
	if c.alive {
		c.alive = false
		r.alive--
	}
	r.dropPermit(c)
	o := &actor.Outcome{Kind: kind, Attempts: int(c.attempts)}
	switch kind {
	case events.Completed:
		c.enterState(StateCompleted, now)
	case events.Failed:
		c.enterState(StateFailed, now)
		o.Err = c.lastErr()
	case events.Abandoned:
		c.enterState(StateStopped, now)
		o.Reason, o.Err = c.reason, stuck
	default:
		c.enterState(StateStopped, now)
		o.Reason = c.reason
		if c.trouble != nil {
			o.StopErr = c.trouble.stopErr
		}
	}
	if !c.declared || c.forget {
		r.unlink(c)
	}
	r.tellFinished(c, o, now)
	if c.forget {
		r.tell(c, events.TaskRemoved, now)
	}
	c.Resolve(o)
	c.tellWaiters()
	r.childEnded(c, o, now)
}

// childEnded draws the consequences of an end for the family.
func (r *run) childEnded(c *child, o *actor.Outcome, now time.Time) {
	if r.stop != nil {
		if r.stop.ordered || r.alive == 0 {
			r.poke()
		}
	}
	if c.set.spec.Significant {
		r.significantEnded(c, o, now)
	}
	if r.cfg.EndWhenEmpty && o.Kind == events.Failed {
		r.keepFailure(c, o)
	}
	if r.group != nil || r.unready == c || r.starting != nil || r.cfg.EndWhenEmpty {
		r.poke()
	}
}

func (r *run) keepFailure(c *child, o *actor.Outcome) {
	r.failed = append(r.failed, fmt.Errorf("task %s: %w", c.Path(), o.Err))
}

// significantEnded ends the supervisor if its AutoShutdown says so.
func (r *run) significantEnded(c *child, o *actor.Outcome, now time.Time) {
	r.significant--
	if r.stop != nil || (o.Kind != events.Completed && o.Kind != events.Failed) {
		return
	}
	if o.Kind == events.Failed && c == r.unready && !r.started {
		return // the start fails, and says so
	}
	if r.cfg.AutoShutdown == AutoShutdownAny || (r.cfg.AutoShutdown == AutoShutdownAll && r.significant == 0) {
		var err error
		if o.Kind == events.Failed {
			err = &EndedError{Path: r.name(), Child: c.Path(), Err: actor.Contain(o.Err)}
		}
		r.beginStop(err, r.ordered(), now)
	}
}

// Ready is called by an attempt that is up.
func (c *child) Ready(a *actor.Attempt) {
	r := c.run
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.attempt != a || c.told != goOn {
		return
	}
	now := time.Now()
	c.ready, c.wasReady = true, true
	if c.state == StateStarting {
		c.enterState(StateRunning, now)
	}
	if r.wants(events.TaskReady) {
		e := c.event(events.TaskReady, now)
		e.Elapsed = now.Sub(a.Began())
		r.env.bus.Publish(e)
	}
	c.MarkReady()
	if r.unready == c {
		r.poke()
	}
}
