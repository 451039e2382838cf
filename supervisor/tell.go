package supervisor

import (
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
)

// Events are published with the lock held: Publish never blocks, and so the
// events of a family are in the order of its decisions.
//
// The event is made in the run's note and not on the stack: a child's goroutine
// should get by with the stack that it was born with.

func (r *run) wants(k events.Kind) bool { return r.env.bus.Wants(k) }

// blank returns the note, empty. It belongs to the caller for as long as it holds mu.
func (r *run) blank() *events.Event {
	r.note = events.Event{}
	return &r.note
}

func (r *run) tellAdded(c *child, now instant) {
	if !c.added {
		c.added, c.born = true, now
		c.row().added++
		r.tell(c, events.TaskAdded, now)
	}
}

// tell publishes an event that says no more than whom it is about. Without a bus nothing
// is called, here and in what tells of restarts.
func (r *run) tell(c *child, k events.Kind, now instant) {
	if r.env.bus != nil {
		r.publish(c, k, now)
	}
}

func (r *run) publish(c *child, k events.Kind, now instant) {
	if r.wants(k) {
		r.env.bus.Send(c.event(k, now))
	}
}

func (r *run) tellAttemptEnded(c *child, at *actor.Attempt, res *actor.Result, now instant) {
	if r.env.bus != nil {
		r.publishAttemptEnded(c, at, res, now)
	}
}

func (r *run) publishAttemptEnded(c *child, at *actor.Attempt, res *actor.Result, now instant) {
	if !r.wants(events.AttemptEnded) {
		return
	}
	e := c.event(events.AttemptEnded, now)
	e.Exit, e.Err = res.Exit, res.Err
	e.Elapsed, e.Generation = res.Elapsed, at.Generation()
	r.env.bus.Send(e)
}

func (r *run) tellRetry(c *child, res *actor.Result, delay time.Duration, now instant) {
	if r.env.bus != nil {
		r.publishRetry(c, res, delay, now)
	}
}

func (r *run) publishRetry(c *child, res *actor.Result, delay time.Duration, now instant) {
	if !r.wants(events.RetryScheduled) {
		return
	}
	e := c.event(events.RetryScheduled, now)
	e.Exit, e.Err, e.Delay, e.Count = res.Exit, res.Err, delay, uint64(c.failures)
	r.env.bus.Send(e)
}

func (r *run) tellStopping(c *child, now instant) {
	if !r.wants(events.TaskStopping) {
		return
	}
	e := c.event(events.TaskStopping, now)
	e.Reason = c.reason
	r.env.bus.Send(e)
}

// tellFinished is silent about a declared child that was never begun.
func (r *run) tellFinished(c *child, o *actor.Outcome, now instant) {
	if !c.added {
		return
	}
	c.row().outcomes[o.Kind]++
	if r.wants(events.TaskFinished) {
		r.publishFinished(c, o, now)
	}
}

func (r *run) publishFinished(c *child, o *actor.Outcome, now instant) {
	e := c.event(events.TaskFinished, now)
	e.Outcome, e.Reason, e.Err = o.Kind, o.Reason, o.Err
	e.Elapsed = now.since(c.born)
	if o.StopErr != nil {
		e.Err = o.StopErr
	}
	r.env.bus.Send(e)
}

// tellGroup tells of a group restart.
func (r *run) tellGroup(err error, delay time.Duration, now instant) {
	r.own.groups++
	if !r.wants(events.GroupRestarting) {
		return
	}
	e := r.event(events.GroupRestarting, now)
	e.Delay, e.Err = delay, err
	r.env.bus.Send(e)
}

// tellSelf tells of the supervisor itself.
func (r *run) tellSelf(k events.Kind, now instant, elapsed time.Duration, err error) {
	if !r.wants(k) {
		return
	}
	e := r.event(k, now)
	e.Elapsed, e.Err = elapsed, err
	r.env.bus.Send(e)
}

// event begins an event about the supervisor.
func (r *run) event(k events.Kind, now instant) *events.Event {
	e := r.blank()
	e.Kind, e.At, e.Path, e.Pattern = k, r.wall(now), r.name(), r.patternName()
	if r.self != nil {
		e.ID = r.self.Actor().ID()
	}
	return e
}

// cameLate takes note of an abandoned attempt that returned after all.
func (r *run) cameLate(c *child, last *actor.Attempt, res *actor.Result) {
	delete(r.zombies, last)
	if !r.wants(events.TaskReturned) {
		return
	}
	e := c.event(events.TaskReturned, endOf(last, res))
	e.Attempt, e.Generation = last.Number(), last.Generation()
	e.Exit, e.Err, e.Elapsed = res.Exit, returned(res.Err), res.Elapsed
	r.env.bus.Send(e)
}

// returned takes off what the runtime has put around a task's own error.
func returned(err error) error {
	switch e := err.(type) { //nolint:errorlint // only the outermost is the runtime's
	case *actor.TimeoutError:
		return e.Err
	case *actor.StallError:
		return e.Err
	case *actor.NotReadyError:
		return e.Err
	}
	return err
}
