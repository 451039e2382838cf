package supervisor

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// stop is the end of a run under way.
type stop struct {
	err      error // why it ends by itself; nil for a clean stop
	ordered  bool  // one child after the other, the youngest first
	cursor   *child
	toldAll  bool
	patient  bool // as run.patient when the conductor looked last
	began    instant
	hurry    instant // from here on order is given up
	deadline instant
	stuck    []*actor.StuckError
	log      stopLog
}

// deadline returns when a stop that begins at now has to be over. One that makes
// room for the next run of the same supervisor waits as long as it takes, unless
// its Config says otherwise: there shall be no second incarnation of a task
// beside a live one.
func (r *run) deadline(now instant, again bool) instant {
	var by instant
	if w := r.s.wish.Load(); w != nil {
		by = r.instant(w.by)
	}
	switch own := r.cfg.StopTimeout; {
	case own != 0:
		return within(by, after(now, own))
	case by != 0:
		return by
	case again:
		return after(now, policy.Forever)
	}
	return after(now, policy.DefaultStopTimeout)
}

// share is until when the stop of one child may take: a task that is stopped while
// others still wait for their turn leaves them the last tenth of the time.
func (s *stop) share() instant {
	if s.toldAll {
		return s.deadline
	}
	return s.hurry
}

// stuckIn returns what an outcome says about tasks that were left behind: the
// task itself, or those that a supervisor's Run has named.
func stuckIn(o *actor.Outcome) []*actor.StuckError {
	if stuck, ok := o.Err.(*actor.StuckError); ok && o.Kind == events.Abandoned { //nolint:errorlint // set by this package
		return []*actor.StuckError{stuck}
	}
	return stuckBelow(o.StopErr)
}

// stuckBelow returns the tasks that the Run of a supervisor has named in err. It
// may call a user's errors, so it is called without the lock.
func stuckBelow(err error) (stuck []*actor.StuckError) {
	defer func() { _ = recover() }() // of an As or Unwrap that panics
	var left *StopError
	if errors.As(err, &left) {
		return left.Stuck
	}
	return nil
}

// keepLeft remembers what the run of a supervisor below has left behind.
func (r *run) keepLeft(stuck []*actor.StuckError) {
	switch {
	case len(stuck) == 0:
	case r.stop != nil:
		r.stop.stuck = append(r.stop.stuck, stuck...)
	default:
		r.left = append(r.left, stuck...)
		r.left = r.left[max(len(r.left)-maxLeft, 0):]
	}
}

// maxLeft bounds what is remembered of runs that are over.
const maxLeft = 1000

// beginStop ends the run: the conductor stops the children and Run returns err.
// Only the first call has an effect.
func (r *run) beginStop(err error, ordered bool, now instant) {
	if r.stop != nil {
		return
	}
	asked := now
	if r.asked != 0 {
		asked = r.asked
	}
	deadline := r.deadline(asked, r.again)
	r.stop = &stop{
		err: err, ordered: ordered, cursor: r.last, patient: r.patient(),
		began: now, deadline: deadline, hurry: deadline - (deadline-now)/10,
	}
	r.group, r.starting, r.unready = nil, nil, nil
	if r.lame == 0 {
		r.closeDoor()
	}
	if r.lame == 0 || err != nil {
		r.tellSelf(events.SupervisorStopping, now, 0, err)
	}
	r.poke()
}

// stepStop goes on with the stop and returns when to look again, and whether
// it is over.
func (r *run) stepStop(now instant) (until instant, over bool) {
	s := r.stop
	r.keepDeadline(now)
	if !s.ordered || now >= s.hurry {
		r.stopAll(now)
	} else {
		until = s.hurry
		for c := s.cursor; c != nil; c = s.cursor {
			r.tellToEnd(c, events.ReasonShutdown, now)
			if c.alive {
				break
			}
			if s.cursor == c { // not moved on by being forgotten
				s.cursor = c.prev
			}
		}
	}
	if r.alive > 0 {
		return until, false
	}
	r.stopAll(now)
	r.over = true
	return 0, true
}

// stopAll tells every child that has not been told, at once.
func (r *run) stopAll(now instant) {
	if r.stop.toldAll {
		return
	}
	r.stop.toldAll = true
	r.cancels, r.watched = slices.Grow(r.cancels, r.alive), slices.Grow(r.watched, r.alive)
	for c := r.last; c != nil; {
		older := c.prev
		r.tellToEnd(c, events.ReasonShutdown, now)
		c = older
	}
}

// tellToEnd has a child end for good. One without a goroutine ends here.
func (r *run) tellToEnd(c *child, why events.Reason, now instant) {
	switch {
	case c.state.Ended():
	case !c.alive:
		c.told, c.reason, c.toldAt = end, why, now
		r.finish(c, events.Stopped, nil, now)
	case c.told == end && r.stop != nil && c.attempt != nil:
		r.hasten(c, false, now)
	case c.told != end:
		r.tellToStop(c, end, why, now)
	}
}

// hasten gives a child that is being stopped already the deadline of the whole
// stop, if that is earlier. One that has been waited for gets its grace once more, when
// that patience is over.
func (r *run) hasten(c *child, impatient bool, now instant) {
	by := r.stop.share()
	if impatient && c.set.spec.Grace != policy.Forever {
		by = within(by, after(now, c.set.spec.Grace))
	}
	if c.due == 0 || by < c.due {
		r.expect(c, by, now)
	}
}

// wish is until when the stop of a supervisor may take, and whether it makes room for the
// next run.
type wish struct {
	by    time.Time
	again bool
}

// hurry tells a supervisor, from above, what is wished. Who stops for good may say so later,
// but not the other way round.
func (s *Supervisor) hurry(by time.Time, again bool) {
	old := s.wish.Load()
	if old != nil {
		again = again && old.again
		if old.by.Equal(by) && old.again == again {
			return
		}
	}
	s.wish.Store(&wish{by, again})
	if r := s.current.Load(); r != nil {
		r.poke()
	}
}

// patient says that the run makes room for the next one, as far as its parent has said:
// then there shall be no second incarnation of a task beside a live one.
func (r *run) patient() bool {
	w := r.s.wish.Load()
	return r.again && (w == nil || w.again)
}

// keepDeadline brings the deadline forward when the parent has done so after
// the stop began, and tells those below when it is not to run again after all.
func (r *run) keepDeadline(now instant) {
	s := r.stop
	by := r.deadline(now, r.again)
	impatient := s.patient && !r.patient()
	switch {
	case by < s.deadline:
		s.deadline, s.hurry = by, by-max(by-now, 0)/10
	case !impatient:
		return
	}
	s.patient = s.patient && !impatient
	for c := r.last; c != nil; c = c.prev {
		if c.attempt != nil && c.told == end {
			r.hasten(c, impatient, now)
		}
	}
}

// result is what Run returns.
func (r *run) result() error {
	r.mu.Lock()
	left := r.left
	r.mu.Unlock()
	left = stillThere(left)

	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	r.closeLog(left, now)
	stuck := append(left, r.stop.stuck...)
	for _, z := range r.zombies {
		e := *z.stuck
		e.For = now.since(z.toldAt)
		stuck = append(stuck, &e)
	}
	err := r.stop.err
	if len(stuck) > 0 {
		slices.SortFunc(stuck, func(a, b *actor.StuckError) int { return strings.Compare(a.Path, b.Path) })
		left := &StopError{Path: r.name(), Took: now.since(r.stop.began), Stuck: stuck}
		if err == nil {
			err = left
		} else {
			err = errors.Join(err, left)
		}
	}
	r.tellSelf(events.SupervisorStopped, now, now.since(r.stop.began), err)
	return err
}

// stillThere returns those of the tasks left behind in the past that have still
// not returned.
func stillThere(left []*actor.StuckError) []*actor.StuckError {
	if len(left) == 0 {
		return nil
	}
	byLabel := profile()
	var there []*actor.StuckError
	for _, e := range left {
		if len(e.Goroutines) > 0 && len(byLabel[e.Goroutines[0].Label]) > 0 {
			there = append(there, e)
		}
	}
	return there
}
