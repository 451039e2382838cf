package inspect

import (
	"slices"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// way leads from a task up to the child of the root: a failure goes along it as far
// as supervisors end by it.
type way []*level

// level is one task on a way, and what its supervisor knows about it.
type level struct {
	of       *node
	delays   *delays
	failures int       // in the present streak
	pauses   int       // of the backoff since it began with its first
	up       time.Time // since when it has been healthy
	unready  bool      // it keeps its supervisor from starting
	window   *policy.Window

	said  Answer // to the last failure
	pause delay  // and before the next attempt
}

// wayUp returns the way of a task as things are now.
func wayUp(n *node, now time.Time) (w way) {
	for ; n.up != nil; n = n.up.self {
		l := begin(n, now)
		l.unready = n.unready()
		if n.live != nil && !n.ended() {
			l.failures, l.pauses = n.live.Failures, n.live.Failures
			if !n.live.UpSince.IsZero() {
				l.up = n.live.UpSince
			}
		}
		if live := n.up.self.live; live != nil {
			for range live.RestartsInWindow {
				l.window.Allow(n.up.cfg.Intensity, now)
			}
		}
		w = append(w, l)
	}
	return w
}

// begin returns the level of a task at the beginning of a run of its supervisor.
func begin(n *node, now time.Time) *level {
	return &level{of: n, delays: &delays{of: n.spec.Backoff}, up: now, window: &policy.Window{}}
}

// fail has the first task of the way fail, and returns how many supervisors end by it.
func (w way) fail(now time.Time) (ended int) {
	for _, l := range w {
		l.answer(now)
		if !l.said.EndsSupervisor() {
			break
		}
		ended++
	}
	return ended
}

// answer decides, as a supervisor does, what follows a failure.
func (l *level) answer(now time.Time) {
	healthy := now.Sub(l.up)
	if l.of.spec.AwaitReady {
		healthy-- // to be ready takes a moment at least
	}
	if healthy >= l.of.spec.ResetAfter {
		l.pauses = 0
		if l.of.heals {
			l.failures = 0
		}
	}
	l.failures++
	l.pause = l.delays.at(l.pauses)
	l.pauses++

	f := l.of.up
	switch l.of.spec.Rules().Next(policy.Failed, l.failures) {
	case policy.Escalate:
		l.said = AnswerEscalate
	case policy.GiveUp:
		l.said = l.giveUp()
	default:
		switch {
		case !l.window.Allow(f.cfg.Intensity, now):
			l.said = AnswerExceeded
		case l.unready || l.of.alone():
			l.said = AnswerRetry
		default:
			l.said = AnswerGroup
		}
	}
}

// giveUp is what follows when the task has failed for good.
func (l *level) giveUp() Answer {
	f := l.of.up
	others := slices.DeleteFunc(slices.Clone(f.kids), func(c *node) bool { return c == l.of || c.ended() })
	awaited := slices.ContainsFunc(others, func(c *node) bool { return c.spec.Significant })
	switch auto := f.cfg.AutoShutdown; {
	case l.unready && l.of.declared && !l.of.spec.Optional:
		return AnswerNotStarted
	case l.of.spec.Significant && (auto == supervisor.AutoShutdownAny || auto == supervisor.AutoShutdownAll && !awaited):
		return AnswerShutdown
	case f.cfg.EndWhenEmpty && len(others) == 0:
		return AnswerEmptied
	}
	return AnswerGiveUp
}

// goOn has the task of a level begin its next attempt, and those below it a new life.
// It reports whether they have one: what was added at run time has not.
func (w way) goOn(from int, now time.Time) bool {
	w[from].up, w[from].unready = now, false
	for i := from - 1; i >= 0; i-- {
		declared := w[i+1].of.renewed().below.declared
		at := slices.IndexFunc(declared, named(w[i].of.spec))
		if !w[i].of.declared || at < 0 {
			return false
		}
		if old := w[i]; old.of == declared[at] {
			*old = level{of: old.of, delays: old.delays, up: now, window: &policy.Window{}}
			continue
		}
		w[i] = begin(declared[at], now)
	}
	return true
}

func named(spec actor.Spec) func(*node) bool {
	return func(n *node) bool { return n.spec.Name == spec.Name }
}

// maxFailures is how many failures are followed. What takes more would last for weeks
// with any backoff worth its name, and counts as without end.
const maxFailures = 100_000

// failuresToEnd counts the failures in a row, as fast as the backoffs allow, until the
// root ends. It uses up the way.
func (w way) failuresToEnd(now time.Time) int {
	if slices.ContainsFunc(w, func(l *level) bool { return l.holds(now) }) {
		return Never // and none has to be followed
	}
	for n := 1; n <= maxFailures; n++ {
		ended := w.fail(now)
		if ended == len(w) {
			return n
		}
		last := w[ended]
		if !last.said.RunsAgain() {
			return Never
		}
		now = now.Add(last.pause.low)
		if !w.goOn(ended, now) {
			return Never
		}
	}
	return Never
}

// holds says that no failures of the task alone end its supervisor: it is retried without
// limit, and too slowly for the intensity, if there is one.
func (l *level) holds(now time.Time) bool {
	if !l.of.retries() || l.of.limited() {
		return false
	}
	in := l.of.up.cfg.Intensity
	if in.IsZero() || in.Restarts == policy.Unlimited {
		return true
	}
	return l.window.InUse(in, now) == 0 && l.of.mostRetries(in.Within, in.Restarts+1) <= in.Restarts
}
