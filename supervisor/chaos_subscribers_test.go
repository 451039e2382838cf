package supervisor_test

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestSubscribersThatPanicExitOrBlockDoNotDisturbTheTree(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		handler := func(fn func()) events.Handler { return events.HandlerFunc(func(events.Event) { fn() }) }
		b := bRun(t, supervisor.Config{
			Subscribers: []events.Subscriber{
				{Name: "panics", Handler: handler(func() { panic("subscriber") })},
				{Name: "exits", Handler: handler(runtime.Goexit)},
				{Name: "blocks", Handler: handler(func() { <-gate }), Queue: 1},
			},
			Children: []actor.Spec{
				{Name: "fails", Backoff: policy.NoBackoff(), Task: bFailAfter(time.Second)},
				{Name: "repeats", Restart: policy.Always, Every: 50 * time.Millisecond, Task: actor.Func(func(context.Context) error { return nil })},
			},
		})
		rest(10500 * time.Millisecond)
		if n := b.node("/app/fails"); n.Attempt != 11 {
			t.Errorf("attempt %d", n.Attempt)
		}
		bMustBe(t, "restart", bErrOf(b.Restart(t.Context(), "fails")), nil)
		bMustBe(t, "stop", b.Stop(t.Context(), "repeats"), nil)
		err, took := b.stop()
		if err != nil || took > events.DefaultDrain {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestRunDrainsItsSubscribersBeforeItReturns(t *testing.T) {
	for _, shared := range []bool{false, true} {
		bBubble(t, func(t *testing.T, _ chan struct{}) {
			var seen []events.Kind
			cfg := supervisor.Config{
				Name: "app",
				Subscribers: []events.Subscriber{{Name: "slow", Handler: events.HandlerFunc(func(e events.Event) {
					rest(100 * time.Millisecond)
					seen = append(seen, e.Kind)
				})}},
				Children: []actor.Spec{{Name: "a", Task: actor.Func(bIdle)}, {Name: "b", Task: actor.Func(bIdle)}},
			}
			if shared {
				cfg.Bus = &events.Bus{}
			}
			s := supervisor.New(cfg)
			for range 2 { // the second run subscribes again
				seen = nil
				if err := s.Run(bWithin(t, time.Millisecond)); err != nil {
					t.Fatal(err)
				}
				for _, k := range []events.Kind{events.SupervisorStarted, events.TaskFinished, events.SupervisorStopped} {
					if !slices.Contains(seen, k) {
						t.Errorf("%v is not among %v", k, seen)
					}
				}
				if last := seen[len(seen)-1]; last != events.SupervisorStopped {
					t.Errorf("the last event was %v", last)
				}
			}
		})
	}
}

func TestASubscriberMayActOnTheTree(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		var s *supervisor.Supervisor
		ctx := bWithin(t, time.Minute)
		s = supervisor.New(supervisor.Config{
			Name: "app",
			Subscribers: []events.Subscriber{{Name: "acts", Handler: events.HandlerFunc(func(e events.Event) {
				_ = s.Tree()
				if e.Kind == events.AttemptStarted && e.Path == "/app/a" && e.Attempt < 50 {
					_, _ = s.Restart(ctx, "a")
				}
			})}},
			Children: []actor.Spec{{Name: "a", Task: actor.Func(bIdle)}},
		})
		go func() {
			rest(time.Second)
			if n := s.Children()[0]; n.Attempt != 50 {
				t.Errorf("attempt %d", n.Attempt)
			}
		}()
		bMustBe(t, "run", s.Run(ctx), nil)
	})
}

func TestATaskThatReturnsAtOnceForEverRunsOncePerMillisecondAtMost(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{
			{Name: "a", Restart: policy.Always, Task: actor.Func(func(context.Context) error { return nil })},
		}})
		rest(time.Second - 1)
		if n := b.node("/app/a"); n.Attempt != 1000 {
			t.Errorf("%d attempts in a second", n.Attempt)
		}
		b.mustStop()
	})
}

func TestAGoroutineThatATaskExitsIsAFailureLikeAnyOther(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{Concurrency: 2, Children: []actor.Spec{
			{Name: "exits", Backoff: policy.Constant(time.Second), MaxRetries: 99, Task: actor.Func(func(context.Context) error {
				runtime.Goexit()
				return nil
			})},
			{Name: "late", Task: actor.Func(func(ctx context.Context) error { <-ctx.Done(); runtime.Goexit(); return nil })},
		}})
		h, _ := b.Handle("exits")
		late, _ := b.Handle("late")
		rest(time.Hour)
		if o, ok := h.Outcome(); !ok || o.Kind != events.Failed || o.Attempts != 100 {
			t.Errorf("%+v", o)
		}
		b.mustStop()
		if o, ok := late.Outcome(); !ok || o.Kind != events.Stopped || o.StopErr == nil {
			t.Errorf("%+v", o)
		}
	})
}

func TestLeaksAreTheGoroutinesThatOutliveTheirTask(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		leave := func(fn func(<-chan struct{}), d time.Duration) actor.Func {
			return func(ctx context.Context) error {
				go fn(gate)
				select {
				case <-time.After(d):
				case <-ctx.Done():
				}
				return nil
			}
		}
		pool := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "deep", Task: leave(bHangInHelper, time.Second)}}})
		other := bRun(t, supervisor.Config{Children: []actor.Spec{{Name: "a", Task: leave(bHangInOther, 0)}}})
		b := bRun(t, supervisor.Config{Children: []actor.Spec{
			{Name: "a", Task: leave(bHangInPlain, time.Second)}, pool.Spec("pool"),
			{Name: "lives", Task: leave(bHangInOther, time.Hour)},
			{Name: "deaf", Timeout: time.Second, Grace: time.Second, OnStuck: policy.StuckAbandon, Backoff: policy.NoBackoff(),
				Task: bEach(func(ctx context.Context, attempt int) error {
					if attempt > 1 {
						return bIdle(ctx)
					}
					bHangInLeaf(gate)
					return nil
				})},
		}})
		leaks := func(ignore ...string) []string { return bPlaces(b.Leaks(ignore...)) }
		if got := leaks(); len(got) != 0 {
			t.Errorf("while all of them run: %v", got)
		}
		rest(2500 * time.Millisecond)
		if got, want := leaks(), []string{"bHangInHelper", "bHangInLeaf", "bHangInPlain"}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if got, want := leaks(bPkg+"bHangInHelper", "net/http."), []string{"bHangInLeaf", "bHangInPlain"}; !slices.Equal(got, want) {
			t.Errorf("but for helpers: %v, want %v", got, want)
		}
		for _, g := range b.Leaks(bPkg+"bHangInLeaf", bPkg+"bHangInPlain") {
			if g.Path != "/app/pool/deep" || g.Count != 1 {
				t.Errorf("%+v", g)
			}
		}
		b.stop()
		other.mustStop()
		synctest.Wait()
		if got, want := leaks(), []string{"bHangInHelper", "bHangInLeaf", "bHangInOther", "bHangInPlain"}; !slices.Equal(got, want) {
			t.Errorf("after the run: %v, want %v", got, want)
		}
	})
}
