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

func TestChildrenStartInOrderEachAfterItsEldersAreReady(t *testing.T) {
	for _, strategy := range []supervisor.Strategy{supervisor.OneForOne, supervisor.RestForOne, supervisor.OneForAll} {
		t.Run(strategy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				open(t, supervisor.Config{Strategy: strategy, Children: []actor.Spec{
					awaited(j.spec("a", readyIn(time.Second, serve))),
					awaited(j.spec("b", readyIn(2*time.Second, serve))),
					j.spec("c", serve),
					awaited(j.spec("d", readyIn(0, serve))),
					j.spec("e", serve),
				}})
				pass(time.Minute)
				equalLines(t, j.take(), "0s +a", "1s +b", "3s +c", "3s +d", "3s +e")
			})
		})
	}
}

func TestAFailureBeforeReadinessIsRetriedWhileTheYoungerWait(t *testing.T) {
	for _, strategy := range []supervisor.Strategy{supervisor.OneForOne, supervisor.RestForOne, supervisor.OneForAll} {
		t.Run(strategy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				b := awaited(j.spec("b", in(time.Second, errBoom), in(time.Second, errBoom), readyIn(time.Second, serve)))
				b.Backoff = second
				h := open(t, supervisor.Config{Strategy: strategy, Children: []actor.Spec{j.spec("a", serve), b, j.spec("c", serve)}})
				pass(time.Minute)
				equalLines(t, j.take(), "0s +a", "0s +b", "1s -b", "2s +b", "3s -b", "4s +b", "5s +c")
				equal(t, "restarts of a", h.child("a").Restarts, 0)
			})
		})
	}
}

func TestAChildThatGivesUpBeforeItIsReadyFailsTheStart(t *testing.T) {
	rows := map[string]struct {
		step    actor.Func
		retries int
		why     error
	}{
		"a fatal error":     {in(time.Second, actor.Fatal(errBoom)), 0, errBoom},
		"no retry left":     {in(time.Second, errBoom), policy.NoRetry, errBoom},
		"retries exhausted": {in(time.Second, errBoom), 2, errBoom},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				c := awaited(j.spec("c", row.step))
				c.MaxRetries, c.Backoff = row.retries, second
				h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{
					j.spec("a", slow(time.Second)), j.spec("b", slow(time.Second)), c, j.spec("d", serve),
				}})
				unborn := h.handle("d")
				err := as[*supervisor.StartError](t, h.wait())
				equal(t, "path", err.Path, "/app")
				equal(t, "child", err.Child, "/app/c")
				if !errors.Is(err, row.why) {
					t.Errorf("%v does not wrap the child's error", err)
				}
				equal(t, "runs of d", j.count("d"), 0)
				equal(t, "outcome of d", outcome(t, unborn).Kind, events.Stopped)
				lines := j.take()
				// The start was the ordered part, so its undoing is too, also one for one.
				last := lines[len(lines)-2:]
				if last[0][len(last[0])-2:] != "-b" || last[1][len(last[1])-2:] != "-a" || last[0] == last[1] {
					t.Errorf("stopped in the order %q, want b before a", last)
				}
			})
		})
	}
}

func TestAStartThatTakesTooLongStopsTheStartedOnesInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		c := awaited(j.spec("c", slow(time.Second)))
		c.StartTimeout = 5 * time.Second
		h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{
			j.spec("a", slow(time.Second)), j.spec("b", slow(time.Second)), c, j.spec("d", serve),
		}})
		err := as[*supervisor.StartError](t, h.wait())
		equal(t, "child", err.Child, "/app/c")
		late := as[*actor.NotReadyError](t, err)
		equal(t, "timeout", late.Timeout, 5*time.Second)
		equalLines(t, j.take(), "0s +a", "0s +b", "0s +c", "6s -c", "7s -b", "8s -a")
	})
}

func TestTheStartTimeoutBoundsAllAttemptsTogetherAndTellsTheLastError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		a := awaited(j.spec("a", in(time.Second, errBoom)))
		a.StartTimeout, a.Backoff = 5*time.Second, second
		h := open(t, supervisor.Config{Children: []actor.Spec{a}})
		err := as[*supervisor.StartError](t, h.wait())
		if !errors.Is(as[*actor.NotReadyError](t, err), errBoom) {
			t.Errorf("%v does not tell the last error", err)
		}
		equal(t, "runs", j.count("a"), 3)
		equal(t, "took", time.Since(j.began), 5*time.Second)
	})
}

func TestAStopInTheMiddleOfAStartStopsWhatWasStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{Strategy: supervisor.RestForOne, Children: []actor.Spec{
			j.spec("a", slow(time.Second)), awaited(j.spec("b", slow(time.Second))), j.spec("c", serve),
		}})
		unborn := h.handle("c")
		pass(5 * time.Second)
		if err := h.close(); err != nil {
			t.Errorf("got %v, want nil: the stop was asked for", err)
		}
		equalLines(t, j.take(), "0s +a", "0s +b", "6s -b", "7s -a")
		o := outcome(t, unborn)
		equal(t, "outcome", o.Kind, events.Stopped)
		equal(t, "reason", o.Reason, events.ReasonShutdown)
		equal(t, "attempts", o.Attempts, 0)
	})
}

func TestAStopWhileAStartBacksOffIsNotDelayedByIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		a := awaited(j.spec("a", in(0, errBoom)))
		a.Backoff = policy.Constant(time.Minute)
		h := open(t, supervisor.Config{Children: []actor.Spec{a}})
		pass(5 * time.Second)
		if err := h.close(); err != nil {
			t.Error(err)
		}
		equal(t, "took", time.Since(j.began), 5*time.Second)
	})
}

func TestTheYoungerGoOnWhenSomeoneStopsTheOneTheyWaitFor(t *testing.T) {
	acts := map[string]func(*house) error{
		"stop":   func(h *house) error { return h.Stop(h.t.Context(), "a") },
		"remove": func(h *house) error { return h.Remove(h.t.Context(), "a") },
	}
	for name, act := range acts {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				h := open(t, supervisor.Config{Children: []actor.Spec{awaited(j.spec("a", serve)), j.spec("b", serve)}})
				pass(time.Second)
				equal(t, "waiting for", h.Tree().Waiting, "/a")
				if err := act(h); err != nil {
					t.Fatal(err)
				}
				pass(0)
				equalLines(t, j.take(), "0s +a", "1s -a", "1s +b")
			})
		})
	}
}

func TestATaskThatCompletesBeforeItIsReadyCountsAsReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		open(t, supervisor.Config{Children: []actor.Spec{awaited(j.spec("a", in(time.Second, nil))), j.spec("b", serve)}})
		pass(time.Minute)
		equalLines(t, j.take(), "0s +a", "1s -a", "1s +b")
	})
}

func TestASupervisorWithoutChildrenRunsUntilItIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{})
		pass(time.Hour)
		if !h.isUp() {
			t.Fatalf("Run returned %v", h.wait())
		}
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
}
