package inspect

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// Never as a number of failures means that no number of them ends the tree.
const Never = 0

// Explanation is what happens if one task fails now. The JSON names are stable; there
// durations are numbers of seconds, and null is policy.Forever.
type Explanation struct {
	// Path is the task that fails.
	Path string `json:"path"`
	// Answer is what its supervisor does about it.
	Answer Answer `json:"answer"`
	// Steps are all answers, from that one upward: a supervisor that ends has failed in
	// the eyes of the one above it.
	Steps []Step `json:"steps"`
	// RunsAgain says that the task is among those that start.
	RunsAgain bool `json:"runs_again"`
	// DelayLow and DelayHigh are the range in which the pause lies, after what has to
	// stop has stopped and before anything starts. Forever, as the high end, means that
	// a custom backoff decides.
	DelayLow  time.Duration `json:"delay_low"`
	DelayHigh time.Duration `json:"delay_high"`
	// Stops are the tasks that are told to stop, in that order: those that run now, and
	// are not the one that fails. A supervisor is told before what is below it, and has
	// stopped after that. What a supervisor stops side by side (OneForOne) it tells all at
	// once, and what is below those in no order.
	Stops []string `json:"stops,omitempty"`
	// Starts are the tasks that begin an attempt then, in that order, each when its elders
	// are ready. For one that is Optional, or not there to say when it is ready, the
	// younger do not wait: what is below an Optional supervisor starts beside them.
	Starts []string `json:"starts,omitempty"`
	// Ends are the supervisors above the task that end because of it, innermost first. All
	// but a root may be among Starts again.
	Ends []string `json:"ends,omitempty"`
	// WorstStop is the longest that the stops may take before anything starts, or until
	// the root has ended. Forever means that some task is waited for until it returns, as
	// it is by default when it is to run again.
	WorstStop time.Duration `json:"worst_stop"`
	// KeptStop is the same if each task returns within its grace.
	KeptStop time.Duration `json:"kept_stop"`
	// TreeStop is the longest that a stop of the whole tree may take with the tasks that
	// are in it now: those that are declared, if it does not run. What is added at run
	// time may make it longer. Here and in WorstStop a supervisor counts as having stopped
	// when its children have: how late it may be, and what subscribers are given to catch
	// up, see supervisor.Config, is not in it.
	TreeStop time.Duration `json:"tree_stop"`
	// FailuresToEnd is how many failures of this task in a row, this one included, end
	// the root, and Never if none do, or not within a hundred thousand. They come as fast
	// as the backoffs allow: each attempt is ready at once and fails, nothing else does,
	// and nothing takes time to stop. The restarts that lie in a window now count as if
	// they were of this moment.
	FailuresToEnd int `json:"failures_to_end"`
}

// Step is the answer of one supervisor to the failure of one of its children.
type Step struct {
	Supervisor string `json:"supervisor"`
	Child      string `json:"child"`
	Answer     Answer `json:"answer"`
}

// Explain says what happens if a task of the tree below s fails now, with an ordinary
// error that asks for nothing. The address is a name, a path below s or a full path.
// It may be that of a supervisor: that one then ends by itself, and what is below it
// stops before anything else.
//
// A task that has ended is taken for one that was started again, and one that pauses
// for one that fails as soon as it goes on. Each failure of a streak is taken to have
// been followed by a pause of the backoff; if an error has asked for another one, or an
// attempt was healthy in between, the delay may be shorter than DelayLow.
//
// The error is a *supervisor.ChildError with supervisor.ErrNotFound for an address that
// is not in the tree, and a *supervisor.ConfigError for a tree that would refuse to run.
func Explain(s *supervisor.Supervisor, address string) (*Explanation, error) {
	if s == nil {
		return nil, &policy.FieldError{Field: "s", Reason: "must not be nil"}
	}
	if err := s.Validate(); err != nil {
		return nil, err
	}
	root, now := presentOf(s), time.Now()
	n, err := root.find(address)
	if err != nil {
		return nil, err
	}
	return explain(root, n, now), nil
}

func explain(root, n *node, now time.Time) *Explanation {
	e := &Explanation{Path: n.path, TreeStop: (&reckoner{kids: lastingKids}).tree(root)}
	for at := n; at != nil; at = at.above() {
		if at.stopping() {
			e.Answer = AnswerNothing
			e.Steps = []Step{{n.up.self.path, n.path, AnswerNothing}}
			return e
		}
	}

	w := wayUp(n, now)
	ended := w.fail(now)
	for _, l := range w[:min(ended+1, len(w))] {
		e.Steps = append(e.Steps, Step{l.of.up.self.path, l.of.path, l.said})
	}
	e.Answer = e.Steps[0].Answer
	if ended < len(w) && w[ended].said.RunsAgain() {
		e.DelayLow, e.DelayHigh = w[ended].pause.low, w[ended].pause.high
	}

	m := w.move(ended)
	e.Stops, e.Starts, e.Ends = m.stops, m.starts, m.ends
	e.WorstStop, e.KeptStop = m.worst, m.kept
	e.RunsAgain = slices.Contains(e.Starts, e.Path)
	e.FailuresToEnd = wayUp(n, now).failuresToEnd(now)
	return e
}

// above returns the supervisor of n, or nil.
func (n *node) above() *node {
	if n.up == nil {
		return nil
	}
	return n.up.self
}

// find resolves an address as the verbs of a supervisor do.
func (n *node) find(address string) (*node, error) {
	unknown := func(err error) error {
		return &supervisor.ChildError{Act: "explain", Path: address, Err: err}
	}
	if address == n.path {
		return nil, unknown(fmt.Errorf("%w: it is the supervisor that was asked", supervisor.ErrNotFound))
	}
	rest := address
	if strings.HasPrefix(address, "/") {
		var ok bool
		if rest, ok = strings.CutPrefix(address, strings.TrimSuffix(n.path, "/")+"/"); !ok {
			return nil, unknown(supervisor.ErrNotFound)
		}
	}
	for name := range strings.SplitSeq(rest, "/") {
		if n.below == nil {
			return nil, unknown(supervisor.ErrNotFound)
		}
		kids := n.below.kids
		if n.live != nil && n.live.Children == nil {
			kids = n.renewed().below.kids // between two runs
		}
		at := slices.IndexFunc(kids, func(c *node) bool { return c.spec.Name == name })
		if at < 0 {
			return nil, unknown(supervisor.ErrNotFound)
		}
		n = kids[at]
	}
	return n, nil
}
