package tasks_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestTheEndOfTheContextInterrupts(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		hangUp := make(chan struct{})
		var told []error
		h := start(t, app, actor.Spec{Task: tasks.Interruptible(
			func() error { <-hangUp; return nil },
			func(err error) {
				told = append(told, err)
				close(hangUp)
			},
		)})
		synctest.Wait()
		if err := app.Stop(t.Context(), "task"); err != nil {
			t.Error(err)
		}
		if o := wait(t, h); o.Kind != events.Stopped || o.StopErr != nil {
			t.Errorf("got %+v", o)
		}
		if len(told) != 1 || !errors.Is(told[0], actor.ErrStopped) {
			t.Errorf("interrupted with %v, want once with the cause", told)
		}
	})
}

func TestInterruptIsCalledOncePerAttemptHoweverItEnds(t *testing.T) {
	for _, c := range []struct {
		says    string
		execute func() error
		want    error // what interrupt is told
		success bool
	}{
		{"execute succeeds", func() error { return nil }, nil, true},
		{"execute fails", func() error { return errBoom }, errBoom, false},
		{"execute panics", func() error { panic("x") }, actor.ErrReturned, false},
		{"execute exits", func() error { runtime.Goexit(); return nil }, actor.ErrReturned, false},
	} {
		t.Run(c.says, func(t *testing.T) {
			bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
				const attempts = 20
				var told []error
				h := start(t, app, actor.Spec{
					MaxRetries: attempts - 1,
					Task:       tasks.Interruptible(c.execute, func(err error) { told = append(told, err) }),
				})
				o := wait(t, h)
				if o.Success() != c.success || len(told) != o.Attempts {
					t.Errorf("interrupted %d times in %d attempts, outcome %+v", len(told), o.Attempts, o)
				}
				for _, err := range told {
					if err != c.want { //nolint:errorlint // as it is
						t.Errorf("told %v, want %v", err, c.want)
					}
				}
			})
		})
	}
}

func TestTheAttemptWaitsForInterrupt(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		var busy atomic.Bool
		calls := 0
		h := start(t, app, actor.Spec{Backoff: policy.NoBackoff(), Task: tasks.Interruptible(
			func() error {
				if busy.Load() {
					t.Error("executed while the last attempt is being interrupted")
				}
				if calls++; calls < 3 {
					return errBoom
				}
				return nil
			},
			func(error) {
				busy.Store(true)
				time.Sleep(time.Second)
				busy.Store(false)
			},
		)})
		if o := wait(t, h); !o.Success() || o.Attempts != 3 {
			t.Errorf("got %+v", o)
		}
	})
}

func TestATaskMayBeMadeOfSeveral(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		interrupted := 0
		part := tasks.Interruptible(func() error { return nil }, func(error) {
			time.Sleep(time.Second)
			interrupted++
		})
		o := wait(t, start(t, app, actor.Spec{Task: actor.Func(func(ctx context.Context) error {
			for i := range 3 {
				if err := part.Run(ctx); err != nil {
					return err
				}
				if interrupted != i+1 {
					t.Errorf("part %d has returned before it was interrupted", i)
				}
			}
			return nil
		})}))
		if !o.Success() {
			t.Errorf("got %+v", o)
		}
	})
}

func TestAPanicOfInterruptIsTheAttemptsFailure(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		h := start(t, app, actor.Spec{MaxRetries: policy.NoRetry, Task: tasks.Interruptible(
			func() error { return nil },
			func(error) { panic("x") },
		)})
		if o := wait(t, h); !errors.As(o.Err, new(*actor.PanicError)) {
			t.Errorf("got %+v", o)
		}
	})
}

func TestAnInterruptibleNeedsATask(t *testing.T) {
	task := tasks.Interruptible(
		func() error { t.Error("executed"); return nil },
		func(error) { t.Error("interrupted") },
	)
	if err := task.Run(context.Background()); !errors.Is(err, actor.ErrNoTask) {
		t.Errorf("got %v", err)
	}
}

func TestAnInterruptibleWithoutAFunctionIsRefused(t *testing.T) {
	execute, interrupt := func() error { return nil }, func(error) {}
	for _, c := range []struct {
		says  string
		task  actor.Task
		field string
	}{
		{"no execute", tasks.Interruptible(nil, interrupt), "Execute"},
		{"no interrupt", tasks.Interruptible(execute, nil), "Interrupt"},
		{"both", tasks.Interruptible(execute, interrupt), ""},
	} {
		if got := refusedField(t, c.task); got != c.field {
			t.Errorf("%s: refused for %q, want %q", c.says, got, c.field)
		}
	}
}
