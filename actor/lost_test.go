package actor_test

import (
	"context"
	"errors"
	"io"
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

func fall(v any) { panic(v) }

func TestAPanicIsAFailureWithItsValueAndStack(t *testing.T) {
	for _, c := range []struct {
		says string
		v    any
		text string
	}{
		{"a string", "out of cheese", "panic: out of cheese"},
		{"an error", io.ErrUnexpectedEOF, "panic: unexpected EOF"},
		{"a number", 42, "panic: 42"},
		{"nil", nil, "panic: panic called with nil argument"},
	} {
		t.Run(c.says, func(t *testing.T) {
			end := once(t, func(context.Context) error { fall(c.v); return nil })
			var p *actor.PanicError
			if end.Exit != policy.Panicked || !errors.As(end.Err, &p) {
				t.Fatalf("got %v with %v", end.Exit, end.Err)
			}
			if !strings.HasPrefix(p.Error(), c.text) {
				t.Errorf("the text is %q, want %q", p.Error(), c.text)
			}
			if err, ok := c.v.(error); ok && !errors.Is(end.Err, err) {
				t.Errorf("the panic is not the %v it was called with", err)
			}
			if !strings.Contains(string(p.Stack), "actor_test.fall(") {
				t.Errorf("the stack does not show who panicked:\n%s", p.Stack)
			}
			if first, _, _ := strings.Cut(p.Traces(), "\n"); !strings.Contains(first, "actor_test.fall(") {
				t.Errorf("the traces begin with %q", first)
			}
		})
	}
}

func TestAPanicOfTheRuntimeIsCaughtToo(t *testing.T) {
	end := once(t, func(context.Context) error {
		var m map[string]int
		m["a"] = 1 //nolint:govet,staticcheck // it is what the test is about
		return nil
	})
	var re runtime.Error
	if end.Exit != policy.Panicked || !errors.As(end.Err, &re) {
		t.Errorf("got %v with %v", end.Exit, end.Err)
	}
}

func TestAPanicIsRetriedLikeAnyFailure(t *testing.T) {
	n := 0
	ends, o := run(t, actor.Spec{MaxRetries: 2, Task: actor.Func(func(context.Context) error {
		n++
		panic(n)
	})})
	if len(ends) != 3 || o.Kind != events.Failed || !strings.Contains(o.Err.Error(), "panic: 3") {
		t.Errorf("%d attempts, outcome %+v", len(ends), o)
	}
}

// A must of a template engine or a test helper panics with whatever error it got.
func TestAPanicIsNotNoiseAfterAStop(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		h := start(t, app, actor.Spec{Task: actor.Func(func(ctx context.Context) error {
			<-ctx.Done()
			panic(ctx.Err())
		})})
		synctest.Wait()
		stop(t, app, "task")
		o := wait(t, h)
		if o.Kind != events.Stopped || !errors.As(o.StopErr, new(*actor.PanicError)) {
			t.Errorf("got %+v, want a stop that tells of the panic", o)
		}
	})
}

func TestAGoexitIsAFailureAndTheTaskGoesOn(t *testing.T) {
	n := 0
	ends, o := run(t, actor.Spec{Task: actor.Func(func(context.Context) error {
		if n++; n < 3 {
			exitGoroutine()
		}
		return nil
	})})
	if !o.Success() || o.Attempts != 3 {
		t.Errorf("got %+v, want a success after three attempts", o)
	}
	var exit *actor.GoexitError
	if ends[0].Exit != policy.Exited || !errors.As(ends[0].Err, &exit) {
		t.Fatalf("got %v with %v", ends[0].Exit, ends[0].Err)
	}
	if !strings.Contains(string(exit.Stack), "actor_test.exitGoroutine(") {
		t.Errorf("the stack does not show who exited:\n%s", exit.Stack)
	}
	if first, _, _ := strings.Cut(exit.Traces(), "\n"); !strings.Contains(first, "actor_test.exitGoroutine(") {
		t.Errorf("the traces begin with %q", first)
	}
}

func exitGoroutine() { runtime.Goexit() }

func TestAnAttemptAfterAGoexitIsLabelledLikeTheFirst(t *testing.T) {
	n, counts := 0, [2]int{}
	run(t, actor.Spec{Task: actor.Func(func(context.Context) error {
		counts[n] = goroutinesOf("/task")
		if n++; n == 1 {
			runtime.Goexit()
		}
		return nil
	})})
	if counts != [2]int{1, 1} {
		t.Errorf("the attempts saw %v goroutines of the task", counts)
	}
}

func TestATaskThatBacksOffAfterAGoexitIsFoundByItsLabel(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		start(t, app, actor.Spec{
			Backoff: policy.Constant(time.Hour),
			Task:    actor.Func(func(context.Context) error { runtime.Goexit(); return nil }),
		})
		synctest.Wait()
		if n := goroutinesOf("/task"); n != 1 {
			t.Errorf("it has %d goroutines, want one", n)
		}
		if leaks := app.Leaks(); len(leaks) != 0 {
			t.Errorf("its goroutine is taken for a leak: %+v", leaks)
		}
	})
}

func TestAGoexitAfterAStopIsAStop(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		h := start(t, app, actor.Spec{Task: actor.Func(func(ctx context.Context) error {
			<-ctx.Done()
			runtime.Goexit()
			return nil
		})})
		synctest.Wait()
		stop(t, app, "task")
		if o := wait(t, h); o.Kind != events.Stopped || !errors.As(o.StopErr, new(*actor.GoexitError)) {
			t.Errorf("got %+v, want a stop that tells of the exit", o)
		}
	})
}

func TestDeferredFunctionsOfALostAttemptRunBeforeItEnds(t *testing.T) {
	for name, lose := range map[string]func(){"panic": func() { fall("x") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			closed := false
			once(t, func(context.Context) error {
				defer func() { closed = true }()
				lose()
				return nil
			})
			if !closed {
				t.Error("the attempt ended before its deferred function ran")
			}
		})
	}
}
