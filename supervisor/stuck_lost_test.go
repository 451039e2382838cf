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

func TestAnAttemptAfterOneThatWasAbandonedInAGroupIsFoundStuckToo(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{
			Strategy: supervisor.OneForAll, StopTimeout: 20 * time.Second,
			Children: []actor.Spec{
				{Name: "deaf", Task: bDeaf(gate), OnStuck: policy.StuckAbandon, Grace: time.Second},
				{Name: "fails", Task: bEach(func(ctx context.Context, attempt int) error {
					if attempt == 1 {
						return errOfB
					}
					return bIdle(ctx)
				}), Backoff: policy.NoBackoff()},
			},
		})
		rest(5 * time.Second)
		if n := b.node("/app/deaf"); n.Generation != 2 || n.State != supervisor.StateRunning {
			t.Errorf("before the stop: %v, generation %d", n.State, n.Generation)
		}
		b.cancel()
		rest(time.Minute)
		if !b.ended() {
			t.Errorf("a minute after the stop Run has not returned")
		} else if got := bStuck(b.err); !slices.Contains(got, "/app/deaf") {
			t.Errorf("stuck are %v", got)
		}
	})
}

func TestTheLateReturnOfAnAbandonedAttemptDoesNotTouchTheBackoff(t *testing.T) {
	for _, late := range []error{nil, errOfB} {
		bBubble(t, func(t *testing.T, _ chan struct{}) {
			b := bRun(t, supervisor.Config{Children: []actor.Spec{{
				Name: "a", OnStuck: policy.StuckAbandon, Grace: time.Second, Timeout: 10 * time.Second, Backoff: bExact(),
				Task: bEach(func(_ context.Context, attempt int) error {
					switch attempt {
					case 1:
						rest(13 * time.Second) // abandoned at 11 s, followed at 12 s
						return late
					case 2:
						rest(5 * time.Second)
						return errOfB
					}
					return actor.Done
				}),
			}}})
			rest(40 * time.Second)
			var delays []time.Duration
			for _, e := range b.log.of(events.RetryScheduled, "/app/a") {
				delays = append(delays, e.Delay)
			}
			if want := []time.Duration{time.Second, 2 * time.Second}; !slices.Equal(delays, want) {
				t.Errorf("late return of %v: delays are %v, want %v", late, delays, want)
			}
			b.mustStop()
		})
	}
}

func TestAnAbandonedAttemptMayStillUseItsContext(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		type key struct{}
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{
			Name: "a", OnStuck: policy.StuckAbandon, Grace: time.Second, Timeout: time.Second, Backoff: bExact(),
			Task: bEach(func(ctx context.Context, attempt int) error {
				for attempt == 1 {
					select {
					case <-gate:
						return nil
					case <-time.After(time.Millisecond):
						_ = ctx.Value(key{})
					}
				}
				return actor.Done
			}),
		}}})
		rest(10 * time.Second)
		if err, _ := b.stop(); !slices.Equal(bStuck(err), []string{"/app/a"}) {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestHelpersOfAnAbandonedAttemptCountForItsGeneration(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{StopTimeout: 10 * time.Second, Children: []actor.Spec{{
			Name: "a", OnStuck: policy.StuckAbandon, Grace: time.Second, Timeout: time.Second, Backoff: policy.NoBackoff(),
			Task: bEach(func(ctx context.Context, attempt int) error {
				if attempt == 1 {
					rest(3 * time.Second) // abandoned at 2 s
					_ = actor.Go(ctx, func(context.Context) error { bLateHelper(gate); return nil })
				}
				<-gate
				return nil
			}),
		}}})
		rest(20 * time.Second)
		for _, e := range b.log.of(events.TaskStuck, "/app/a") {
			var stuck *actor.StuckError
			if !errors.As(e.Err, &stuck) {
				t.Fatal(e)
			}
			for _, g := range stuck.Goroutines {
				if e.Generation > 1 && g.Calls("github.com/taskvisor/taskvisor/supervisor_test.bLateHelper") {
					t.Errorf("generation %d is said to be stuck in a helper of generation 1", e.Generation)
				}
			}
		}
		b.stop()
	})
}

func TestAStoppedTreeNamesWhatWasAbandonedBeforeAndStillRuns(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{Name: "deaf", Task: bDeaf(gate), Grace: time.Second}}})
		if err := b.Stop(t.Context(), "deaf"); err == nil {
			t.Error("Stop of a stuck child returned nil")
		}
		err, _ := b.stop()
		if got := bStuck(err); !slices.Equal(got, []string{"/app/deaf"}) {
			t.Errorf("a goroutine of /app/deaf is left, and Run returned %v", err)
		}
	})
}

func bLateHelper(gate <-chan struct{}) { <-gate }
