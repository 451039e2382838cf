package supervisor_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// Who is stopped and started when one of four children fails at 10 s: each
// takes a second to stop and a second to be ready, and the pause is 5 seconds.
func TestAFailureRestartsTheSpanOfTheStrategy(t *testing.T) {
	rows := map[string]struct {
		strategy supervisor.Strategy
		offender string
		lines    []string
	}{
		"one for one restarts the one that failed": {
			supervisor.OneForOne, "b",
			[]string{"10s -b", "15s +b"},
		},
		"rest for one, the first": {
			supervisor.RestForOne, "a",
			[]string{"10s -a", "11s -d", "12s -c", "13s -b", "18s +a", "19s +b", "20s +c", "21s +d"},
		},
		"rest for one, one in the middle": {
			supervisor.RestForOne, "b",
			[]string{"10s -b", "11s -d", "12s -c", "17s +b", "18s +c", "19s +d"},
		},
		"rest for one, the last": {
			supervisor.RestForOne, "d",
			[]string{"10s -d", "15s +d"},
		},
		"one for all, the first": {
			supervisor.OneForAll, "a",
			[]string{"10s -a", "11s -d", "12s -c", "13s -b", "18s +a", "19s +b", "20s +c", "21s +d"},
		},
		"one for all, one in the middle": {
			supervisor.OneForAll, "b",
			[]string{"10s -b", "11s -d", "12s -c", "13s -a", "18s +a", "19s +b", "20s +c", "21s +d"},
		},
		"one for all, the last": {
			supervisor.OneForAll, "d",
			[]string{"10s -d", "11s -c", "12s -b", "13s -a", "18s +a", "19s +b", "20s +c", "21s +d"},
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				var specs []actor.Spec
				for i, name := range []string{"a", "b", "c", "d"} {
					steps := []actor.Func{readyIn(time.Second, slow(time.Second))}
					if name == row.offender {
						// Ready i+1 seconds after the beginning, so it fails at 10 s.
						steps = append([]actor.Func{readyIn(time.Second, in(time.Duration(9-i)*time.Second, errBoom))}, steps...)
					}
					specs = append(specs, awaited(j.spec(name, steps...)))
				}
				h := open(t, supervisor.Config{
					Strategy: row.strategy, Children: specs,
					Defaults: supervisor.Defaults{Backoff: policy.Constant(5 * time.Second)},
				})
				pass(9 * time.Second)
				j.take()
				pass(time.Minute)
				equalLines(t, j.take(), row.lines...)
				for _, n := range h.Children() {
					equal(t, "state of "+n.Name, n.State, supervisor.StateRunning)
					want := 0
					if n.Name == row.offender {
						want = 1
					}
					equal(t, "restarts of "+n.Name, n.Restarts, want)
				}
			})
		})
	}
}

func TestOneChildsBackoffNeverDelaysAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{Children: []actor.Spec{
			with(j.spec("slow", in(0, errBoom)), func(s *actor.Spec) { s.Backoff = policy.Constant(time.Hour) }),
			with(j.spec("fast", in(time.Second, errBoom), in(time.Second, errBoom), serve), func(s *actor.Spec) { s.Backoff = second }),
		}})
		pass(500 * time.Millisecond)
		h.start(j.spec("new", serve))
		pass(time.Minute)
		equalLines(t, j.take(), "0s +slow", "0s -slow", "0s +fast", "500ms +new", "1s -fast", "2s +fast", "3s -fast", "4s +fast")
	})
}

func TestDynamicChildrenAreMembersOfTheirGroup(t *testing.T) {
	rows := map[supervisor.Strategy][]string{
		supervisor.OneForOne:  {"10s -x", "15s +x"},
		supervisor.RestForOne: {"10s -x", "11s -y", "16s +x", "16s +y"},
		supervisor.OneForAll:  {"10s -x", "11s -y", "12s -a", "17s +a", "17s +x", "17s +y"},
	}
	for strategy, lines := range rows {
		t.Run(strategy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				h := open(t, supervisor.Config{
					Strategy: strategy, Children: []actor.Spec{j.spec("a", slow(time.Second))},
					Defaults: supervisor.Defaults{Backoff: policy.Constant(5 * time.Second)},
				})
				x := h.start(j.spec("x", in(10*time.Second, errBoom), serve))
				h.start(j.spec("y", slow(time.Second)))
				pass(0)
				j.take()
				pass(time.Minute)
				equalLines(t, j.take(), lines...)
				if _, ended := x.Outcome(); ended {
					t.Error("the handle does not span the restart")
				}
			})
		})
	}
}

func TestTheFailureThatExhaustsTheBudgetRestartsNoGroup(t *testing.T) {
	for _, strategy := range []supervisor.Strategy{supervisor.RestForOne, supervisor.OneForAll} {
		t.Run(strategy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				a := j.spec("a", in(10*time.Second, errBoom))
				a.MaxRetries = 1
				h := open(t, supervisor.Config{
					Strategy: strategy, Children: []actor.Spec{a, j.spec("b", serve)},
					Defaults: supervisor.Defaults{Backoff: second},
				})
				pass(time.Minute)
				equalLines(t, j.take(), "0s +a", "0s +b", "10s -a", "10s -b", "11s +a", "11s +b", "21s -a")
				equal(t, "state of a", h.child("a").State, supervisor.StateFailed)
				equal(t, "state of b", h.child("b").State, supervisor.StateRunning)
			})
		})
	}
}

func TestATaskThatIsNeverRestartedRestartsNoGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		a := j.spec("a", in(10*time.Second, errBoom))
		a.Restart = policy.Never
		open(t, supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{a, j.spec("b", serve)}})
		pass(time.Minute)
		equalLines(t, j.take(), "0s +a", "0s +b", "10s -a")
	})
}

func TestASuccessRestartsOnlyTheTaskItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		a := j.spec("a", in(10*time.Second, nil), serve)
		a.Restart, a.Every = policy.Always, time.Second
		open(t, supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{a, j.spec("b", serve)}})
		pass(time.Minute)
		equalLines(t, j.take(), "0s +a", "0s +b", "10s -a", "11s +a")
	})
}
