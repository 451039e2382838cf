package inspect_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/inspect"
)

// deaf does not return before the gate opens; slow takes all of its grace.
func deaf(gate chan struct{}) actor.Func {
	return func(context.Context) error {
		<-gate
		return nil
	}
}

func slow(d time.Duration) actor.Func {
	return func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(d)
		return nil
	}
}

// stops are trees whose tasks are deaf, and how long they may take to stop.
var stops = map[string]struct {
	root func(task func(grace time.Duration, stuck ...policy.OnStuck) actor.Spec) supervisor.Config
	want time.Duration
}{
	"side by side, the longest grace": {
		func(task func(time.Duration, ...policy.OnStuck) actor.Spec) supervisor.Config {
			return supervisor.Config{Children: []actor.Spec{task(3 * time.Second), task(7 * time.Second), task(0)}}
		}, policy.DefaultGrace,
	},
	"in order, the sum": {
		func(task func(time.Duration, ...policy.OnStuck) actor.Spec) supervisor.Config {
			return supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{task(3 * time.Second), task(7 * time.Second), task(0)}}
		}, 20 * time.Second,
	},
	"in order, and the last tenth is for the others": {
		func(task func(time.Duration, ...policy.OnStuck) actor.Spec) supervisor.Config {
			return supervisor.Config{Strategy: supervisor.RestForOne, StopTimeout: 20 * time.Second, Children: []actor.Spec{
				task(time.Second), task(time.Second), task(policy.Forever),
			}}
		}, 19 * time.Second,
	},
	"a grace for ever is bounded by the tree": {
		func(task func(time.Duration, ...policy.OnStuck) actor.Spec) supervisor.Config {
			return supervisor.Config{Children: []actor.Spec{task(time.Second), task(policy.Forever)}}
		}, policy.DefaultStopTimeout,
	},
	"one that is waited for takes all there is": {
		func(task func(time.Duration, ...policy.OnStuck) actor.Spec) supervisor.Config {
			return supervisor.Config{Strategy: supervisor.RestForOne, StopTimeout: 20 * time.Second, Children: []actor.Spec{
				task(time.Second), task(time.Second, policy.StuckWait), task(time.Second),
			}}
		}, 20 * time.Second,
	},
	"one that escalates is abandoned in a stop": {
		func(task func(time.Duration, ...policy.OnStuck) actor.Spec) supervisor.Config {
			return supervisor.Config{Children: []actor.Spec{task(time.Second), task(4*time.Second, policy.StuckEscalate)}}
		}, 4 * time.Second,
	},
	"the lame-duck time comes first": {
		func(task func(time.Duration, ...policy.OnStuck) actor.Spec) supervisor.Config {
			return supervisor.Config{LameDuck: 5 * time.Second, StopTimeout: 30 * time.Second, Children: []actor.Spec{task(4 * time.Second)}}
		}, 9 * time.Second,
	},
	"the lame-duck time leaves a tenth": {
		func(task func(time.Duration, ...policy.OnStuck) actor.Spec) supervisor.Config {
			return supervisor.Config{LameDuck: 29 * time.Second, StopTimeout: 30 * time.Second, Children: []actor.Spec{task(4 * time.Second)}}
		}, 30 * time.Second,
	},
	"a supervisor below has what is left": {
		func(task func(time.Duration, ...policy.OnStuck) actor.Spec) supervisor.Config {
			return supervisor.Config{Strategy: supervisor.RestForOne, StopTimeout: 40 * time.Second, Children: []actor.Spec{
				task(time.Second),
				pool("p", supervisor.Config{Strategy: supervisor.RestForOne, Children: []actor.Spec{task(2 * time.Second), task(policy.Forever)}}),
			}}
		}, 32400*time.Millisecond + 2*time.Second + time.Second,
	},
	"a supervisor below has its own time": {
		func(task func(time.Duration, ...policy.OnStuck) actor.Spec) supervisor.Config {
			return supervisor.Config{Children: []actor.Spec{
				pool("p", supervisor.Config{StopTimeout: 6 * time.Second, LameDuck: time.Second, Children: []actor.Spec{task(policy.Forever)}}),
			}}
		}, 6 * time.Second,
	},
	"a supervisor below has a grace": {
		func(task func(time.Duration, ...policy.OnStuck) actor.Spec) supervisor.Config {
			p := pool("p", supervisor.Config{StopTimeout: 6 * time.Second, Children: []actor.Spec{task(policy.Forever)}})
			p.Grace = 5 * time.Second
			return supervisor.Config{Children: []actor.Spec{p, task(time.Second)}}
		}, 5 * time.Second,
	},
}

func TestAStopOfTheTreeTakesAtTheLongestWhatIsSaid(t *testing.T) {
	for name, row := range stops {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				gate := make(chan struct{})
				t.Cleanup(func() { close(gate) })
				names := []string{"a", "b", "c", "d", "e", "f"}
				h := open(t, row.root(func(grace time.Duration, stuck ...policy.OnStuck) actor.Spec {
					spec := actor.Spec{Name: names[0], Task: deaf(gate), Grace: grace}
					names = names[1:]
					if len(stuck) > 0 {
						spec.OnStuck = stuck[0]
					}
					return spec
				}))
				said, err := inspect.Explain(h.Supervisor, h.Children()[0].Name)
				if err != nil {
					t.Fatal(err)
				}
				if said.TreeStop != row.want {
					t.Errorf("said to take %v, want %v", said.TreeStop, row.want)
				}
				began := time.Now()
				h.cancel()
				_ = h.wait(time.Hour)
				if took := time.Since(began); took != said.TreeStop {
					t.Errorf("it took %v, said was %v", took, said.TreeStop)
				}
			})
		})
	}
}

func TestTheStopOfTheTreeIsThatOfTheTasksItHasNow(t *testing.T) {
	cfg := supervisor.Config{Children: []actor.Spec{
		graced("a", 3*time.Second),
		pool("jobs", supervisor.Config{Defaults: supervisor.Defaults{Grace: 7 * time.Second}}),
	}}
	if e := explained(t, supervisor.New(cfg), "a"); e.TreeStop != 3*time.Second {
		t.Errorf("before the run: %v", e.TreeStop)
	}
	synctest.Test(t, func(t *testing.T) {
		h := open(t, cfg)
		jobs, _ := h.Settings("jobs")
		h.add(jobs.Task.(*supervisor.Supervisor), service("late"))
		if e := explained(t, h.Supervisor, "a"); e.TreeStop != 7*time.Second {
			t.Errorf("with a task that was added: %v", e.TreeStop)
		}
	})
}

// graceful are trees in which b fails and whose tasks take all of their grace.
var graceful = map[string]struct {
	root        supervisor.Config
	worst, kept time.Duration
}{
	"nothing stops": {
		supervisor.Config{Children: []actor.Spec{lingering("a", time.Second)}}, 0, 0,
	},
	"the members of a group are waited for": {
		supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{lingering("a", 2*time.Second), lingering("c", 3*time.Second)}},
		policy.Forever, 5 * time.Second,
	},
	"unless they are to be abandoned": {
		supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{
			with(lingering("a", 2*time.Second), func(s *actor.Spec) { s.OnStuck = policy.StuckAbandon }),
			with(lingering("c", 3*time.Second), func(s *actor.Spec) { s.OnStuck = policy.StuckAbandon }),
		}},
		5 * time.Second, 5 * time.Second,
	},
	"or are not run again": {
		supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{
			with(lingering("a", 2*time.Second), func(s *actor.Spec) { s.Restart = policy.Never }),
		}},
		2 * time.Second, 2 * time.Second,
	},
	"what a supervisor stops that runs again is waited for": {
		supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{
			pool("p", supervisor.Config{LameDuck: time.Second, Strategy: supervisor.OneForAll, Children: []actor.Spec{
				lingering("x", 2*time.Second), lingering("y", 3*time.Second),
			}}),
		}},
		policy.Forever, 6 * time.Second,
	},
	"as long as its own time allows": {
		supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{
			pool("p", supervisor.Config{StopTimeout: 20 * time.Second, Children: []actor.Spec{
				lingering("x", 2*time.Second), lingering("y", 3*time.Second),
			}}),
		}},
		20 * time.Second, 3 * time.Second,
	},
	"or its grace": {
		supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{
			with(pool("p", supervisor.Config{StopTimeout: 20 * time.Second, Children: []actor.Spec{lingering("x", 2*time.Second)}}),
				func(s *actor.Spec) { s.Grace = 5 * time.Second }),
		}},
		5 * time.Second, 2 * time.Second,
	},
	"so is what is further down": {
		supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{
			pool("p", supervisor.Config{Children: []actor.Spec{
				pool("q", supervisor.Config{Children: []actor.Spec{lingering("x", 2*time.Second)}}),
			}}),
		}},
		policy.Forever, 2 * time.Second,
	},
}

func lingering(name string, grace time.Duration) actor.Spec {
	return actor.Spec{Name: name, Task: slow(grace - 1), Grace: grace}
}

func TestTheStopsBeforeARestartTakeWhatIsSaid(t *testing.T) {
	for name, row := range graceful {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFuse()
				cfg := row.root
				cfg.Defaults.Backoff = second
				cfg.Children = append([]actor.Spec{{Name: "b", Task: f}}, cfg.Children...)
				h := open(t, cfg)
				said, err := inspect.Explain(h.Supervisor, "b")
				if err != nil {
					t.Fatal(err)
				}
				if said.WorstStop != row.worst || said.KeptStop != row.kept {
					t.Errorf("said to take %v, kept %v; want %v, %v", said.WorstStop, said.KeptStop, row.worst, row.kept)
				}
				h.recorder.Reset()
				began := time.Now()
				f.light(1)
				pass(time.Hour)
				took := h.first(events.AttemptStarted).Sub(began) - time.Second
				if short := row.kept - took; short < 0 || short > 10 {
					t.Errorf("it took %v, said was %v", took, row.kept)
				}
			})
		})
	}
}
