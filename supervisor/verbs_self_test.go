package supervisor_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestATaskCannotWaitForItsOwnEndNorForThatOfASupervisorAbove(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		var root *supervisor.Supervisor
		answers := map[string]error{}
		asked := make(chan struct{})
		ask := func(ctx context.Context) error {
			for _, address := range []string{"/app/pool/leaf", "pool/leaf", "/app/pool", "pool"} {
				answers["stop "+address] = root.Stop(ctx, address)
				answers["remove "+address] = root.Remove(ctx, address)
				answers["restart "+address] = bErrOf(root.Restart(ctx, address))
			}
			close(asked)
			return nil
		}
		pool := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "leaf", Task: actor.Func(func(ctx context.Context) error {
			// A helper, with a derived context, is the task too.
			derived, cancel := context.WithTimeout(ctx, time.Hour)
			defer cancel()
			synctest.Wait()
			_ = actor.Go(derived, ask)
			return bIdle(ctx)
		})}}})
		root = supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{pool.Spec("pool")}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- root.Run(ctx) }()
		<-asked
		for what, err := range answers {
			bMustBe(t, what, err, supervisor.ErrSelf)
		}
		cancel()
		bMustBe(t, "Run", <-done, nil)
	})
}

func TestATaskMayStopItsSiblingsAndStartOthers(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		var b *bTree
		goOn := make(chan struct{})
		failed := make(chan error, 10)
		boss := actor.Func(func(ctx context.Context) error {
			<-goOn
			failed <- b.Stop(ctx, "stopped")
			failed <- b.Remove(ctx, "/app/removed")
			failed <- bErrOf(b.Restart(ctx, "restarted"))
			failed <- b.Stop(ctx, "pool/leaf")
			h, err := b.Start(ctx, actor.Spec{Name: "started", Task: actor.Func(func(context.Context) error { return nil })})
			failed <- err
			_, err = h.Wait(ctx)
			failed <- err
			return bIdle(ctx)
		})
		pool := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "leaf", Task: actor.Func(bIdle)}}})
		b = bRun(t, supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{
			{Name: "stopped", Task: actor.Func(bIdle)}, {Name: "removed", Task: actor.Func(bIdle)},
			{Name: "boss", Task: boss},
			{Name: "restarted", Task: actor.Func(bIdle)}, pool.Spec("pool"),
		}})
		close(goOn)
		synctest.Wait()
		if len(failed) != 6 {
			t.Fatalf("%d answers", len(failed))
		}
		for range 6 {
			bMustBe(t, "an act of the boss", <-failed, nil)
		}
		b.mustStop()
	})
}

func TestTwoTasksThatStopEachOtherBothEnd(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		var b *bTree
		goOn := make(chan struct{})
		stops := func(other string) actor.Func {
			return func(ctx context.Context) error {
				<-goOn
				return b.Stop(ctx, other)
			}
		}
		b = bRun(t, supervisor.Config{Children: []actor.Spec{{Name: "x", Task: stops("y")}, {Name: "y", Task: stops("x")}}})
		close(goOn)
		rest(time.Second)
		for _, n := range b.Children() {
			if !n.State.Ended() {
				t.Errorf("%s is %v", n.Path, n.State)
			}
		}
		b.mustStop()
	})
}

func TestATaskThatWaitsForASiblingIsToldToStopMeanwhile(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		var b *bTree
		answer := make(chan error, 1)
		goOn := make(chan struct{})
		b = bRun(t, supervisor.Config{Children: []actor.Spec{
			{Name: "slow", Task: bSlow(time.Minute), Grace: 2 * time.Minute},
			{Name: "waits", Task: actor.Func(func(ctx context.Context) error {
				<-goOn
				answer <- b.Stop(ctx, "slow")
				return nil
			})},
		}})
		close(goOn)
		rest(2 * time.Second)
		bMustBe(t, "stop", b.Stop(t.Context(), "waits"), nil)
		err := <-answer
		bMustBe(t, "what the task was told", err, actor.ErrStopped)
		var child *supervisor.ChildError
		if !errors.As(err, &child) || child.Path != "/app/slow" || child.Act != "stop" {
			t.Errorf("%#v", err)
		}
		rest(time.Minute)
		b.mustState("/app/slow", supervisor.StateStopped) // the stop went on
		b.mustStop()
	})
}

func TestAContextThatEndsWhileOneWaitsEndsTheWaitAndNotTheAct(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{
			{Name: "a", Task: bSlow(time.Second)}, {Name: "b", Task: bSlow(time.Second)}, {Name: "c", Task: bSlow(time.Second)},
		}})
		soon := bWithin(t, 100*time.Millisecond)
		done := make(chan error, 2)
		go func() { done <- b.Stop(soon, "a") }()
		go func() { done <- b.Remove(soon, "b") }()
		h, err := b.Restart(soon, "c")
		bMustBe(t, "restart", err, context.DeadlineExceeded)
		bMustBe(t, "stop or remove", <-done, context.DeadlineExceeded)
		bMustBe(t, "stop or remove", <-done, context.DeadlineExceeded)
		if h == nil || h.Path() != "/app/c" {
			t.Error("no handle to follow the restart")
		}
		rest(time.Second)
		b.mustState("/app/a", supervisor.StateStopped)
		b.mustState("/app/b", 0)
		if n := b.node("/app/c"); n.Attempt != 2 {
			t.Errorf("%+v", n)
		}
		b.mustStop()
	})
}

func TestWithAContextThatHasEndedAlreadyNothingIsDone(t *testing.T) {
	bInEach(t, func(t *testing.T, b *bTree, h *actor.Handle, _ string, _ func()) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errOfB)
		before := b.node("/app/c")
		for range 20 {
			bMustBe(t, "start", bErrOf(b.Start(ctx, actor.Spec{Name: "new", Task: actor.Func(bIdle)})), errOfB)
			bMustBe(t, "stop", b.Stop(ctx, "c"), errOfB)
			bMustBe(t, "remove", b.Remove(ctx, "c"), errOfB)
			bMustBe(t, "restart", bErrOf(b.Restart(ctx, "c")), errOfB)
		}
		if after := b.node("/app/c"); after.ID != h.ID() || after.State != before.State || after.Attempt != before.Attempt {
			t.Errorf("it was %v and is %v", before.State, after.State)
		}
		b.mustState("/app/new", 0)
	})
}

func TestARestartByHandCountsAsNoFailureAndForgetsTheStreak(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{
			Name: "a", Backoff: bExact(), MaxRetries: 2, Task: bFailAfter(time.Second),
		}}})
		// Fails at 1 s and, a second later begun, at 3 s; then 2 s of pause.
		rest(3500 * time.Millisecond)
		if n := b.node("/app/a"); n.State != supervisor.StateBackingOff || n.Failures != 2 || n.NextRetry != b.began.Add(5*time.Second) {
			t.Errorf("%+v", n)
		}
		bMustBe(t, "restart", bErrOf(b.Restart(t.Context(), "a")), nil)
		if n := b.node("/app/a"); n.State != supervisor.StateRunning || n.Failures != 0 || n.Attempt != 3 || n.Restarts != 2 {
			t.Errorf("%+v", n)
		}
		rest(1500 * time.Millisecond)
		if es := b.log.of(events.RetryScheduled, "/app/a"); len(es) != 3 || es[2].Delay != time.Second || es[2].Count != 1 {
			t.Errorf("%v", es)
		}
		b.mustStop()
	})
}
