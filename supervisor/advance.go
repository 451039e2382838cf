package supervisor

import (
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
)

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
			r.leave(c, now)
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

// leave takes a child's goroutine away until its group starts it again.
func (r *run) leave(c *child, now time.Time) {
	c.alive, c.ready = false, false
	r.alive--
	r.dropPermit(c)
	c.enterState(StateRestarting, now)
	r.halted = true
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
	c.row().started++
	c.toldAt, c.due = 0, 0
	c.attempt = c.Attempt(c.room(), int(c.attempts), int(c.generation), now, r.startTimeout(c))
	if t := c.trouble; t != nil {
		t.forgetAttempt()
		if c.failures > 0 {
			c.attempt.Keep = t.pauses
		}
	}
	if c.set.head != nil {
		c.set.head.wish.Store(nil)
	}
	c.ready = !c.set.terms.Spec.AwaitReady
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
	if !c.set.terms.Spec.AwaitReady || (c == r.unready && !r.started) {
		return 0
	}
	return c.set.terms.Spec.StartTimeout
}

// launch gives a linked child a goroutine.
func (r *run) launch(c *child, now time.Time) {
	c.alive = true
	r.alive++
	c.told, c.ready = goOn, false
	r.tellAdded(c, now)
	if r.permitted(c) {
		first := r.enter(c, now)
		if r.vacant && r.heir == nil {
			r.heir = first
		} else {
			c.Begin(first)
		}
		return
	}
	c.enterState(StateWaiting, now)
	c.Resume(nil, actor.Result{}, int(c.generation))
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
		r.env.bus.Send(e)
	}
	c.MarkReady()
	if r.unready == c {
		r.poke()
	}
}
