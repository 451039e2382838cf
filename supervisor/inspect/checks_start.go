package inspect

import (
	"fmt"
	"time"

	"github.com/taskvisor/taskvisor/policy"
)

func tooFewPermits(n *node) (problem, remedy string) {
	if n.below == nil || n.below.cfg.Concurrency == 0 {
		return "", ""
	}
	limit, services := n.below.cfg.Concurrency, n.below.services(nil)
	if len(services) <= limit {
		return "", ""
	}
	return fmt.Sprintf("%d tasks below say when they are ready and keep a permit as long as they run, and the Concurrency is %d: while the others run, %s is never ready",
			len(services), limit, services[limit].path),
		"raise the Concurrency, or exempt them by NoPermit"
}

// services adds the declared tasks below f, elders first, without which f is not ready
// and which need a permit to be ready and may keep it for ever.
func (f *family) services(found []*node) []*node {
	for _, c := range f.declared {
		switch s := &c.spec; {
		case s.Optional:
		case c.below != nil:
			found = c.below.services(found)
		case s.AwaitReady && !s.NoPermit && s.Restart != policy.Never && s.Every == 0 && s.Timeout == policy.NoTimeout:
			found = append(found, c)
		}
	}
	return found
}

func concurrencyNoEffect(n *node) (problem, remedy string) {
	if n.below == nil || n.below.cfg.Concurrency == policy.Unlimited { // that is there to be changed
		return "", ""
	}
	for f := n.up; f != nil; f = f.self.up {
		if outer := f.cfg.Concurrency; outer > 0 && outer < n.below.cfg.Concurrency {
			return fmt.Sprintf("its Concurrency of %d has no effect, since %s allows %d in all", n.below.cfg.Concurrency, f.self.path, outer),
				"lower it, or drop it"
		}
	}
	return "", ""
}

func startTimeoutCutShort(n *node) (problem, remedy string) {
	if n.below == nil || n.given.StartTimeout == 0 {
		return "", ""
	}
	for _, c := range n.below.declared {
		if want := c.startTimeoutSet(); want > n.spec.StartTimeout {
			return fmt.Sprintf("its StartTimeout is %v, but that of %s, for which it waits, is %v", n.spec.StartTimeout, c.path, want),
				"leave it out, so that it is the sum of its children's, or shorten theirs"
		}
	}
	return "", ""
}

// startTimeoutSet returns the StartTimeout of a task that is waited for, if somebody
// has set it.
func (n *node) startTimeoutSet() time.Duration {
	inherited := n.below == nil && n.up.cfg.Defaults.StartTimeout != 0
	if !n.spec.AwaitReady || n.spec.Optional || (n.given.StartTimeout == 0 && !inherited) {
		return 0
	}
	return n.spec.StartTimeout
}

func noRetryAtStart(n *node) (problem, remedy string) {
	if n.up == nil || !n.spec.AwaitReady || n.spec.Optional || !n.retries() {
		return "", ""
	}
	first, _ := n.spec.Backoff.Bounds(0)
	if first <= n.spec.StartTimeout {
		return "", ""
	}
	return fmt.Sprintf("its first retry comes after %v at the earliest, but its StartTimeout is %v: one failure at the first start fails the start", first, n.spec.StartTimeout),
		"shorten the first delay of its Backoff, or raise the StartTimeout"
}
