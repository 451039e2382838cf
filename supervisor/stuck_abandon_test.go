package supervisor_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestALateReturnIsAnEventAndChangesNothing(t *testing.T) {
	for name, late := range map[string]actor.Func{
		"nil":      func(context.Context) error { return nil },
		"error":    func(context.Context) error { return errOfB },
		"escalate": func(context.Context) error { return actor.Escalate(errOfB) },
		"fatal":    func(context.Context) error { return actor.Fatal(errOfB) },
		"panic":    func(context.Context) error { panic("late") },
		"ready":    func(ctx context.Context) error { actor.Ready(ctx); actor.Beat(ctx); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			bBubble(t, func(t *testing.T, _ chan struct{}) {
				open := make(chan struct{})
				b := bRun(t, supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{{
					Name: "a", Timeout: time.Second, Grace: time.Second, OnStuck: policy.StuckAbandon, Restart: policy.Always,
					Backoff: policy.NoBackoff(), MaxRetries: 1,
					Task: bEach(func(ctx context.Context, attempt int) error {
						if attempt == 1 {
							<-open
							return late(ctx)
						}
						return bIdle(ctx)
					}),
				}}})
				rest(2500 * time.Millisecond)
				before := b.Tree()
				if c := before.Children[0]; c.Attempt != 2 || c.Generation != 2 || before.Abandoned != 1 || c.Failures != 1 {
					t.Errorf("%+v", before)
				}
				close(open)
				synctest.Wait()
				after := b.Tree()
				if after.Abandoned != 0 {
					t.Errorf("still %d abandoned", after.Abandoned)
				}
				if x, y := before.Children[0], after.Children[0]; x.State != y.State || x.Attempt != y.Attempt || x.Failures != y.Failures || x.Since != y.Since || !errors.Is(y.Err, x.Err) {
					t.Errorf("the late return made %+v of %+v", y, x)
				}
				es := b.log.of(events.TaskReturned, "/app/a")
				if len(es) != 1 || es[0].Attempt != 1 || es[0].Generation != 1 || es[0].Elapsed != 2500*time.Millisecond {
					t.Errorf("%v", es)
				}
				b.mustStop()
			})
		})
	}
}

func TestAnAbandonedAttemptThatIsReplacedNeverBlocks(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{
			Name: "a", Timeout: time.Second, Grace: time.Second, OnStuck: policy.StuckAbandon,
			Backoff: policy.Constant(time.Second), Task: bDeaf(gate),
		}}})
		rest(28500 * time.Millisecond)
		n := b.node("/app/a")
		if n.Attempt != 10 || n.Generation != 10 || b.Tree().Abandoned != 9 {
			t.Errorf("attempt %d, generation %d, %d abandoned", n.Attempt, n.Generation, b.Tree().Abandoned)
		}
		if err, _ := b.stop(); len(bStuck(err)) == 0 {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestAnAbandonedChildsNameAndPermitAreFree(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{Concurrency: 1, Limit: 1})
		spec := actor.Spec{Name: "a", Task: bDeaf(gate), Grace: time.Second}
		for range 3 {
			h, err := b.Start(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			if n := b.node("/app/a"); n.State != supervisor.StateRunning {
				t.Fatalf("it is %v", n.State)
			}
			if got := bStuck(b.Stop(t.Context(), "a")); !slices.Equal(got, []string{"/app/a"}) {
				t.Errorf("Stop names %v", got)
			}
			if o, ok := h.Outcome(); !ok || o.Kind != events.Abandoned || o.Reason != events.ReasonStopped {
				t.Errorf("%+v", o)
			}
		}
		if n := b.Tree(); n.Abandoned != 3 || n.PermitsUsed != 0 {
			t.Errorf("%d abandoned, %d permits used", n.Abandoned, n.PermitsUsed)
		}
		b.stop()
	})
}

func TestTheLateReturnAfterItsRunHasEndedHurtsNobody(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		open := make(chan struct{})
		s := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "a", Task: bDeaf(open), Grace: time.Second}}})
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if got := bStuck(s.Run(ctx)); !slices.Equal(got, []string{"/a"}) {
				t.Errorf("stuck are %v", got)
			}
			cancel()
		}
		close(open)
		synctest.Wait()
		if n := s.Tree(); n.State != supervisor.StateStopped || n.Abandoned != 0 {
			t.Errorf("%+v", n)
		}
	})
}

func TestStacksTellTheGenerationsApart(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{
			Name: "a", Timeout: time.Second, Grace: time.Second, OnStuck: policy.StuckAbandon, Backoff: policy.NoBackoff(),
			Task: bEach(func(_ context.Context, attempt int) error {
				if attempt%2 == 1 {
					bHangInLeaf(gate)
				} else {
					bHangInOther(gate)
				}
				return nil
			}),
		}}})
		rest(9 * time.Second)
		for _, e := range b.log.of(events.TaskAbandoned, "/app/a") {
			want := []string{"bHangInOther"}
			if e.Attempt%2 == 1 {
				want = []string{"bHangInLeaf"}
			}
			var stuck *actor.StuckError
			if !errors.As(e.Err, &stuck) || !slices.Equal(bPlaces(stuck.Goroutines), want) || stuck.Generation != e.Attempt {
				t.Errorf("attempt %d: %v", e.Attempt, e.Err)
			}
		}
		b.stop()
	})
}

func TestTheStopOfAStuckAttemptUnderWaitEndsWhenItReturns(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{
			{Name: "a", Task: bSlow(20 * time.Second), Grace: time.Second, OnStuck: policy.StuckWait},
		}})
		bMustBe(t, "a stop with a bound", b.Stop(bWithin(t, 5*time.Second), "a"), context.DeadlineExceeded)
		b.mustState("/app/a", supervisor.StateStuck)
		bMustBe(t, "a stop without", b.Stop(t.Context(), "a"), nil)
		if b.at() != 20*time.Second {
			t.Errorf("it ended at %v", b.at())
		}
		b.mustState("/app/a", supervisor.StateStopped)
		b.mustStop()
	})
}
