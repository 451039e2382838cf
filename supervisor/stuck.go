package supervisor

import (
	"slices"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// watched is an attempt whose context has ended and that should return.
type watched struct {
	c       *child
	attempt *actor.Attempt
}

// watch has the conductor look at c when it is due.
func (r *run) watch(c *child, due, now instant) {
	fresh := c.due == 0
	c.due = due
	if fresh {
		r.watched = append(r.watched, watched{c, c.attempt})
		if len(r.watched) > 2*r.alive+64 {
			r.sweep(now)
		}
	}
	if r.dueAt == 0 || due < r.dueAt {
		r.dueAt = due
		r.poke()
	}
}

// sweep drops those that have returned and returns those that are due.
func (r *run) sweep(now instant) (late []watched) {
	kept := r.watched[:0]
	r.dueAt = 0
	for _, w := range r.watched {
		if w.c.attempt != w.attempt {
			continue
		}
		kept = append(kept, w)
		if due := w.c.due; now < due {
			r.dueAt = within(r.dueAt, due)
		} else {
			late = append(late, w)
			r.dueAt = within(r.dueAt, now)
		}
	}
	clear(r.watched[len(kept):])
	r.watched = kept
	return late
}

// overdueNow returns the attempts that have outlived their grace.
func (r *run) overdueNow(now instant) []watched {
	if r.dueAt == 0 || now < r.dueAt {
		return nil
	}
	late := slices.DeleteFunc(r.sweep(now), func(w watched) bool { return r.windingUp(w.c, now) })
	r.sweep(now)
	return late
}

// lookAfter says where the attempts are that have outlived their grace, and does
// what their specs say. The profile is taken once for all of them, and without the
// lock, since it takes long.
func (r *run) lookAfter(late []watched) {
	byLabel := profile()

	r.mu.Lock()
	defer r.unlock()
	now := r.now()
	for _, w := range late {
		if w.c.attempt == w.attempt {
			r.overdue(w.c, byLabel[w.c.LabelOf(w.attempt.Generation())], now)
		}
	}
	r.sweep(now)
}

// profile returns the goroutines of all tasks by their label.
func profile() map[string][]actor.Goroutine {
	byLabel := map[string][]actor.Goroutine{}
	for _, g := range actor.Goroutines() {
		byLabel[g.Label] = append(byLabel[g.Label], g)
	}
	return byLabel
}

// overdue rules on an attempt that outlived its grace.
func (r *run) overdue(c *child, where []actor.Goroutine, now instant) {
	t := c.troubled().late()
	stuck := &actor.StuckError{
		Path: c.Path(), Attempt: c.attempt.Number(), Generation: c.attempt.Generation(),
		For: now.since(c.toldAt), Goroutines: where,
	}
	if t.stuck++; t.stuck == 1 {
		c.row().stuck++
	}
	if r.wants(events.TaskStuck) {
		e := c.event(events.TaskStuck, now)
		e.Reason, e.Elapsed, e.Count, e.Err = c.reason, stuck.For, t.stuck, stuck
		r.env.bus.Send(e)
	}
	switch r.onStuck(c, now) {
	case policy.StuckAbandon:
		r.abandon(c, stuck, now)
	case policy.StuckEscalate:
		r.beginStop(&EscalatedError{Path: r.name(), Child: c.Path(), Err: stuck}, r.ordered(), now)
		c.told, c.reason = end, events.ReasonShutdown
		r.abandon(c, stuck, now)
	default:
		if c.state != StateStuck {
			c.enterState(StateStuck, now)
		}
		t.patience = min(max(2*t.patience, c.set.spec.Grace, minPatience), max(maxPatience, c.set.spec.Grace))
		due := after(now, t.patience)
		if r.stop != nil {
			due = within(due, r.stop.deadline)
		}
		c.due = due
	}
}

// windingUp says that a late child is a supervisor that still stops what is
// below, and gives it more time.
func (r *run) windingUp(c *child, now instant) bool {
	if c.set.head == nil || c.below() == nil || c.troubled().late().extended == 10 {
		return false
	}
	c.trouble.overdue.extended++
	c.due = after(now, familySlack)
	return true
}

// How often a stuck event repeats: after the grace, then twice as late each
// time, but within these bounds.
const (
	minPatience = time.Second
	maxPatience = time.Minute
)

// onStuck is what the spec says, applied to the situation.
func (r *run) onStuck(c *child, now instant) policy.OnStuck {
	choice := c.set.spec.OnStuck
	if r.stop != nil && now >= r.stop.deadline {
		return policy.StuckAbandon // a stop ends in bounded time
	}
	switch {
	case choice == policy.StuckAuto && (c.told != end || (r.stop != nil && r.patient())):
		return policy.StuckWait
	case choice == policy.StuckAuto:
		return policy.StuckAbandon
	case choice == policy.StuckEscalate && r.stop != nil:
		return policy.StuckAbandon
	}
	return choice
}

// zombie is an attempt that was abandoned and has not returned.
type zombie struct {
	stuck  *actor.StuckError
	toldAt instant
}

// abandon gives up the attempt: it gives back its permit, and its name if it
// was to end. Whatever it still does changes nothing; its late return is told.
func (r *run) abandon(c *child, stuck *actor.StuckError, now instant) {
	lost, t := c.attempt, c.trouble
	if r.zombies == nil {
		r.zombies = map[*actor.Attempt]zombie{}
	}
	r.zombies[lost] = zombie{stuck, c.toldAt}
	c.row().abandoned++
	if r.wants(events.TaskAbandoned) {
		e := c.event(events.TaskAbandoned, now)
		e.Reason, e.Elapsed, e.Err = c.reason, stuck.For, stuck
		r.env.bus.Send(e)
	}
	r.releasePermit(c)
	c.attempt = nil
	if c.told == end {
		r.finish(c, events.Abandoned, stuck, now)
		return
	}

	// The next generation takes over the streak, but not a backoff that the
	// lost attempt is just asking.
	c.toldAt, c.due = 0, 0
	t.forgetAttempt()
	t.pauses = nil
	if lost.Claim() {
		t.pauses = lost.Keep
	}
	c.generation++
	if c.told == halt {
		r.leave(c, now)
		return
	}
	c.attempt = lost.StandIn()
	c.attempt.Keep = t.pauses
	c.Resume(c.attempt, lost.Lost(stuck, now.elapsed()-lost.Began()), int(c.generation))
}

// Overdue is called when an attempt has run into its timeout or stalled.
func (c *child) Overdue(a *actor.Attempt, why events.Reason) {
	r := c.run
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.attempt == a && c.told == goOn && !c.again {
		r.awaitReturn(c, why, r.now())
	}
}
