package actor_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// help starts a helper that has to be accepted.
func help(t *testing.T, ctx context.Context, fn func(context.Context) error) {
	t.Helper()
	if err := actor.Go(ctx, fn); err != nil {
		t.Errorf("Go: %v", err)
	}
}

// untilDone is a helper that behaves.
func untilDone(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestTheFailureOfAHelperIsThatOfTheAttempt(t *testing.T) {
	for _, c := range []struct {
		says string
		help func(context.Context) error
		want policy.Exit
		is   func(error) bool
	}{
		{"an error", func(context.Context) error { return errBoom }, policy.Failed,
			func(err error) bool { return err == errBoom }}, //nolint:errorlint // as it is
		{"a fatal error", func(context.Context) error { return actor.Fatal(errBoom) }, policy.Fatal,
			func(err error) bool { return errors.Is(err, errBoom) }},
		{"a Done", func(context.Context) error { return actor.Done }, policy.Finished,
			func(err error) bool { return err == nil }},
		{"a panic", func(context.Context) error { fall("x"); return nil }, policy.Panicked,
			func(err error) bool { return errors.As(err, new(*actor.PanicError)) }},
		{"a Goexit", func(context.Context) error { runtime.Goexit(); return nil }, policy.Exited,
			func(err error) bool { return errors.As(err, new(*actor.GoexitError)) }},
		{"a function that is nil", nil, policy.Panicked,
			func(err error) bool { return errors.As(err, new(*actor.PanicError)) }},
	} {
		t.Run(c.says, func(t *testing.T) {
			for name, task := range map[string]actor.Func{
				"while Run waits for its context": func(ctx context.Context) error {
					help(t, ctx, c.help)
					<-ctx.Done()
					return ctx.Err()
				},
				"after Run has returned nil": func(ctx context.Context) error {
					help(t, ctx, func(ctx context.Context) error {
						time.Sleep(time.Second)
						return c.help(ctx)
					})
					return nil
				},
			} {
				if end := once(t, task); end.Exit != c.want || !c.is(end.Err) {
					t.Errorf("%s: got %v with %v", name, end.Exit, end.Err)
				}
			}
		})
	}
}

func TestAFailingHelperTellsTheOthersWhy(t *testing.T) {
	var cause, sibling error
	once(t, func(ctx context.Context) error {
		help(t, ctx, func(ctx context.Context) error {
			<-ctx.Done()
			sibling = context.Cause(ctx)
			return errors.New("the second error does not count")
		})
		help(t, ctx, func(context.Context) error { return errBoom })
		<-ctx.Done()
		cause = context.Cause(ctx)
		return nil
	})
	if cause != errBoom || sibling != errBoom { //nolint:errorlint // the very error is the cause
		t.Errorf("Run was told %v and the sibling %v, want %v", cause, sibling, errBoom)
	}
}

func TestAnErrorOfRunTellsTheHelpersToStop(t *testing.T) {
	var told error
	end := once(t, func(ctx context.Context) error {
		help(t, ctx, func(ctx context.Context) error {
			<-ctx.Done()
			told = context.Cause(ctx)
			return errors.New("what a helper says then is noise")
		})
		return errBoom
	})
	if !errors.Is(told, actor.ErrReturned) {
		t.Errorf("the helper was told %v", told)
	}
	if end.Exit != policy.Failed || end.Err != errBoom { //nolint:errorlint // as it is
		t.Errorf("got %v with %v", end.Exit, end.Err)
	}
}

func TestAPanicOfAHelperIsNeverNoise(t *testing.T) {
	end := once(t, func(ctx context.Context) error {
		help(t, ctx, func(ctx context.Context) error {
			<-ctx.Done()
			panic("late")
		})
		return errBoom
	})
	if end.Exit != policy.Panicked {
		t.Errorf("got %v with %v", end.Exit, end.Err)
	}
}

func TestAnAttemptEndsOnlyWhenItsHelpersHave(t *testing.T) {
	var left atomic.Int32
	second := false
	_, o := run(t, actor.Spec{
		Restart: policy.Always,
		Task: actor.Func(func(ctx context.Context) error {
			if second {
				if n := left.Load(); n != 0 {
					t.Errorf("%d helpers of the attempt before are still there", n)
				}
				return actor.Done
			}
			second = true
			for i := range 10 {
				left.Add(1)
				help(t, ctx, func(ctx context.Context) error {
					time.Sleep(time.Duration(i) * time.Second)
					// One more, started by a helper after Run has returned.
					left.Add(1)
					help(t, ctx, func(context.Context) error {
						time.Sleep(time.Minute)
						left.Add(-1)
						return nil
					})
					left.Add(-1)
					return nil
				})
			}
			return nil
		}),
	})
	if !o.Success() || o.Attempts != 2 {
		t.Errorf("got %+v", o)
	}
}

func TestAStopWaitsForTheHelpers(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		h := start(t, app, actor.Spec{Task: actor.Func(func(ctx context.Context) error {
			help(t, ctx, func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(time.Second)
				return nil
			})
			return untilDone(ctx)
		})})
		synctest.Wait()
		began := time.Now()
		if err := app.Stop(t.Context(), "task"); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("the stop took %v", took)
		}
		if o, _ := h.Outcome(); o.Kind != events.Stopped || o.StopErr != nil {
			t.Errorf("got %+v", o)
		}
	})
}
