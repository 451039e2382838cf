package inspect

import (
	"slices"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// node is one task of a plan.
type node struct {
	path string
	// spec is what it runs with, given what was declared. Of a root both are empty, and
	// of a task that was added at run time only the first is known.
	spec, given actor.Spec
	// heals: a healthy run gives back its retries.
	heals    bool
	declared bool
	up       *family          // nil at the root
	below    *family          // nil unless it is a supervisor
	live     *supervisor.Node // nil unless it is there in a tree that runs
	invalid  error            // why it is a supervisor that cannot be run
	next     *node            // see renewed
}

// family is a supervisor of a plan.
type family struct {
	self *node
	head *supervisor.Supervisor
	cfg  supervisor.Config
	// declared are its children at the beginning of each run, kids those of the present
	// one: the same, if there is none.
	declared, kids []*node
	// left is the most that a stop of the tree leaves to its own.
	left time.Duration
}

// planOf returns the plan of what is declared.
func planOf(s *supervisor.Supervisor) *node {
	root := &node{path: s.Tree().Path, declared: true}
	root.adopt(s)
	return root
}

// adopt makes n the supervisor s with all that it declares. What is built around a
// supervisor may not pass on that it is invalid: then it counts as one without children,
// since none of them will ever run.
func (n *node) adopt(s *supervisor.Supervisor) {
	f := &family{self: n, head: s}
	if n.invalid = s.Validate(); n.invalid == nil {
		f.cfg = s.Config()
	}
	n.below, f.left = f, f.allowance()
	for _, spec := range f.cfg.Children {
		c := f.declare(spec)
		f.declared = append(f.declared, c)
		if head := headOf(spec.Task); head != nil {
			c.adopt(head)
		}
	}
	f.kids = f.declared
}

func (f *family) declare(spec actor.Spec) *node {
	return &node{
		path: f.path(spec.Name), spec: f.head.Resolve(spec), given: spec, declared: true, up: f,
		heals: spec.ResetAfter != 0 || f.cfg.Defaults.ResetAfter != 0,
	}
}

// path returns that of a child.
func (f *family) path(name string) string {
	return strings.TrimSuffix(f.self.path, "/") + "/" + name
}

// headOf returns the supervisor of a family, or nil.
func headOf(t actor.Task) *supervisor.Supervisor {
	if fam, ok := t.(supervisor.Family); ok {
		return fam.Head()
	}
	return nil
}

// alone says that a failure of n concerns none of its siblings.
func (n *node) alone() bool {
	kids := n.up.kids
	switch n.up.cfg.Strategy {
	case supervisor.RestForOne:
		return kids[len(kids)-1] == n
	case supervisor.OneForAll:
		return len(kids) == 1
	}
	return true
}

// group returns who is restarted when n fails, itself included, elders first.
func (n *node) group() []*node {
	if n.alone() {
		return []*node{n}
	}
	if n.up.cfg.Strategy == supervisor.OneForAll {
		return n.up.kids
	}
	return n.up.kids[slices.Index(n.up.kids, n):]
}

// retries says that some failure of n is followed by another attempt.
func (n *node) retries() bool {
	return n.spec.Rules().Next(policy.Failed, 1) == policy.Retry
}

// limited says that a streak of failures uses up the retries of n.
func (n *node) limited() bool {
	return n.spec.MaxRetries != policy.Unlimited
}

// ordered says that the children are stopped one after the other.
func (f *family) ordered() bool { return f.cfg.Strategy != supervisor.OneForOne }
