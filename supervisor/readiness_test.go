package supervisor_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestASupervisorIsReadyWhenItsChildrenAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		below := supervisor.New(supervisor.Config{Children: []actor.Spec{
			awaited(j.spec("a", readyIn(time.Second, serve))),
			awaited(j.spec("b", readyIn(time.Second, serve))),
		}})
		var e ear
		h := open(t, supervisor.Config{Name: "app", Subscribers: e.subscriber(), Children: []actor.Spec{
			below.Spec("below"), j.spec("c", serve),
		}})
		if h.Tree().Ready {
			t.Error("the root is ready before its children are")
		}
		pass(time.Minute)
		equalLines(t, j.take(), "0s +a", "1s +b", "2s +c")
		if !h.Tree().Ready {
			t.Errorf("the root is not ready: %+v", h.Tree())
		}
		equal(t, "events of the supervisor below", e.kinds("/app/below"), "task_added attempt_started supervisor_started task_ready")
		equal(t, "path", h.Children()[0].Children[1].Path, "/app/below/b")
	})
}

func TestWaitReadyReturnsWithTheFirstReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{})
		a := awaited(j.spec("a", in(time.Second, errBoom), readyIn(time.Second, serve)))
		a.Backoff = second
		hd := h.start(a)
		if err := hd.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, "ready after", time.Since(j.began), 3*time.Second)
		hd = h.start(j.spec("b", serve))
		if err := hd.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, "a task that does not say so is ready after", time.Since(j.began), 3*time.Second)
	})
}

func TestWaitReadyTellsHowATaskEndedBefore(t *testing.T) {
	rows := map[string]struct {
		err  error
		want error
	}{
		"a completed task was ready":    {nil, nil},
		"a task that is done was ready": {actor.Done, nil},
		"a failed task was never ready": {actor.Fatal(errBoom), errBoom},
		"an escalation was never ready": {actor.Escalate(errBoom), errBoom},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				h := open(t, supervisor.Config{})
				err := h.start(awaited(j.spec("a", in(time.Second, row.err)))).WaitReady(t.Context())
				if row.want == nil {
					if err != nil {
						t.Error(err)
					}
					return
				}
				equal(t, "error", as[*actor.NotReadyError](t, err).Err.Error(), row.want.Error())
			})
		})
	}
}

func TestWaitReadyGivesUpWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{})
		hd := h.start(awaited(j.spec("a", serve)))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := hd.WaitReady(ctx); err == nil {
			t.Error("WaitReady returned nil for a task that is not ready")
		}
		equal(t, "state", h.child("a").State, supervisor.StateStarting)
		equal(t, "ready", h.child("a").Ready, false)
	})
}

func TestOnlyTheFirstReadyOfAnAttemptIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e ear
		j := newJournal()
		a := awaited(j.spec("a", readyIn(time.Second, readyIn(time.Second, in(time.Second, errBoom))), readyIn(0, serve)))
		a.Backoff = second
		open(t, supervisor.Config{Subscribers: e.subscriber(events.TaskReady), Children: []actor.Spec{a}})
		pass(time.Minute)
		heard := e.of("/a")
		if len(heard) != 2 {
			t.Fatalf("told %v, want one for each attempt", heard)
		}
		equal(t, "elapsed until the first", heard[0].Elapsed, time.Second)
		equal(t, "attempt of the second", heard[1].Attempt, 2)
	})
}

func TestReadinessIsLostWithTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		a := awaited(j.spec("a", readyIn(0, in(10*time.Second, errBoom)), readyIn(10*time.Second, serve)))
		a.Backoff = second
		h := open(t, supervisor.Config{Children: []actor.Spec{a}})
		for _, row := range []struct {
			at    time.Duration
			state supervisor.State
			ready bool
		}{
			{5 * time.Second, supervisor.StateRunning, true},
			{10500 * time.Millisecond, supervisor.StateBackingOff, false},
			{15 * time.Second, supervisor.StateStarting, false},
			{25 * time.Second, supervisor.StateRunning, true},
		} {
			pass(row.at - time.Since(j.began))
			n := h.child("a")
			if n.State != row.state || n.Ready != row.ready || h.Tree().Ready != row.ready {
				t.Errorf("after %v: %v, ready %v, family ready %v", row.at, n.State, n.Ready, h.Tree().Ready)
			}
		}
	})
}
