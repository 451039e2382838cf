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

func TestWhoStartsAgainWithTheGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		never := func(s actor.Spec) actor.Spec { s.Restart = policy.Never; return s }
		h := open(t, supervisor.Config{
			Strategy: supervisor.OneForAll, Defaults: supervisor.Defaults{Backoff: second},
			Children: []actor.Spec{
				j.spec("offender", in(10*time.Second, errBoom), serve),
				j.spec("running", serve),
				j.spec("completed", in(0, nil), serve),
				j.spec("failed", in(0, actor.Fatal(errBoom))),
				j.spec("stopped", serve),
				never(j.spec("never running", serve)),
				never(j.spec("never completed", in(0, nil))),
				with(j.spec("between", in(0, nil), serve), func(s *actor.Spec) { s.Restart, s.Every = policy.Always, time.Hour }),
			},
		})
		bystander := h.start(never(j.spec("dynamic never", serve)))
		h.start(j.spec("dynamic", serve))
		pass(0)
		if err := h.Stop(t.Context(), "stopped"); err != nil {
			t.Fatal(err)
		}
		before := map[string]*actor.Handle{}
		for _, n := range h.Children() {
			before[n.Name] = h.handle(n.Name)
		}
		pass(time.Minute)

		rows := map[string]struct {
			runs  int
			state supervisor.State
			fresh bool // it has a new handle
		}{
			"offender":        {2, supervisor.StateRunning, false},
			"running":         {2, supervisor.StateRunning, false},
			"completed":       {2, supervisor.StateRunning, true},
			"failed":          {1, supervisor.StateFailed, false},
			"stopped":         {1, supervisor.StateStopped, false},
			"never running":   {1, supervisor.StateStopped, false},
			"never completed": {1, supervisor.StateCompleted, false},
			"between":         {2, supervisor.StateRunning, false},
			"dynamic":         {2, supervisor.StateRunning, false},
		}
		for name, row := range rows {
			equal(t, "runs of "+name, j.count(name), row.runs)
			equal(t, "state of "+name, h.child(name).State, row.state)
			equal(t, "a new handle for "+name, h.handle(name) != before[name], row.fresh)
		}
		o := outcome(t, bystander)
		equal(t, "outcome of the bystander", o.Kind, events.Stopped)
		equal(t, "reason of the bystander", o.Reason, events.ReasonGroup)
		equal(t, "record of the bystander", h.child("dynamic never").Name, "")
		equal(t, "outcome of the first life", outcome(t, before["completed"]).Kind, events.Completed)
		if before["completed"].ID() == h.child("completed").ID {
			t.Error("the second life has the id of the first")
		}
	})
}

func TestAFailureWhileAGroupStartsAgain(t *testing.T) {
	rows := map[string]struct {
		strategy supervisor.Strategy
		lines    []string
	}{
		"rest for one: those before the one that failed to start stay": {
			supervisor.RestForOne,
			[]string{"10s -a", "11s -c", "12s -b", "13s +a", "14s +b", "14s -b", "15s +b", "16s +c"},
		},
		"one for all: those just started are stopped again": {
			supervisor.OneForAll,
			[]string{"10s -a", "11s -c", "12s -b", "13s +a", "14s +b", "14s -b", "15s -a", "16s +a", "17s +b", "18s +c"},
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				steady := readyIn(time.Second, slow(time.Second))
				open(t, supervisor.Config{
					Strategy: row.strategy, Defaults: supervisor.Defaults{Backoff: second},
					Children: []actor.Spec{
						awaited(j.spec("a", readyIn(time.Second, in(9*time.Second, errBoom)), steady)),
						awaited(j.spec("b", steady, in(0, errBoom), steady)),
						awaited(j.spec("c", steady)),
					},
				})
				pass(9 * time.Second)
				j.take()
				pass(time.Minute)
				equalLines(t, j.take(), row.lines...)
			})
		})
	}
}

func TestAnElderThatFailsWhileTheYoungerRestartTakesThemIn(t *testing.T) {
	rows := map[string]struct {
		fails time.Duration // of a
		lines []string
	}{
		"while they are being stopped": {
			10500 * time.Millisecond,
			[]string{"10s -b", "10.5s -a", "12s -c", "18s +a", "19s +b", "20s +c"},
		},
		"while they wait": {
			12500 * time.Millisecond,
			[]string{"10s -b", "12s -c", "12.5s -a", "18s +a", "19s +b", "20s +c"},
		},
		"while they start": {
			18500 * time.Millisecond,
			[]string{"10s -b", "12s -c", "18s +b", "18.5s -a", "18.5s -b", "19.5s +a", "20.5s +b", "21.5s +c"},
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				h := open(t, supervisor.Config{
					Strategy: supervisor.RestForOne,
					Children: []actor.Spec{
						with(awaited(j.spec("a", readyIn(0, in(row.fails, errBoom)), readyIn(time.Second, serve))), func(s *actor.Spec) { s.Backoff = second }),
						with(awaited(j.spec("b", readyIn(0, in(10*time.Second, errBoom)), readyIn(time.Second, serve))), func(s *actor.Spec) {
							s.Backoff = policy.Constant(6 * time.Second)
						}),
						awaited(j.spec("c", readyIn(0, slow(2*time.Second)))),
					},
				})
				pass(0)
				j.take()
				pass(time.Minute)
				equalLines(t, j.take(), row.lines...)
				for _, n := range h.Children() {
					equal(t, "state of "+n.Name, n.State, supervisor.StateRunning)
				}
			})
		})
	}
}

func TestAMemberThatFailsWhileItsGroupStopsIsNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{
			Strategy: supervisor.OneForAll, Intensity: policy.Intensity{Restarts: 1, Within: time.Hour},
			Defaults: supervisor.Defaults{Backoff: second},
			Children: []actor.Spec{
				j.spec("a", in(11*time.Second, errBoom), serve),
				j.spec("b", in(10*time.Second, errBoom), serve),
				j.spec("c", slow(5*time.Second)),
			},
		})
		pass(time.Minute)
		equal(t, "it runs", h.isUp(), true)
		equalLines(t, j.take(), "0s +a", "0s +b", "0s +c", "10s -b", "11s -a", "15s -c", "16s +a", "16s +b", "16s +c")
	})
}
