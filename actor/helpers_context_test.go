package actor_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAHelperNeedsATask(t *testing.T) {
	err := actor.Go(t.Context(), func(context.Context) error {
		t.Error("it ran")
		return nil
	})
	if !errors.Is(err, actor.ErrNoTask) {
		t.Errorf("got %v", err)
	}
}

func TestAHelperThatComesAfterTheEndIsRefused(t *testing.T) {
	for name, task := range map[string]actor.Func{
		"an attempt without helpers": func(context.Context) error { return nil },
		"an attempt with helpers": func(ctx context.Context) error {
			return actor.Go(ctx, func(context.Context) error { return nil })
		},
		"an attempt that failed":   func(context.Context) error { return errBoom },
		"an attempt that panicked": func(context.Context) error { panic("x") },
	} {
		t.Run(name, func(t *testing.T) {
			var kept context.Context
			once(t, func(ctx context.Context) error {
				kept = ctx
				return task(ctx)
			})
			err := actor.Go(kept, func(context.Context) error {
				t.Error("it ran")
				return nil
			})
			if !errors.Is(err, actor.ErrEnded) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAHelperMayBeStartedWhileTheAttemptIsStopping(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		helped := false
		h := start(t, app, actor.Spec{Task: actor.Func(func(ctx context.Context) error {
			<-ctx.Done()
			help(t, ctx, func(context.Context) error { helped = true; return nil })
			return nil
		})})
		synctest.Wait()
		stop(t, app, "task")
		wait(t, h)
		if !helped {
			t.Error("it did not run")
		}
	})
}

func TestAHelperGetsTheContextItWasStartedWith(t *testing.T) {
	end := once(t, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(context.WithValue(ctx, insideKey{}, "inside"), time.Second)
		defer cancel()
		help(t, ctx, func(ctx context.Context) error {
			if ctx.Value(insideKey{}) != "inside" || ctx.Value(outsideKey{}) != "outside" {
				t.Error("a value is missing")
			}
			// A helper of the helper belongs to the same attempt.
			help(t, ctx, func(ctx context.Context) error { return untilDone(ctx) })
			return nil
		})
		time.Sleep(time.Minute)
		return nil
	})
	// Its own deadline is none of the attempt's: the error is an ordinary failure.
	if end.Exit != policy.Failed || !errors.Is(end.Err, context.DeadlineExceeded) {
		t.Errorf("got %v with %v", end.Exit, end.Err)
	}
}

func TestAHelperIsFoundAmongTheGoroutinesOfItsTask(t *testing.T) {
	bubble(t, supervisor.Config{Name: "app"}, func(t *testing.T, app *supervisor.Supervisor) {
		ctx, release := hold(t, app, actor.Spec{})
		gone := make(chan struct{})
		// Started from a goroutine without the label, and from a context
		// derived from the task's.
		help(t, context.WithValue(ctx, insideKey{}, 1), func(context.Context) error {
			lurk(gone)
			return nil
		})
		synctest.Wait()
		found := 0
		for _, g := range actor.Goroutines() {
			if g.Path == "/app/task" && g.Calls("github.com/taskvisor/taskvisor/actor_test.lurk") {
				found += g.Count
			}
		}
		if found != 1 {
			t.Errorf("found %d times, want once", found)
		}
		close(gone)
		release()
	})
}

//go:noinline
func lurk(until <-chan struct{}) { <-until }

// What a task leaves behind may still ask for helpers while the attempt ends.
func TestHelpersMayComeWhileTheAttemptJoinsItsLast(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		var strays sync.WaitGroup
		nothing := func(context.Context) error { return nil }
		for range 300 {
			h := start(t, app, actor.Spec{Task: actor.Func(func(ctx context.Context) error {
				for range 4 {
					help(t, ctx, nothing)
					strays.Go(func() {
						for actor.Go(ctx, nothing) == nil {
							runtime.Gosched()
						}
					})
				}
				runtime.Gosched()
				return nil
			})})
			if o := wait(t, h); !o.Success() {
				t.Fatalf("got %+v", o)
			}
			strays.Wait()
		}
	})
}
