package inspect

import (
	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// inherited are the checks that concern the defaults of a supervisor too. Each says
// whether a task leaves all that the check is about to defaults that set it: what is found
// then holds for every such task, whenever it is added, and is told once, of the supervisor.
// A check is not here if that depends on more than the defaults and what is above them.
var inherited = map[Check]func(given *actor.Spec, up *supervisor.Config) bool{
	CheckRetriesOutOfReach: func(given *actor.Spec, up *supervisor.Config) bool {
		// In a group, the siblings say how long a restart takes.
		return up.Strategy == supervisor.OneForOne && inheritsRetries(given, up)
	},
	CheckBusyLoop: inheritsRetries,
	CheckNeverHealthy: func(given *actor.Spec, up *supervisor.Config) bool {
		// If they say that nothing is retried, who says otherwise speaks for itself.
		return given.ResetAfter == 0 && up.Defaults.ResetAfter != 0 && inheritsTimeout(given, up) &&
			up.Defaults.MaxRetries != policy.NoRetry
	},
	CheckStallUnnoticed: func(given *actor.Spec, up *supervisor.Config) bool {
		return given.Stall == 0 && up.Defaults.Stall != 0 && inheritsTimeout(given, up)
	},
	CheckGraceCutShort: func(given *actor.Spec, up *supervisor.Config) bool {
		return given.Grace == 0 && up.Defaults.Grace != 0
	},
}

func inheritsRetries(given *actor.Spec, up *supervisor.Config) bool {
	return given.MaxRetries == 0 && up.Defaults.MaxRetries != 0 &&
		given.Backoff.IsZero() && !up.Defaults.Backoff.IsZero()
}

func inheritsTimeout(given *actor.Spec, up *supervisor.Config) bool {
	return given.Timeout == 0 && up.Defaults.Timeout != 0
}

// inherits says that all that a check is about comes from the defaults of the supervisor
// of n. For a supervisor most of them are not meant.
func (n *node) inherits(c Check) bool {
	all := inherited[c]
	return all != nil && n.up != nil && n.below == nil && all(&n.given, &n.up.cfg)
}

// heir returns the plan of a task that leaves everything to the defaults of f.
func (f *family) heir() *node { return f.declare(actor.Spec{}) }
