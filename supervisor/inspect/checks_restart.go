package inspect

import (
	"fmt"
	"time"

	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func intensityOutOfReach(n *node) (problem, remedy string) {
	if n.below == nil || n.below.cfg.Intensity.IsZero() {
		return "", ""
	}
	f, in := n.below, n.below.cfg.Intensity
	endless := f.endless()
	if endless == nil || in.Restarts == policy.Unlimited {
		return "", ""
	}
	most := f.mostRestarts(in.Within, in.Restarts+1)
	if most > in.Restarts {
		return "", ""
	}
	return fmt.Sprintf("unless an error asks for a shorter pause, its declared children can fail at most %s within %v, since their backoffs are so slow, and the Intensity allows %d: %s may fail for ever, and nobody above is told",
			often(most), in.Within, in.Restarts, endless.path),
		"lengthen Intensity.Within, lower Intensity.Restarts, or give the children a MaxRetries"
}

// endless returns the first declared child that is retried without limit, or nil.
func (f *family) endless() *node {
	for _, c := range f.declared {
		if c.retries() && !c.limited() {
			return c
		}
	}
	return nil
}

// mostRestarts returns a number that the restarts of the declared children within a
// window cannot exceed, and enough if there may be more.
func (f *family) mostRestarts(within time.Duration, enough int) int {
	if f.cfg.Strategy == supervisor.OneForAll && len(f.declared) > 1 && !f.anyAwaited() {
		return f.mostGroups(within, enough)
	}

	// Each child for itself. One that waits alone may have its pause cut short by the
	// restart of a group around it, which some other failure has to bring about: then
	// it fails at most as often as all together could.
	sum, loose := 0, 0
	for i, c := range f.declared {
		sum = min(sum+c.mostRetries(within, enough), enough)
		if f.ordered() && (c.spec.AwaitReady || i == len(f.declared)-1) {
			loose++
		}
	}
	if len(f.declared) > 1 && loose > 0 && sum > (enough-1)/(loose+1) {
		return enough
	}
	if len(f.declared) > 1 {
		return sum * (loose + 1)
	}
	return sum
}

// anyAwaited says that some child may fail alone, before it has been ready.
func (f *family) anyAwaited() bool {
	for _, c := range f.declared {
		if c.spec.AwaitReady {
			return true
		}
	}
	return false
}

// mostGroups is mostRestarts where each failure restarts all: between two of them
// lies the pause of the first.
func (f *family) mostGroups(within time.Duration, enough int) int {
	most := 0
	for _, c := range f.declared {
		most = max(most, c.mostRetries(within, enough))
	}
	return most
}

// mostRetries returns a number that the failures of n within a window which are
// followed by a retry cannot exceed, and enough if there may be more.
func (n *node) mostRetries(within time.Duration, enough int) int {
	if !n.retries() {
		return 0
	}
	d := &delays{of: n.spec.Backoff}
	if n.mayBeginAgain(within) {
		first := d.at(0).low
		if first > within {
			return min(1, enough)
		}
		return 1 + evenly(first, within, enough-1)
	}
	most := d.most(within, enough)
	if n.limited() {
		most = min(most, n.spec.MaxRetries)
	}
	return most
}

// mayBeginAgain says that within a window a streak of failures may end and the next
// one begin with the first delay: after a success, after a healthy run, or because a
// group that had to be restarted takes along those that had completed.
func (n *node) mayBeginAgain(within time.Duration) bool {
	return n.spec.Restart == policy.Always || n.spec.ResetAfter <= within || (n.up.ordered() && len(n.up.declared) > 1)
}

func retriesOutOfReach(n *node) (problem, remedy string) {
	if n.up == nil || !n.retries() || !n.limited() {
		return "", ""
	}
	in := n.up.cfg.Intensity
	if in.IsZero() || n.spec.MaxRetries <= in.Restarts {
		return "", ""
	}
	d := &delays{of: n.spec.Backoff}
	if plus(d.slowest(in.Restarts), times(n.groupRestart(), in.Restarts)) > in.Within {
		return "", ""
	}
	return fmt.Sprintf("failing again and again at once, it makes its supervisor exceed the Intensity (%d within %v) with failure %d, before its MaxRetries of %d are used up",
			in.Restarts, in.Within, in.Restarts+1, n.spec.MaxRetries),
		"lower MaxRetries, or raise Intensity.Restarts of " + n.up.self.path
}

// groupRestart returns how long a group restart around n takes besides the pause, if
// all heed their settings.
func (n *node) groupRestart() time.Duration {
	if n.alone() {
		return 0
	}
	r := &reckoner{kids: declaredKids, kept: true}
	sum := r.group(n.group(), n)
	for _, c := range n.group() {
		if c == n {
			break
		}
		if c.spec.AwaitReady && !c.spec.Optional {
			sum = plus(sum, c.spec.StartTimeout)
		}
	}
	return sum
}

func busyLoop(n *node) (problem, remedy string) {
	b := n.spec.Backoff
	if n.up == nil || b.Custom != nil || b.Shape != policy.ShapeNone || !n.retries() || n.limited() || !n.up.cfg.Intensity.IsZero() {
		return "", ""
	}
	return "it is retried without a pause and without limit: failing at once, it would keep a processor busy for ever",
		"give it a Backoff or a MaxRetries, or its supervisor an Intensity"
}

// often is a number of times in words.
func often(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
