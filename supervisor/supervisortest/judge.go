package supervisortest

import (
	"fmt"
	"slices"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// judge says what is wrong with what followed a failure. It looks at values only.
type judge struct {
	before *kin // the root
	plan   plan
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
		touched := j.plan.member(k) != nil
		switch {
		case !k.Ready, touched && !j.plan.restarts(k):
		case n == nil:
			wrong = append(wrong, k.Path+" is not there any more")
		case !n.Ready:
			wrong = append(wrong, fmt.Sprintf("%s was ready and is not: %s", k.Path, line(n)))
		case touched && n.ID == k.ID && n.Attempt == k.Attempt:
			wrong = append(wrong, k.Path+" was not restarted")
		case !touched && n.ID != k.ID:
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
		calm[k.Path] = k.Ready && j.plan.member(k) == nil
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
	if j.plan.family == nil {
		return nil
	}
	families := []*kin{j.plan.family}
	for k := range j.plan.family.all() {
		if j.plan.member(k) != nil {
			families = append(families, k)
		}
	}
	for _, family := range slices.DeleteFunc(families, func(k *kin) bool { return !k.isOrdered() }) {
		wrong = append(wrong, newOrder(family).follow(seen)...)
	}
	return wrong
}
