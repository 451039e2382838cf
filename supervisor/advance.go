package supervisor

import (
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
)

// advance brings a child that has no attempt to its next one, waiting as long
// as it has to, or ends its goroutine and returns nil. It is called and returns
// with mu held.
func (r *run) advance(c *child, now instant) *actor.Attempt {
	for {
		t := c.trouble
		switch {
		case c.result != 0 || c.told != goOn:
			r.depart(c, now)
			return nil
		case r.group != nil && r.group.includes(c):
			c.told, c.reason = groupOrder(c), events.ReasonGroup // nothing starts before all have stopped
			continue
		case t != nil && now < t.next:
			r.sleep(c, StateBackingOff, t.next.since(now), now)
		case !r.permitted(c):
			r.sleep(c, StateWaiting, 0, now)
		default:
			return r.enter(c, now)
		}
		now = r.now()
	}
}

// depart ends the goroutine of a child that has ended, or was told to leave it.
func (r *run) depart(c *child, now instant) {
	switch {
	case c.result != 0:
		r.finish(c, c.result, nil, now)
	case c.told == end:
		r.finish(c, events.Stopped, nil, now)
	default:
		r.leave(c, now)
	}
}

// leave takes a child's goroutine away until its group starts it again.
func (r *run) leave(c *child, now instant) {
	c.alive, c.ready = false, false
	r.alive--
	r.dropPermit(c)
	c.enterState(StateRestarting, now)
	r.halted = true
}

// sleep has a child wait in a state, without the lock, until it is roused or d is over; a
// d of zero is no bound.
func (r *run) sleep(c *child, s State, d time.Duration, now instant) {
	c.enterState(s, now)
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
func (r *run) enter(c *child, now instant) *actor.Attempt {
	if c.again { // a pause was cut short by hand
		c.again, c.failures = false, 0
	}
	c.reason = 0
	c.attempts++
	c.row().started++
	c.toldAt, c.due = 0, 0
	c.attempt = c.Attempt(c.room(), int(c.attempts), int(c.generation), now.elapsed(), r.startTimeout(c))
	if t := c.trouble; t != nil {
		t.forgetAttempt()
		if c.failures > 0 {
			c.attempt.Keep = t.pauses
		}
	}
	if c.set.head != nil {
		c.set.head.wish.Store(nil)
	}
	s := StateRunning
	if c.set.terms.AwaitReady {
		s = StateStarting
	}
	c.enterState(s, now)
	c.ready = s == StateRunning
	if c.ready && !c.wasReady {
		c.wasReady = true
		c.MarkReady()
	}
	r.tell(c, events.AttemptStarted, now)
	c.tellWaiters()
	return c.attempt
}

// startTimeout is how long an attempt may take to be ready. During the first
// start the conductor keeps the time, for all attempts of a child together.
func (r *run) startTimeout(c *child) time.Duration {
	if !c.set.terms.AwaitReady || (c == r.unready && !r.started) {
		return 0
	}
	return limit(c.set.spec.StartTimeout)
}

// launch gives a linked child a goroutine.
func (r *run) launch(c *child, now instant) {
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
	now := r.now()
	c.ready, c.wasReady = true, true
	if c.state == StateStarting {
		c.enterState(StateRunning, now)
	}
	if r.wants(events.TaskReady) {
		e := c.event(events.TaskReady, now)
		e.Elapsed = now.elapsed() - a.Began()
		r.env.bus.Send(e)
	}
	c.MarkReady()
	if r.unready == c {
		r.poke()
	}
}
