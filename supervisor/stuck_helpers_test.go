package supervisor_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAnAttemptIsStuckWhenAHelperDoesNotReturnAfterRunFailed(t *testing.T) {
	for _, timeout := range []time.Duration{policy.NoTimeout, 5 * time.Second} {
		bBubble(t, func(t *testing.T, gate chan struct{}) {
			b := bRun(t, supervisor.Config{Children: []actor.Spec{{
				Name: "a", Grace: time.Second, Timeout: timeout,
				Task: actor.Func(func(ctx context.Context) error {
					_ = actor.Go(ctx, func(context.Context) error { <-gate; return nil })
					return errOfB
				}),
			}}})
			rest(time.Minute)
			if len(b.log.of(events.TaskStuck, "/app/a")) == 0 {
				t.Errorf("timeout %v: after a minute nobody was told; the task is %v", timeout, b.node("/app/a").State)
			}
			b.stop()
		})
	}
}

func TestAnAttemptIsStuckWhenItIgnoresTheFailureOfItsHelper(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{
			Name: "a", Grace: time.Second, Timeout: 5 * time.Second,
			Task: actor.Func(func(ctx context.Context) error {
				_ = actor.Go(ctx, func(context.Context) error { return errOfB })
				<-gate
				return nil
			}),
		}}})
		rest(time.Minute)
		if len(b.log.of(events.TaskStuck, "/app/a")) == 0 {
			t.Errorf("after a minute nobody was told; the task is %v", b.node("/app/a").State)
		}
		b.stop()
	})
}

func TestStuckForSaysSinceWhenTheTaskWasTold(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{StopTimeout: 10 * time.Second, Children: []actor.Spec{
			{Name: "deaf", Task: bDeaf(gate), Grace: policy.Forever},
		}})
		_ = b.Stop(bWithin(t, 100*time.Second), "deaf")
		err, _ := b.stop()
		var stop *supervisor.StopError
		if !errors.As(err, &stop) || len(stop.Stuck) != 1 {
			t.Fatalf("Run returned %v", err)
		}
		if got := stop.Stuck[0].For; got != 110*time.Second {
			t.Errorf("the task was told 1m50s ago, and For is %v", got)
		}
	})
}

func TestTheRepeatsOfAStuckEventBeginAnewWithEachAttempt(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{
			Name: "a", Timeout: time.Second, Grace: time.Second, Backoff: policy.NoBackoff(),
			Task: bEach(func(context.Context, int) error { rest(10 * time.Second); return nil }),
		}}})
		rest(15 * time.Second)
		var at [3][]time.Duration
		for _, e := range b.log.of(events.TaskStuck, "/app/a") {
			at[e.Attempt] = append(at[e.Attempt], e.Elapsed)
		}
		if len(at[2]) < 2 || !slices.Equal(at[1][:2], at[2][:2]) {
			t.Errorf("the first attempt was stuck at %v, the second at %v", at[1], at[2])
		}
		b.stop()
	})
}
