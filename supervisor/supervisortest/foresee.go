package supervisortest

import (
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// plan is what has to follow a failure: that a span of a family is restarted.
type plan struct {
	family   *kin
	from, to int // the first and the last of its children that are restarted
	failed   int // the one of them whose failure it is
	hopeless string
}

// foresee returns what the settings of a tree say about a failure of k. A failure goes up
// for as long as it ends the supervisor above.
func foresee(k *kin) plan {
	for ; k.up != nil; k = k.up {
		rules := k.spec.Rules()
		switch rules.Next(policy.Failed, k.Failures+1) {
		case policy.Retry:
			if k.up.hasRoom() {
				return span(k)
			}
		case policy.GiveUp:
			if !k.endsFamily() {
				return plan{family: k.up, from: k.place, to: k.place, failed: k.place, hopeless: "is for good"}
			}
		}
	}
	return plan{hopeless: "ends the tree"}
}

// span is who is restarted with k, by the strategy of its supervisor.
func span(k *kin) plan {
	p := plan{family: k.up, from: k.place, to: k.place, failed: k.place}
	switch k.up.cfg.Strategy {
	case supervisor.RestForOne:
		p.to = len(k.up.children) - 1
	case supervisor.OneForAll:
		p.from, p.to = 0, len(k.up.children)-1
	}
	return p
}

// hasRoom says that one more restart is within the intensity of a supervisor.
func (k *kin) hasRoom() bool {
	return k.cfg.Intensity.IsZero() || k.RestartsInWindow < k.cfg.Intensity.Restarts
}

// endsFamily says that a supervisor ends when k has failed for good.
func (k *kin) endsFamily() bool {
	switch k.up.cfg.AutoShutdown {
	case supervisor.AutoShutdownAny:
		return k.spec.Significant
	case supervisor.AutoShutdownAll:
		for _, sibling := range k.up.children {
			if sibling != k && sibling.spec.Significant && !sibling.State.Ended() {
				return false
			}
		}
		return k.spec.Significant
	}
	return false
}

// neverAgain says that k is meant to run once.
func neverAgain(k *kin) bool { return k.spec.Restart == policy.Never }

// member returns the one of the restarted children that k is, or is below; or nil.
func (p plan) member(k *kin) *kin {
	for ; k != nil; k = k.up {
		if k.up == p.family && p.family != nil && p.from <= k.place && k.place <= p.to {
			return k
		}
	}
	return nil
}

// restarts says that k is one of those that have to run anew. Of the members of a group,
// one that is meant to run once is stopped, and one that has ended before stays as it is,
// unless it had completed. A supervisor that is restarted starts all of its children.
func (p plan) restarts(k *kin) bool {
	m := p.member(k)
	if m == nil {
		return false
	}
	return m.place == p.failed || !neverAgain(m)
}
