package supervisortest

import (
	"iter"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// kin is a declared node of a tree as it was before a failure, and what it was told. What
// was added at run time is left out, with everything below it: it need not come back.
type kin struct {
	supervisor.Node
	spec     actor.Spec        // with its defaults filled in; zero for the root
	cfg      supervisor.Config // of a supervisor
	up       *kin              // nil for the root
	children []*kin            // in start order
}

// kinship returns the root of the tree.
func (tree *Tree) kinship() *kin {
	return tree.kinOf(tree.Tree(), nil)
}

func (tree *Tree) kinOf(n supervisor.Node, up *kin) *kin {
	k := &kin{Node: n, up: up}
	if up == nil {
		k.cfg = tree.Config()
	} else {
		k.spec, _ = tree.Settings(n.Path) // nothing has happened since the listing
		if f, ok := k.spec.Task.(supervisor.Family); ok {
			k.cfg = f.Head().Config()
		}
	}
	for _, below := range n.Children {
		if below.Declared {
			k.children = append(k.children, tree.kinOf(below, k))
		}
	}
	return k
}

// all yields k and everything below it, elders first.
func (k *kin) all() iter.Seq[*kin] {
	return func(yield func(*kin) bool) { k.walk(yield) }
}

func (k *kin) walk(yield func(*kin) bool) bool {
	if !yield(k) {
		return false
	}
	for _, c := range k.children {
		if !c.walk(yield) {
			return false
		}
	}
	return true
}

// runsOnce says that k is not run again, unless with the supervisor above it.
func (k *kin) runsOnce() bool { return k.spec.Restart == policy.Never }

// isOrdered says that the children of k stop and start one after the other.
func (k *kin) isOrdered() bool { return k.IsSupervisor && k.cfg.Strategy != supervisor.OneForOne }
