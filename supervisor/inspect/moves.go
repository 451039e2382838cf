package inspect

import (
	"slices"
	"time"

	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// moves are what a failure brings about.
type moves struct {
	ends, stops, starts []string
	// worst and kept are how long the stops take: at the longest, and if each task
	// returns within its grace.
	worst, kept time.Duration
}

// move returns what follows the answers to a failure, by which so many supervisors end.
func (w way) move(ended int) (m moves) {
	if first := w[0].of; first.below != nil && first.runs() {
		m.end(first.below, nil, false)
	}
	for _, l := range w[:ended] {
		m.ends = append(m.ends, l.of.up.self.path)
		m.end(l.of.up, l.of, l.said == AnswerNotStarted)
	}
	if ended == len(w) {
		return m
	}
	switch l := w[ended]; l.said {
	case AnswerRetry:
		m.start(l.of)
	case AnswerGroup:
		m.restart(l.of.group(), l.of)
	}
	return m
}

// end notes the stop of a supervisor that ends by itself, by one of its children.
func (m *moves) end(f *family, by *node, ordered bool) {
	m.take(func(r *reckoner) time.Duration { return r.ownEnd(f, by, ordered) })
	m.tell(without(presentKids(f), by), ordered || f.ordered())
}

// restart notes that all members of a group stop, and start again if they do.
func (m *moves) restart(members []*node, by *node) {
	var running []*node
	for _, c := range members {
		if c != by && c.runs() {
			running = append(running, c)
		}
	}
	m.take(func(r *reckoner) time.Duration { return r.group(running, by) })
	m.tell(running, true)
	for _, c := range members {
		if c == by || c.comesBack() {
			m.start(c)
		}
	}
}

// take adds the time that a stop takes.
func (m *moves) take(reckon func(*reckoner) time.Duration) {
	m.worst = plus(m.worst, reckon(&reckoner{kids: presentKids}))
	m.kept = plus(m.kept, reckon(&reckoner{kids: presentKids, kept: true}))
}

// tell notes who is told to stop, the youngest first: each with what is below it, or
// all of them before what is below.
func (m *moves) tell(kids []*node, ordered bool) {
	for _, c := range slices.Backward(kids) {
		m.stops = append(m.stops, c.path)
		if ordered && c.below != nil {
			m.tell(presentKids(c.below), c.below.ordered())
		}
	}
	if ordered {
		return
	}
	for _, c := range slices.Backward(kids) {
		if c.below != nil {
			m.tell(presentKids(c.below), c.below.ordered())
		}
	}
}

// start notes that a task starts, with what it declares if it is a supervisor.
func (m *moves) start(n *node) {
	m.starts = append(m.starts, n.path)
	if n.below == nil {
		return
	}
	for _, c := range n.renewed().below.declared {
		m.start(c)
	}
}

// comesBack says that a member of a group starts again with it.
func (n *node) comesBack() bool {
	again := n.spec.Restart != policy.Never
	if n.live == nil {
		return again
	}
	switch n.live.State {
	case supervisor.StateCompleted:
		return again
	case supervisor.StateStopped, supervisor.StateFailed:
		return false
	case supervisor.StateStarting:
		return again || n.live.Attempt == 0 // it has not begun yet
	}
	return again
}

func without(kids []*node, but *node) []*node {
	return slices.DeleteFunc(kids, func(c *node) bool { return c == but })
}
