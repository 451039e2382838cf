package supervisor_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAParentRebuildsAFamilyThatFailedWithFreshState(t *testing.T) {
	rows := map[string]struct {
		intensity policy.Intensity
		step      actor.Func
		change    func(*actor.Spec)
		want      func(t *testing.T, err error)
	}{
		"escalated by an error": {
			policy.Intensity{}, in(time.Second, actor.Escalate(errBoom)), nil,
			func(t *testing.T, err error) { as[*supervisor.EscalatedError](t, err) },
		},
		"escalated by giving up": {
			policy.Intensity{}, in(time.Second, actor.Fatal(errBoom)), func(s *actor.Spec) { s.OnGiveUp = policy.GiveUpEscalate },
			func(t *testing.T, err error) { as[*supervisor.EscalatedError](t, err) },
		},
		"escalated by a panic": {
			policy.Intensity{}, exits[policy.Panicked].step, func(s *actor.Spec) { s.OnPanic = policy.PanicEscalate },
			func(t *testing.T, err error) { as[*supervisor.EscalatedError](t, err) },
		},
		"over its limit": {
			policy.Intensity{Restarts: 0, Within: time.Hour}, in(time.Second, errBoom), nil,
			func(t *testing.T, err error) { as[*supervisor.IntensityError](t, err) },
		},
		"over its limit with a fatal cause": {
			policy.Intensity{Restarts: 0, Within: time.Hour}, exits[policy.Exited].step, nil,
			func(t *testing.T, err error) { as[*supervisor.IntensityError](t, err) },
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				a := j.spec("a", row.step, row.step, serve)
				if row.change != nil {
					row.change(&a)
				}
				below := supervisor.New(supervisor.Config{Intensity: row.intensity, Children: []actor.Spec{a, j.spec("b", serve)}})
				h := open(t, supervisor.Config{
					Name: "app", Defaults: supervisor.Defaults{Backoff: second},
					Children: []actor.Spec{below.Spec("below"), j.spec("sibling", serve)},
				})
				dynamic, err := below.Start(t.Context(), j.spec("dynamic", serve))
				if err != nil {
					t.Fatal(err)
				}
				old := h.handle("below/b")
				pass(1500 * time.Millisecond)
				n := h.child("below")
				equal(t, "state of the family", n.State, supervisor.StateBackingOff)
				row.want(t, n.Err)
				equal(t, "outcome of a dynamic child", outcome(t, dynamic).Kind, events.Stopped)
				equal(t, "outcome of a declared child", outcome(t, old).Kind, events.Stopped)
				if _, err := h.Handle("below/b"); !errors.Is(err, supervisor.ErrNotRunning) {
					t.Errorf("the address of a child of a family that is down: %v", err)
				}
				pass(time.Minute)
				n = h.child("below")
				equal(t, "state of the family", n.State, supervisor.StateRunning)
				equal(t, "restarts of the family", n.Restarts, 2)
				equal(t, "children of the family", len(n.Children), 2)
				equal(t, "restarts in its window", n.RestartsInWindow, 0)
				equal(t, "runs of b", j.count("b"), 3)
				equal(t, "runs of the dynamic child", j.count("dynamic"), 1)
				equal(t, "runs of the sibling", j.count("sibling"), 1)
				if h.handle("below/b") == old {
					t.Error("the address still leads to the old life")
				}
			})
		})
	}
}

func TestAFailureTravelsUpThroughTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		limit := policy.Intensity{Restarts: 1, Within: time.Hour}
		inner := supervisor.New(supervisor.Config{Intensity: limit, Children: []actor.Spec{j.spec("a", in(time.Second, errBoom))}})
		middle := supervisor.New(supervisor.Config{Intensity: limit, Children: []actor.Spec{inner.Spec("inner")}})
		h := open(t, supervisor.Config{
			Name: "app", Intensity: limit, Children: []actor.Spec{middle.Spec("middle")},
		})
		err := as[*supervisor.IntensityError](t, h.wait())
		equal(t, "path", err.Path, "/app")
		equal(t, "child", err.Child, "/app/middle")
		if !errors.Is(err, errBoom) {
			t.Errorf("%v does not wrap the first cause", err)
		}
		equal(t, "runs", j.count("a"), 8)
	})
}

func TestAnEscalationEndsOneFamilyAndIsAnOrdinaryFailureAbove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		inner := supervisor.New(supervisor.Config{Children: []actor.Spec{j.spec("a", in(time.Second, actor.Escalate(actor.Fatal(errBoom))), serve)}})
		middle := supervisor.New(supervisor.Config{Children: []actor.Spec{inner.Spec("inner"), j.spec("b", serve)}})
		h := open(t, supervisor.Config{Defaults: supervisor.Defaults{Backoff: second}, Children: []actor.Spec{middle.Spec("middle")}})
		pass(time.Minute)
		equal(t, "runs of a", j.count("a"), 2)
		equal(t, "runs of b", j.count("b"), 1)
		equal(t, "restarts of the middle", h.child("middle").Restarts, 0)
	})
}

func TestAnEscalationGoesAllTheWayUpIfEveryFamilySaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		up := func(s actor.Spec) actor.Spec {
			s.MaxRetries, s.OnGiveUp = policy.NoRetry, policy.GiveUpEscalate
			return s
		}
		inner := supervisor.New(supervisor.Config{Children: []actor.Spec{j.spec("a", in(time.Second, actor.Escalate(errBoom)))}})
		middle := supervisor.New(supervisor.Config{Children: []actor.Spec{up(inner.Spec("inner"))}})
		h := open(t, supervisor.Config{Intensity: policy.Intensity{Restarts: 0, Within: time.Hour}, Children: []actor.Spec{up(middle.Spec("middle"))}})
		err := as[*supervisor.EscalatedError](t, h.wait())
		equal(t, "child", err.Child, "/middle")
		if !errors.Is(err, errBoom) {
			t.Errorf("%v does not wrap the first cause", err)
		}
		equal(t, "took", time.Since(j.began), time.Second)
	})
}

func TestAnEscalationStopsInTheOrderOfTheStrategy(t *testing.T) {
	rows := map[supervisor.Strategy][]string{
		supervisor.OneForOne:  {"1s -b", "2s -a", "2s -c"},
		supervisor.RestForOne: {"1s -b", "2s -c", "3s -a"},
	}
	for strategy, lines := range rows {
		t.Run(strategy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				h := open(t, supervisor.Config{Strategy: strategy, Children: []actor.Spec{
					j.spec("a", slow(time.Second)), j.spec("b", in(time.Second, actor.Escalate(errBoom))), j.spec("c", slow(time.Second)),
				}})
				j.take()
				as[*supervisor.EscalatedError](t, h.wait())
				equalLines(t, j.take(), lines...)
			})
		})
	}
}

func TestAStartThatFailsBelowIsAFailureAbove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		below := supervisor.New(supervisor.Config{Children: []actor.Spec{
			j.spec("a", serve), awaited(j.spec("b", in(0, actor.Fatal(errBoom)), readyIn(time.Second, serve))),
		}})
		h := open(t, supervisor.Config{
			Defaults: supervisor.Defaults{Backoff: second}, Children: []actor.Spec{below.Spec("below"), j.spec("c", serve)},
		})
		pass(500 * time.Millisecond)
		as[*supervisor.StartError](t, h.child("below").Err)
		pass(time.Minute)
		equalLines(t, j.take(), "0s +a", "0s +b", "0s -b", "0s -a", "1s +a", "1s +b", "2s +c")
	})
}

func TestAFamilyIsAMemberOfAGroupLikeAnyOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		below := supervisor.New(supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{
			awaited(j.spec("x", readyIn(time.Second, slow(time.Second)))), awaited(j.spec("y", readyIn(time.Second, slow(time.Second)))),
		}})
		h := open(t, supervisor.Config{
			Strategy: supervisor.RestForOne, Defaults: supervisor.Defaults{Backoff: second},
			Children: []actor.Spec{j.spec("a", in(10*time.Second, errBoom), serve), below.Spec("below"), j.spec("b", serve)},
		})
		hd := h.handle("below")
		pass(time.Minute)
		equalLines(t, j.take(),
			"0s +a", "0s +x", "1s +y", "2s +b",
			"10s -a", "10s -b", "11s -y", "12s -x",
			"13s +a", "13s +x", "14s +y", "15s +b")
		if _, ended := hd.Outcome(); ended {
			t.Error("the handle of the family does not span the restart")
		}
	})
}
