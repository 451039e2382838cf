package report

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// jobEvent is one about a job of a type, at a time after noon.
func jobEvent(k events.Kind, after time.Duration, id uint64, typ string, err error) events.Event {
	return events.Event{
		Kind: k, At: noon.Add(after), Path: "/app/queue", Pattern: "/app/queue", Err: err,
		Job: &events.Job{ID: id, Type: typ, Attempt: 1},
	}
}

// linesOf returns the lines of a log from a level on, in short.
func linesOf(r *Reporter, least slog.Level, es ...events.Event) (all []string) {
	for _, e := range es {
		for _, l := range r.Lines(e, from(least)) {
			all = append(all, shown(l))
		}
	}
	return all
}

func TestAThousandJobsOfATypeThatFailMakeAHandfulOfLines(t *testing.T) {
	for _, kind := range []events.Kind{events.JobRetryScheduled, events.JobFailed, events.JobDeadLettered, events.JobExpired, events.JobParked} {
		t.Run(kind.String(), func(t *testing.T) {
			const jobs = 1000
			var r Reporter
			lines, told := 0, uint64(0)
			for i := range jobs {
				at := time.Duration(i) * 200 * time.Millisecond // 200 s in all
				for _, l := range r.Lines(jobEvent(kind, at, uint64(i+1), "media/resize", errRefused), from(slog.LevelInfo)) {
					lines++
					told += 1 + l.Repeats
				}
			}
			if lines != 4 {
				t.Errorf("%d lines, want one, and one more per minute", lines)
			}
			// One of each other type, and of each other error, is news at once.
			for _, e := range []events.Event{
				jobEvent(kind, 200*time.Second, 2000, "mail/send", errRefused),
				jobEvent(kind, 200*time.Second, 2001, "media/resize", errDenied),
			} {
				for _, l := range r.Lines(e, from(slog.LevelInfo)) {
					told += 1 + l.Repeats
				}
			}
			if told != jobs+2 {
				t.Errorf("the lines tell of %d, want %d", told, jobs+2)
			}
		})
	}
}

func TestADeadLetterIsToldAlsoIfItsRetriesWere(t *testing.T) {
	var r Reporter
	got := linesOf(&r, slog.LevelInfo,
		jobEvent(events.JobRetryScheduled, 0, 1, "t", errRefused),
		jobEvent(events.JobRetryScheduled, time.Second, 1, "t", errRefused),
		jobEvent(events.JobDeadLettered, 2*time.Second, 1, "t", errRefused),
		jobEvent(events.JobDeadLettered, 3*time.Second, 2, "t", errRefused),
		jobEvent(events.JobDeadLettered, time.Hour, 3, "t", errRefused),
	)
	if want := []string{"WARN job retry scheduled", "ERROR job dead lettered", "ERROR job dead lettered repeats=1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What the job says is not said of its task as well.
func TestAnAttemptAtAJobIsToldByTheJob(t *testing.T) {
	var es []events.Event
	for i := range 20 {
		task := events.Event{At: noon, Path: fmt.Sprint("/app/queue/", i), ID: events.ID(i + 1), Job: &events.Job{ID: 1, Type: "t"}, Err: errRefused}
		end, finish := task, task
		end.Kind, end.Exit = events.AttemptEnded, policy.Failed
		finish.Kind, finish.Outcome = events.TaskFinished, events.Failed
		es = append(es, end, finish)
	}
	var r Reporter
	if got := linesOf(&r, slog.LevelInfo, es...); len(got) != 0 {
		t.Errorf("got %q", got)
	}
	if len(r.streaks) != 0 {
		t.Errorf("there are %d streaks", len(r.streaks))
	}
	if got := linesOf(&r, slog.LevelDebug, es[:2]...); !slices.Equal(got, []string{"DEBUG attempt failed", "DEBUG task failed"}) {
		t.Errorf("got %q", got)
	}
}

func TestAStoreThatFailsIsToldOnceAndItsRecovery(t *testing.T) {
	about := func(k events.Kind, after time.Duration, err error) events.Event {
		return events.Event{Kind: k, At: noon.Add(after), Path: "/app/queue", Err: err}
	}
	full := errors.New("no space left on device")
	var r Reporter
	got := linesOf(&r, slog.LevelInfo,
		about(events.StoreFailed, 0, full),
		about(events.StoreFailed, time.Second, full),
		about(events.StoreFailed, 2*time.Second, full),
		about(events.StoreRecovered, 3*time.Second, nil),
		about(events.StoreFailed, 4*time.Second, full),
	)
	want := []string{"ERROR store failed", "INFO store recovered failures=3 repeats=2", "ERROR store failed"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTheFieldsOfAJobStandSideBySide(t *testing.T) {
	l := Line{Event: events.Event{Kind: events.JobProgressed, Path: "/app/queue/workers/42", ID: 7, Job: &events.Job{
		ID: 42, Type: "media/resize", Domain: "d", Key: "k", Label: "l", Group: "g", Priority: 5, Attempt: 2,
		Tags: []events.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}, Progress: 0.25, Message: "page 4",
	}}}
	want := `[kind=job_progressed path=/app/queue/workers/42 id=7 job=42 job_type=media/resize job_domain=d job_key=k job_label=l` +
		` job_group=g job_priority=5 job_attempt=2 job_tags=a=1,b=2 job_progress=0.25 job_message=page 4]`
	if got := fmt.Sprint(l.Attrs()); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
	all := Line{Event: events.Event{Kind: events.JobTypeUnknown, Count: 3, Job: &events.Job{Type: "t"}}}
	if got, want := fmt.Sprint(all.Attrs()), "[kind=job_type_unknown job_type=t count=3]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
