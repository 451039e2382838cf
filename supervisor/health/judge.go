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
	since            time.Time // when its trouble began
	fallsAt, settles time.Time
	fallsAtOnce      bool
}

// readiness judges n and what is below it. What is optional for the rest of the
// app is not, for itself.
func (j judge) readiness(n *supervisor.Node) Report { return j.ready(n).report }

// ready is readiness, with all that was found.
func (j judge) ready(n *supervisor.Node) judge {
	j.open(n)
	if n.Path != j.root.Path && closed(j.root) {
		j.add(j.finding(j.root, Critical)) // the best of parts does not serve after that
	}
	j.judgeReady(n, true)
	j.count(n)
	j.close(StatusReady, StatusDegraded, StatusNotReady)
	return j
}

func (j *judge) judgeReady(n *supervisor.Node, critical bool) {
	a := j.memory.recall(n, j.cfg)
	switch r := a.critical; {
	case n.Path == j.root.Path && (n.State == supervisor.StateStarting || closed(n)):
		j.add(j.finding(n, Critical))
	case n.State == supervisor.StateStopped:
		if n.Path != j.report.Path {
			return // somebody wants it so
		}
		j.add(j.finding(n, Critical))
	case !critical:
		if r := a.optional; r.standing != good {
			j.add(finding{node: n, severity: Optional, since: r.since, settles: r.settlesAt(j.cfg)})
		}
	case r.standing == troubled:
		j.add(finding{n, Tolerated, r.since, r.fallsAt(j.cfg), r.settlesAt(j.cfg), r.fallsAtOnce(j.memory.at, j.cfg)})
	case r.standing != good:
		j.add(finding{node: n, severity: Critical, since: r.since, settles: r.settlesAt(j.cfg)})
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
		j.add(j.finding(j.root, Critical))
	}
	j.judgeLive(n, !closed(j.root))
	j.count(n)
	j.close(StatusLive, StatusLive, StatusNotLive)
	return j.report
}

func (j *judge) judgeLive(n *supervisor.Node, critical bool) {
	stuck := n.State == supervisor.StateStuck
	critical = critical && !leaving(n)
	if late := n.Reason == events.ReasonStalled && (stuck || n.State == supervisor.StateStopping); critical && (stuck || late) {
		f := j.finding(n, Tolerated)
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

// finding is one whose course needs no more words.
func (j *judge) finding(n *supervisor.Node, severity Severity) finding {
	return finding{node: n, severity: severity, since: j.memory.recall(n, j.cfg).critical.since}
}

func (j *judge) add(f finding) {
	if f.since.IsZero() {
		f.since = f.node.Since // nobody remembers it, or it was stopped
	}
	j.found = append(j.found, f)
	for _, t := range []time.Time{f.fallsAt, f.settles} {
		if !t.IsZero() && (j.report.Due.IsZero() || t.Before(j.report.Due)) {
			j.report.Due = t
		}
	}
}

// close puts the worst into words, and has the status follow: the first without
// problems, the last with a critical one.
func (j *judge) close(well, impaired, bad Status) {
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
		j.report.Problems = append(j.report.Problems, f.describe(j.memory.at))
	}
}

// badness orders the states: what will not mend by itself first, then what is
// down, then what is on its way.
var badness = []supervisor.State{
	supervisor.StateFailed, supervisor.StateStuck, supervisor.StateBackingOff, supervisor.StateRestarting,
	supervisor.StateStopping, supervisor.StateStopped, supervisor.StateWaiting, supervisor.StateStarting,
	supervisor.StateRunning, supervisor.StateCompleted,
}

// worse compares for the order of a report: the worst first, and of those the one
// that has been in trouble for longest.
func worse(a, b finding) int {
	return cmp.Or(
		cmp.Compare(a.severity, b.severity),
		cmp.Compare(slices.Index(badness, a.node.State), slices.Index(badness, b.node.State)),
		a.since.Compare(b.since),
		strings.Compare(a.node.Path, b.node.Path),
	)
}
