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
		b.WriteString("the tree:\n")
		root := tree.Tree()
		for n := range root.All() {
			fmt.Fprintf(&b, "\t%-24s %s\n", n.Path, line(n))
		}
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

// line is what a listing says about a node, as far as it says something.
func line(n *supervisor.Node) string {
	var b strings.Builder
	b.WriteString(n.State.String())
	if !n.Ready {
		b.WriteString(", not ready")
	}
	if n.Attempt > 0 {
		fmt.Fprintf(&b, ", attempt %d", n.Attempt)
	}
	if n.Reason != 0 {
		fmt.Fprintf(&b, ", reason %v", n.Reason)
	}
	if n.Waiting != "" {
		fmt.Fprintf(&b, ", waits for %s", n.Waiting)
	}
	if n.Error != "" {
		fmt.Fprintf(&b, ", error %q", firstLine(n.Error))
	}
	return b.String()
}

func firstLine(text string) string {
	head, _, _ := strings.Cut(text, "\n")
	return head
}

// dump is a report with the stacks of everything that still runs.
func (tree *Tree) dump() string {
	var b strings.Builder
	tree.Dump(&b)
	return tree.report() + "\nstill running:\n" + b.String()
}
