package supervisor_test

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestTheBackoffGrowsOverAttemptsThatWereAbandoned(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{
			Name: "a", Timeout: time.Second, Grace: time.Second, OnStuck: policy.StuckAbandon, Backoff: bExact(), Task: bDeaf(gate),
		}}})
		rest(20 * time.Second)
		var delays []time.Duration
		for _, e := range b.log.of(events.RetryScheduled, "/app/a") {
			delays = append(delays, e.Delay)
		}
		if want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}; !slices.Equal(delays, want) {
			t.Errorf("%v", delays)
		}
		b.stop()
	})
}

func TestTheGenerationGrowsForEver(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		done := make(chan struct{})
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{
			Name: "a", Backoff: policy.NoBackoff(), Task: actor.Func(func(ctx context.Context) error {
				if info, _ := actor.FromContext(ctx); info.Attempt == 70_000 || info.Generation != info.Attempt {
					if info.Generation != info.Attempt {
						t.Errorf("attempt %d is of generation %d", info.Attempt, info.Generation)
					}
					close(done)
					return bIdle(ctx)
				}
				runtime.Goexit()
				return nil
			}),
		}}})
		<-done
		b.mustStop()
	})
}

func TestTheHeapStaysFlatWhenASupervisorLeavesSomethingAtEachRestart(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		pool := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "late", Task: bSlow(10 * time.Millisecond), Grace: policy.NoGrace}}})
		s := supervisor.New(supervisor.Config{Children: []actor.Spec{pool.Spec("pool")}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		rest(time.Millisecond)
		restart := func(n int) {
			for range n {
				bMustBe(t, "restart", bErrOf(s.Restart(ctx, "pool")), nil)
				rest(20 * time.Millisecond)
			}
		}
		restart(100)
		before := bLiveHeap()
		restart(1000)
		if grown := bLiveHeap() - before; grown > 200<<10 {
			t.Errorf("the live heap has grown by %d KiB over 1000 restarts", grown>>10)
		}
		cancel()
		<-done
	})
}
