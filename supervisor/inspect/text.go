package inspect

import (
	"fmt"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/policy"
)

// String returns the explanation in several lines for people.
func (e *Explanation) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, "  "+format+"\n", args...) }
	fmt.Fprintf(&b, "if %s fails now:\n", e.Path)
	for _, s := range e.Steps {
		line("%s %s", s.Supervisor, s.says())
	}
	if len(e.Stops) > 0 {
		line("stops   %s", strings.Join(e.Stops, ", "))
		line("        in %s at the longest, %s if each keeps its grace", until(e.WorstStop), until(e.KeptStop))
	}
	if len(e.Starts) > 0 {
		line("pauses  %s", e.pause())
		line("starts  %s", strings.Join(e.Starts, ", "))
	}
	switch e.FailuresToEnd {
	case Never:
		line("such failures never end the tree")
	case 1:
		line("this failure ends the tree")
	default:
		line("%d such failures in a row can end the tree", e.FailuresToEnd)
	}
	line("a stop of the whole tree as it is now takes %s at the longest", until(e.TreeStop))
	return strings.TrimSuffix(b.String(), "\n")
}

// says is what the supervisor does, in words.
func (s Step) says() string {
	switch s.Answer {
	case AnswerRetry:
		return "runs " + s.Child + " again"
	case AnswerGroup:
		return "restarts the group of " + s.Child
	case AnswerGiveUp:
		return "gives up " + s.Child + ", and the others go on"
	case AnswerEscalate:
		return "ends, since " + s.Child + " escalates when it gives up"
	case AnswerExceeded:
		return "ends, since " + s.Child + " exceeds the intensity"
	case AnswerShutdown:
		return "ends, since " + s.Child + " was significant"
	case AnswerEmptied:
		return "ends, since " + s.Child + " was the last"
	case AnswerNotStarted:
		return "ends, since it cannot start without " + s.Child
	case AnswerNothing:
		return "does nothing about " + s.Child + ", which is being stopped"
	}
	return s.Answer.String()
}

// pause is the range of the delay, in words.
func (e *Explanation) pause() string {
	switch {
	case e.DelayHigh == policy.Forever:
		return "as long as its own backoff says"
	case e.DelayLow == e.DelayHigh:
		return e.DelayLow.String()
	}
	return fmt.Sprintf("%v to %v", e.DelayLow, e.DelayHigh)
}

// until is a duration that may not end, in words.
func until(d time.Duration) string {
	if d == policy.Forever {
		return "whatever time it takes"
	}
	return d.String()
}
