package inspect

import (
	"fmt"
	"strings"

	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func unusedRetrySettings(n *node) (problem, remedy string) {
	if n.up == nil || n.retries() {
		return "", ""
	}
	var unused []string
	if !n.given.Backoff.IsZero() {
		unused = append(unused, "Backoff")
	}
	if n.given.ResetAfter != 0 {
		unused = append(unused, "ResetAfter")
	}
	if n.given.MaxRetries == policy.Unlimited {
		unused = append(unused, "MaxRetries")
	}
	if unused == nil {
		return "", ""
	}
	why := "it is never retried"
	if n.spec.Restart == policy.Never {
		why = "its Restart is never"
	}
	return fmt.Sprintf("its %s has no effect, since %s", strings.Join(unused, " and "), why), "drop it, or let the task be retried"
}

// neverHealthy is silent where only one of the two was meant for this very task: a
// default may be of use to others.
func neverHealthy(n *node) (problem, remedy string) {
	if n.up == nil || !n.heals || !n.retries() || n.spec.Timeout >= n.spec.ResetAfter {
		return "", ""
	}
	if n.given.ResetAfter == 0 && n.given.Timeout != 0 {
		return "", ""
	}
	return fmt.Sprintf("its ResetAfter is %v, but an attempt that heeds its Timeout is over after %v: none counts as healthy", n.spec.ResetAfter, n.spec.Timeout),
		"set a ResetAfter below the Timeout, or none"
}

// stallUnnoticed is silent where only one of the two was meant for this very task.
func stallUnnoticed(n *node) (problem, remedy string) {
	if n.up == nil || n.spec.Timeout == policy.NoTimeout || n.spec.Stall == policy.NoTimeout || n.spec.Timeout > n.spec.Stall {
		return "", ""
	}
	if n.given.Stall == 0 && n.given.Timeout != 0 {
		return "", ""
	}
	return fmt.Sprintf("its Stall is %v, but an attempt has run into its Timeout after %v, before it could be seen to stall", n.spec.Stall, n.spec.Timeout),
		"set a Stall well below the Timeout, or none"
}

func noSignificantChild(n *node) (problem, remedy string) {
	if n.below == nil || n.below.cfg.AutoShutdown == supervisor.AutoShutdownNever {
		return "", ""
	}
	for _, c := range n.below.declared {
		if c.spec.Significant {
			return "", ""
		}
	}
	return fmt.Sprintf("its AutoShutdown is %v, but none of its declared children is Significant: only one that is added at run time could bring it about", n.below.cfg.AutoShutdown),
		"mark a child as Significant, or drop AutoShutdown"
}

func significantOptional(n *node) (problem, remedy string) {
	if n.up == nil || !n.spec.Significant || !n.spec.Optional {
		return "", ""
	}
	return "it is Significant, so that its supervisor may end with it, and Optional, as if that could do without it", "drop one of the two"
}
