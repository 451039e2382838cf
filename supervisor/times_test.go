package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// Not in a bubble: there is only one clock in it.
func TestEventsSayWhenItWas(t *testing.T) {
	var heard []events.Event
	listen := events.Subscriber{Name: "test", Handler: events.HandlerFunc(func(e events.Event) { heard = append(heard, e) })}
	n := 0
	task := actor.Func(func(context.Context) error {
		if n++; n < 4 {
			return errBench
		}
		return actor.Done
	})
	const near = 100 * time.Millisecond // the two clocks cannot be read at one moment
	before := time.Now()
	app := supervisor.New(supervisor.Config{
		Name: "app", EndWhenEmpty: true, Subscribers: []events.Subscriber{listen},
		Children: []actor.Spec{{Name: "a", Task: task, Backoff: policy.Constant(2 * time.Millisecond)}},
	})
	if err := app.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := time.Now()

	var last, started events.Event
	for _, e := range heard { // all of them: Run has waited for the subscriber
		if e.At.Before(before) || e.At.After(after) || e.At.Before(last.At) {
			t.Errorf("%v is told to have been at %v: the one before was at %v, and all was between %v and %v", e.Kind, e.At, last.At, before, after)
		}
		if wall := e.At.Round(0); wall.Before(before.Round(0).Add(-near)) || wall.After(after.Round(0).Add(near)) {
			t.Errorf("%v: the wall clock says %v", e.Kind, wall)
		}
		if !strings.Contains(e.At.String(), " m=") {
			t.Errorf("%v: %v has lost the clock that measures", e.Kind, e.At)
		}
		switch e.Kind {
		case events.AttemptStarted:
			started = e
		case events.AttemptEnded:
			equal(t, "from beginning to end", e.At.Sub(started.At), e.Elapsed)
		case events.RetryScheduled:
			equal(t, "time of what follows at once", e.At, last.At)
		}
		last = e
	}
	equal(t, "attempts", started.Attempt, 4)
}

func TestTheResultOfAnAttemptSaysHowLongItLasted(t *testing.T) {
	for _, row := range []struct {
		name string
		task actor.Func
		want time.Duration
	}{
		{"returns at once", func(context.Context) error { return nil }, 0},
		{"works", func(context.Context) error { linger(3 * time.Second); return nil }, 3 * time.Second},
		{"fails", func(context.Context) error { linger(3 * time.Second); return errBench }, 3 * time.Second},
		{"panics", func(context.Context) error { linger(4 * time.Second); panic("boom") }, 4 * time.Second},
		{"leaves its goroutine", func(context.Context) error { linger(4 * time.Second); runtime.Goexit(); return nil }, 4 * time.Second},
		{"waits for a helper", func(ctx context.Context) error {
			linger(time.Second)
			return actor.Go(ctx, func(context.Context) error { linger(4 * time.Second); return nil })
		}, 5 * time.Second},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				heard := &ear{}
				var got []time.Duration
				app := supervisor.New(supervisor.Config{
					Name: "app", EndWhenEmpty: true, Subscribers: heard.subscriber(events.AttemptEnded),
					Around: []actor.Around{func(context.Context, actor.Info) (context.Context, func(actor.Result)) {
						linger(time.Second) // belongs to the attempt
						return nil, func(res actor.Result) { got = append(got, res.Elapsed) }
					}},
					Children: []actor.Spec{{Name: "a", Task: row.task, Restart: policy.Never}},
				})
				_ = app.Run(t.Context())
				want := time.Second + row.want
				equal(t, "elapsed", fmt.Sprint(got), fmt.Sprint([]time.Duration{want}))
				equal(t, "as told", heard.of("/app/a")[0].Elapsed, want)
			})
		})
	}
}

func TestTheResultOfAnAbandonedAttemptCountsUntilItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []time.Duration
		note := func(_ context.Context, _ actor.Info) (context.Context, func(actor.Result)) {
			return nil, func(res actor.Result) { got = append(got, res.Elapsed) }
		}
		leaveBehind(t, supervisor.Config{Around: []actor.Around{note}}, late)
		equal(t, "elapsed", fmt.Sprint(got), "[1m0s]")
	})
}

// late is a task that hears nothing for a minute.
var late = actor.Func(func(context.Context) error { linger(time.Minute); return nil })

// leaveBehind runs a tree that is stopped after five seconds, and leaves its task behind. It returns long after that
// has returned.
func leaveBehind(t *testing.T, cfg supervisor.Config, task actor.Task) {
	t.Helper()
	cfg.Name, cfg.Children = "app", []actor.Spec{{Name: "a", Grace: time.Second, Task: task}}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var left *supervisor.StopError
	if err := supervisor.New(cfg).Run(ctx); !errors.As(err, &left) {
		t.Fatalf("Run returned %v", err)
	}
	linger(time.Hour)
	synctest.Wait()
}
