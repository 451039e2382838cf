package supervisortest

import (
	"fmt"
	"slices"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/inspect"
)

// judge says what is wrong with what followed a failure. It looks at values only.
type judge struct {
	before    *kin          // the root
	restarted map[*kin]bool // those that have to run anew
	concerned map[*kin]bool // those, and all others that are stopped or end by the failure
	comesBack bool          // what failed runs again
}

// newJudge takes from an explanation what has to follow. An explanation does not mention
// what pauses while the supervisor above it stops: it is concerned all the same.
func newJudge(before *kin, said *inspect.Explanation) judge {
	j := judge{before: before, restarted: map[*kin]bool{}, concerned: map[*kin]bool{}, comesBack: said.RunsAgain}
	mentioned := slices.Concat([]string{said.Path}, said.Starts, said.Stops, said.Ends)
	for k := range before.all() {
		j.restarted[k] = slices.Contains(said.Starts, k.Path)
		j.concerned[k] = slices.Contains(mentioned, k.Path) || j.concerned[k.up]
	}
	return j
}

// mayStayDown says that k ends with a group that starts again without it, as what is meant
// to run once does.
func (j judge) mayStayDown(k *kin) bool {
	return j.comesBack && j.concerned[k] && !j.restarted[k]
}

// unhealed says who is not up again, or was not restarted. Those that were not ready
// before the failure are not asked.
func (j judge) unhealed(after supervisor.Node) (wrong []string) {
	now := map[string]*supervisor.Node{}
	for n := range after.All() {
		now[n.Path] = n
	}
	for k := range j.before.all() {
		n := now[k.Path]
		switch {
		case !k.Ready, j.mayStayDown(k):
		case n == nil:
			wrong = append(wrong, k.Path+" is not there any more")
		case !n.Ready:
			wrong = append(wrong, fmt.Sprintf("%s was ready and is not any more:\t%s", k.Path, line(n)))
		case j.restarted[k] && n.ID == k.ID && n.Attempt == k.Attempt:
			wrong = append(wrong, k.Path+" was not restarted")
		case !j.concerned[k] && n.ID != k.ID:
			wrong = append(wrong, k.Path+" has begun a new life, though it was not concerned")
		}
	}
	return wrong
}

// disturbed says whom the failure concerned though it should not have, each with the
// first event of that. What succeeds by itself, and runs again, is not disturbed.
func (j judge) disturbed(seen []events.Event) (wrong []string) {
	calm := map[string]bool{}
	for k := range j.before.all() {
		calm[k.Path] = k.Ready && !j.concerned[k]
	}
	for _, e := range seen {
		if calm[e.Path] && disturbs(e) {
			wrong = append(wrong, fmt.Sprintf("%s was not concerned, but: %v", e.Path, e))
			calm[e.Path] = false
		}
	}
	return wrong
}

func disturbs(e events.Event) bool {
	switch e.Kind {
	case events.TaskStopping, events.TaskStuck, events.TaskAbandoned, events.TaskRemoved,
		events.SupervisorStopping, events.IntensityExceeded:
		return true
	case events.AttemptEnded:
		return e.Exit != policy.Succeeded && e.Exit != policy.Finished
	case events.TaskFinished:
		return e.Outcome != events.Completed
	}
	return false
}

// disordered says what has stopped or started out of order, in the family that was
// restarted and those below it.
func (j judge) disordered(seen []events.Event) (wrong []string) {
	for family := range j.before.all() {
		if family.isOrdered() && slices.ContainsFunc(family.children, func(k *kin) bool { return j.concerned[k] }) {
			wrong = append(wrong, newOrder(family).follow(seen)...)
		}
	}
	return wrong
}
