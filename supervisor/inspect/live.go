package inspect

import (
	"context"
	"slices"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// presentOf returns the plan of a tree as it is now: of all that is declared, if it
// does not run.
func presentOf(s *supervisor.Supervisor) *node {
	root := planOf(s)
	if tree := s.Tree(); tree.Children != nil && root.below != nil {
		root.path = tree.Path
		root.enliven(&tree)
	}
	return root
}

// enliven has n be what the listing shows, with the children that are there.
func (n *node) enliven(live *supervisor.Node) {
	n.live = live
	if n.below == nil {
		return
	}
	n.below.kids = nil
	for i := range live.Children {
		shown := &live.Children[i]
		if c := n.below.find(shown); c != nil {
			c.enliven(shown)
			n.below.kids = append(n.below.kids, c)
		}
	}
}

// find returns the plan of a child that the listing shows, or nil when it has gone
// since.
func (f *family) find(shown *supervisor.Node) (c *node) {
	if i := slices.IndexFunc(f.cfg.Children, func(spec actor.Spec) bool { return spec.Name == shown.Name }); shown.Declared && i >= 0 {
		c = f.declare(f.cfg.Children[i])
	} else {
		spec, err := f.head.Settings(shown.Name)
		if err != nil {
			return nil
		}
		c = &node{path: shown.Path, spec: spec, given: spec, up: f}
		c.heals = f.cfg.Defaults.ResetAfter != 0 || spec.ResetAfter != policy.DefaultResetAfter
	}
	if head := headOf(c.spec.Task); head != nil {
		c.adopt(head)
	}
	return c
}

// renewed returns n as it is after its next start: with the children that it declares.
func (n *node) renewed() *node {
	if n.live == nil || n.below == nil {
		return n
	}
	if n.next == nil {
		fresh := *n
		fresh.live, fresh.below = nil, nil
		fresh.adopt(n.below.head)
		fresh.below.self = n // whose place among its siblings it takes
		n.next = &fresh
	}
	return n.next
}

// starting says that f has not been up yet in this run.
func (f *family) starting() bool {
	return f.self.live != nil && f.self.live.State == supervisor.StateStarting
}

// unready says that n is to say when it is ready, has not done so in its life, and its
// supervisor is not up yet.
func (n *node) unready() bool {
	if n.live == nil || !n.spec.AwaitReady || !n.up.starting() {
		return false
	}
	h, err := n.up.head.Handle(n.spec.Name)
	if err != nil {
		return false
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	return h.WaitReady(now) != nil
}

// stopping says that what follows the present attempt of n is decided already.
func (n *node) stopping() bool {
	if n.live == nil {
		return false
	}
	switch n.live.State {
	case supervisor.StateStopping, supervisor.StateStuck:
		late := n.live.Reason == events.ReasonTimeout || n.live.Reason == events.ReasonStalled
		return n.below != nil || !late
	}
	return false
}
