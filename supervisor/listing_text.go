package supervisor

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// String draws the node and what is below it, one task per line: its state and for how
// long it has been in it, then what is worth saying. It is for logs, tests and terminals:
// of a supervisor with more than 100 children those in trouble are shown first, and most
// of those that were added at run time are summed up by state. Durations are up to At; a
// node that is not the root of its listing has none, and shows times instead. The text
// may change; programs read the fields.
func (n Node) String() string {
	var o outline
	o.node(&n, n.Path, "", n.At)
	return o.String()
}

// node adds a node and what is below it. left is what is left of the lines below.
func (o *outline) node(n *Node, name, left string, at time.Time) {
	o.add(name, n.State.String(), n.lasted(at), strings.Join(n.remarks(at), ", "))
	hidden := map[State]int{}
	for i := range n.Children {
		hidden[n.Children[i].State]++
	}
	shown := 0
	for _, i := range pick(len(n.Children), func(i int) int { return n.Children[i].rank() }) {
		if o.full() {
			break
		}
		c := &n.Children[i]
		shown++
		hidden[c.State]--
		if shown == len(n.Children) {
			o.node(c, left+corner+c.Name, left+blank, at)
		} else {
			o.node(c, left+branch+c.Name, left+trunk, at)
		}
	}
	if more := len(n.Children) - shown; more > 0 {
		o.add(left + corner + "… and " + thousands(more) + " more: " + byState(hidden))
	}
}

// byState sums up: "99,890 running, 10 backing_off".
func byState(counts map[State]int) string {
	var words []string
	for _, s := range slices.Sorted(maps.Keys(counts)) {
		if counts[s] > 0 {
			words = append(words, thousands(counts[s])+" "+s.String())
		}
	}
	return strings.Join(words, ", ")
}

// rank is how much a node deserves a line of its own, the lowest most.
func (n *Node) rank() int {
	switch {
	case n.State == StateFailed || n.State == StateStuck:
		return 0
	case n.State == StateStopping || (n.State == StateBackingOff && n.Failures > 0) || n.limps():
		return 1
	case n.Declared || n.IsSupervisor:
		return 2
	}
	return maxRank
}

// limps says that a supervisor runs and is not ready, which its state does not say.
func (n *Node) limps() bool { return n.IsSupervisor && n.State == StateRunning && !n.Ready }

// lasted is how long the node has been in its state, or since when.
func (n *Node) lasted(at time.Time) string {
	switch {
	case n.Since.IsZero():
		return ""
	case at.IsZero():
		return "since " + n.Since.Format(time.RFC3339)
	}
	return brief(at.Sub(n.Since))
}

// remarks are what is worth saying besides.
func (n *Node) remarks(at time.Time) (words []string) {
	say := func(worth bool, what string) {
		if worth {
			words = append(words, what)
		}
	}
	say(n.limps(), "not ready")
	say(n.Strategy != OneForOne, n.Strategy.String())
	switch n.State {
	case StateStopping, StateStuck, StateStopped, StateRestarting:
		say(n.Reason != 0, "reason "+n.Reason.String())
	}
	say(n.Waiting != "", "waiting for "+n.Waiting)
	say(n.Attempt > 1, "attempt "+thousands(n.Attempt))
	say(n.Restarts > 0, count(n.Restarts, "restart"))
	say(!n.NextRetry.IsZero(), "next "+until(at, n.NextRetry))
	say(n.Error != "", "error "+quote(n.Error))
	say(n.RestartsInWindow > 0, count(n.RestartsInWindow, "restart")+" in the window")
	say(n.PermitsUsed > 0, count(n.PermitsUsed, "permit")+" used")
	say(n.PermitsWaiting > 0, thousands(n.PermitsWaiting)+" waiting for one")
	say(n.Queued > 0, thousands(n.Queued)+" waiting for their key")
	say(n.Abandoned > 0, thousands(n.Abandoned)+" abandoned")
	return words
}

// until is in how long something is, or when.
func until(at, t time.Time) string {
	switch {
	case at.IsZero():
		return "at " + t.Format(time.RFC3339)
	case !t.After(at):
		return "now"
	}
	return "in " + brief(t.Sub(at))
}
