package report

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

func started(after time.Duration) events.Event {
	return events.Event{Kind: events.AttemptStarted, At: noon.Add(after), Path: "/app/db", ID: 1}
}

func stopping(after time.Duration) events.Event {
	return events.Event{Kind: events.TaskStopping, At: noon.Add(after), Path: "/app/db", ID: 1}
}

// noise is about another task.
func noise(after time.Duration) events.Event {
	return events.Event{Kind: events.RetryScheduled, At: noon.Add(after), Path: "/app/other", ID: 2}
}

func lost(after time.Duration) events.Event {
	return events.Event{Kind: events.EventsLost, At: noon.Add(after), Subscriber: "slog", Count: 9}
}

func TestARunThatLastsIsToldByTheNextEventOfAll(t *testing.T) {
	const second, minute = time.Second, time.Minute

	// The task has failed seven times within seven seconds, saying to be ready or not.
	plain := times(7, second, errRefused)
	var flaps []events.Event
	for i := range 7 {
		at := time.Duration(i) * second
		flaps = append(flaps, started(at), ready(at), failed(at, errRefused))
	}
	told := []string{"WARN attempt failed", "ERROR attempt keeps failing failures=5 repeats=3"}
	recovered := func(healthy time.Duration) string {
		return fmt.Sprint("INFO task recovered failures=7 repeats=2 healthy=", healthy)
	}

	for _, row := range []struct {
		sentence string
		before   []events.Event
		events   []events.Event
		want     []string
	}{
		{
			"a minute after the start, by a sibling's event", plain,
			[]events.Event{started(8 * second), noise(68*second - 1), noise(70 * second)},
			[]string{recovered(62 * second)},
		},
		{
			"a minute after it was ready, if it used to be ready", flaps,
			[]events.Event{started(8 * second), noise(9 * minute), ready(10 * minute), noise(11*minute - 1), noise(11 * minute)},
			[]string{recovered(minute)},
		},
		{
			"once, and not again by its end", flaps,
			[]events.Event{
				started(8 * second), ready(8 * second), noise(2 * minute), noise(3 * minute), stopping(4 * minute),
				ended(5*minute, policy.Stopped, 4*minute), finished(5*minute, events.Stopped, nil), noise(9 * minute),
			},
			[]string{recovered(112 * second)},
		},
		{
			"a failure after it is the first of the next streak", plain,
			[]events.Event{started(8 * second), noise(2 * minute), ended(3*minute, policy.Failed, 172*second), started(3 * minute), noise(9 * minute)},
			[]string{recovered(112 * second), "WARN attempt failed"},
		},
		{
			"before the failure, if that is the next event", flaps,
			[]events.Event{started(8 * second), ready(8 * second), ended(78*second, policy.Failed, 70*second), noise(9 * minute)},
			[]string{recovered(70 * second), "WARN attempt failed"},
		},
		{
			"by its end, if it is told to stop before any other event", plain,
			[]events.Event{started(8 * second), stopping(2 * minute), ended(128*second, policy.Stopped, 2*minute), noise(9 * minute)},
			[]string{recovered(2 * minute)},
		},
		{
			"not if it has failed before", plain,
			[]events.Event{started(8 * second), failed(9*second, errRefused), noise(9 * minute)},
			nil,
		},
		{
			"not if it was told to stop before", plain,
			[]events.Event{started(8 * second), stopping(9 * second), noise(9 * minute)},
			nil,
		},
		{
			"not for the attempts before it", plain,
			[]events.Event{started(8 * second), failed(50*second, errRefused), started(51 * second), noise(110 * second)},
			nil,
		},
		{
			"not again if it was told to be ready", plain,
			[]events.Event{started(8 * second), ready(9 * second), noise(9 * minute)},
			[]string{"INFO task recovered failures=7 repeats=2"},
		},
		{
			"not if its end may have been lost, but by that", plain,
			[]events.Event{started(8 * second), lost(2 * minute), noise(9 * minute), ended(10*minute, policy.Succeeded, 9*minute)},
			[]string{"WARN events lost", recovered(9 * minute)},
		},
		{
			"not if it may run into its timeout again", append(slices.Clone(plain), ended(7*second, policy.TimedOut, minute)),
			[]events.Event{started(8 * second), noise(9 * minute), ended(10*minute, policy.Succeeded, 9*minute)},
			[]string{"WARN attempt failed failures=8 repeats=2", "INFO task recovered failures=8 healthy=9m0s"},
		},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			var r Reporter
			var got []string
			for _, e := range slices.Concat(row.before, row.events) {
				for _, l := range r.Lines(e, from(slog.LevelInfo)) {
					got = append(got, shown(l))
				}
			}
			if want := slices.Concat(told, row.want); !slices.Equal(got, want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
			}
			checkRuns(t, &r)
		})
	}
}

// checkRuns checks that what is watched is what the streaks say.
func checkRuns(t *testing.T, r *Reporter) {
	t.Helper()
	watched := 0
	for k, s := range r.streaks {
		if s.run != nil {
			watched++
			if s.run.Value.(*run).key != k {
				t.Errorf("%v watches another's run", k)
			}
		}
	}
	if n := r.runs.Len(); n != watched {
		t.Errorf("%d runs are watched, %d of them for a streak", n, watched)
	}
}

func TestARecoveryStandsBeforeTheEventThatToldOfIt(t *testing.T) {
	var r Reporter
	for _, e := range times(2, time.Second, errRefused) {
		r.Lines(e, from(slog.LevelInfo))
	}
	begin := started(2 * time.Second)
	begin.Seq, begin.Attempt = 40, 3
	r.Lines(begin, from(slog.LevelInfo))

	other := noise(time.Hour)
	other.Seq = 90
	ls := r.Lines(other, from(slog.LevelDebug))
	if len(ls) != 2 || ls[1].Event != other {
		t.Fatalf("the lines are %+v", ls)
	}
	// It says which attempt is well, at the time at which it is written.
	begin.At = other.At
	if ls[0].Event != begin || ls[0].Healthy != time.Hour-2*time.Second {
		t.Errorf("the recovery is %+v", ls[0])
	}
}

func TestTasksThatKeepFailingAreWatchedOnceEach(t *testing.T) {
	var r Reporter
	for round := range 20 {
		for n := range 100 {
			e := numbered(n, noon.Add(time.Duration(round)*time.Second))
			r.Lines(e, from(slog.LevelInfo))
			e.Kind, e.Exit, e.Err = events.AttemptStarted, 0, nil
			r.Lines(e, from(slog.LevelInfo))
		}
	}
	if n := r.runs.Len(); n != 100 {
		t.Errorf("%d runs are watched", n)
	}
	checkRuns(t, &r)
	if n := len(r.Lines(noise(time.Hour), from(slog.LevelInfo))); n != 100 {
		t.Errorf("%d are told to have recovered", n)
	}
	if len(r.streaks) != 0 || r.runs.Len() != 0 {
		t.Errorf("%d streaks and %d runs are left", len(r.streaks), r.runs.Len())
	}
}

func TestWhatIsWatchedAndNotDueCostsNothing(t *testing.T) {
	var r Reporter
	for n := range 1000 {
		e := numbered(n, noon)
		r.Lines(e, from(slog.LevelInfo))
		e.Kind, e.Exit, e.Err = events.AttemptStarted, 0, nil
		r.Lines(e, from(slog.LevelInfo))
	}
	if n := testing.AllocsPerRun(100, func() { r.Lines(noise(time.Second), from(slog.LevelInfo)) }); n != 0 {
		t.Errorf("an event allocates %v times", n)
	}
}
