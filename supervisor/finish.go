package supervisor

import (
	"fmt"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
)

// atOnce is how most short tasks end, and inTime how most long ones do, when all are stopped that have
// made one attempt. Outcomes do not change.
var (
	atOnce = actor.Outcome{Kind: events.Completed, Attempts: 1}
	inTime = actor.Outcome{Kind: events.Stopped, Reason: events.ReasonShutdown, Attempts: 1}
)

// finish ends a child for good: the books first, then whoever waits.
func (r *run) finish(c *child, kind events.Outcome, stuck *actor.StuckError, now instant) {
	if c.alive {
		c.alive = false
		r.alive--
	}
	r.dropPermit(c)
	var o *actor.Outcome
	switch {
	case kind == events.Completed && c.attempts == 1:
		o = &atOnce
	case kind == events.Stopped && c.attempts == 1 && c.reason == events.ReasonShutdown && c.trouble == nil:
		o = &inTime
	default:
		o = &actor.Outcome{Kind: kind, Attempts: int(c.attempts)}
	}
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
		if o == &inTime {
			break
		}
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
func (r *run) childEnded(c *child, o *actor.Outcome, now instant) {
	if r.stop != nil {
		r.logEnd(c, o)
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
	if r.group != nil || r.unready == c || r.starting != nil || r.cfg.EndWhenEmpty || r.lame != 0 && r.deserted() {
		r.poke()
	}
	if r.guard != nil && !c.declared {
		r.gone = append(r.gone, c)
	}
}

func (r *run) keepFailure(c *child, o *actor.Outcome) {
	r.failed = append(r.failed, &taskError{c.Path(), o.Err})
}

// taskError is a failure with its path. Its text is made when it is asked for,
// since that calls the user's error and here the lock is held.
type taskError struct {
	path string
	err  error
}

func (e *taskError) Error() string { return fmt.Sprintf("task %s: %v", e.path, e.err) }
func (e *taskError) Unwrap() error { return e.err }

// significantEnded ends the supervisor if its AutoShutdown says so.
func (r *run) significantEnded(c *child, o *actor.Outcome, now instant) {
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
