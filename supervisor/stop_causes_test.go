package supervisor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// bWatch runs a task once and returns the cause and error of a context that is
// derived from its own, as they are when that has ended.
func bWatch(t *testing.T, cfg supervisor.Config, spec actor.Spec, body func(ctx context.Context) error) (cause, err error) {
	t.Helper()
	type ended struct{ cause, err error }
	seen := make(chan ended, 100)
	spec.Name, spec.Task = "watched", actor.Func(func(ctx context.Context) error {
		derived, cancel := context.WithCancel(ctx)
		context.AfterFunc(derived, func() {
			seen <- ended{context.Cause(ctx), ctx.Err()}
			cancel()
		})
		return body(ctx)
	})
	cfg.Children = append([]actor.Spec{spec}, cfg.Children...)
	b := bRun(t, cfg)
	first := <-seen
	b.mustStop()
	return first.cause, first.err
}

func TestTheCauseOfATimeoutAStallAndAGroupRestart(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		cause, err := bWatch(t, supervisor.Config{}, actor.Spec{Timeout: time.Second}, bIdle)
		var timeout *actor.TimeoutError
		if !errors.As(cause, &timeout) || timeout.Timeout != time.Second || timeout.Path != "/app/watched" || err != context.DeadlineExceeded { //nolint:errorlint // it has to be exactly that
			t.Errorf("timeout: %v, %v", cause, err)
		}

		cause, err = bWatch(t, supervisor.Config{}, actor.Spec{Stall: time.Second}, bIdle)
		var stall *actor.StallError
		if !errors.As(cause, &stall) || stall.Stall != time.Second || !errors.Is(err, context.Canceled) {
			t.Errorf("stall: %v, %v", cause, err)
		}

		cause, err = bWatch(t, supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{
			{Name: "fails", Task: bFailAfter(time.Second), Backoff: bExact()},
		}}, actor.Spec{}, bIdle)
		if !errors.Is(cause, actor.ErrGroup) || !errors.Is(err, context.Canceled) {
			t.Errorf("group: %v, %v", cause, err)
		}
	})
}

func TestTheCauseOfAHelperThatFailedAndOfAReturn(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		cause, _ := bWatch(t, supervisor.Config{}, actor.Spec{Restart: policy.Never}, func(ctx context.Context) error {
			_ = actor.Go(ctx, func(context.Context) error { return errOfB })
			return bIdle(ctx)
		})
		bMustBe(t, "helper", cause, errOfB)

		cause, _ = bWatch(t, supervisor.Config{}, actor.Spec{}, func(context.Context) error { return nil })
		bMustBe(t, "return", cause, actor.ErrReturned)
	})
}

func TestTheFirstCauseStays(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		causes := make(chan error, 2)
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{
			Name: "a", Timeout: time.Second, Grace: policy.Forever,
			Task: actor.Func(func(ctx context.Context) error {
				<-ctx.Done()
				causes <- context.Cause(ctx)
				rest(5 * time.Second)
				causes <- context.Cause(ctx)
				return nil
			}),
		}}})
		rest(2 * time.Second)
		b.mustStop()
		if first, last := <-causes, <-causes; first != last { //nolint:errorlint // the very same
			t.Errorf("the cause was %v and is %v", first, last)
		}
	})
}

func TestTheStopOfASiblingDoesNotEndOnesContext(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		for _, strategy := range []supervisor.Strategy{supervisor.OneForOne, supervisor.RestForOne, supervisor.OneForAll} {
			b := bRun(t, supervisor.Config{Strategy: strategy, Children: []actor.Spec{
				{Name: "a", Task: actor.Func(bIdle)}, {Name: "b", Task: actor.Func(bIdle)}, {Name: "c", Task: actor.Func(bIdle)},
			}})
			bMustBe(t, "stop", b.Stop(t.Context(), "b"), nil)
			for _, path := range []string{"/app/a", "/app/c"} {
				if n := b.node(path); n.State != supervisor.StateRunning || n.Attempt != 1 {
					t.Errorf("%v: %s is %v in attempt %d", strategy, path, n.State, n.Attempt)
				}
			}
			b.mustStop()
		}
	})
}
