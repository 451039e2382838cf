package actor_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAnAttemptThatRunsTooLongIsATimeoutWhateverItReturns(t *testing.T) {
	for _, c := range []struct {
		says    string
		returns func(ctx context.Context) error
		detail  error
	}{
		{"nil", func(context.Context) error { return nil }, nil},
		{"its context's error", func(ctx context.Context) error { return ctx.Err() }, nil},
		{"its context's error, wrapped", func(ctx context.Context) error { return around(ctx.Err()) }, nil},
		{"its context's cause", func(ctx context.Context) error { return context.Cause(ctx) }, nil},
		{"an error", func(context.Context) error { return errBoom }, errBoom},
		{"a fatal error", func(context.Context) error { return actor.Fatal(errBoom) }, errBoom},
		{"a Done", func(context.Context) error { return actor.Done }, actor.Done},
	} {
		t.Run(c.says, func(t *testing.T) {
			end := onceOf(t, actor.Spec{Timeout: time.Minute, Task: actor.Func(func(ctx context.Context) error {
				<-ctx.Done()
				return c.returns(ctx)
			})})
			var timeout *actor.TimeoutError
			if end.Exit != policy.TimedOut || !errors.As(end.Err, &timeout) {
				t.Fatalf("got %v with %v", end.Exit, end.Err)
			}
			if timeout.Path != "/task" || timeout.Timeout != time.Minute || end.Elapsed != time.Minute {
				t.Errorf("after %v: %+v", end.Elapsed, timeout)
			}
			if c.detail == nil && timeout.Err != nil || !errors.Is(timeout.Err, c.detail) {
				t.Errorf("the detail is %v, want %v", timeout.Err, c.detail)
			}
		})
	}
}

func TestEveryAttemptHasItsFullTimeout(t *testing.T) {
	ends, o := run(t, actor.Spec{
		Timeout: time.Minute, MaxRetries: 2, Backoff: policy.Constant(45 * time.Second),
		Task: actor.Func(untilDone),
	})
	if len(ends) != 3 || o.Kind != events.Failed {
		t.Fatalf("%d attempts, outcome %+v", len(ends), o)
	}
	for _, end := range ends {
		if end.Exit != policy.TimedOut || end.Elapsed != time.Minute {
			t.Errorf("attempt %d: %v after %v", end.Attempt, end.Exit, end.Elapsed)
		}
	}
}

func TestAnAttemptThatReturnsInTimeIsNoTimeout(t *testing.T) {
	end := onceOf(t, actor.Spec{Timeout: time.Minute, Task: actor.Func(func(context.Context) error {
		time.Sleep(time.Minute - 1)
		return nil
	})})
	if end.Exit != policy.Succeeded {
		t.Errorf("got %v with %v", end.Exit, end.Err)
	}
}

func TestATimeoutCountsUntilTheLastHelperHasReturned(t *testing.T) {
	end := onceOf(t, actor.Spec{Timeout: time.Minute, Task: actor.Func(func(ctx context.Context) error {
		help(t, ctx, untilDone)
		return nil
	})})
	if end.Exit != policy.TimedOut || end.Elapsed != time.Minute {
		t.Errorf("got %v after %v", end.Exit, end.Elapsed)
	}
}

func TestNoTimeoutIsNone(t *testing.T) {
	end := onceOf(t, actor.Spec{Timeout: policy.NoTimeout, Stall: policy.NoTimeout, Task: actor.Func(func(ctx context.Context) error {
		if at, ok := ctx.Deadline(); ok {
			t.Errorf("there is a deadline: %v", at)
		}
		time.Sleep(24 * time.Hour)
		return ctx.Err()
	})})
	if end.Exit != policy.Succeeded {
		t.Errorf("got %v with %v", end.Exit, end.Err)
	}
}

func TestATaskThatStopsBeatingIsStalled(t *testing.T) {
	for _, c := range []struct {
		says  string
		beats int // one each 50 seconds
		want  time.Duration
	}{
		{"without a beat", 0, time.Minute},
		{"after its last beat", 10, 500*time.Second + time.Minute},
	} {
		t.Run(c.says, func(t *testing.T) {
			end := onceOf(t, actor.Spec{Stall: time.Minute, Task: actor.Func(func(ctx context.Context) error {
				for range c.beats {
					time.Sleep(50 * time.Second)
					actor.Beat(ctx)
				}
				<-ctx.Done()
				return around(ctx.Err())
			})})
			var stall *actor.StallError
			if end.Exit != policy.Stalled || !errors.As(end.Err, &stall) {
				t.Fatalf("got %v with %v", end.Exit, end.Err)
			}
			if stall.Path != "/task" || stall.Stall != time.Minute || stall.Err != nil || end.Elapsed != c.want {
				t.Errorf("after %v, want %v: %+v", end.Elapsed, c.want, stall)
			}
		})
	}
}

func TestATaskThatBeatsRunsOn(t *testing.T) {
	for name, beat := range map[string]func(context.Context){
		"with its context": actor.Beat,
		"with a derived one": func(ctx context.Context) {
			ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
			defer cancel()
			actor.Beat(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			end := onceOf(t, actor.Spec{Stall: time.Minute, Task: actor.Func(func(ctx context.Context) error {
				for range 1000 {
					time.Sleep(time.Minute - 1)
					beat(ctx)
				}
				return ctx.Err()
			})})
			if end.Exit != policy.Succeeded {
				t.Errorf("got %v with %v after %v", end.Exit, end.Err, end.Elapsed)
			}
		})
	}
}

func TestABeatThatNobodyExpectsDoesNothing(t *testing.T) {
	actor.Beat(t.Context())
	actor.Ready(t.Context())
	end := once(t, func(ctx context.Context) error {
		actor.Beat(ctx)
		actor.Ready(ctx)
		actor.Ready(ctx)
		return nil
	})
	if end.Exit != policy.Succeeded {
		t.Errorf("got %v with %v", end.Exit, end.Err)
	}
}

func TestAnAttemptThatIsNotReadyInTimeHasFailed(t *testing.T) {
	for _, c := range []struct {
		says  string
		ready time.Duration
		want  policy.Exit
	}{
		{"too late", time.Minute + 1, policy.TimedOut},
		{"just in time", time.Minute - 1, policy.Succeeded},
	} {
		t.Run(c.says, func(t *testing.T) {
			var cause error
			end := onceOf(t, actor.Spec{AwaitReady: true, StartTimeout: time.Minute, Task: actor.Func(func(ctx context.Context) error {
				time.Sleep(c.ready)
				cause = context.Cause(ctx)
				actor.Ready(ctx)
				time.Sleep(time.Hour)
				return ctx.Err()
			})})
			if end.Exit != c.want {
				t.Fatalf("got %v with %v", end.Exit, end.Err)
			}
			var late *actor.NotReadyError
			if c.want == policy.TimedOut && (!errors.As(cause, &late) || !errors.As(end.Err, &late) || late.Timeout != time.Minute || late.Err != nil) {
				t.Errorf("told %v, got %v", cause, end.Err)
			}
		})
	}
}

func TestWhatEndsAContextFirstIsItsCause(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		ctx, _ := hold(t, app, actor.Spec{Timeout: time.Minute, Stall: time.Minute + 1})
		stop(t, app, "task")
		time.Sleep(time.Hour)
		if cause := context.Cause(ctx); !errors.Is(cause, actor.ErrStopped) || ctx.Err() != context.Canceled {
			t.Errorf("got %v with %v", ctx.Err(), cause)
		}

		slow, _ := hold(t, app, actor.Spec{Name: "slow", Timeout: time.Minute})
		time.Sleep(time.Minute)
		synctest.Wait()
		stop(t, app, "slow")
		if cause := context.Cause(slow); !errors.As(cause, new(*actor.TimeoutError)) {
			t.Errorf("got %v", cause)
		}
	})
}
