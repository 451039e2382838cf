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

func significant(s actor.Spec) actor.Spec {
	s.Significant = true
	return s
}

func TestTheEndOfSignificantChildrenEndsTheirSupervisor(t *testing.T) {
	none, all := supervisor.AutoShutdownAny, supervisor.AutoShutdownAll
	fatal := actor.Fatal(errBoom)
	rows := map[string]struct {
		mode     supervisor.AutoShutdown
		children func(j *journal) []actor.Spec
		ends     time.Duration // 0 for never
		failed   string        // the child whose failure is the error; "" for nil
	}{
		"any: the first success ends it cleanly": {none, func(j *journal) []actor.Spec {
			return []actor.Spec{significant(j.spec("a", in(time.Second, nil))), significant(j.spec("b", serve))}
		}, time.Second, ""},
		"any: giving up ends it with the error": {none, func(j *journal) []actor.Spec {
			return []actor.Spec{significant(j.spec("a", in(time.Second, fatal))), significant(j.spec("b", serve))}
		}, time.Second, "/a"},
		"any: a task that is never restarted counts too": {none, func(j *journal) []actor.Spec {
			a := significant(j.spec("a", in(time.Second, errBoom)))
			a.Restart = policy.Never
			return []actor.Spec{a}
		}, time.Second, "/a"},
		"any: a retried failure does not": {none, func(j *journal) []actor.Spec {
			return []actor.Spec{significant(j.spec("a", in(time.Second, errBoom), serve))}
		}, 0, ""},
		"any: an exhausted budget does": {none, func(j *journal) []actor.Spec {
			a := significant(j.spec("a", in(time.Second, errBoom)))
			a.MaxRetries = 2
			return []actor.Spec{a}
		}, 5 * time.Second, "/a"},
		"any: the end of others does not": {none, func(j *journal) []actor.Spec {
			return []actor.Spec{significant(j.spec("a", serve)), j.spec("b", in(time.Second, nil)), j.spec("c", in(time.Second, fatal))}
		}, 0, ""},
		"all: the first end does not": {all, func(j *journal) []actor.Spec {
			return []actor.Spec{significant(j.spec("a", in(time.Second, nil))), significant(j.spec("b", serve))}
		}, 0, ""},
		"all: the last end does, though others still run": {all, func(j *journal) []actor.Spec {
			return []actor.Spec{
				significant(j.spec("a", in(2*time.Second, nil))), significant(j.spec("b", in(time.Second, fatal))), j.spec("c", serve),
			}
		}, 2 * time.Second, ""},
		"all: the error is that of the last": {all, func(j *journal) []actor.Spec {
			return []actor.Spec{significant(j.spec("a", in(time.Second, nil))), significant(j.spec("b", in(2*time.Second, fatal)))}
		}, 2 * time.Second, "/b"},
		"all: without a significant child nothing ends": {all, func(j *journal) []actor.Spec {
			return []actor.Spec{j.spec("a", in(time.Second, nil))}
		}, 0, ""},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				var e ear
				h := open(t, supervisor.Config{
					AutoShutdown: row.mode, Children: row.children(j),
					Defaults: supervisor.Defaults{Backoff: second}, Subscribers: e.subscriber(events.SupervisorStopping),
				})
				pass(10 * time.Minute)
				equal(t, "it runs", h.isUp(), row.ends == 0)
				if row.ends == 0 {
					return
				}
				equal(t, "it stopped after", e.of("")[0].At.Sub(j.began), row.ends)
				err := h.wait()
				if row.failed == "" {
					equal(t, "error", err, nil)
					return
				}
				ended := as[*supervisor.EndedError](t, err)
				equal(t, "child", ended.Child, row.failed)
				if !errors.Is(err, errBoom) {
					t.Errorf("%v does not wrap the child's error", err)
				}
			})
		})
	}
}

func TestAStopByHandIsNoReasonForAutoShutdown(t *testing.T) {
	for _, mode := range []supervisor.AutoShutdown{supervisor.AutoShutdownAny, supervisor.AutoShutdownAll} {
		t.Run(mode.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				h := open(t, supervisor.Config{AutoShutdown: mode, Children: []actor.Spec{
					significant(j.spec("a", serve)), significant(j.spec("b", serve)),
				}})
				h.start(significant(j.spec("c", serve)))
				for _, name := range []string{"a", "b", "c"} {
					if err := h.Stop(t.Context(), name); err != nil {
						t.Error(err)
					}
				}
				pass(time.Minute)
				equal(t, "it runs", h.isUp(), true)
			})
		})
	}
}

func TestTheLastEndCountsAlsoWhenTheOthersWereStoppedByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{AutoShutdown: supervisor.AutoShutdownAll, Children: []actor.Spec{
			significant(j.spec("a", serve)), significant(j.spec("b", in(time.Minute, nil))),
		}})
		if err := h.Stop(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		if err := h.wait(); err != nil {
			t.Error(err)
		}
		equal(t, "took", time.Since(j.began), time.Minute)
	})
}

func TestASignificantChildThatIsRestartedByHandIsCountedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{AutoShutdown: supervisor.AutoShutdownAll, Children: []actor.Spec{
			significant(j.spec("a", in(time.Second, nil), in(time.Minute, nil))), significant(j.spec("b", in(10*time.Second, nil))),
		}})
		pass(5 * time.Second)
		if _, err := h.Restart(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if err := h.wait(); err != nil {
			t.Error(err)
		}
		equal(t, "took", time.Since(j.began), 65*time.Second)
	})
}

func TestAGroupRestartIsNoEndOfASignificantBystander(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		never := significant(j.spec("b", serve))
		never.Restart = policy.Never
		h := open(t, supervisor.Config{
			Strategy: supervisor.OneForAll, AutoShutdown: supervisor.AutoShutdownAny,
			Defaults: supervisor.Defaults{Backoff: second},
			Children: []actor.Spec{significant(j.spec("a", serve)), never, j.spec("c", in(time.Second, errBoom), serve)},
		})
		pass(time.Minute)
		equal(t, "it runs", h.isUp(), true)
		equal(t, "runs of a", j.count("a"), 2)
		equal(t, "runs of b", j.count("b"), 1)
	})
}

func TestAParentSeesHowASignificantChildEndedItsFamily(t *testing.T) {
	rows := map[string]struct {
		err  error
		runs int
		kind events.Outcome
	}{
		"a success completes the family":                   {nil, 1, events.Completed},
		"a failure is one of the family, which is retried": {actor.Fatal(errBoom), 3, events.Failed},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				spec := supervisor.New(supervisor.Config{AutoShutdown: supervisor.AutoShutdownAny, Children: []actor.Spec{
					significant(j.spec("a", in(time.Second, row.err))), j.spec("b", serve),
				}}).Spec("below")
				spec.MaxRetries, spec.Backoff = 2, second
				h := open(t, supervisor.Config{Children: []actor.Spec{spec}})
				o := outcome(t, h.handle("below"))
				equal(t, "outcome", o.Kind, row.kind)
				equal(t, "runs", j.count("a"), row.runs)
				if row.err != nil {
					equal(t, "child", as[*supervisor.EndedError](t, o.Err).Child, "/below/a")
				}
				equal(t, "the parent runs", h.isUp(), true)
			})
		})
	}
}
