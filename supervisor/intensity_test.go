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

func TestIntensityCountsFailuresInAnExactWindow(t *testing.T) {
	at := policy.NoBackoff()
	rows := map[string]struct {
		intensity policy.Intensity
		children  func(j *journal) []actor.Spec
		ends      time.Duration // 0 for never within ten minutes
	}{
		"one more than allowed within the window ends it": {
			policy.Intensity{Restarts: 3, Within: 10 * time.Second},
			func(j *journal) []actor.Spec { return []actor.Spec{j.spec("a", in(time.Second, errBoom))} },
			4 * time.Second,
		},
		"as many as allowed do not": {
			policy.Intensity{Restarts: 3, Within: 10 * time.Second},
			func(j *journal) []actor.Spec {
				f := in(time.Second, errBoom)
				return []actor.Spec{j.spec("a", f, f, f, serve)}
			},
			0,
		},
		"none allowed ends it with the first": {
			policy.Intensity{Restarts: 0, Within: time.Second},
			func(j *journal) []actor.Spec { return []actor.Spec{j.spec("a", in(5*time.Second, errBoom))} },
			5 * time.Second,
		},
		"the zero value sets no limit": {
			policy.Intensity{},
			func(j *journal) []actor.Spec { return []actor.Spec{j.spec("a", in(time.Second, errBoom))} },
			0,
		},
		"a failure exactly as old as the window still counts": {
			policy.Intensity{Restarts: 1, Within: 10 * time.Second},
			func(j *journal) []actor.Spec { return []actor.Spec{j.spec("a", in(10*time.Second, errBoom))} },
			20 * time.Second,
		},
		"a failure older by a nanosecond does not": {
			policy.Intensity{Restarts: 1, Within: 10*time.Second - 1},
			func(j *journal) []actor.Spec { return []actor.Spec{j.spec("a", in(10*time.Second, errBoom))} },
			0,
		},
		"all children share the window": {
			policy.Intensity{Restarts: 2, Within: 10 * time.Second},
			func(j *journal) []actor.Spec {
				return []actor.Spec{
					j.spec("a", in(time.Second, errBoom), serve),
					j.spec("b", in(2*time.Second, errBoom), serve),
					j.spec("c", in(3*time.Second, errBoom), serve),
				}
			},
			3 * time.Second,
		},
		"successes never count": {
			policy.Intensity{Restarts: 1, Within: time.Hour},
			func(j *journal) []actor.Spec {
				a := j.spec("a", in(time.Second, nil))
				a.Restart = policy.Always
				return []actor.Spec{a}
			},
			0,
		},
		"a failure that is not retried does not count": {
			policy.Intensity{Restarts: 0, Within: time.Hour},
			func(j *journal) []actor.Spec {
				a := j.spec("a", in(time.Second, errBoom))
				a.Restart = policy.Never
				return []actor.Spec{a, j.spec("b", in(time.Second, actor.Fatal(errBoom)))}
			},
			0,
		},
		"failures before the first readiness count": {
			policy.Intensity{Restarts: 2, Within: time.Hour},
			func(j *journal) []actor.Spec { return []actor.Spec{awaited(j.spec("a", in(time.Second, errBoom)))} },
			3 * time.Second,
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				var e ear
				h := open(t, supervisor.Config{
					Name: "app", Intensity: row.intensity, Children: row.children(j),
					Defaults: supervisor.Defaults{Backoff: at}, Subscribers: e.subscriber(events.IntensityExceeded),
				})
				pass(10 * time.Minute)
				if row.ends == 0 {
					equal(t, "it runs", h.isUp(), true)
					equal(t, "limit exceeded", len(e.of("")), 0)
					return
				}
				if h.isUp() {
					t.Fatal("it still runs")
				}
				err := as[*supervisor.IntensityError](t, h.wait())
				equal(t, "path", err.Path, "/app")
				equal(t, "limit", err.Intensity, row.intensity)
				equal(t, "restarts in the window", err.Restarts, row.intensity.Restarts)
				if !errors.Is(err, errBoom) {
					t.Errorf("%v does not wrap the last error", err)
				}
				heard := e.of("")
				if len(heard) != 1 {
					t.Fatalf("told %v", heard)
				}
				equal(t, "ended after", heard[0].At.Sub(j.began), row.ends)
			})
		})
	}
}

func TestAGroupRestartCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		f := in(10*time.Second, errBoom)
		h := open(t, supervisor.Config{
			Strategy: supervisor.OneForAll, Intensity: policy.Intensity{Restarts: 2, Within: time.Hour},
			Defaults: supervisor.Defaults{Backoff: second},
			// All of them fail at the same instant, twice.
			Children: []actor.Spec{j.spec("a", f, f, serve), j.spec("b", f, f, serve), j.spec("c", f, f, serve)},
		})
		pass(10500 * time.Millisecond)
		equal(t, "restarts in the window", h.Tree().RestartsInWindow, 1)
		pass(10 * time.Minute)
		equal(t, "it runs", h.isUp(), true)
		equal(t, "restarts in the window", h.Tree().RestartsInWindow, 2)
		for _, name := range []string{"a", "b", "c"} {
			equal(t, "runs of "+name, j.count(name), 3)
		}
	})
}

func TestEveryFailingRestartCounts(t *testing.T) {
	for _, strategy := range []supervisor.Strategy{supervisor.OneForOne, supervisor.RestForOne, supervisor.OneForAll} {
		t.Run(strategy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				b := awaited(j.spec("b", readyIn(0, in(time.Minute, errBoom)), in(0, errBoom)))
				h := open(t, supervisor.Config{
					Strategy: strategy, Intensity: policy.Intensity{Restarts: 3, Within: time.Hour},
					Defaults: supervisor.Defaults{Backoff: second},
					Children: []actor.Spec{j.spec("a", serve), b, j.spec("c", serve)},
				})
				err := as[*supervisor.IntensityError](t, h.wait())
				equal(t, "child", err.Child, "/b")
				equal(t, "runs of b", j.count("b"), 4)
				equal(t, "took", time.Since(j.began), time.Minute+3*time.Second)
			})
		})
	}
}

func TestASupervisorOverItsLimitStopsItsChildrenInItsOrder(t *testing.T) {
	rows := map[supervisor.Strategy][]string{
		supervisor.OneForOne:  {"0s +a", "0s +b", "0s +c", "5s -b", "6s -a", "6s -c"},
		supervisor.RestForOne: {"0s +a", "0s +b", "0s +c", "5s -b", "6s -c", "7s -a"},
		supervisor.OneForAll:  {"0s +a", "0s +b", "0s +c", "5s -b", "6s -c", "7s -a"},
	}
	for strategy, lines := range rows {
		t.Run(strategy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				h := open(t, supervisor.Config{
					Strategy: strategy, Intensity: policy.Intensity{Restarts: 0, Within: time.Hour},
					Children: []actor.Spec{
						j.spec("a", slow(time.Second)), j.spec("b", in(5*time.Second, errBoom)), j.spec("c", slow(time.Second)),
					},
				})
				a, b := h.handle("a"), h.handle("b")
				as[*supervisor.IntensityError](t, h.wait())
				equalLines(t, j.take(), lines...)
				equal(t, "outcome of the one that failed", outcome(t, b).Kind, events.Failed)
				equal(t, "outcome of the others", outcome(t, a).Kind, events.Stopped)
			})
		})
	}
}

func TestAFailingRestartLoopDoesNotMakeASupervisorDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{
			Strategy: supervisor.OneForAll,
			Defaults: supervisor.Defaults{Backoff: policy.Constant(time.Millisecond)},
			Children: []actor.Spec{j.spec("a", serve), j.spec("b", in(0, errBoom))},
		})
		pass(time.Second)
		equal(t, "children", len(h.Children()), 2)
		hd := h.start(j.spec("c", serve))
		if err := h.Stop(t.Context(), "b"); err != nil {
			t.Error(err)
		}
		pass(time.Second)
		equal(t, "state of a", h.child("a").State, supervisor.StateRunning)
		equal(t, "state of c", h.child("c").State, supervisor.StateRunning)
		if err := h.Remove(t.Context(), hd.Path()); err != nil {
			t.Error(err)
		}
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
}
