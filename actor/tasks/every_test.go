package tasks_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestEveryCallsAtOnceAndThenAfterAFixedDelay(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		began := time.Now()
		var at []time.Duration
		o := wait(t, start(t, app, actor.Spec{Task: tasks.Every(time.Minute, func(context.Context) error {
			at = append(at, time.Since(began))
			time.Sleep(10 * time.Second)
			if len(at) == 4 {
				return actor.Done
			}
			return nil
		})}))
		want := []time.Duration{0, 70 * time.Second, 140 * time.Second, 210 * time.Second}
		if !slices.Equal(at, want) {
			t.Errorf("called at %v, want %v", at, want)
		}
		if !o.Success() || o.Attempts != 1 {
			t.Errorf("got %+v", o)
		}
	})
}

func TestAnErrorOfAPeriodicCallEndsTheAttempt(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		began := time.Now()
		var at []time.Duration
		h := start(t, app, actor.Spec{
			Backoff: policy.Constant(time.Second), MaxRetries: 1,
			Task: tasks.Every(time.Minute, func(context.Context) error {
				at = append(at, time.Since(began))
				if len(at)%2 == 0 {
					return errBoom
				}
				return nil
			}),
		})
		o := wait(t, h)
		// The backoff follows the error, and then a call at once.
		want := []time.Duration{0, time.Minute, 61 * time.Second, 121 * time.Second}
		if !slices.Equal(at, want) {
			t.Errorf("called at %v, want %v", at, want)
		}
		if o.Kind != events.Failed || o.Attempts != 2 || !errors.Is(o.Err, errBoom) {
			t.Errorf("got %+v", o)
		}
	})
}

func TestAPeriodicTaskStopsAtOnceBetweenCalls(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		calls := 0
		h := start(t, app, actor.Spec{Task: tasks.Every(time.Hour, func(context.Context) error { calls++; return nil })})
		time.Sleep(90 * time.Minute)
		before := time.Now()
		if err := app.Stop(t.Context(), "task"); err != nil {
			t.Error(err)
		}
		if took := time.Since(before); took != 0 || calls != 2 {
			t.Errorf("stopped after %v and %d calls", took, calls)
		}
		if o := wait(t, h); o.Kind != events.Stopped || o.StopErr != nil {
			t.Errorf("got %+v", o)
		}
	})
}

func TestAPeriodicTaskIsNotCalledOnceMoreAfterAStop(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		for range 50 {
			calls := 0
			h := start(t, app, actor.Spec{Task: tasks.Every(1, func(ctx context.Context) error {
				calls++
				<-ctx.Done()
				time.Sleep(time.Second)
				return nil
			})})
			synctest.Wait()
			_ = app.Stop(t.Context(), "task")
			if wait(t, h); calls != 1 {
				t.Fatalf("%d calls", calls)
			}
		}
	})
}

func TestAPeriodicTaskIsReadyAfterItsFirstSuccess(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		calls := 0
		began := time.Now()
		h := start(t, app, actor.Spec{
			AwaitReady: true, Backoff: policy.Constant(time.Second),
			Task: tasks.Every(time.Hour, func(context.Context) error {
				time.Sleep(time.Second)
				if calls++; calls == 1 {
					return errBoom
				}
				return nil
			}),
		})
		if err := h.WaitReady(t.Context()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("ready after %v", took)
		}
	})
}

func TestAPeriodicTaskBeatsAfterEachCall(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		calls := 0
		h := start(t, app, actor.Spec{
			MaxRetries: policy.NoRetry, Stall: 90 * time.Second,
			Task: tasks.Every(time.Minute, func(ctx context.Context) error {
				time.Sleep(20 * time.Second)
				if calls++; calls == 10 {
					<-ctx.Done()
				}
				return nil
			}),
		})
		o := wait(t, h)
		if calls != 10 || !errors.As(o.Err, new(*actor.StallError)) {
			t.Errorf("%d calls, outcome %+v", calls, o)
		}
	})
}

func TestAPeriodicTaskThatCannotBeIsRefused(t *testing.T) {
	call := func(context.Context) error { return nil }
	for _, c := range []struct {
		says  string
		task  actor.Task
		field string
	}{
		{"an interval of zero", tasks.Every(0, call), "Interval"},
		{"a negative interval", tasks.Every(-time.Second, call), "Interval"},
		{"no function", tasks.Every(time.Second, nil), "Do"},
		{"both are there", tasks.Every(1, call), ""},
	} {
		if got := refusedField(t, c.task); got != c.field {
			t.Errorf("%s: refused for %q, want %q", c.says, got, c.field)
		}
	}
}
