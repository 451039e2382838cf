package actor_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAStopIsJudgedByTheContextAndWhatIsReturnedThenIsDetail(t *testing.T) {
	joined := errors.Join(context.Canceled, errBoom)
	for _, c := range []struct {
		says    string
		returns func(ctx context.Context) error
		detail  error
	}{
		{"nil", func(context.Context) error { return nil }, nil},
		{"the context's error", func(ctx context.Context) error { return ctx.Err() }, nil},
		{"the context's error, wrapped", func(ctx context.Context) error { return around(ctx.Err()) }, nil},
		{"the context's cause", func(ctx context.Context) error { return context.Cause(ctx) }, nil},
		{"a cause of a derived context", func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			return context.Cause(ctx)
		}, nil},
		{"something else", func(context.Context) error { return errBoom }, errBoom},
		{"the context's error and something else", func(context.Context) error { return joined }, joined},
		{"a fatal error", func(context.Context) error { return actor.Fatal(errBoom) }, errBoom},
		{"an escalation", func(context.Context) error { return actor.Escalate(errBoom) }, errBoom},
		{"the error of a helper", func(ctx context.Context) error {
			help(t, ctx, func(context.Context) error { return errBoom })
			return nil
		}, nil},
	} {
		t.Run(c.says, func(t *testing.T) {
			bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
				h := start(t, app, actor.Spec{Restart: policy.Always, Task: actor.Func(func(ctx context.Context) error {
					<-ctx.Done()
					return c.returns(ctx)
				})})
				synctest.Wait()
				stop(t, app, "task")
				o := wait(t, h)
				if o.Kind != events.Stopped || o.Reason != events.ReasonStopped || o.Err != nil || o.Success() {
					t.Errorf("got %+v", o)
				}
				if (o.StopErr == nil) != (c.detail == nil) || !errors.Is(o.StopErr, c.detail) {
					t.Errorf("the detail is %v, want %v", o.StopErr, c.detail)
				}
			})
		})
	}
}

func TestTheCauseSaysWhyATaskIsStopped(t *testing.T) {
	for _, c := range []struct {
		says string
		cfg  supervisor.Config
		act  func(t *testing.T, app *supervisor.Supervisor)
		want error
	}{
		{"a call of Stop", supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
			_ = app.Stop(t.Context(), "task")
		}, actor.ErrStopped},
		{"a call of Remove", supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
			_ = app.Remove(t.Context(), "task")
		}, actor.ErrRemoved},
		{"a call of Restart", supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
			_, _ = app.Restart(t.Context(), "task")
		}, actor.ErrRestarted},
		{"the end of the tree", supervisor.Config{}, nil, actor.ErrShutdown},
		{"a sibling that failed", supervisor.Config{Strategy: supervisor.OneForAll},
			func(t *testing.T, app *supervisor.Supervisor) {
				failed := false
				start(t, app, actor.Spec{Name: "sibling", Task: actor.Func(func(ctx context.Context) error {
					if !failed {
						failed = true
						return errBoom
					}
					return untilDone(ctx)
				})})
			}, actor.ErrGroup},
	} {
		t.Run(c.says, func(t *testing.T) {
			var cause error
			bubble(t, c.cfg, func(t *testing.T, app *supervisor.Supervisor) {
				start(t, app, actor.Spec{Task: actor.Func(func(ctx context.Context) error {
					<-ctx.Done()
					if cause == nil {
						cause = context.Cause(ctx)
					}
					return ctx.Err()
				})})
				synctest.Wait()
				if c.act != nil {
					c.act(t, app)
					synctest.Wait()
				}
			})
			if cause != c.want { //nolint:errorlint // the sentinel itself
				t.Errorf("got %v, want %v", cause, c.want)
			}
		})
	}
}

func TestTheContextEndsWhenRunHasReturned(t *testing.T) {
	for name, task := range map[string]actor.Func{
		"nil":   func(context.Context) error { return nil },
		"error": func(context.Context) error { return errBoom },
		"panic": func(context.Context) error { panic("x") },
	} {
		t.Run(name, func(t *testing.T) {
			var kept context.Context
			once(t, func(ctx context.Context) error { kept = ctx; return task(ctx) })
			if kept.Err() != context.Canceled || !errors.Is(context.Cause(kept), actor.ErrReturned) {
				t.Errorf("got %v with %v", kept.Err(), context.Cause(kept))
			}
		})
	}
}

func TestTheTextOfACauseIsASentence(t *testing.T) {
	for _, c := range []struct {
		cause error
		want  string
	}{
		{actor.ErrShutdown, "taskvisor: the supervisor shuts down"},
		{actor.ErrStopped, "taskvisor: the task was stopped"},
		{actor.ErrRemoved, "taskvisor: the task was removed"},
		{actor.ErrRestarted, "taskvisor: the task was restarted"},
		{actor.ErrGroup, "taskvisor: the task is restarted with its group"},
		{actor.ErrCancelled, "taskvisor: the job was cancelled"},
		{actor.ErrSuperseded, "taskvisor: another job takes its place"},
		{actor.ErrReturned, "taskvisor: the attempt has returned"},
	} {
		if got := fmt.Sprint(c.cause); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
