package supervisor_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// grouped is a family whose second child failed at 10 s and whose third takes
// until 20 s to stop; then the group waits until 30 s.
func grouped(t *testing.T, j *journal, strategy supervisor.Strategy) *house {
	return open(t, supervisor.Config{
		Name: "app", Strategy: strategy, Defaults: supervisor.Defaults{Backoff: policy.Constant(10 * time.Second), Grace: time.Minute},
		Children: []actor.Spec{
			j.spec("a", serve),
			j.spec("b", in(10*time.Second, errBoom), serve),
			j.spec("c", slow(10*time.Second), serve),
			j.spec("d", serve),
		},
	})
}

func TestAGroupThatWaitsSaysForWhom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := grouped(t, newJournal(), supervisor.OneForAll)
		pass(15 * time.Second)
		n := h.Tree()
		equal(t, "state", n.State, supervisor.StateRestarting)
		equal(t, "waiting for", n.Waiting, "/app/c")
		equal(t, "ready", n.Ready, false)
		for name, state := range map[string]supervisor.State{
			"a": supervisor.StateRunning, "b": supervisor.StateRestarting,
			"c": supervisor.StateStopping, "d": supervisor.StateRestarting,
		} {
			equal(t, "state of "+name, h.child(name).State, state)
		}
		pass(10 * time.Second)
		equal(t, "state while the pause lasts", h.Tree().State, supervisor.StateRestarting)
		pass(10 * time.Second)
		equal(t, "state afterwards", h.Tree().State, supervisor.StateRunning)
	})
}

func TestVerbsWorkWhileAGroupRestarts(t *testing.T) {
	for _, at := range []time.Duration{15 * time.Second, 25 * time.Second} {
		for _, strategy := range []supervisor.Strategy{supervisor.RestForOne, supervisor.OneForAll} {
			t.Run(strategy.String()+" after "+at.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					j := newJournal()
					h := grouped(t, j, strategy)
					pass(at)
					b, d := h.handle("b"), h.handle("d")
					if err := h.Stop(t.Context(), "b"); err != nil {
						t.Error(err)
					}
					if err := h.Remove(t.Context(), "d"); err != nil {
						t.Error(err)
					}
					x := h.start(j.spec("x", serve))
					equal(t, "it took", time.Since(j.began), at)
					equal(t, "outcome of b", outcome(t, b).Kind, events.Stopped)
					equal(t, "reason of d", outcome(t, d).Reason, events.ReasonRemoved)
					pass(time.Second)
					equal(t, "runs of x before the group starts", j.count("x"), 0)
					pass(time.Minute)
					for name, runs := range map[string]int{"b": 1, "c": 2, "d": 1, "x": 1} {
						equal(t, "runs of "+name, j.count(name), runs)
					}
					if err := x.WaitReady(t.Context()); err != nil {
						t.Error(err)
					}
					if err := h.close(); err != nil {
						t.Error(err)
					}
				})
			})
		}
	}
}

func TestAStopWhileAGroupRestartsEndsIt(t *testing.T) {
	for at, took := range map[time.Duration]time.Duration{15 * time.Second: 20 * time.Second, 25 * time.Second: 25 * time.Second} {
		t.Run("after "+at.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				h := grouped(t, j, supervisor.OneForAll)
				pass(at)
				b := h.handle("b")
				if err := h.close(); err != nil {
					t.Error(err)
				}
				equal(t, "it ended after", time.Since(j.began), took)
				equal(t, "outcome of b", outcome(t, b).Reason, events.ReasonShutdown)
				for _, name := range []string{"a", "b", "c", "d"} {
					equal(t, "runs of "+name, j.count(name), 1)
				}
			})
		})
	}
}

func TestAnEscalationWhileAGroupRestartsEndsTheSupervisor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{
			Strategy: supervisor.RestForOne, Defaults: supervisor.Defaults{Backoff: policy.Constant(time.Minute)},
			Children: []actor.Spec{
				j.spec("a", in(30*time.Second, actor.Escalate(errBoom))),
				j.spec("b", in(10*time.Second, errBoom)),
			},
		})
		equal(t, "child", as[*supervisor.EscalatedError](t, h.wait()).Child, "/a")
		equal(t, "took", time.Since(j.began), 30*time.Second)
	})
}

func TestAGroupWhoseOffenderIsRemovedGoesOnWithoutIt(t *testing.T) {
	for _, strategy := range []supervisor.Strategy{supervisor.RestForOne, supervisor.OneForAll} {
		t.Run(strategy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				h := open(t, supervisor.Config{
					Strategy: strategy, Defaults: supervisor.Defaults{Backoff: policy.Constant(time.Minute)},
					Children: []actor.Spec{j.spec("a", serve)},
				})
				h.start(j.spec("b", in(10*time.Second, errBoom)))
				pass(15 * time.Second)
				if err := h.Remove(t.Context(), "b"); err != nil {
					t.Error(err)
				}
				h.start(j.spec("c", serve))
				pass(time.Hour)
				equal(t, "state of the family", h.Tree().State, supervisor.StateRunning)
				equal(t, "state of a", h.child("a").State, supervisor.StateRunning)
				equal(t, "runs of b", j.count("b"), 1)
				equal(t, "state of c", h.child("c").State, supervisor.StateRunning)
			})
		})
	}
}

func TestAGroupWhoseFirstMemberIsRemovedGoesOnWithoutIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := grouped(t, j, supervisor.OneForAll)
		pass(15 * time.Second) // c stops, and a has not been told yet
		if err := h.Remove(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		pass(time.Hour)
		equal(t, "children", len(h.Children()), 3)
		for _, name := range []string{"b", "c", "d"} {
			equal(t, "runs of "+name, j.count(name), 2)
		}
		equal(t, "state of the family", h.Tree().State, supervisor.StateRunning)
	})
}
