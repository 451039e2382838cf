package storetest

import (
	"fmt"
	"time"

	"github.com/taskvisor/taskvisor/persist"
)

func insert(id persist.ID) persist.Step {
	return persist.Step{Verb: persist.Insert, Record: record(id, byte(id))}
}

func amend(id persist.ID, fence uint64) persist.Step {
	return persist.Step{Verb: persist.Amend, ID: id, State: state(fence, byte(id)+1)}
}

func resolve(id persist.ID, fence uint64, kind persist.Ending) persist.Step {
	return persist.Step{
		Verb: persist.Resolve, ID: id, State: state(fence, byte(id)+2),
		End: persist.End{Kind: kind, At: instant(int(id)), Elapsed: time.Duration(id), By: id + 1, Text: "it is over"},
	}
}

func revive(id persist.ID, fence uint64) persist.Step {
	return persist.Step{Verb: persist.Revive, ID: id, State: state(fence, byte(id)+3)}
}

func prune(kind persist.Ending, count int) persist.Step {
	return persist.Step{Verb: persist.Prune, Kind: kind, Count: count}
}

// tell says in a few words what a step does.
func tell(s *persist.Step) string {
	switch s.Verb {
	case persist.Insert:
		if s.Record == nil {
			return "insert nothing"
		}
		return fmt.Sprintf("insert %d (type %s, %d bytes)", s.Record.ID, s.Record.Type, len(s.Record.Payload))
	case persist.Amend:
		return fmt.Sprintf("amend %d (fence %d)", s.ID, s.State.Fence)
	case persist.Resolve:
		return fmt.Sprintf("resolve %d (fence %d, %v)", s.ID, s.State.Fence, s.End.Kind)
	case persist.Revive:
		return fmt.Sprintf("revive %d (fence %d)", s.ID, s.State.Fence)
	case persist.Prune:
		return fmt.Sprintf("prune %d %v", s.Count, s.Kind)
	}
	return fmt.Sprintf("verb %d", s.Verb)
}
