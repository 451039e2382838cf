package inspect

import (
	"fmt"
	"time"

	"github.com/taskvisor/taskvisor/policy"
)

// graceSet says that somebody has set the grace of n to a time.
func (n *node) graceSet() bool {
	inherited := n.below == nil && n.up.cfg.Defaults.Grace != 0
	return n.spec.Grace != policy.Forever && (n.given.Grace != 0 || inherited)
}

func graceCutShort(n *node) (problem, remedy string) {
	if n.up == nil || !n.graceSet() || n.spec.Grace <= n.up.share() {
		return "", ""
	}
	return fmt.Sprintf("its Grace is %v, but a stop of the tree leaves it at most %v", n.spec.Grace, n.up.share()),
		"shorten the Grace, or raise what " + n.up.bounded() + " has for a stop"
}

// bounded returns the path of the supervisor whose own settings say what is left to f.
func (f *family) bounded() string {
	up := f.self.up
	if up == nil || f.cfg.StopTimeout > 0 && f.cfg.StopTimeout <= f.given() || f.self.spec.Grace < up.share() {
		return f.self.path
	}
	return up.bounded()
}

// gracesInSum lets each child take its grace if somebody has set it, and no time
// otherwise.
func gracesInSum(n *node) (problem, remedy string) {
	if n.below == nil || !n.below.ordered() {
		return "", ""
	}
	f := n.below
	rest := minus(f.left, f.lameDuck(f.left))
	t, hurry := time.Duration(0), mostOf(rest)
	for i := len(f.declared) - 1; i >= 0; i-- {
		c := f.declared[i]
		if !c.graceSet() {
			continue
		}
		left := hurry - t
		if t >= hurry { // what is left is for all of them together
			left = rest - hurry
		}
		if c.spec.Grace > left && c.spec.Grace <= hurry { // if it is longer, that is found by itself
			return fmt.Sprintf("if its children take their Grace one after the other, %s has %v left of its %v", c.path, left, c.spec.Grace),
				"shorten the graces, or raise what " + f.bounded() + " has for a stop"
		}
		t = min(plus(t, c.spec.Grace), hurry)
	}
	return "", ""
}

func stopTimeoutCutShort(n *node) (problem, remedy string) {
	if n.below == nil || n.up == nil || n.below.cfg.StopTimeout <= n.below.given() {
		return "", ""
	}
	return fmt.Sprintf("its StopTimeout is %v, but a stop of the tree leaves it at most %v", n.below.cfg.StopTimeout, n.below.given()),
		"shorten the StopTimeout, or raise what those above leave"
}

// lameDuckTooLong accepts any part of a StopTimeout that stands beside it and holds:
// somebody has weighed one against the other.
func lameDuckTooLong(n *node) (problem, remedy string) {
	if n.below == nil {
		return "", ""
	}
	f := n.below
	lame, most := f.cfg.LameDuck, mostOf(f.left)
	switch {
	case lame > most:
		return fmt.Sprintf("its LameDuck is %v, but is over after %v, since a stop of the tree leaves %v for everything", lame, most, f.left),
			"shorten the LameDuck, or raise what " + f.bounded() + " has for a stop"
	case f.cfg.StopTimeout != f.left && lame > f.left/2:
		return fmt.Sprintf("its LameDuck of %v leaves %v of %v to stop its children", lame, f.left-lame, f.left),
			"shorten the LameDuck, or raise what " + f.bounded() + " has for a stop"
	}
	return "", ""
}

func slowStop(n *node) (problem, remedy string) {
	if n.up != nil || n.below == nil {
		return "", ""
	}
	r := &reckoner{kids: declaredKids}
	worst := r.tree(n)
	if worst <= UsualStop {
		return "", ""
	}
	return fmt.Sprintf("a stop of the tree may take %v, and platforms for containers kill a process %v after they have asked it to stop", worst, UsualStop),
		fmt.Sprintf("set a StopTimeout below %v, or have the platform wait longer", UsualStop)
}

func neverStuck(n *node) (problem, remedy string) {
	if n.up == nil || n.below != nil || n.spec.Grace != policy.Forever {
		return "", ""
	}
	switch n.spec.OnStuck {
	case policy.StuckAbandon, policy.StuckEscalate:
		return fmt.Sprintf("its OnStuck is %v, but its Grace is for ever: it is never found stuck before the time of a stop is over", n.spec.OnStuck),
			"give it a Grace that ends"
	}
	return "", ""
}
