package inspect

import (
	"slices"
	"time"

	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// reckoner reckons how long stops take at the longest.
type reckoner struct {
	// kids are the children of a supervisor that take part.
	kids func(*family) []*node
	// kept: each task returns within its grace.
	kept bool
}

// stopping is how a supervisor comes to be stopped.
type stopping struct {
	// within is what whoever stops it leaves, Forever if nothing.
	within time.Duration
	// asked says that somebody asked for it, which its lame-duck time begins with.
	asked bool
	// patient says that it makes room for its own next run: unless a task says so,
	// nothing is abandoned then before the time is over.
	patient bool
	// ordered has the children stop one after the other whatever the strategy.
	ordered bool
	// but is a child that has ended already.
	but *node
}

// ownTime is what a supervisor has for its stop when nobody leaves it less.
func (f *family) ownTime() time.Duration {
	if f.cfg.StopTimeout > 0 {
		return f.cfg.StopTimeout
	}
	return policy.DefaultStopTimeout
}

// allowance is the most that a stop of the whole tree leaves to f.
func (f *family) allowance() time.Duration {
	if f.self.up == nil {
		return f.ownTime()
	}
	return f.within(f.given())
}

// given is the most that a stop of the tree leaves to f before its own settings.
func (f *family) given() time.Duration {
	return min(f.self.spec.Grace, f.self.up.share())
}

// within is the time for a stop that is left by others, and by f itself.
func (f *family) within(left time.Duration) time.Duration {
	if f.cfg.StopTimeout > 0 {
		return min(left, f.cfg.StopTimeout)
	}
	return left
}

// share is the most that a stop of the tree leaves to one child of f: in an order,
// the last tenth is for all the others together.
func (f *family) share() time.Duration {
	rest := minus(f.left, f.lameDuck(f.left))
	if f.ordered() {
		return mostOf(rest)
	}
	return rest
}

// lameDuck is the part of the time for a stop in which nothing is stopped yet.
func (f *family) lameDuck(within time.Duration) time.Duration {
	return min(f.cfg.LameDuck, mostOf(within))
}

// mostOf is a time without its last tenth.
func mostOf(d time.Duration) time.Duration { return minus(d, d/10) }

// tree returns how long a stop of the whole tree takes.
func (r *reckoner) tree(root *node) time.Duration {
	return r.family(root.below, stopping{within: root.below.ownTime(), asked: true})
}

// ownEnd returns how long a supervisor takes that ends by itself.
func (r *reckoner) ownEnd(f *family, but *node, ordered bool) time.Duration {
	return r.family(f, stopping{within: f.ownTime(), but: but, ordered: ordered})
}

// family returns how long a supervisor takes to stop.
func (r *reckoner) family(f *family, s stopping) time.Duration {
	within := f.within(s.within)
	kids := slices.DeleteFunc(slices.Clone(r.kids(f)), func(c *node) bool { return c == s.but })
	var t time.Duration
	if s.asked {
		t = f.lameDuck(within)
	}
	if !f.ordered() && !s.ordered {
		return r.sideBySide(kids, t, within, s.patient)
	}

	// One after the other, until only the last tenth of the time is left.
	hurry := plus(t, mostOf(minus(within, t)))
	for len(kids) > 0 && t < hurry {
		youngest := kids[len(kids)-1]
		t = r.child(youngest, t, hurry, within, s.patient)
		kids = kids[:len(kids)-1]
	}
	return r.sideBySide(kids, t, within, s.patient)
}

// sideBySide returns when the last of those has stopped that are told at t.
func (r *reckoner) sideBySide(kids []*node, t, within time.Duration, patient bool) time.Duration {
	end := t
	for _, c := range kids {
		end = max(end, r.child(c, t, within, within, patient))
	}
	return end
}

// child returns when a child has stopped that is told at t and has until share, as
// long as it is not waited for: then only the end of the stop ends it.
func (r *reckoner) child(c *node, t, share, within time.Duration, patient bool) time.Duration {
	by := min(plus(t, c.spec.Grace), share)
	switch {
	case c.below != nil:
		return plus(t, r.family(c.below, stopping{within: minus(by, t), asked: true, patient: patient}))
	case !r.kept && c.waitedFor(patient):
		return within
	}
	return by
}

// group returns how long it takes until the members of a group have stopped.
func (r *reckoner) group(members []*node, but *node) (sum time.Duration) {
	for _, c := range members {
		if c != but {
			sum = plus(sum, r.member(c))
		}
	}
	return sum
}

// member returns how long one member of a group takes. Nothing bounds a supervisor
// that is to run again but its own settings.
func (r *reckoner) member(c *node) time.Duration {
	ends := c.spec.Restart == policy.Never
	switch {
	case c.below != nil && c.spec.Grace == policy.Forever && ends:
		return r.family(c.below, stopping{within: c.below.ownTime(), asked: true})
	case c.below != nil && c.spec.Grace == policy.Forever:
		return r.family(c.below, stopping{within: policy.Forever, asked: true, patient: true})
	case c.below != nil:
		return r.family(c.below, stopping{within: c.spec.Grace, asked: true, patient: !ends})
	case !r.kept && c.waitedFor(!ends):
		return policy.Forever
	}
	return c.spec.Grace
}

// waitedFor says that an attempt is waited for that outlives its grace.
func (n *node) waitedFor(patient bool) bool {
	return n.spec.OnStuck == policy.StuckWait || (n.spec.OnStuck == policy.StuckAuto && patient)
}

// Who takes part in a stop.

// declaredKids are all that a supervisor declares.
func declaredKids(f *family) []*node { return f.declared }

// presentKids are those whose attempt is to be stopped now.
func presentKids(f *family) []*node {
	return slices.DeleteFunc(slices.Clone(f.kids), func(c *node) bool { return !c.runs() })
}

// lastingKids are those that have not ended, whether they run just now or not.
func lastingKids(f *family) []*node {
	kids := f.kids
	if f.self.live != nil && f.self.live.Children == nil {
		kids = f.declared // it will run again
	}
	return slices.DeleteFunc(slices.Clone(kids), func(c *node) bool { return c.ended() })
}

// runs says that there is an attempt.
func (n *node) runs() bool {
	if n.live == nil {
		return true
	}
	switch n.live.State {
	case supervisor.StateRunning, supervisor.StateStopping, supervisor.StateStuck:
		return true
	case supervisor.StateStarting:
		return n.live.Attempt > 0
	}
	return false
}

// ended says that somebody has to act before there is another attempt.
func (n *node) ended() bool { return n.live != nil && n.live.State.Ended() }
