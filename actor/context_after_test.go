package actor_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAfterFuncIsCalledOnceWhenTheContextEnds(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		ctx, _ := hold(t, app, actor.Spec{})
		var calls, takenBack atomic.Int32
		takeBackLate := context.AfterFunc(ctx, func() { calls.Add(1) })
		takeBack := context.AfterFunc(ctx, func() { takenBack.Add(1) })
		if !takeBack() {
			t.Error("a function was not taken back before the end")
		}
		if takeBack() {
			t.Error("a function was taken back twice")
		}
		stop(t, app, "task")
		if takeBackLate() {
			t.Error("a function was taken back after the end")
		}
		if calls.Load() != 1 || takenBack.Load() != 0 {
			t.Errorf("called %d times and, taken back, %d times", calls.Load(), takenBack.Load())
		}

		context.AfterFunc(ctx, func() { calls.Add(1) })
		synctest.Wait()
		if calls.Load() != 2 {
			t.Error("not called for a context that had ended")
		}
	})
}

// Package context takes a function back when a derived context has ended.
func TestAFunctionThatWasTakenBackIsNotCalled(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		ctx, _ := hold(t, app, actor.Spec{})
		after := ctx.(interface{ AfterFunc(func()) func() bool })
		var calls atomic.Int32
		takeBack := after.AfterFunc(func() { t.Error("called") })
		stays := after.AfterFunc(func() { calls.Add(1) })
		if !takeBack() || takeBack() {
			t.Error("not taken back, or twice")
		}
		stop(t, app, "task")
		if stays() || calls.Load() != 1 {
			t.Errorf("taken back after the end, or called %d times", calls.Load())
		}
	})
}

// Package context calls the method with a lock held that the function takes.
func TestAfterFuncIsCalledOnAnotherGoroutineWhenTheContextHasEnded(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		ctx, _ := hold(t, app, actor.Spec{})
		stop(t, app, "task")
		after := ctx.(interface{ AfterFunc(func()) func() bool })
		returned, called := make(chan struct{}), make(chan struct{})
		takeBack := after.AfterFunc(func() {
			<-returned // as a lock that the caller holds
			close(called)
		})
		close(returned)
		<-called
		if takeBack() {
			t.Error("taken back after it was called")
		}
	})
}

func TestDerivingStartsNoGoroutineAndLeavesNone(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		seen := make(chan int, 2)
		start(t, app, actor.Spec{Name: "derives", Task: actor.Func(func(ctx context.Context) error {
			for range 100 {
				_, cancel := context.WithCancel(ctx)
				defer cancel()
			}
			seen <- goroutinesOf("/derives")
			<-ctx.Done()
			return nil
		})})
		if n := <-seen; n != 1 {
			t.Errorf("the task has %d goroutines, want its own only", n)
		}
	})
}

func TestContextsThatNobodyCancelsEndWithTheAttempt(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		var derived []context.Context
		wait(t, start(t, app, actor.Spec{Task: actor.Func(func(ctx context.Context) error {
			for i, c := range consumers {
				if c.name == "WithoutCancel" || c.name == "WithCancel of WithoutCancel" {
					continue
				}
				ctx, cancel := consumers[i].derive(ctx)
				_ = cancel
				derived = append(derived, ctx)
			}
			return nil
		})}))
		synctest.Wait()
		for _, ctx := range derived {
			if !errors.Is(context.Cause(ctx), actor.ErrReturned) {
				t.Errorf("%v: cause is %v", ctx, context.Cause(ctx))
			}
		}
	})
}

func TestAContextMayBeUsedByAllAtOnceWhileItEnds(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		for range 200 {
			ctx, release := hold(t, app, actor.Spec{})
			var using sync.WaitGroup
			var called atomic.Int32
			for range 8 {
				using.Go(func() {
					inner, cancel := context.WithCancel(ctx)
					defer cancel()
					deepest, cancelDeepest := context.WithCancel(context.WithValue(inner, insideKey{}, 1))
					defer cancelDeepest()
					context.AfterFunc(inner, func() { called.Add(1) })
					context.AfterFunc(ctx, func() {})()
					_ = ctx.Value(insideKey{})
					if <-deepest.Done(); !errors.Is(context.Cause(deepest), actor.ErrStopped) {
						t.Errorf("cause is %v", context.Cause(deepest))
					}
					if ctx.Err() == nil {
						t.Error("a context ended before the one it derives from")
					}
				})
			}
			go func() { _ = app.Stop(context.Background(), "task") }()
			using.Wait()
			release()
			synctest.Wait()
			if called.Load() != 8 {
				t.Fatalf("%d of 8 functions were called", called.Load())
			}
		}
	})
}

// goroutinesOf counts the goroutines of a task.
func goroutinesOf(path string) (n int) {
	for _, g := range actor.Goroutines() {
		if g.Path == path {
			n += g.Count
		}
	}
	return n
}
