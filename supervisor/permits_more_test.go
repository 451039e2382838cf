package supervisor_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestTheLimitOfDynamicChildrenCountsThoseThatBackOff(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{Limit: 2, Children: []actor.Spec{
			{Name: "declared", Task: actor.Func(bIdle)},
		}})
		start := func(name string, task actor.Func) error {
			return bErrOf(b.Start(t.Context(), actor.Spec{Name: name, Task: task, Backoff: policy.Constant(time.Hour)}))
		}
		bMustBe(t, "first", start("fails", func(context.Context) error { return errOfB }), nil)
		b.mustState("/app/fails", supervisor.StateBackingOff)
		_, err := b.StartAll(t.Context(), actor.Spec{Name: "x", Task: actor.Func(bIdle)}, actor.Spec{Name: "y", Task: actor.Func(bIdle)})
		bMustBe(t, "two more", err, supervisor.ErrLimit)
		b.mustState("/app/x", 0) // all or none
		bMustBe(t, "second", start("idles", bIdle), nil)
		bMustBe(t, "third", start("third", bIdle), supervisor.ErrLimit)
		bMustBe(t, "stop", b.Stop(t.Context(), "fails"), nil)
		bMustBe(t, "in its place", start("third", bIdle), nil)
		bMustBe(t, "removing a declared one", b.Remove(t.Context(), "declared"), nil)
		bMustBe(t, "makes no room", start("fourth", bIdle), supervisor.ErrLimit)
		b.mustStop()
	})
}

func TestAPlaceUnderTheLimitIsFreeWhenTheHandleResolves(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{Limit: 1})
		for range 100 {
			h, err := b.Start(t.Context(), actor.Spec{Name: "a", Task: actor.Func(func(context.Context) error { return nil })})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		b.mustStop()
	})
}

func TestAnAbandonedAttemptGivesItsPermitBackOnce(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		open := make(chan struct{})
		b := bRun(t, supervisor.Config{Concurrency: 2})
		bStart(t, b.Supervisor,
			actor.Spec{Name: "deaf", Timeout: time.Second, Grace: time.Second, OnStuck: policy.StuckAbandon, Backoff: policy.Constant(time.Hour), Task: bDeaf(open)},
			actor.Spec{Name: "other", Task: actor.Func(bIdle)},
			actor.Spec{Name: "waits", Task: actor.Func(bIdle)})
		b.mustState("/app/waits", supervisor.StateWaiting)
		rest(2500 * time.Millisecond)
		b.mustState("/app/deaf", supervisor.StateBackingOff)
		b.mustState("/app/waits", supervisor.StateRunning)
		close(open)
		synctest.Wait()
		if n := b.Tree(); n.PermitsUsed != 2 || n.Abandoned != 0 {
			t.Errorf("%d permits used, %d abandoned", n.PermitsUsed, n.Abandoned)
		}
		bMustBe(t, "stop", b.Stop(t.Context(), "deaf"), nil)
		bMustBe(t, "stop", b.Stop(t.Context(), "waits"), nil)
		if n := b.Tree(); n.PermitsUsed != 1 || n.PermitsWaiting != 0 {
			t.Errorf("%d permits used, %d waiting", n.PermitsUsed, n.PermitsWaiting)
		}
		b.mustStop()
	})
}

func TestAnAttemptThatIsWaitedForKeepsItsPermit(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{Concurrency: 1})
		bStart(t, b.Supervisor,
			actor.Spec{Name: "slow", Timeout: time.Second, Grace: time.Second, Task: bSlow(10 * time.Second), Restart: policy.Never},
			actor.Spec{Name: "waits", Task: actor.Func(bIdle)})
		rest(10 * time.Second)
		b.mustState("/app/slow", supervisor.StateStuck)
		b.mustState("/app/waits", supervisor.StateWaiting)
		rest(2 * time.Second)
		b.mustState("/app/waits", supervisor.StateRunning)
		b.mustStop()
	})
}

func TestAGroupRestartUnderALimitGetsThroughWithoutLosingPermits(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		var specs []actor.Spec
		for i := range 6 {
			specs = append(specs, actor.Spec{Name: fmt.Sprint(i), Backoff: policy.NoBackoff(), Task: bFailAfter(time.Duration(i+1) * time.Second)})
		}
		b := bRun(t, supervisor.Config{Strategy: supervisor.OneForAll, Concurrency: 2, Children: specs})
		for range 100 {
			rest(700 * time.Millisecond)
			synctest.Wait()
			if n := b.Tree(); n.PermitsUsed > 2 {
				t.Fatalf("%d permits used", n.PermitsUsed)
			}
		}
		if n := b.node("/app/0"); n.Restarts < 50 {
			t.Errorf("%d restarts", n.Restarts)
		}
		b.mustStop()
		if err := b.Run(bWithin(t, time.Second)); err != nil { // with fresh permits
			t.Error(err)
		}
	})
}

func TestATimeoutDoesNotCountTheWaitForAPermit(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		var m bMeter
		b := bRun(t, supervisor.Config{Concurrency: 1})
		second := m.spec("second", time.Second)
		second.Timeout, second.Stall = 2*time.Second, 2*time.Second
		bStart(t, b.Supervisor, m.spec("first", time.Minute), second)
		h, _ := b.Handle("second")
		if o, err := h.Wait(t.Context()); err != nil || !o.Success() || o.Attempts != 1 {
			t.Errorf("%+v, %v", o, err)
		}
		b.mustStop()
	})
}
