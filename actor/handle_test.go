package actor_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

var errImpatient = errors.New("impatient")

// ended returns a context that has ended with a cause.
func ended() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errImpatient)
	return ctx
}

func TestAHandleSaysWhoItsTaskIs(t *testing.T) {
	bubble(t, supervisor.Config{Name: "app"}, func(t *testing.T, app *supervisor.Supervisor) {
		first := start(t, app, actor.Spec{Name: "a#b c", Task: actor.Func(untilDone)})
		second := start(t, app, actor.Spec{Name: "second", Task: actor.Func(untilDone)})
		if first.Path() != "/app/a#b c" || first.Name() != "a#b c" {
			t.Errorf("path %q, name %q", first.Path(), first.Name())
		}
		if first.ID() == 0 || first.ID() == second.ID() {
			t.Errorf("ids %d and %d", first.ID(), second.ID())
		}
	})
}

func TestEveryWaiterGetsTheOutcome(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		h := start(t, app, actor.Spec{MaxRetries: policy.NoRetry, Task: actor.Func(func(context.Context) error {
			time.Sleep(time.Minute)
			return errBoom
		})})
		if o, ok := h.Outcome(); ok {
			t.Errorf("an outcome before the end: %+v", o)
		}
		var waiters sync.WaitGroup
		var got atomic.Int32
		for range 100 {
			waiters.Go(func() {
				o, err := h.Wait(t.Context())
				<-h.Done()
				if err == nil && o.Kind == events.Failed && o.Err == errBoom && o.Attempts == 1 { //nolint:errorlint // as it is
					got.Add(1)
				}
			})
		}
		waiters.Wait()
		if got.Load() != 100 {
			t.Errorf("%d of 100 got it", got.Load())
		}

		// Those who come late, and even those who have no time, get it too.
		for range 100 {
			if o, err := h.Wait(ended()); err != nil || o.Kind != events.Failed {
				t.Fatalf("late: %+v, %v", o, err)
			}
		}
		if _, ok := h.Outcome(); !ok {
			t.Error("Outcome does not know it")
		}
	})
}

func TestAWaiterMayGiveUp(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		h := start(t, app, actor.Spec{AwaitReady: true, Task: actor.Func(untilDone)})
		if _, err := h.Wait(ended()); !errors.Is(err, errImpatient) || err.Error() != "wait for task /task: impatient" {
			t.Errorf("Wait: %v", err)
		}
		if err := h.WaitReady(ended()); !errors.Is(err, errImpatient) || err.Error() != "wait for task /task to be ready: impatient" {
			t.Errorf("WaitReady: %v", err)
		}
	})
}

func TestDoneIsTheSameChannelForAll(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		h := start(t, app, actor.Spec{Task: actor.Func(untilDone)})
		if first := h.Done(); first != h.Done() {
			t.Error("two channels")
		}
		synctest.Wait()
		stop(t, app, "task")
		<-h.Done()
	})
}

func TestAHandleSpansAttempts(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		n := 0
		h := start(t, app, actor.Spec{Task: actor.Func(func(context.Context) error {
			if n++; n < 5 {
				return errBoom
			}
			return nil
		})})
		if o := wait(t, h); !o.Success() || o.Attempts != 5 || o.Err != nil {
			t.Errorf("got %+v", o)
		}
	})
}

func TestWaitReady(t *testing.T) {
	for _, c := range []struct {
		says  string
		spec  actor.Spec
		task  actor.Func
		after time.Duration
		is    func(error) bool
	}{
		{"a task without AwaitReady is ready when it has begun", actor.Spec{}, untilDone, 0, isNil},
		{"a task with AwaitReady is ready when it says so", actor.Spec{AwaitReady: true},
			func(ctx context.Context) error {
				time.Sleep(time.Second)
				actor.Ready(ctx)
				return untilDone(ctx)
			}, time.Second, isNil},
		{"a derived context says so too", actor.Spec{AwaitReady: true},
			func(ctx context.Context) error {
				actor.Ready(context.WithoutCancel(ctx))
				return untilDone(ctx)
			}, 0, isNil},
		{"a task that completes is ready without a word", actor.Spec{AwaitReady: true},
			func(context.Context) error { time.Sleep(time.Second); return nil }, time.Second, isNil},
		{"a task that fails for good was not ready", actor.Spec{AwaitReady: true, MaxRetries: policy.NoRetry},
			func(context.Context) error { time.Sleep(time.Second); return errBoom }, time.Second,
			func(err error) bool {
				return isNotReady(err) && errors.Is(err, errBoom) &&
					err.Error() == "task /task: ended before it was ready: boom"
			}},
		{"a task that is stopped was not ready", actor.Spec{AwaitReady: true},
			untilDone, stopAfter, func(err error) bool {
				return isNotReady(err) && err.Error() == "task /task: ended before it was ready"
			}},
		{"a failure is not the end", actor.Spec{AwaitReady: true, Backoff: policy.Constant(time.Second)},
			func(ctx context.Context) error {
				if info, _ := actor.FromContext(ctx); info.Attempt < 3 {
					return errBoom
				}
				actor.Ready(ctx)
				return untilDone(ctx)
			}, 2 * time.Second, isNil},
	} {
		t.Run(c.says, func(t *testing.T) {
			bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
				c.spec.Task = c.task
				h := start(t, app, c.spec)
				began := time.Now()
				if c.after == stopAfter {
					go func() {
						time.Sleep(stopAfter)
						_ = app.Stop(context.Background(), "task")
					}()
				}
				for _, when := range []string{"early", "late"} {
					if err := h.WaitReady(t.Context()); !c.is(err) {
						t.Errorf("%s: got %v", when, err)
					}
				}
				if took := time.Since(began); took != c.after {
					t.Errorf("after %v, want %v", took, c.after)
				}
				// What is known is told to those as well who have no time.
				for range 100 {
					if err := h.WaitReady(ended()); !c.is(err) {
						t.Fatalf("without time: got %v", err)
					}
				}
			})
		})
	}
}

// stopAfter is when a task is stopped that is not ready by then.
const stopAfter = time.Minute

func isNil(err error) bool      { return err == nil }
func isNotReady(err error) bool { return errors.As(err, new(*actor.NotReadyError)) }

func TestATaskThatWasReadyStaysSo(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		h := start(t, app, actor.Spec{AwaitReady: true, MaxRetries: policy.NoRetry, Task: actor.Func(func(ctx context.Context) error {
			actor.Ready(ctx)
			return errBoom
		})})
		if o := wait(t, h); o.Kind != events.Failed {
			t.Fatalf("got %+v", o)
		}
		if err := h.WaitReady(t.Context()); err != nil {
			t.Errorf("got %v", err)
		}
	})
}
