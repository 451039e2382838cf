package supervisortest

import (
	"fmt"
	"strings"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
)

// tail is how many events a failure shows.
const tail = 25

// report is what a failure shows: the tree, where its stuck tasks are, and the last events.
func (tree *Tree) report() string {
	var b strings.Builder
	if tree.isOver() {
		fmt.Fprintf(&b, "the tree has ended: %v\n", tree.err)
	} else {
		fmt.Fprintf(&b, "the tree:\n\t%s\n", strings.ReplaceAll(tree.Tree().String(), "\n", "\n\t"))
	}

	seen := tree.Events.Events()
	where := map[string]string{}
	for _, e := range seen {
		if e.Kind == events.TaskStuck {
			where[e.Path] = events.Traces(e.Err) // the last is what holds
		}
	}
	for path, stacks := range where {
		if n := tree.find(path); n != nil && n.State == supervisor.StateStuck {
			fmt.Fprintf(&b, "%s is stuck:\n%s\n", path, stacks)
		}
	}

	b.WriteString("the last events:\n")
	for _, e := range seen[max(len(seen)-tail, 0):] {
		fmt.Fprintf(&b, "\t%s %v\n", e.At.Format("15:04:05.000"), e)
	}
	return strings.TrimRight(b.String(), "\n")
}

// line is what a listing says about a node alone.
func line(n *supervisor.Node) string {
	alone := *n
	alone.Children = nil
	return alone.String()
}

// dump is a report with the stacks of everything that still runs.
func (tree *Tree) dump() string {
	var b strings.Builder
	tree.Dump(&b)
	return tree.report() + "\nstill running:\n" + b.String()
}
