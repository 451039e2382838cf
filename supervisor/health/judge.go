package health

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
)

// judge makes a report of one look. It reads nothing but what it is given.
type judge struct {
	cfg    *Config
	memory *memory // after the look
	root   *supervisor.Node

	report Report
	found  []finding
}

// finding is a problem that has not been put into words: only the worst are.
type finding struct {
	node             *supervisor.Node
	severity         Severity
	fallsAt, settles time.Time
}

// readiness judges n and what is below it. What is optional for the rest of the
// app is not, for itself.
func (j judge) readiness(n *supervisor.Node) Report {
	j.open(n)
	if n.Path != j.root.Path && closed(j.root) {
		j.add(finding{node: j.root, severity: Critical}) // the best of parts does not serve after that
	}
	j.judgeReady(n, true)
	j.count(n)
	return j.close(StatusReady, StatusDegraded, StatusNotReady)
}

func (j *judge) judgeReady(n *supervisor.Node, critical bool) {
	switch r := j.memory.recall(n, j.cfg); {
	case n.Path == j.root.Path && (n.State == supervisor.StateStarting || closed(n)):
		j.add(finding{node: n, severity: Critical})
	case n.State == supervisor.StateStopped:
		if n.Path != j.report.Path {
			return // somebody wants it so
		}
		j.add(finding{node: n, severity: Critical})
	case !critical:
		if n.State == supervisor.StateFailed || n.State == supervisor.StateStuck || n.Failures > 0 && !isUp(n) {
			j.add(finding{node: n, severity: Optional})
		}
	case r.standing == troubled:
		j.add(finding{n, Tolerated, r.fallsAt(j.cfg), r.settlesAt(j.cfg)})
	case r.standing != good:
		j.add(finding{n, Critical, time.Time{}, r.settlesAt(j.cfg)})
	}
	for i := range n.Children {
		c := &n.Children[i]
		j.judgeReady(c, critical && !c.Optional)
	}
}

// closed says that a root stops, or does not run.
func closed(root *supervisor.Node) bool {
	return root.State == supervisor.StateStopping || root.State.Ended()
}

// liveness judges n and what is below it, and whether the app has ended.
func (j judge) liveness(n *supervisor.Node) Report {
	j.open(n)
	if j.memory.ran && j.root.State.Ended() {
		j.add(finding{node: j.root, severity: Critical})
	}
	j.judgeLive(n, !closed(j.root))
	j.count(n)
	return j.close(StatusLive, StatusLive, StatusNotLive)
}

func (j *judge) judgeLive(n *supervisor.Node, critical bool) {
	stuck := n.State == supervisor.StateStuck
	critical = critical && !leaving(n)
	if late := n.Reason == events.ReasonStalled && (stuck || n.State == supervisor.StateStopping); critical && (stuck || late) {
		f := finding{node: n, severity: Tolerated}
		if late {
			j.report.Overdue++
		}
		if stuck {
			f.fallsAt = after(n.Since, j.cfg.StuckAfter)
			if !f.fallsAt.IsZero() && !j.memory.at.Before(f.fallsAt) {
				f.severity, f.fallsAt = Critical, time.Time{}
			}
		}
		j.add(f)
	}
	for i := range n.Children {
		c := &n.Children[i]
		j.judgeLive(c, critical && !c.Optional)
	}
}

// leaving says that somebody has told a task to end, so that nobody relies on it.
func leaving(n *supervisor.Node) bool {
	switch n.Reason {
	case events.ReasonStopped, events.ReasonRemoved, events.ReasonReplaced:
		return true
	}
	return false
}

func (j *judge) open(n *supervisor.Node) {
	j.report = Report{Path: n.Path, State: n.State}
}

func (j *judge) count(n *supervisor.Node) {
	if n.Declared && !n.IsSupervisor && !n.State.Ended() {
		j.report.Tasks++
	}
	for i := range n.Children {
		if c := &n.Children[i]; c.Declared {
			j.count(c)
		}
	}
}

func (j *judge) add(f finding) {
	j.found = append(j.found, f)
	for _, t := range []time.Time{f.fallsAt, f.settles} {
		if !t.IsZero() && (j.report.Due.IsZero() || t.Before(j.report.Due)) {
			j.report.Due = t
		}
	}
}

// close puts the worst into words, and gives the status that follows: the first
// without problems, the last with a critical one.
func (j *judge) close(well, impaired, bad Status) Report {
	slices.SortFunc(j.found, worse)
	j.report.Status = well
	if len(j.found) > 0 {
		j.report.Status = impaired
		if j.found[0].severity == Critical {
			j.report.Status = bad
		}
	}
	kept := j.found[:min(len(j.found), j.cfg.MaxProblems)]
	j.report.More = len(j.found) - len(kept)
	for _, f := range kept {
		p := describe(f.node, f.severity, j.memory.at)
		p.FallsIn, p.SettlesIn = j.until(f.fallsAt), j.until(f.settles)
		j.report.Problems = append(j.report.Problems, p)
	}
	return j.report
}

func (j *judge) until(t time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(t.Sub(j.memory.at), 0)
}

// badness orders the states: what will not mend by itself first, then what is
// down, then what is on its way.
var badness = []supervisor.State{
	supervisor.StateFailed, supervisor.StateStuck, supervisor.StateBackingOff, supervisor.StateRestarting,
	supervisor.StateStopping, supervisor.StateStopped, supervisor.StateWaiting, supervisor.StateStarting,
	supervisor.StateRunning, supervisor.StateCompleted,
}

// worse compares for the order of a report: the worst first, and of those the one
// that lasts longest.
func worse(a, b finding) int {
	return cmp.Or(
		cmp.Compare(a.severity, b.severity),
		cmp.Compare(slices.Index(badness, a.node.State), slices.Index(badness, b.node.State)),
		a.node.Since.Compare(b.node.Since),
		strings.Compare(a.node.Path, b.node.Path),
	)
}
