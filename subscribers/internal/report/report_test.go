package report

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

var (
	noon       = time.Date(2024, 5, 17, 12, 0, 0, 0, time.UTC)
	errRefused = errors.New("connection refused")
	errDenied  = errors.New("access denied")
)

// The events of the rows are those of one task, a time after noon.

func failed(after time.Duration, err error) events.Event {
	return events.Event{Kind: events.AttemptEnded, At: noon.Add(after), Path: "/app/db", ID: 1, Exit: policy.Failed, Err: err}
}

func ended(after time.Duration, exit policy.Exit, elapsed time.Duration) events.Event {
	return events.Event{Kind: events.AttemptEnded, At: noon.Add(after), Path: "/app/db", ID: 1, Exit: exit, Elapsed: elapsed}
}

func ready(after time.Duration) events.Event {
	return events.Event{Kind: events.TaskReady, At: noon.Add(after), Path: "/app/db", ID: 1}
}

func finished(after time.Duration, o events.Outcome, err error) events.Event {
	return events.Event{Kind: events.TaskFinished, At: noon.Add(after), Path: "/app/db", ID: 1, Outcome: o, Err: err}
}

func regroup(after time.Duration, err error) events.Event {
	return events.Event{Kind: events.GroupRestarting, At: noon.Add(after), Path: "/app", Err: err}
}

func subscriberPanic(after time.Duration) events.Event {
	return events.Event{Kind: events.SubscriberPanicked, At: noon.Add(after), Subscriber: "alert", Count: 1, Err: errors.New("boom")}
}

func stuck(count uint64, where string) events.Event {
	err := &actor.StuckError{Path: "/app/db", Goroutines: []actor.Goroutine{{Count: 1, Stack: where + " /src/main.go:7\n"}}}
	return events.Event{Kind: events.TaskStuck, At: noon, Path: "/app/db", ID: 1, Count: count, Err: err}
}

func times(n int, every time.Duration, err error) (es []events.Event) {
	for i := range n {
		es = append(es, failed(time.Duration(i)*every, err))
	}
	return es
}

func with(es []events.Event, more ...events.Event) []events.Event { return append(es, more...) }

// shown is a line in short.
func shown(l Line) string {
	s := fmt.Sprint(l.Level, " ", l.Message)
	if l.Failures != 0 {
		s += fmt.Sprint(" failures=", l.Failures)
	}
	if l.Repeats != 0 {
		s += fmt.Sprint(" repeats=", l.Repeats)
	}
	if l.Healthy != 0 {
		s += fmt.Sprint(" healthy=", l.Healthy)
	}
	if l.Stack != "" {
		s += " stack=" + strings.Fields(l.Stack)[3] // 1 goroutine at F
	}
	return s
}

func from(least slog.Level) func(slog.Level) bool {
	return func(l slog.Level) bool { return l >= least }
}

func TestWhatIsTold(t *testing.T) {
	const second = time.Second
	for _, row := range []struct {
		sentence string
		rules    Rules
		level    slog.Level // Info, if it says nothing
		events   []events.Event
		want     []string
	}{
		{
			sentence: "a single failure is a warning",
			events:   times(1, second, errRefused),
			want:     []string{"WARN attempt failed"},
		},
		{
			sentence: "its repeats are silent, but for the fifth, which is an error",
			events:   times(20, second, errRefused),
			want:     []string{"WARN attempt failed", "ERROR attempt keeps failing failures=5 repeats=3"},
		},
		{
			sentence: "how many are too many can be chosen",
			rules:    Rules{EscalateAfter: 2},
			events:   times(20, second, errRefused),
			want:     []string{"WARN attempt failed", "ERROR attempt keeps failing failures=2"},
		},
		{
			sentence: "none may be too many",
			rules:    Rules{EscalateAfter: policy.Unlimited},
			events:   times(20, second, errRefused),
			want:     []string{"WARN attempt failed"},
		},
		{
			sentence: "after a minute a repeat is told again",
			events:   times(5, 25*second, errRefused),
			want:     []string{"WARN attempt failed", "WARN attempt failed failures=4 repeats=2", "ERROR attempt keeps failing failures=5"},
		},
		{
			sentence: "after an Interval a repeat is told again",
			rules:    Rules{Interval: 3 * second, EscalateAfter: policy.Unlimited},
			events:   times(9, second, errRefused),
			want:     []string{"WARN attempt failed", "WARN attempt failed failures=4 repeats=2", "WARN attempt failed failures=7 repeats=2"},
		},
		{
			sentence: "another text is news, and one that was told before is not",
			events:   with(times(3, second, errRefused), failed(3*second, errDenied), failed(4*second, errRefused)),
			want:     []string{"WARN attempt failed", "WARN attempt failed failures=4 repeats=2", "ERROR attempt keeps failing failures=5"},
		},
		{
			sentence: "another text does not begin another streak: there is one error",
			events:   with(times(6, second, errRefused), with(times(6, second, errDenied), failed(7*second, errRefused))...),
			want:     []string{"WARN attempt failed", "ERROR attempt keeps failing failures=5 repeats=3", "WARN attempt failed failures=7 repeats=1"},
		},
		{
			sentence: "the same text of another end is news",
			events:   []events.Event{ended(0, policy.Stalled, second), ended(second, policy.Exited, second)},
			want:     []string{"WARN attempt failed", "WARN attempt failed failures=2"},
		},
		{
			sentence: "texts that differ beyond what is compared are the same",
			events: []events.Event{
				failed(0, errors.New(strings.Repeat("x", maxCompared)+"y")),
				failed(second, errors.New(strings.Repeat("x", maxCompared)+"z")),
			},
			want: []string{"WARN attempt failed"},
		},
		{
			sentence: "a success tells the recovery in place of itself",
			level:    slog.LevelDebug,
			events:   with(times(7, second, errRefused), ended(8*second, policy.Succeeded, second), ended(9*second, policy.Succeeded, second)),
			want: []string{
				"WARN attempt failed", "ERROR attempt keeps failing failures=5 repeats=3",
				"INFO task recovered failures=7 repeats=2", "DEBUG attempt ended",
			},
		},
		{
			sentence: "a task that has finished its work has recovered too",
			events:   with(times(2, second, errRefused), ended(3*second, policy.Finished, second)),
			want:     []string{"WARN attempt failed", "INFO task recovered failures=2 repeats=1"},
		},
		{
			sentence: "nobody recovers from a single failure",
			events:   with(times(1, second, errRefused), ended(8*second, policy.Succeeded, second), failed(9*second, errRefused)),
			want:     []string{"WARN attempt failed", "WARN attempt failed"},
		},
		{
			sentence: "a failure after a healthy run is the first of the next streak",
			events:   with(times(5, second, errRefused), ended(time.Hour, policy.Failed, time.Hour-10*second)),
			want: []string{
				"WARN attempt failed", "ERROR attempt keeps failing failures=5 repeats=3",
				"INFO task recovered failures=5 healthy=59m50s", "WARN attempt failed",
			},
		},
		{
			sentence: "what is healthy can be chosen",
			rules:    Rules{Healthy: 10 * second},
			events: []events.Event{failed(0, errRefused), failed(second, errRefused), ended(20*second, policy.Failed, 9*second),
				ended(30*second, policy.Failed, 10*second)},
			want: []string{"WARN attempt failed", "WARN attempt failed failures=3 repeats=1", "INFO task recovered failures=3 healthy=10s", "WARN attempt failed"},
		},
		{
			sentence: "a run into the timeout is not healthy, however long",
			events:   []events.Event{ended(0, policy.TimedOut, time.Hour), ended(second, policy.TimedOut, time.Hour)},
			want:     []string{"WARN attempt failed"},
		},
		{
			sentence: "being stopped after a healthy run tells the recovery",
			events:   with(times(2, second, errRefused), ended(time.Hour, policy.Stopped, time.Hour-10*second)),
			want:     []string{"WARN attempt failed", "INFO task recovered failures=2 repeats=1 healthy=59m50s"},
		},
		{
			sentence: "being stopped before does not, and the streak goes on",
			events:   with(times(2, second, errRefused), ended(3*second, policy.Stopped, second), failed(4*second, errRefused)),
			want:     []string{"WARN attempt failed"},
		},
		{
			sentence: "who had never come so far has recovered when it is ready",
			level:    slog.LevelDebug,
			events:   with(times(2, second, errRefused), ready(3*second), ready(4*second)),
			want:     []string{"WARN attempt failed", "INFO task recovered failures=2 repeats=1", "DEBUG task ready"},
		},
		{
			sentence: "who is ready before each failure has not",
			events: []events.Event{
				ready(0), failed(0, errRefused), ready(second), failed(second, errRefused), ready(2 * second), failed(2*second, errRefused),
				ready(3 * second), ended(3*second, policy.Succeeded, second),
			},
			want: []string{"WARN attempt failed", "INFO task recovered failures=3 repeats=2"},
		},
		{
			sentence: "a failure after the recovery was told goes on with the streak",
			events: with(times(5, second, errRefused), ready(6*second), failed(7*second, errRefused),
				ready(8*second), failed(9*second, errRefused), ended(10*second, policy.Succeeded, second)),
			want: []string{
				"WARN attempt failed", "ERROR attempt keeps failing failures=5 repeats=3", "INFO task recovered failures=5",
				"INFO task recovered failures=7 repeats=2",
			},
		},
		{
			sentence: "a task that failed for good tells what was left",
			events:   with(times(4, second, errRefused), finished(5*second, events.Failed, errRefused)),
			want:     []string{"WARN attempt failed", "ERROR task failed failures=4 repeats=3"},
		},
		{
			sentence: "so does one that was stopped while it failed",
			events:   with(times(4, second, errRefused), finished(5*second, events.Stopped, nil)),
			want:     []string{"WARN attempt failed", "INFO task finished failures=4 repeats=3"},
		},
		{
			sentence: "one with nothing left to tell is finished silently",
			events:   with(times(1, second, errRefused), finished(5*second, events.Stopped, nil)),
			want:     []string{"WARN attempt failed"},
		},
		{
			sentence: "the next task in the same place has streaks of its own",
			events: with(times(3, second, errRefused),
				events.Event{Kind: events.AttemptEnded, At: noon, Path: "/app/db", ID: 2, Exit: policy.Failed, Err: errRefused}),
			want: []string{"WARN attempt failed", "WARN attempt failed"},
		},
		{
			sentence: "restarts of a group are told like failures, and are never too many",
			events: []events.Event{
				regroup(0, errRefused), regroup(second, errRefused), regroup(2*second, errRefused), regroup(3*second, errRefused),
				regroup(4*second, errRefused), regroup(5*second, errDenied), regroup(6*second, errDenied),
				{Kind: events.SupervisorStopped, At: noon, Path: "/app"},
			},
			want: []string{"WARN group restarting", "WARN group restarting failures=6 repeats=4", "INFO supervisor stopped failures=7 repeats=1"},
		},
		{
			sentence: "restarts of a group that has been quiet are news",
			events:   []events.Event{regroup(0, errRefused), regroup(second, errRefused), regroup(time.Hour, errRefused)},
			want:     []string{"WARN group restarting", "WARN group restarting repeats=1"},
		},
		{
			sentence: "panics of a subscriber are told like failures",
			events:   []events.Event{subscriberPanic(0), subscriberPanic(second), subscriberPanic(59 * second), subscriberPanic(60 * second)},
			want:     []string{"ERROR subscriber panicked", "ERROR subscriber panicked failures=4 repeats=2"},
		},
		{
			sentence: "a stuck task shows where it is once, and is then a warning",
			events: []events.Event{
				stuck(1, "main.a"), stuck(2, "main.b"), {Kind: events.TaskAbandoned, At: noon, Err: stuck(3, "main.c").Err},
				finished(second, events.Abandoned, stuck(3, "main.c").Err), {Kind: events.SupervisorStopped, At: noon, Err: stuck(2, "main.b").Err},
			},
			want: []string{"ERROR task stuck stack=main.a", "WARN task stuck", "ERROR task abandoned", "ERROR task finished", "ERROR supervisor stopped"},
		},
		{
			sentence: "a log of errors alone has the error, with what came before it",
			level:    slog.LevelError,
			events:   with(times(7, second, errRefused), finished(8*second, events.Failed, errRefused)),
			want:     []string{"ERROR attempt keeps failing failures=5 repeats=4", "ERROR task failed failures=7 repeats=2"},
		},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			r := Reporter{Rules: row.rules}
			var got []string
			for _, e := range row.events {
				for _, l := range r.Lines(e, from(row.level)) {
					got = append(got, shown(l))
				}
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(row.want, "\n\t"))
			}
		})
	}
}

func TestEveryKindHasAMessageAndALevel(t *testing.T) {
	for _, k := range events.Kinds() {
		var r Reporter
		ls := r.Lines(events.Event{Kind: k}, from(slog.LevelDebug))
		want := strings.ReplaceAll(k.String(), "_", " ")
		if len(ls) != 1 || ls[0].Message != want || ls[0].Level != (events.Event{Kind: k}).Level() {
			t.Errorf("%v is told by %+v", k, ls)
		}
		if ls := r.Lines(events.Event{Kind: k}, from(slog.LevelError+1)); len(ls) != 0 {
			t.Errorf("%v is told to who wants nothing: %+v", k, ls)
		}
	}
}

func TestARecoveryHasNotTheErrorThatCameAfterIt(t *testing.T) {
	var r Reporter
	for _, e := range times(2, time.Second, errRefused) {
		r.Lines(e, from(slog.LevelInfo))
	}
	late := failed(time.Hour, errDenied)
	late.Elapsed = time.Hour
	ls := r.Lines(late, from(slog.LevelInfo))
	if len(ls) != 2 || ls[0].Event.Err != nil || ls[0].Event.Exit != 0 || ls[1].Event.Err != errDenied { //nolint:errorlint // the very same
		t.Errorf("the lines are %+v", ls)
	}
}

func TestAStormMakesAHandfulOfLinesThatAddUp(t *testing.T) {
	const storm = 1000
	var r Reporter
	var told uint64
	var levels []slog.Level
	for _, e := range with(times(storm, 200*time.Millisecond, errRefused), ended(time.Hour, policy.Succeeded, time.Second)) {
		for _, l := range r.Lines(e, from(slog.LevelInfo)) {
			levels = append(levels, l.Level)
			told += l.Repeats
			if l.Event.Exit.IsFailure() {
				told++
			}
		}
	}
	// 200 seconds are three minutes and the rest, of which the recovery tells.
	want := []slog.Level{slog.LevelWarn, slog.LevelError, slog.LevelWarn, slog.LevelWarn, slog.LevelWarn, slog.LevelInfo}
	if !slices.Equal(levels, want) {
		t.Errorf("the lines are %v, want %v", levels, want)
	}
	if told != storm {
		t.Errorf("%d failures are told of, and there were %d", told, storm)
	}
}

func TestTextsThatAlwaysDifferDoNotFloodTheLog(t *testing.T) {
	var r Reporter
	var lines int
	for i := range 1000 {
		e := failed(time.Duration(i)*50*time.Millisecond, fmt.Errorf("read tcp 10.0.0.1:%d: connection reset", i))
		lines += len(r.Lines(e, from(slog.LevelInfo)))
	}
	if lines > maxTexts+2 {
		t.Errorf("%d lines in less than a minute", lines)
	}
}

func panicError(where string) error {
	return &actor.PanicError{Value: "boom", Stack: []byte("goroutine 7 [running]: " + where + "()\n")}
}

func TestAStackIsWrittenOnceUpTheTree(t *testing.T) {
	up := func(err error) []events.Event {
		return []events.Event{
			{Kind: events.AttemptEnded, Path: "/app/db", Exit: policy.Panicked, Err: err},
			{Kind: events.RetryScheduled, Path: "/app/db", Exit: policy.Panicked, Err: err},
			{Kind: events.TaskFinished, Path: "/app/db", Outcome: events.Failed, Err: err},
			{Kind: events.SupervisorStopping, Path: "/app", Err: fmt.Errorf("task /app/db: %w", err)},
			{Kind: events.SupervisorStopped, Path: "/app", Err: fmt.Errorf("task /app/db: %w", err)},
		}
	}
	for _, row := range []struct {
		sentence string
		level    slog.Level
		events   []events.Event
		want     []events.Kind // of the lines with a stack
	}{
		{"by the attempt", slog.LevelDebug, up(panicError("main.a")), []events.Kind{events.AttemptEnded}},
		{
			"by the first of several attempts",
			slog.LevelDebug,
			append(up(panicError("main.a"))[:1], up(panicError("main.b"))...), // a text, two places
			[]events.Kind{events.AttemptEnded},
		},
		{"by the task where attempts are not told", slog.LevelError, up(panicError("main.a")), []events.Kind{events.TaskFinished}},
		{
			"though another task panics in between",
			slog.LevelInfo,
			append(up(panicError("main.a"))[:1], append([]events.Event{
				{Kind: events.AttemptEnded, Path: "/app/other", Exit: policy.Panicked, Err: panicError("main.b")},
			}, up(panicError("main.a"))[2:]...)...),
			[]events.Kind{events.AttemptEnded, events.AttemptEnded},
		},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			var r Reporter
			var got []events.Kind
			for _, e := range row.events {
				for _, l := range r.Lines(e, from(row.level)) {
					if l.Stack != "" {
						got = append(got, l.Event.Kind)
					}
				}
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("stacks stand by %v, want %v", got, row.want)
			}
		})
	}
}

// numbered is the failure of the n-th of many tasks.
func numbered(n int, at time.Time) events.Event {
	return events.Event{Kind: events.AttemptEnded, At: at, ID: events.ID(n + 1), Path: fmt.Sprintf("/app/%d", n), Exit: policy.Failed, Err: errRefused}
}

func TestTasksThatHaveEndedLeaveNothing(t *testing.T) {
	var r Reporter
	for n := range 10_000 {
		e := numbered(n, noon)
		for range 7 {
			r.Lines(e, from(slog.LevelInfo))
		}
		if n%2 == 0 {
			e.Exit, e.Err = policy.Succeeded, nil
		} else {
			e.Kind, e.Outcome = events.TaskFinished, events.Failed
		}
		r.Lines(e, from(slog.LevelInfo))
	}
	if n := len(r.streaks); n != 0 {
		t.Errorf("%d streaks are left", n)
	}
}

func TestBeyondTheLimitEachFailureIsTold(t *testing.T) {
	var r Reporter
	for n := range MaxTracked {
		r.Lines(numbered(n, noon), from(slog.LevelInfo))
	}
	lines := func(n int, after time.Duration) (made int) {
		for range 3 {
			made += len(r.Lines(numbered(n, noon.Add(after)), from(slog.LevelInfo)))
		}
		return made
	}
	if got := lines(0, 0); got != 0 {
		t.Errorf("one that is tracked makes %d lines more", got)
	}
	if got := lines(MaxTracked, 0); got != 3 {
		t.Errorf("a newcomer makes %d lines, want one for each failure", got)
	}
	if got := len(r.streaks); got != MaxTracked {
		t.Errorf("%d are tracked", got)
	}
	// The ends of all these may have been lost.
	if got := lines(MaxTracked+1, staleAfter); got != 1 {
		t.Errorf("long after, a newcomer makes %d lines, want one", got)
	}
	if got := len(r.streaks); got != 1 {
		t.Errorf("long after, %d are tracked", got)
	}
}

// rude is an error of which nothing can be had.
type rude struct{}

func (rude) Error() string  { panic("no text") }
func (rude) Traces() string { panic("no stack") }

// several is an error that cannot be compared.
type several []string

func (s several) Error() string  { return strings.Join(s, "\n") }
func (s several) Traces() string { return strings.Join(s, "\n") }

func TestAnErrorMayBeAnything(t *testing.T) {
	for _, row := range []struct {
		sentence string
		err      error
		want     string // the error's text
		stack    string
	}{
		{"rude", rude{}, "%!v(PANIC=Error method: no text)", ""},
		{"a nil pointer", (*actor.SpecError)(nil), "<nil>", ""},
		{"missing", nil, "", ""},
		{"not comparable, and of several lines that are stacks", several{"one", "two"}, "one", "one\ntwo"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			var r Reporter
			for i, want := range []int{1, 0, 0, 0, 1} { // the first, and the error
				ls := r.Lines(failed(time.Duration(i), row.err), from(slog.LevelInfo))
				if len(ls) != want {
					t.Fatalf("failure %d makes %d lines, want %d", i+1, len(ls), want)
				}
				if want == 0 {
					continue
				}
				var text string
				for _, a := range ls[0].Attrs() {
					if a.Key == "error" {
						text = a.Value.String()
					}
				}
				if text != row.want {
					t.Errorf("the text is %q, want %q", text, row.want)
				}
				if stack := ls[0].Stack; i == 0 && stack != row.stack {
					t.Errorf("the stack is %q, want %q", stack, row.stack)
				}
			}
		})
	}
}

func TestTheFieldsAreTheEventsAndThenTheLines(t *testing.T) {
	l := Line{
		Event:    events.Event{Seq: 9, Kind: events.AttemptEnded, ID: 3, Path: "/app/db", Attempt: 2, Generation: 2, Exit: policy.Failed, Err: errRefused},
		Failures: 5, Repeats: 3, Healthy: time.Hour, Stack: "main.work",
	}
	as := l.Attrs()
	own := l.Event.LogValue().Group()
	more := []slog.Attr{slog.Uint64("failures", 5), slog.Uint64("repeats", 3), slog.Duration("healthy", time.Hour), slog.String("stack", "main.work")}
	if want := append(own, more...); !slices.EqualFunc(as, want, slog.Attr.Equal) {
		t.Errorf("the fields are %v, want %v", as, want)
	}
	if len(own) < 9 {
		t.Errorf("the event says only %v", own)
	}
}

func TestTheFirstGenerationIsNotSaid(t *testing.T) {
	for generation, want := range []bool{false, false, true} {
		l := Line{Event: events.Event{Kind: events.AttemptStarted, Generation: generation}}
		said := slices.ContainsFunc(l.Attrs(), func(a slog.Attr) bool { return a.Key == "generation" })
		if said != want || l.Event.Generation != generation {
			t.Errorf("generation %d is said: %v", generation, said)
		}
	}
}

func TestWhatIsNotWrittenCostsNothing(t *testing.T) {
	var r Reporter
	quiet := func(slog.Level) bool { return false }
	for _, e := range []events.Event{
		{Kind: events.AttemptStarted, Path: "/app/db"},
		{Kind: events.TaskReady, Path: "/app/db"},
		{Kind: events.AttemptEnded, Path: "/app/db", Exit: policy.Succeeded},
		{Kind: events.RetryScheduled, Path: "/app/db", Exit: policy.Failed, Err: panicError("main.a")},
		{Kind: events.TaskFinished, Path: "/app/db", Outcome: events.Completed},
	} {
		if n := testing.AllocsPerRun(100, func() { r.Lines(e, quiet) }); n != 0 {
			t.Errorf("%v allocates %v times", e.Kind, n)
		}
	}
}

func TestTheErrorOfAStopThatLeftSomethingBehindIsOneLine(t *testing.T) {
	left := &supervisor.StopError{Path: "/app", Took: time.Second, Stuck: []*actor.StuckError{
		{Path: "/app/deaf", Attempt: 1, For: time.Second, Goroutines: []actor.Goroutine{{Count: 1, Stack: "main.wait /src/main.go:7\n"}}},
	}}
	for _, row := range []struct {
		sentence string
		err      error
		want     string
	}{
		{"its stacks are not in the error", left, "stop of /app: 1 task left behind after 1s"},
		{"a text of several lines stays whole", errors.New("one\ntwo"), "one\ntwo"},
	} {
		l := Line{Event: events.Event{Kind: events.SupervisorStopped, Path: "/app", Err: row.err}}
		for _, a := range l.Attrs() {
			if a.Key == "error" && fmt.Sprint(a.Value.Any()) != row.want {
				t.Errorf("%s: got %q, want %q", row.sentence, a.Value.Any(), row.want)
			}
		}
	}
}
