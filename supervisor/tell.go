package supervisor

import (
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
)

// Events are published with the lock held: Publish never blocks, and so the
// events of a family are in the order of its decisions.

func (r *run) tellAdded(c *child, now time.Time) {
	if c.added {
		return
	}
	c.added = true
	if r.env.bus.Wants(events.TaskAdded) {
		r.env.bus.Publish(c.event(events.TaskAdded, now))
	}
}

func (r *run) tellAttemptEnded(c *child, at *actor.Attempt, res actor.Result) {
	if !r.env.bus.Wants(events.AttemptEnded) {
		return
	}
	e := c.event(events.AttemptEnded, res.Ended)
	e.Exit, e.Err = res.Exit, res.Err
	e.Elapsed = res.Ended.Sub(at.Began())
	r.env.bus.Publish(e)
}

func (r *run) tellRetry(c *child, res actor.Result, delay time.Duration, now time.Time) {
	if !r.env.bus.Wants(events.RetryScheduled) {
		return
	}
	e := c.event(events.RetryScheduled, now)
	e.Exit, e.Err, e.Delay, e.Count = res.Exit, res.Err, delay, uint64(c.failures)
	r.env.bus.Publish(e)
}

func (r *run) tellStopping(c *child, now time.Time) {
	if !r.env.bus.Wants(events.TaskStopping) {
		return
	}
	e := c.event(events.TaskStopping, now)
	e.Reason = c.reason
	r.env.bus.Publish(e)
}

func (r *run) tellFinished(c *child, o actor.Outcome, now time.Time) {
	if !c.added {
		return // declared, and never begun
	}
	if r.env.bus.Wants(events.TaskFinished) {
		e := c.event(events.TaskFinished, now)
		e.Outcome, e.Reason, e.Err = o.Kind, o.Reason, o.Err
		if o.StopErr != nil {
			e.Err = o.StopErr
		}
		r.env.bus.Publish(e)
	}
	r.tellRemoved(c, now)
}

func (r *run) tellRemoved(c *child, now time.Time) {
	if c.forget && r.env.bus.Wants(events.TaskRemoved) {
		r.env.bus.Publish(c.event(events.TaskRemoved, now))
	}
}

func (r *run) tellGroup(k events.Kind, err error, delay time.Duration, now time.Time) {
	if !r.env.bus.Wants(k) {
		return
	}
	e := events.Event{Kind: k, At: now, Path: r.name(), Delay: delay, Err: err}
	if r.self != nil {
		e.ID = r.self.Actor().ID()
	}
	r.env.bus.Publish(e)
}

// cameLate takes note of an abandoned attempt that returned after all.
func (r *run) cameLate(c *child, last *actor.Attempt, res actor.Result) {
	r.zombies--
	if !r.env.bus.Wants(events.TaskReturned) {
		return
	}
	e := c.event(events.TaskReturned, res.Ended)
	e.Attempt, e.Generation = last.Number(), last.Generation()
	e.Exit, e.Err, e.Elapsed = res.Exit, res.Err, res.Ended.Sub(last.Began())
	r.env.bus.Publish(e)
}
