package health

import (
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// memory is what must be known of earlier looks to judge the present one. Of the
// tree as it was then, it has an account of each declared task, and of those added
// at run time while they are in trouble. It is never changed: each look makes the
// next one.
type memory struct {
	at  time.Time // of the last look; zero before the first
	ran bool      // the root was seen running
	of  map[string]account
}

// account is how one task has done, by two measures: a task that is optional for the
// app is not, for those who ask about it alone.
type account struct {
	critical record // it has to be up
	optional record // it must not fail
}

// record is how one task has done by one measure.
type record struct {
	id       events.ID
	restarts int // at the last look
	standing standing
	upSince  time.Time // zero while it is down
	since    time.Time // when its trouble began; zero while it is good
	proof    proof     // of the last time that it was good
}

// proof tells whether a task has failed since it was good.
type proof struct {
	id       events.ID
	restarts int
}

// standing is what a task's history makes of it.
type standing uint8

const (
	unproven standing = iota // it has not been good yet
	good
	troubled // it was good, is not now, and is tolerated
	fallen   // it was good, and has not been for too long
)

// after returns the memory after a look at the tree.
func (m memory) after(root *supervisor.Node, now time.Time, cfg *Config) memory {
	next := memory{at: now, ran: m.ran || isRoot(root) && !root.State.Ended()}
	if root.State.Ended() {
		return next // the next run begins afresh
	}
	next.of = make(map[string]account, len(m.of))
	next.add(&m, root, true, cfg)
	return next
}

// isRoot says that no supervisor runs this one again: a child has an ID.
func isRoot(n *supervisor.Node) bool { return n.ID == 0 }

// add takes down a task and what is below it. Declared means that everything above
// is declared, too.
func (m *memory) add(before *memory, n *supervisor.Node, declared bool, cfg *Config) {
	a := before.of[n.Path]
	if !declared && a.critical.id != n.ID {
		a = account{} // it only has the name of the one before
	}
	a = a.after(n, before.at, m.at, cfg)
	if declared || a.optional.standing != good {
		m.of[n.Path] = a
	}
	for i := range n.Children {
		c := &n.Children[i]
		m.add(before, c, declared && c.Declared, cfg)
	}
}

// recall returns the account of a task; one that there is none of is judged by the
// present look alone.
func (m *memory) recall(n *supervisor.Node, cfg *Config) account {
	if a, ok := m.of[n.Path]; ok {
		return a
	}
	return account{}.after(n, m.at, m.at, cfg)
}

// after returns the account of a task after a look at it; last is when the look
// before was.
func (a account) after(n *supervisor.Node, last, now time.Time, cfg *Config) account {
	return account{
		critical: a.critical.after(n, isUp(n), last, now, cfg),
		optional: a.optional.after(n, !isWrong(n), last, now, cfg),
	}
}

// after returns the record of a task after a look that found it up, or down.
func (r record) after(n *supervisor.Node, up bool, last, now time.Time, cfg *Config) record {
	if n.State == supervisor.StateStopped {
		return record{standing: good} // somebody wants it so
	}
	failures, sameLife := n.Restarts, r.id == n.ID
	if sameLife {
		failures -= r.restarts
	}

	// Since when it is up without a break, as far as can be known.
	switch {
	case !up:
		r.upSince = time.Time{}
	case r.upSince.IsZero() || failures > 0 || !sameLife:
		r.upSince = n.Since
	}

	// A good one that is down now, or was since the last look, is in trouble: one
	// failure is taken for as short as it may have been, several are not.
	switch {
	case r.standing == good && (!up || failures > 0):
		r.standing, r.since = troubled, n.Since
		if failures > 1 {
			r.since = last
		}
	case r.standing == unproven && r.since.IsZero():
		r.since = n.Since
	}

	// It falls when the trouble is old and it still goes down.
	if r.standing == troubled {
		down := r.since
		switch {
		case !up:
			down = now
		case failures > 0 || !sameLife:
			down = n.Since
		}
		if down.Sub(r.since) >= cfg.Tolerate {
			r.standing = fallen
		}
	}

	// It is good when it has settled.
	if up && (r.standing == good || r.settled(n, now, cfg)) {
		r.standing, r.since, r.proof = good, time.Time{}, proof{n.ID, n.Restarts}
	}
	r.id, r.restarts = n.ID, n.Restarts
	return r
}

// settled says that a task that is up may be relied on again.
func (r record) settled(n *supervisor.Node, now time.Time, cfg *Config) bool {
	failing := n.Failures > 0
	if r.standing != unproven {
		failing = failing || r.proof != proof{n.ID, n.Restarts}
	}
	return !failing || n.State == supervisor.StateCompleted || now.Sub(r.upSince) >= cfg.Settle
}

// fallsAt is when a task that is down will not be tolerated any more, or zero.
func (r record) fallsAt(cfg *Config) time.Time {
	if r.standing != troubled || !r.upSince.IsZero() {
		return time.Time{}
	}
	return after(r.since, cfg.Tolerate)
}

// fallsAtOnce says that the tolerance of a task that settles is used up.
func (r record) fallsAtOnce(now time.Time, cfg *Config) bool {
	return r.standing == troubled && !r.upSince.IsZero() && now.Sub(r.since) >= cfg.Tolerate
}

// settlesAt is when a task that is up will be good again, or zero.
func (r record) settlesAt(cfg *Config) time.Time {
	if r.standing == good || r.upSince.IsZero() {
		return time.Time{}
	}
	return after(r.upSince, cfg.Settle)
}

// after is t.Add(d), or zero for policy.Forever.
func after(t time.Time, d time.Duration) time.Time {
	if d == policy.Forever {
		return time.Time{}
	}
	return t.Add(d)
}

// isUp says that a task does what it is there for, or has done it. A supervisor
// does its part when it is not busy with its children; they speak for themselves.
func isUp(n *supervisor.Node) bool {
	if n.IsSupervisor && !n.State.Ended() && n.State != supervisor.StateBackingOff {
		return n.State == supervisor.StateRunning
	}
	return n.Ready
}

// isWrong says that a task is down because of a failure. That it starts, stops or
// waits for a permit is its ordinary life.
func isWrong(n *supervisor.Node) bool {
	return n.State == supervisor.StateFailed || n.State == supervisor.StateStuck || n.Failures > 0 && !isUp(n)
}
