package console

import (
	"strings"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// word is what a line says that happened.
type word struct {
	text  string
	color string // an escape sequence, or nothing
	count string // the key for Event.Count
}

const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	plain  = "\x1b[0m"
)

// wordWidth is the length of the longest word.
const wordWidth = 10

// words holds the word of each kind. What ended is said by how it ended: see wordOf.
var words = map[events.Kind]word{
	events.SupervisorStarted:  {"up", green, ""},
	events.SupervisorStopping: {"closing", yellow, ""},
	events.SupervisorStopped:  {"down", "", ""},
	events.GroupRestarting:    {"regrouping", yellow, ""},
	events.GroupRestarted:     {"regrouped", green, ""},
	events.IntensityExceeded:  {"too often", red, "restarts"},
	events.TaskQueued:         {"queued", "", "waiting"},
	events.TaskRejected:       {"rejected", yellow, ""},
	events.TaskAdded:          {"added", "", ""},
	events.TaskReady:          {"ready", green, ""},
	events.AttemptStarted:     {"started", "", ""},
	events.AttemptEnded:       {"ended", "", ""},
	events.RetryScheduled:     {"retrying", yellow, "failures"},
	events.TaskStopping:       {"stopping", yellow, ""},
	events.TaskStuck:          {"stuck", red, "notice"},
	events.TaskAbandoned:      {"abandoned", red, ""},
	events.TaskReturned:       {"returned", yellow, ""},
	events.TaskFinished:       {"finished", "", ""},
	events.TaskRemoved:        {"removed", "", ""},
	events.JobSubmitted:       {"submitted", "", ""},
	events.BatchSubmitted:     {"batch", "", "jobs"},
	events.JobUpgraded:        {"upgraded", "", ""},
	events.JobStarted:         {"claimed", "", ""},
	events.JobProgressed:      {"progress", "", ""},
	events.JobRetryScheduled:  {"will retry", yellow, "failures"},
	events.JobSnoozed:         {"snoozed", "", ""},
	events.JobReleased:        {"released", "", ""},
	events.JobCompleted:       {"job done", green, ""},
	events.JobFailed:          {"job failed", red, ""},
	events.JobDeadLettered:    {"job dead", red, "failures"},
	events.JobCancelled:       {"cancelled", "", ""},
	events.JobSuperseded:      {"superseded", "", ""},
	events.JobExpired:         {"expired", yellow, ""},
	events.JobParked:          {"parked", yellow, ""},
	events.JobRevived:         {"revived", "", ""},
	events.JobTypeUnknown:     {"no handler", yellow, "jobs"},
	events.StoreOpened:        {"store up", green, "jobs"},
	events.StoreFailed:        {"store down", red, "steps"},
	events.StoreRecovered:     {"store well", green, ""},
	events.EventsLost:         {"lost", red, "events"},
	events.SubscriberPanicked: {"panicked", red, "panics"},
}

// wordOf returns the word of e. An attempt that ended is said to have "failed" or
// "succeeded", which is what a reader looks for; that its task has "finished" is
// another matter.
func wordOf(e *events.Event) word {
	w, known := words[e.Kind]
	switch {
	case !known:
		return word{text: e.Kind.String()}
	case e.Kind == events.AttemptEnded && e.Exit != 0:
		return word{text: exitWord(e.Exit), color: exitColor(e.Exit)}
	case e.Kind == events.TaskFinished && e.Outcome == events.Completed:
		w.color = green
	case e.Kind == events.TaskFinished && (e.Outcome == events.Failed || e.Outcome == events.Abandoned):
		w.color = red
	case e.Kind == events.RetryScheduled && e.Count == 0:
		return word{text: "repeating"} // a success is followed by the next attempt
	}
	return w
}

// exitWord is the label in words. "Finished" is what tasks are; an attempt that ends
// its task by actor.Done is done.
func exitWord(x policy.Exit) string {
	if x == policy.Finished {
		return "done"
	}
	return strings.ReplaceAll(x.String(), "_", " ")
}

func exitColor(x policy.Exit) string {
	switch {
	case x.IsFailure():
		return red
	case x == policy.Stopped:
		return ""
	}
	return green
}
