package console_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/console"
)

var (
	noon       = time.Date(2024, 5, 17, 12, 0, 0, 250_000_000, time.UTC)
	errRefused = errors.New("connection refused")
)

// write returns what a Writer makes of the events.
func write(w *console.Writer, es ...events.Event) string {
	var out bytes.Buffer
	w.Out = &out
	for _, e := range es {
		e.At = noon
		w.Handle(e)
	}
	return out.String()
}

type row struct {
	sentence string
	event    events.Event
	want     string // after the time of day
}

// lines has a row per kind, and more for those that have more to say.
var lines = []row{
	{
		"a supervisor is up after a while",
		events.Event{Kind: events.SupervisorStarted, ID: 1, Path: "/app", Elapsed: 1234567 * time.Microsecond},
		`up          /app  elapsed=1.23s`,
	},
	{
		"a supervisor that ends by itself says why",
		events.Event{Kind: events.SupervisorStopping, Path: "/app", Err: errRefused},
		`closing     /app  error="connection refused"`,
	},
	{
		"a supervisor that has stopped cleanly has nothing to add",
		events.Event{Kind: events.SupervisorStopped, Path: "/app"},
		`down        /app`,
	},
	{
		"a group restart names the failure behind it",
		events.Event{Kind: events.GroupRestarting, Path: "/app", Delay: 200 * time.Millisecond, Err: errRefused},
		`regrouping  /app  delay=200ms error="connection refused"`,
	},
	{
		"a group is up again",
		events.Event{Kind: events.GroupRestarted, Path: "/app", Elapsed: 212345 * time.Microsecond},
		`regrouped   /app  elapsed=212ms`,
	},
	{
		"too many restarts are counted",
		events.Event{Kind: events.IntensityExceeded, Path: "/app", Err: errRefused, Count: 5},
		`too often   /app  restarts=5 error="connection refused"`,
	},
	{
		"a task that was added has not run",
		events.Event{Kind: events.TaskAdded, ID: 7, Path: "/app/db"},
		`added       /app/db`,
	},
	{
		"a task is ready after a while",
		events.Event{Kind: events.TaskReady, Path: "/app/db", Attempt: 1, Elapsed: 1500 * time.Microsecond},
		`ready       /app/db  attempt=1 elapsed=1.5ms`,
	},
	{
		"the first generation goes without saying",
		events.Event{Kind: events.AttemptStarted, Path: "/app/db", Attempt: 1, Generation: 1},
		`started     /app/db  attempt=1`,
	},
	{
		"a second generation is worth a word",
		events.Event{Kind: events.AttemptStarted, Path: "/app/db", Attempt: 4, Generation: 2},
		`started     /app/db  attempt=4 generation=2`,
	},
	{
		"an attempt that failed is said to have failed",
		events.Event{Kind: events.AttemptEnded, Path: "/app/db", Attempt: 2, Generation: 1, Exit: policy.Failed, Elapsed: 40 * time.Millisecond, Err: errRefused},
		`failed      /app/db  attempt=2 elapsed=40ms error="connection refused"`,
	},
	{
		"an attempt that took no time says so",
		events.Event{Kind: events.AttemptEnded, Path: "/app/db", Attempt: 1, Exit: policy.Succeeded},
		`succeeded   /app/db  attempt=1 elapsed=0s`,
	},
	{
		"a label of two words is written as two words",
		events.Event{Kind: events.AttemptEnded, Path: "/app/db", Attempt: 1, Exit: policy.TimedOut, Elapsed: 5 * time.Second},
		`timed out   /app/db  attempt=1 elapsed=5s`,
	},
	{
		"an attempt that ends its task is done, not finished",
		events.Event{Kind: events.AttemptEnded, Path: "/app/db", Attempt: 1, Exit: policy.Finished, Elapsed: time.Second},
		`done        /app/db  attempt=1 elapsed=1s`,
	},
	{
		"an attempt of which nobody knows how it ended has ended",
		events.Event{Kind: events.AttemptEnded, Path: "/app/db", Attempt: 1, Elapsed: time.Second},
		`ended       /app/db  attempt=1 elapsed=1s`,
	},
	{
		"a retry does not repeat the error",
		events.Event{Kind: events.RetryScheduled, Path: "/app/db", Attempt: 2, Exit: policy.Failed, Delay: 312345 * time.Microsecond, Err: errRefused, Count: 2},
		`retrying    /app/db  attempt=2 delay=312ms failures=2`,
	},
	{
		"a retry at once has a delay too",
		events.Event{Kind: events.RetryScheduled, Path: "/app/db", Attempt: 2, Err: errRefused, Count: 2},
		`retrying    /app/db  attempt=2 delay=0s failures=2`,
	},
	{
		"what runs again after a success is not retried",
		events.Event{Kind: events.RetryScheduled, Path: "/app/poll", Attempt: 9, Exit: policy.Succeeded, Delay: time.Minute},
		`repeating   /app/poll  attempt=9 delay=1m0s`,
	},
	{
		"a task is told to stop for a reason",
		events.Event{Kind: events.TaskStopping, Path: "/app/db", Attempt: 1, Reason: events.ReasonGroup},
		`stopping    /app/db  attempt=1 reason=group`,
	},
	{
		"a stuck task without known goroutines is one line",
		events.Event{Kind: events.TaskStuck, Path: "/app/db", Attempt: 1, Generation: 1, Reason: events.ReasonStopped, Elapsed: 10 * time.Second, Count: 2},
		`stuck       /app/db  attempt=1 reason=stopped elapsed=10s notice=2`,
	},
	{
		"an abandoned task is named with its error and without the stacks",
		events.Event{Kind: events.TaskAbandoned, Path: "/app/db", Attempt: 1, Reason: events.ReasonShutdown, Elapsed: 10 * time.Second, Err: stuck(1)},
		`abandoned   /app/db  attempt=1 reason=shutdown elapsed=10s error="task /app/db: attempt 1 has not returned for 10s after it was told to"`,
	},
	{
		"a late return is told with what it returned, and a long time to the second",
		events.Event{Kind: events.TaskReturned, Path: "/app/db", Attempt: 1, Elapsed: 75*time.Hour + 1234567*time.Microsecond, Err: errRefused},
		`returned    /app/db  attempt=1 elapsed=75h0m1s error="connection refused"`,
	},
	{
		"a task has finished with its outcome",
		events.Event{Kind: events.TaskFinished, Path: "/app/db", Attempt: 3, Outcome: events.Failed, Elapsed: 2500 * time.Millisecond, Err: errRefused},
		`finished    /app/db  attempt=3 outcome=failed elapsed=2.5s error="connection refused"`,
	},
	{
		"a removed task is removed",
		events.Event{Kind: events.TaskRemoved, Path: "/app/db"},
		`removed     /app/db`,
	},
	{
		"a queued task says for what it waits, and with how many",
		events.Event{Kind: events.TaskQueued, Path: "/app/deploys/build-2", Key: "main", Count: 3},
		`queued      /app/deploys/build-2  key="main" waiting=3`,
	},
	{
		"a rejected task says why",
		events.Event{Kind: events.TaskRejected, Path: "/app/deploys/build-2", Key: "main", Reason: events.ReasonSuperseded},
		`rejected    /app/deploys/build-2  key="main" reason=superseded`,
	},
	{
		"a job is submitted with its number, its type and how people call it",
		events.Event{Kind: events.JobSubmitted, Path: "/app/queue", Delay: time.Minute, Job: &events.Job{ID: 42, Type: "media/resize", Key: "cat", Label: "the cat"}},
		`submitted   /app/queue  job=42 type=media/resize key="cat" label="the cat" delay=1m0s`,
	},
	{
		"a type cannot reach the terminal by its control characters",
		events.Event{Kind: events.JobUpgraded, Path: "/app/queue", Job: &events.Job{ID: 42, Type: "a\x1b[2J"}},
		`upgraded    /app/queue  job=42 type="a\x1b[2J"`,
	},
	{
		"a batch counts its jobs",
		events.Event{Kind: events.BatchSubmitted, Path: "/app/queue", Count: 1000},
		`batch       /app/queue  jobs=1000`,
	},
	{
		"a job is claimed after a wait",
		events.Event{Kind: events.JobStarted, Path: "/app/queue/workers/42", Elapsed: time.Second, Job: &events.Job{ID: 42, Type: "t", Attempt: 2}},
		`claimed     /app/queue/workers/42  job=42 type=t attempt=2 elapsed=1s`,
	},
	{
		"a job says how far it has come",
		events.Event{Kind: events.JobProgressed, Path: "/app/queue/workers/42", Job: &events.Job{ID: 42, Type: "t", Attempt: 2, Progress: 0.405, Message: "page 4"}},
		`progress    /app/queue/workers/42  job=42 type=t attempt=2 done=40% message="page 4"`,
	},
	{
		"a job that is to be retried says why, since nobody else does",
		events.Event{Kind: events.JobRetryScheduled, Path: "/app/queue", Exit: policy.Failed, Delay: time.Second, Elapsed: time.Millisecond, Count: 2, Err: errRefused, Job: &events.Job{ID: 42, Type: "t", Attempt: 2}},
		`will retry  /app/queue  job=42 type=t attempt=2 delay=1s elapsed=1ms failures=2 error="connection refused"`,
	},
	{
		"a job snoozes for a while",
		events.Event{Kind: events.JobSnoozed, Path: "/app/queue", Delay: time.Hour, Job: &events.Job{ID: 42, Type: "t"}},
		`snoozed     /app/queue  job=42 type=t delay=1h0m0s`,
	},
	{
		"a job is released for a reason",
		events.Event{Kind: events.JobReleased, Path: "/app/queue", Reason: events.ReasonShutdown, Job: &events.Job{ID: 42, Type: "t"}},
		`released    /app/queue  job=42 type=t reason=shutdown`,
	},
	{
		"a job is done after a while",
		events.Event{Kind: events.JobCompleted, Path: "/app/queue", Elapsed: time.Second, Job: &events.Job{ID: 42, Type: "t"}},
		`job done    /app/queue  job=42 type=t elapsed=1s`,
	},
	{
		"a job fails with its error",
		events.Event{Kind: events.JobFailed, Path: "/app/queue", Elapsed: time.Second, Err: errRefused, Job: &events.Job{ID: 42, Type: "t"}},
		`job failed  /app/queue  job=42 type=t elapsed=1s error="connection refused"`,
	},
	{
		"a dead letter says how often it has failed",
		events.Event{Kind: events.JobDeadLettered, Path: "/app/queue", Elapsed: time.Second, Count: 5, Err: errRefused, Job: &events.Job{ID: 42, Type: "t"}},
		`job dead    /app/queue  job=42 type=t elapsed=1s failures=5 error="connection refused"`,
	},
	{
		"a job is cancelled",
		events.Event{Kind: events.JobCancelled, Path: "/app/queue", Job: &events.Job{ID: 42, Type: "t"}},
		`cancelled   /app/queue  job=42 type=t`,
	},
	{
		"a job is superseded",
		events.Event{Kind: events.JobSuperseded, Path: "/app/queue", Job: &events.Job{ID: 42, Type: "t"}},
		`superseded  /app/queue  job=42 type=t`,
	},
	{
		"a job expires at some age",
		events.Event{Kind: events.JobExpired, Path: "/app/queue", Elapsed: time.Hour, Job: &events.Job{ID: 42, Type: "t"}},
		`expired     /app/queue  job=42 type=t elapsed=1h0m0s`,
	},
	{
		"a job is parked for an error",
		events.Event{Kind: events.JobParked, Path: "/app/queue", Err: errRefused, Job: &events.Job{ID: 42, Type: "t"}},
		`parked      /app/queue  job=42 type=t error="connection refused"`,
	},
	{
		"a job is revived",
		events.Event{Kind: events.JobRevived, Path: "/app/queue", Job: &events.Job{ID: 42, Type: "t"}},
		`revived     /app/queue  job=42 type=t`,
	},
	{
		"jobs of a type have no handler, and no number",
		events.Event{Kind: events.JobTypeUnknown, Path: "/app/queue", Count: 7, Job: &events.Job{Type: "t"}},
		`no handler  /app/queue  type=t jobs=7`,
	},
	{
		"a store opens with its jobs",
		events.Event{Kind: events.StoreOpened, Path: "/app/queue", Elapsed: time.Second, Count: 7},
		`store up    /app/queue  elapsed=1s jobs=7`,
	},
	{
		"a store fails with the steps of a commit",
		events.Event{Kind: events.StoreFailed, Path: "/app/queue", Count: 7, Err: errRefused},
		`store down  /app/queue  steps=7 error="connection refused"`,
	},
	{
		"a store is well again",
		events.Event{Kind: events.StoreRecovered, Path: "/app/queue"},
		`store well  /app/queue`,
	},
	{
		"losses are those of a subscriber",
		events.Event{Kind: events.EventsLost, Seq: 90, Subscriber: "console", Count: 12},
		`lost        subscriber "console"  events=12`,
	},
	{
		"a panic of a subscriber is not one of a task",
		events.Event{Kind: events.SubscriberPanicked, Subscriber: "alert", Count: 2, Err: errors.New(`subscriber "alert" panicked: boom`)},
		`panicked    subscriber "alert"  panics=2 error="subscriber \"alert\" panicked: boom"`,
	},
	{
		"a count that its kind does not explain is a count",
		events.Event{Kind: events.TaskAdded, Path: "/app/db", Count: 4},
		`added       /app/db  count=4`,
	},
	{
		"a kind from the future is given by its number",
		events.Event{Kind: 63, Path: "/app", Count: 4},
		events.Kind(63).String() + `    /app  count=4`,
	},
	{
		"of an error of several lines there is the first",
		events.Event{Kind: events.AttemptEnded, Path: "/a", Attempt: 1, Exit: policy.Failed, Err: errors.New("\nfirst\r\nsecond")},
		`failed      /a  attempt=1 elapsed=0s error="first"`,
	},
	{
		"an error cannot reach the terminal by its control characters",
		events.Event{Kind: events.AttemptEnded, Path: "/a", Attempt: 1, Exit: policy.Failed, Err: errors.New("\x1b[2Jgone")},
		`failed      /a  attempt=1 elapsed=0s error="\x1b[2Jgone"`,
	},
	{
		"an error that panics does not cost the line",
		events.Event{Kind: events.AttemptEnded, Path: "/a", Attempt: 1, Exit: policy.Failed, Err: rude{}},
		`failed      /a  attempt=1 elapsed=0s error="%!v(PANIC=Error method: no text)"`,
	},
}

// rude is an error whose text cannot be had.
type rude struct{}

func (rude) Error() string { panic("no text") }

func TestLine(t *testing.T) {
	for _, row := range lines {
		t.Run(row.sentence, func(t *testing.T) {
			want := "12:00:00.250  " + row.want + "\n"
			if got := write(&console.Writer{}, row.event); got != want {
				t.Errorf("got  %swant %s", got, want)
			}
		})
	}
}

func TestEveryKindHasARowAndAWordOfItsOwn(t *testing.T) {
	used := map[string]events.Kind{}
	for _, k := range events.Kinds() {
		if !slices.ContainsFunc(lines, func(r row) bool { return r.event.Kind == k }) {
			t.Errorf("no row for %v", k)
		}
		fields := strings.Fields(write(&console.Writer{}, events.Event{Kind: k, Path: "/a"}))
		word := strings.Join(fields[1:len(fields)-1], " ")
		if k.String() == word {
			t.Errorf("%v has no word", k)
		}
		if other, taken := used[word]; taken {
			t.Errorf("%v and %v have the same word %q", k, other, word)
		}
		used[word] = k
	}
}

func TestThePathsStandInOneColumn(t *testing.T) {
	for _, k := range events.Kinds() {
		for _, color := range []bool{false, true} {
			line := write(&console.Writer{Color: color}, events.Event{Kind: k, Path: "/a"})
			for _, escape := range []string{"\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"} {
				line = strings.ReplaceAll(line, escape, "")
			}
			if at := strings.Index(line, "/a"); at != len("12:00:00.250  regrouping  ") {
				t.Errorf("the path of %v stands at %d:\n%s", k, at, line)
			}
		}
	}
}

func TestColours(t *testing.T) {
	const red, green, yellow, plain = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"
	for _, row := range []struct {
		sentence string
		event    events.Event
		want     string
	}{
		{"a failure is red", events.Event{Kind: events.AttemptEnded, Exit: policy.Panicked}, red + "panicked" + plain + "    /a"},
		{"a success is green", events.Event{Kind: events.AttemptEnded, Exit: policy.Succeeded}, green + "succeeded" + plain + "   /a"},
		{"a requested stop is neither", events.Event{Kind: events.AttemptEnded, Exit: policy.Stopped}, "  stopped     /a"},
		{"a completed task is green", events.Event{Kind: events.TaskFinished, Outcome: events.Completed}, green + "finished" + plain},
		{"a failed task is red", events.Event{Kind: events.TaskFinished, Outcome: events.Failed}, red + "finished" + plain},
		{"a stopped task is neither", events.Event{Kind: events.TaskFinished, Outcome: events.Stopped}, "  finished    /a"},
		{"a retry is yellow", events.Event{Kind: events.RetryScheduled, Count: 1}, yellow + "retrying" + plain},
		{"a job that failed is red", events.Event{Kind: events.JobFailed}, red + "job failed" + plain},
		{"a dead letter is red", events.Event{Kind: events.JobDeadLettered}, red + "job dead" + plain},
		{"a job that is done is green", events.Event{Kind: events.JobCompleted}, green + "job done" + plain},
		{"an ordinary start has no colour", events.Event{Kind: events.AttemptStarted}, "  started     /a"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			row.event.Path = "/a"
			if got := write(&console.Writer{Color: true}, row.event); !strings.Contains(got, row.want) {
				t.Errorf("got %q, want in it %q", got, row.want)
			}
			if got := write(&console.Writer{}, row.event); strings.Contains(got, "\x1b") {
				t.Errorf("a colour that nobody asked for: %q", got)
			}
		})
	}
}

// stuck is the error of a task with n frames.
func stuck(n int) error {
	return &actor.StuckError{
		Path: "/app/db", Attempt: 1, Generation: 1, For: 10 * time.Second,
		Goroutines: []actor.Goroutine{{Path: "/app/db", Count: 1, Stack: strings.Repeat("main.work /src/main.go:7\n", n)}},
	}
}

// deaf refuses what it is given, each time with another error.
type deaf struct{ calls int }

var errDeaf = []error{errors.New("first"), errors.New("second")}

func (d *deaf) Write([]byte) (int, error) {
	err := errDeaf[d.calls]
	d.calls++
	return 0, err
}

func TestTheFirstErrorOfWritingIsKept(t *testing.T) {
	out := &deaf{}
	w := console.New(out)
	if err := w.Err(); err != nil {
		t.Errorf("before the first line: %v", err)
	}
	w.Handle(events.Event{Kind: events.TaskAdded})
	w.Handle(events.Event{Kind: events.TaskAdded})
	if err := w.Err(); !errors.Is(err, errDeaf[0]) {
		t.Errorf("got %v, want %v", err, errDeaf[0])
	}
	if out.calls != 2 {
		t.Errorf("%d calls of Write for two events", out.calls)
	}
}
