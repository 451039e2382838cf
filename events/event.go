package events

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/policy"
)

// ID names one task's life in this process: it counts from 1, is the same for all
// attempts and is never used again. Zero is not said.
type ID uint64

// Event is one fact about something that ran. It is a plain value: subscribers may
// keep and share it. A zero field says nothing; the package comment lists which
// kind sets which.
type Event struct {
	// Seq is the event's place in the one order of its bus, from 1. Publish sets
	// it. A loss notice carries the place of the last event lost.
	Seq uint64
	// At is when it happened. Publish sets it to the present when it is zero.
	At time.Time

	// Kind says what happened.
	Kind Kind
	// Exit is how the attempt ended.
	Exit policy.Exit
	// Outcome is how the task ended.
	Outcome Outcome
	// Reason is why something was stopped, or not let in; zero when nobody asked for it.
	Reason Reason

	// ID is the task's life; a supervisor is a task too.
	ID ID
	// Path is the address in the tree of what the event is about, such as "/app/db".
	Path string
	// Key is what the task was submitted for, and of which only so many may run at a
	// time.
	Key string
	// Pattern is Path with a * for each task that was added at run time, such as
	// "/app/*": there are few of them, however many tasks come and go.
	Pattern string
	// Attempt counts the task's attempts from 1.
	Attempt int
	// Generation counts from 1 the goroutines that made the task's attempts:
	// there is a second one only after Goexit or abandonment.
	Generation int

	// Delay is the pause before what was scheduled. A retry's may be zero.
	Delay time.Duration
	// Elapsed is how long it took. An attempt's may be zero.
	Elapsed time.Duration
	// Count is how many there were, of what the kind says.
	Count uint64
	// Err is what went wrong. It is shared by all who see the event, so nobody
	// may change what it points to.
	Err error
	// Subscriber is the name of the subscriber that an EventsLost or a
	// SubscriberPanicked is about.
	Subscriber string
	// Job is the stored job that the event is about, or nil. It is shared by all who
	// see the event, so nobody may change it.
	Job *Job
}

// LogValue returns the group of the fields that are said, under the keys seq,
// kind, path, id, attempt, generation, key, job, exit, outcome, reason, delay,
// elapsed, count, error and subscriber, in that order. The keys are stable; job is a
// group, as [Job.LogValue] says. At is left to the log record's own time.
func (e Event) LogValue() slog.Value { return slog.GroupValue(e.said()...) }

// String returns the event in one line for people, such as
//
//	#7 retry_scheduled /app/db id=3 attempt=2 delay=400ms error="connection refused"
//
// Of an error with several lines it has the first, and of a job the number and the type.
func (e Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "#%d %v", e.Seq, e.Kind)
	for _, a := range e.said() {
		switch a.Key {
		case "seq", "kind":
		case "path":
			b.WriteString(" " + e.Path)
		case "error":
			line, _, _ := strings.Cut(e.Err.Error(), "\n")
			b.WriteString(" error=" + strconv.Quote(line))
		case "job":
			b.WriteString(" " + e.Job.String())
		default:
			fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		}
	}
	return b.String()
}

// said returns the fields that are said. Zero means not said, but for the two
// durations that their kind always states.
func (e Event) said() []slog.Attr {
	as := make([]slog.Attr, 0, 16)
	say := func(yes bool, a slog.Attr) {
		if yes {
			as = append(as, a)
		}
	}
	say(e.Seq != 0, slog.Uint64("seq", e.Seq))
	say(true, slog.String("kind", e.Kind.String()))
	say(e.Path != "", slog.String("path", e.Path))
	say(e.ID != 0, slog.Uint64("id", uint64(e.ID)))
	say(e.Attempt != 0, slog.Int("attempt", e.Attempt))
	say(e.Generation != 0, slog.Int("generation", e.Generation))
	say(e.Key != "", slog.String("key", e.Key))
	say(e.Job != nil, slog.Any("job", e.Job))
	say(e.Exit != 0, slog.String("exit", e.Exit.String()))
	say(e.Outcome != 0, slog.String("outcome", e.Outcome.String()))
	say(e.Reason != 0, slog.String("reason", e.Reason.String()))
	say(e.Delay != 0 || e.Kind == RetryScheduled || e.Kind == JobRetryScheduled, slog.Duration("delay", e.Delay))
	say(e.Elapsed != 0 || e.Kind == AttemptEnded, slog.Duration("elapsed", e.Elapsed))
	say(e.Count != 0, slog.Uint64("count", e.Count))
	say(e.Err != nil, slog.Any("error", e.Err))
	say(e.Subscriber != "", slog.String("subscriber", e.Subscriber))
	return as
}
