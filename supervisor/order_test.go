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

func TestChildrenStopInTheOrderOfTheStrategy(t *testing.T) {
	rows := map[supervisor.Strategy][]string{
		supervisor.OneForOne:  {"1s -a", "1s -b", "1s -c", "1s -d"},
		supervisor.RestForOne: {"1s -d", "2s -c", "3s -b", "4s -a"},
		supervisor.OneForAll:  {"1s -d", "2s -c", "3s -b", "4s -a"},
	}
	for strategy, lines := range rows {
		t.Run(strategy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				h := open(t, supervisor.Config{Strategy: strategy, Children: []actor.Spec{
					j.spec("a", slow(time.Second)), j.spec("b", slow(time.Second)),
				}})
				h.start(j.spec("c", slow(time.Second)))
				h.start(j.spec("d", slow(time.Second)))
				pass(0)
				j.take()
				if err := h.close(); err != nil {
					t.Error(err)
				}
				equalLines(t, j.take(), lines...)
			})
		})
	}
}

func TestAnOrderedStopSkipsWhatHasNothingToStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{Strategy: supervisor.RestForOne, Children: []actor.Spec{
			j.spec("a", slow(time.Second)),
			j.spec("completed", in(0, nil)),
			j.spec("failed", in(0, actor.Fatal(errBoom))),
			j.spec("stopped", serve),
			j.spec("b", slow(time.Second)),
		}})
		if err := h.Stop(t.Context(), "stopped"); err != nil {
			t.Fatal(err)
		}
		pass(0)
		j.take()
		if err := h.close(); err != nil {
			t.Error(err)
		}
		equalLines(t, j.take(), "1s -b", "2s -a")
	})
}

func TestATreeStopsTheYoungestFamilyFirstAndItsChildrenBeforeItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		family := func(name string, children ...actor.Spec) actor.Spec {
			return supervisor.New(supervisor.Config{Strategy: supervisor.OneForAll, Children: children}).Spec(name)
		}
		h := open(t, supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{
			family("one", j.spec("a", slow(time.Second)), j.spec("b", slow(time.Second))),
			family("two", j.spec("c", slow(time.Second)), j.spec("d", slow(time.Second))),
		}})
		j.take()
		if err := h.close(); err != nil {
			t.Error(err)
		}
		equalLines(t, j.take(), "1s -d", "2s -c", "3s -b", "4s -a")
	})
}

// The events of one task, in order, in the main stories of a life.
func TestTheEventsOfOneTaskAreInItsOrder(t *testing.T) {
	rows := map[string]struct {
		config func(j *journal) supervisor.Config
		act    func(h *house)
		want   string
	}{
		"completes": {
			func(j *journal) supervisor.Config {
				return supervisor.Config{Children: []actor.Spec{j.spec("a", in(time.Second, nil))}}
			}, nil,
			"task_added attempt_started attempt_ended task_finished",
		},
		"is ready, fails, is retried and completes": {
			func(j *journal) supervisor.Config {
				return supervisor.Config{Children: []actor.Spec{awaited(j.spec("a", readyIn(0, in(time.Second, errBoom)), in(0, nil)))}}
			}, nil,
			"task_added attempt_started task_ready attempt_ended retry_scheduled attempt_started attempt_ended task_finished",
		},
		"fails for good": {
			func(j *journal) supervisor.Config {
				return supervisor.Config{Children: []actor.Spec{with(j.spec("a", in(0, errBoom)), func(s *actor.Spec) { s.MaxRetries = 1 })}}
			}, nil,
			"task_added attempt_started attempt_ended retry_scheduled attempt_started attempt_ended task_finished",
		},
		"is stopped with its supervisor": {
			func(j *journal) supervisor.Config {
				return supervisor.Config{Children: []actor.Spec{j.spec("a", serve)}}
			}, nil,
			"task_added attempt_started task_stopping attempt_ended task_finished",
		},
		"is stopped while it backs off": {
			func(j *journal) supervisor.Config {
				return supervisor.Config{Children: []actor.Spec{with(j.spec("a", in(0, errBoom)), func(s *actor.Spec) {
					s.Backoff = policy.Constant(24 * time.Hour)
				})}}
			}, nil,
			"task_added attempt_started attempt_ended retry_scheduled task_finished",
		},
		"runs into its timeout": {
			func(j *journal) supervisor.Config {
				return supervisor.Config{Children: []actor.Spec{with(j.spec("a", serve), func(s *actor.Spec) {
					s.Timeout, s.Restart = time.Second, policy.Never
				})}}
			}, nil,
			"task_added attempt_started task_stopping attempt_ended task_finished",
		},
		"is restarted with its group": {
			func(j *journal) supervisor.Config {
				return supervisor.Config{
					Strategy: supervisor.OneForAll,
					Children: []actor.Spec{j.spec("a", serve), j.spec("b", in(time.Second, errBoom), serve)},
				}
			}, nil,
			"task_added attempt_started task_stopping attempt_ended attempt_started task_stopping attempt_ended task_finished",
		},
		"had completed and starts again with its group": {
			func(j *journal) supervisor.Config {
				return supervisor.Config{
					Strategy: supervisor.OneForAll,
					Children: []actor.Spec{j.spec("a", in(0, nil)), j.spec("b", in(time.Second, errBoom), serve)},
				}
			}, nil,
			"task_added attempt_started attempt_ended task_finished task_added attempt_started attempt_ended task_finished",
		},
		"is removed": {
			func(j *journal) supervisor.Config {
				return supervisor.Config{Children: []actor.Spec{j.spec("a", serve)}}
			},
			func(h *house) { _ = h.Remove(h.t.Context(), "a") },
			"task_added attempt_started task_stopping attempt_ended task_finished task_removed",
		},
		"is removed after its end": {
			func(j *journal) supervisor.Config {
				return supervisor.Config{Children: []actor.Spec{j.spec("a", in(0, nil))}}
			},
			func(h *house) { _ = h.Remove(h.t.Context(), "a") },
			"task_added attempt_started attempt_ended task_finished task_removed",
		},
		"is never started": {
			func(j *journal) supervisor.Config {
				elder := awaited(j.spec("elder", in(0, actor.Fatal(errBoom))))
				return supervisor.Config{Children: []actor.Spec{elder, j.spec("a", serve)}}
			}, nil, "",
		},
	}
	for name, row := range rows {
		t.Run("a task that "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var e ear
				cfg := row.config(newJournal())
				cfg.Subscribers = e.subscriber()
				cfg.Defaults.Backoff = second
				h := open(t, cfg)
				pass(time.Minute)
				if row.act != nil {
					row.act(h)
				}
				_ = h.close()
				equal(t, "events", e.kinds("/a"), row.want)
			})
		})
	}
}

func TestEventsOfASupervisorFrameThoseOfItsChildren(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e ear
		j := newJournal()
		h := open(t, supervisor.Config{
			Name: "app", Strategy: supervisor.OneForAll, Subscribers: e.subscriber(),
			Defaults: supervisor.Defaults{Backoff: second},
			Children: []actor.Spec{awaited(j.spec("a", readyIn(0, in(time.Second, errBoom)), readyIn(0, serve)))},
		})
		pass(time.Minute)
		if err := h.close(); err != nil {
			t.Error(err)
		}
		equal(t, "events", e.kinds(""), "task_added attempt_started task_ready supervisor_started "+
			"attempt_ended retry_scheduled attempt_started task_ready "+
			"supervisor_stopping task_stopping attempt_ended task_finished supervisor_stopped")
		var last uint64
		for _, ev := range e.of("") {
			if ev.Seq <= last {
				t.Errorf("sequence number %d after %d", ev.Seq, last)
			}
			last = ev.Seq
		}
	})
}

func TestARetryIsToldWithItsDelayAndPlaceInTheStreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e ear
		j := newJournal()
		spec := j.spec("a", in(time.Second, errBoom), in(2*time.Second, errBoom), serve)
		spec.Backoff = doubling
		open(t, supervisor.Config{Subscribers: e.subscriber(events.RetryScheduled, events.AttemptEnded), Children: []actor.Spec{spec}})
		pass(time.Minute)
		heard := e.of("/a")
		if len(heard) != 4 {
			t.Fatalf("told %v", heard)
		}
		for i := range 2 {
			ended, retry := heard[2*i], heard[2*i+1]
			equal(t, "attempt", ended.Attempt, i+1)
			equal(t, "elapsed", ended.Elapsed, time.Duration(i+1)*time.Second)
			equal(t, "exit", ended.Exit, policy.Failed)
			equal(t, "error", ended.Err, errBoom)
			equal(t, "delay", retry.Delay, time.Duration(i+1)*time.Second)
			equal(t, "failures in a row", retry.Count, uint64(i+1))
		}
	})
}
