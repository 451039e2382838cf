package supervisor

import (
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// group is a group restart under way: the children from pivot on are stopped in
// reverse, the offender's pause is waited once, and then they start in order.
type group struct {
	pivot  *child // the first member
	cursor *child // the next to stop; nil when all have
	pause  time.Duration
	at     instant // when to start again; set when all have stopped
}

func (g *group) includes(c *child) bool {
	return g.pivot != nil && c.position >= g.pivot.position
}

func (g *group) unlinked(c *child) {
	if g.cursor == c {
		g.cursor = nil
		if c != g.pivot {
			g.cursor = c.prev
		}
	}
	if g.pivot == c {
		g.pivot = c.next
	}
}

func (g *group) replaced(old, fresh *child) {
	if g.cursor == old {
		g.cursor = fresh
	}
	if g.pivot == old {
		g.pivot = fresh
	}
}

// beginGroup is called when a child failed whose strategy restarts others with
// it. A wider group takes over one that is under way.
func (r *run) beginGroup(c *child, pause time.Duration, now instant) {
	c.told = halt
	c.reason = events.ReasonGroup
	pivot := c
	if r.cfg.Strategy == OneForAll {
		pivot = r.first
	}
	if old := r.group; old != nil { // its offender's pause is owed too
		left := old.pause
		if old.at != 0 {
			left = old.at.since(now)
		}
		pause = max(pause, left)
	}
	r.group = &group{pivot: pivot, cursor: r.last, pause: pause}
	if r.unready != nil && r.group.includes(r.unready) {
		r.unready = nil
	}
	if r.regroup == 0 {
		r.regroup = now
	}
	r.tellGroup(c.lastErr(), pause, now)
	r.poke()
}

// haltMembers goes on to stop the members of the group one by one, the youngest first, and says
// whether all have stopped.
func (r *run) haltMembers(now instant) bool {
	g := r.group
	for c := g.cursor; c != nil; c = g.cursor {
		if c.alive {
			if c.told == goOn {
				r.tellToStop(c, groupOrder(c), events.ReasonGroup, now)
			}
			return false // until it has ended, or its grace is over
		}
		if c == g.pivot {
			g.cursor = nil
		} else {
			g.cursor = c.prev
		}
	}
	return true
}

// goOnHalting has the next member stop when one has. The conductor would only be one more to wake
// for each; it is when all have stopped.
func (r *run) goOnHalting() {
	if !r.halted {
		return
	}
	r.halted = false
	if r.stop != nil || r.group == nil || r.haltMembers(r.now()) {
		r.wanted = true
	}
}

// stepGroup goes on with the group restart and returns when to look again.
func (r *run) stepGroup(now instant) (until instant) {
	g := r.group
	if !r.haltMembers(now) {
		return 0
	}

	// All have stopped: the offender's pause counts from here.
	if g.at == 0 {
		g.at = after(now, g.pause)
	}
	if now < g.at {
		return g.at
	}

	// Let the start order take over, from the first member on.
	for c := g.pivot; c != nil; {
		next := c.next
		r.readmit(c, now)
		c = next
	}
	if r.starting == nil || (g.pivot != nil && g.pivot.position < r.starting.position) {
		r.starting = g.pivot
	}
	r.group = nil
	return 0
}

// groupOrder is what a member is told: a task that is never restarted ends.
func groupOrder(c *child) order {
	if c.set.spec.Restart == policy.Never {
		return end
	}
	return halt
}

// readmit makes a member of the group one that waits to be started: those that
// were stopped for it, and those that had completed, as a new life. Those that
// someone stopped, or that had given up, stay as they are.
func (r *run) readmit(c *child, now instant) {
	switch {
	case c.state == StateRestarting:
		c.enterState(StateStarting, now)
		c.told = goOn
		if c.trouble != nil {
			c.trouble.next = 0
		}
	case c.state == StateCompleted && c.set.spec.Restart != policy.Never:
		r.renew(c, now)
	}
}

// renew gives an ended child's place and name to a new life of its task.
func (r *run) renew(c *child, now instant) *child {
	fresh := &child{run: r, set: c.set, generation: 1, declared: c.declared, rowAt: c.rowAt}
	fresh.Init(fresh, r.path, r.env.tree, c.Task(), &c.set.terms, c.Name())
	fresh.enterState(StateStarting, now)
	if fresh.set.spec.Significant {
		r.significant++
	}
	r.replace(c, fresh)
	return fresh
}

// tellToStop gives a child that has a goroutine an order that ends its attempt
// or its wait.
func (r *run) tellToStop(c *child, o order, why events.Reason, now instant) {
	c.told, c.reason = o, why
	if c.attempt == nil {
		c.toldAt = now
		c.rouse()
		return
	}
	r.cutShort(c, why, now)
}

// cutShort ends the context of the present attempt, to which it should react
// within its grace.
func (r *run) cutShort(c *child, why events.Reason, now instant) {
	r.awaitReturn(c, why, now)
	r.cancels = append(r.cancels, cancel{c.attempt, why})
}

// awaitReturn sees to it that an attempt whose context has ended is found stuck
// when its grace is over.
func (r *run) awaitReturn(c *child, why events.Reason, now instant) {
	if c.state != StateStuck {
		c.enterState(StateStopping, now)
	}
	if c.told == goOn {
		c.reason = why
	}
	if c.toldAt == 0 {
		c.toldAt = now
	}
	r.tellStopping(c, now)
	var by instant
	if c.set.spec.Grace != policy.Forever {
		by = after(now, c.set.spec.Grace)
	}
	if r.stop != nil {
		by = within(by, r.stop.share())
	}
	if by == 0 && c.set.head != nil && c.told == end {
		by = after(now, c.set.head.stopTimeout())
	}
	if by != 0 {
		r.expect(c, by, now)
	}
}

// expect has c return by a time. A supervisor keeps the time itself, because it
// knows better what is stuck; it is looked after only when it is late.
func (r *run) expect(c *child, by, now instant) {
	if c.set.head != nil {
		c.set.head.hurry(r.time(by), c.told != end || (r.stop != nil && r.patient()))
		by = after(by, familySlack)
	}
	r.watch(c, by, now)
}

// familySlack is how long a supervisor may take to wind up after its own
// deadline. One that is still at it is given that much again, up to ten times.
const familySlack = time.Second

var _ actor.Parent = (*child)(nil)
