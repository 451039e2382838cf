package inspect_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/inspect"
)

// A tree is what an explanation is compared with: what it says is then done.
type tree struct {
	name    string
	address string // of the task that fails
	root    func(failing actor.Spec) supervisor.Config
	// then is done when the tree is up, after which only the running tree is asked.
	then   func(h *house)
	answer inspect.Answer
	ends   int // failures until the root ends; 0 for never
}

var fewTimes = policy.Intensity{Restarts: 2, Within: time.Minute}

// pool returns a supervisor that hangs in a tree.
func pool(name string, cfg supervisor.Config) actor.Spec {
	cfg.Name = name
	return supervisor.New(cfg).Spec("")
}

var trees = []tree{
	{
		name: "one for one, only the task itself", address: "b", answer: inspect.AnswerRetry,
		root: func(b actor.Spec) supervisor.Config {
			return supervisor.Config{Children: []actor.Spec{service("a"), b, service("c")}}
		},
	},
	{
		name: "the intensity of the root is its budget", address: "/app/b", answer: inspect.AnswerRetry, ends: 3,
		root: func(b actor.Spec) supervisor.Config {
			return supervisor.Config{Intensity: fewTimes, Children: []actor.Spec{service("a"), b, service("c")}}
		},
	},
	{
		name: "no restart is allowed at all", address: "b", answer: inspect.AnswerExceeded, ends: 1,
		root: func(b actor.Spec) supervisor.Config {
			return supervisor.Config{
				Intensity: policy.Intensity{Within: time.Second}, Strategy: supervisor.RestForOne,
				Children: []actor.Spec{service("a"), b, service("c")},
			}
		},
	},
	{
		name: "rest for one, the younger siblings too", address: "b", answer: inspect.AnswerGroup,
		root: func(b actor.Spec) supervisor.Config {
			return supervisor.Config{Strategy: supervisor.RestForOne, Children: []actor.Spec{service("a"), b, announced("c"), service("d")}}
		},
	},
	{
		name: "rest for one, the youngest is alone", address: "b", answer: inspect.AnswerRetry,
		root: func(b actor.Spec) supervisor.Config {
			return supervisor.Config{Strategy: supervisor.RestForOne, Children: []actor.Spec{service("a"), b}}
		},
	},
	{
		name: "one for all, with what is below the siblings", address: "b", answer: inspect.AnswerGroup,
		root: func(b actor.Spec) supervisor.Config {
			return supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{
				pool("p", supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{service("x"), announced("y")}}),
				b,
				pool("q", supervisor.Config{Children: []actor.Spec{announced("x"), service("y")}}),
			}}
		},
	},
	{
		name: "a member that is never restarted ends with its group", address: "b", answer: inspect.AnswerGroup,
		root: func(b actor.Spec) supervisor.Config {
			never := with(service("n"), func(s *actor.Spec) { s.Restart = policy.Never })
			return supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{service("a"), b, never}}
		},
	},
	{
		name: "it gives up, and the others go on", address: "b", answer: inspect.AnswerGiveUp,
		root: func(b actor.Spec) supervisor.Config {
			b.MaxRetries = policy.NoRetry
			return supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{service("a"), b, service("c")}}
		},
	},
	{
		name: "it gives up after its retries, and the others go on", address: "b", answer: inspect.AnswerRetry,
		root: func(b actor.Spec) supervisor.Config {
			b.MaxRetries = 3
			return supervisor.Config{Intensity: policy.Intensity{Restarts: 3, Within: time.Hour}, Children: []actor.Spec{service("a"), b}}
		},
	},
	{
		name: "giving up escalates", address: "b", answer: inspect.AnswerEscalate, ends: 1,
		root: func(b actor.Spec) supervisor.Config {
			b.Restart, b.OnGiveUp = policy.Never, policy.GiveUpEscalate
			return supervisor.Config{Children: []actor.Spec{service("a"), b, service("c")}}
		},
	},
	{
		name: "the last one ends a supervisor that is to end when it is empty", address: "b", answer: inspect.AnswerEmptied, ends: 1,
		root: func(b actor.Spec) supervisor.Config {
			b.MaxRetries = policy.NoRetry
			return supervisor.Config{EndWhenEmpty: true, Children: []actor.Spec{b}}
		},
	},
	{
		name: "one of several does not", address: "b", answer: inspect.AnswerGiveUp,
		root: func(b actor.Spec) supervisor.Config {
			b.MaxRetries = policy.NoRetry
			return supervisor.Config{EndWhenEmpty: true, Children: []actor.Spec{b, service("a")}}
		},
	},
	{
		name: "a significant child ends its supervisor, which is run again", address: "/app/p/b", answer: inspect.AnswerShutdown,
		root: func(b actor.Spec) supervisor.Config {
			b.MaxRetries, b.Significant = policy.NoRetry, true
			return supervisor.Config{Children: []actor.Spec{
				service("a"),
				pool("p", supervisor.Config{AutoShutdown: supervisor.AutoShutdownAny, Children: []actor.Spec{service("x"), b, service("y")}}),
				service("c"),
			}}
		},
	},
	{
		name: "one of two significant children does not, when all have to end", address: "p/b", answer: inspect.AnswerGiveUp,
		root: func(b actor.Spec) supervisor.Config {
			b.MaxRetries, b.Significant = policy.NoRetry, true
			other := with(service("x"), func(s *actor.Spec) { s.Significant = true })
			return supervisor.Config{Children: []actor.Spec{
				pool("p", supervisor.Config{AutoShutdown: supervisor.AutoShutdownAll, Children: []actor.Spec{other, b}}),
			}}
		},
	},
	{
		name: "budgets multiply", address: "p/q/b", answer: inspect.AnswerRetry, ends: 3 * 3 * 3,
		root: func(b actor.Spec) supervisor.Config {
			q := pool("q", supervisor.Config{Intensity: fewTimes, Children: []actor.Spec{service("x"), b}})
			p := pool("p", supervisor.Config{Intensity: fewTimes, Children: []actor.Spec{q, service("x")}})
			return supervisor.Config{Intensity: fewTimes, Children: []actor.Spec{service("a"), p}}
		},
	},
	{
		name: "the retries of a supervisor are a budget too", address: "p/b", answer: inspect.AnswerRetry, ends: 2 * 5,
		root: func(b actor.Spec) supervisor.Config {
			b.MaxRetries, b.OnGiveUp = 1, policy.GiveUpEscalate
			p := pool("p", supervisor.Config{Children: []actor.Spec{service("x"), b}})
			p.MaxRetries, p.OnGiveUp, p.Backoff = 4, policy.GiveUpEscalate, policy.NoBackoff()
			return supervisor.Config{Children: []actor.Spec{service("a"), p}}
		},
	},
	{
		name: "a backoff that is slower than the window", address: "b", answer: inspect.AnswerRetry,
		root: func(b actor.Spec) supervisor.Config {
			b.Backoff = policy.Constant(31 * time.Second)
			return supervisor.Config{Intensity: fewTimes, Children: []actor.Spec{b}}
		},
	},
	{
		name: "a backoff that is just fast enough", address: "b", answer: inspect.AnswerRetry, ends: 3,
		root: func(b actor.Spec) supervisor.Config {
			b.Backoff = policy.Constant(30 * time.Second)
			return supervisor.Config{Intensity: fewTimes, Children: []actor.Spec{b}}
		},
	},
	{
		name: "a backoff that grows out of the window", address: "b", answer: inspect.AnswerRetry,
		root: func(b actor.Spec) supervisor.Config {
			b.Backoff = policy.Exponential(time.Second, time.Hour).WithJitter(policy.NoJitter)
			return supervisor.Config{Intensity: policy.Intensity{Restarts: 6, Within: 30 * time.Second}, Children: []actor.Spec{b}}
		},
	},
	{
		name: "a backoff that is slower than a window in which another has failed", address: "b", answer: inspect.AnswerRetry, ends: 2,
		root: func(b actor.Spec) supervisor.Config {
			once := newFuse()
			once.left = 1
			b.Backoff = policy.Constant(31 * time.Second)
			return supervisor.Config{Intensity: fewTimes, Children: []actor.Spec{b, {Name: "once", Task: once, Backoff: second}}}
		},
		then: func(*house) { pass(2 * time.Second) },
	},
	{
		name: "an intensity that is there and limits nothing", address: "b", answer: inspect.AnswerRetry,
		root: func(b actor.Spec) supervisor.Config {
			return supervisor.Config{Intensity: policy.Intensity{Restarts: policy.Unlimited, Within: time.Minute}, Children: []actor.Spec{b}}
		},
	},
	{
		name: "a budget in between that nobody has set", address: "p/q/b", answer: inspect.AnswerRetry,
		root: func(b actor.Spec) supervisor.Config {
			q := pool("q", supervisor.Config{Intensity: fewTimes, Children: []actor.Spec{service("x"), b}})
			p := pool("p", supervisor.Config{Children: []actor.Spec{q, service("x")}})
			return supervisor.Config{Intensity: fewTimes, Children: []actor.Spec{service("a"), p}}
		},
	},
	{
		name: "a supervisor above that is slower than its window", address: "p/b", answer: inspect.AnswerRetry,
		root: func(b actor.Spec) supervisor.Config {
			p := pool("p", supervisor.Config{Intensity: fewTimes, Children: []actor.Spec{b}})
			p.Backoff = policy.Constant(31 * time.Second)
			return supervisor.Config{Intensity: fewTimes, Children: []actor.Spec{p}}
		},
	},
	{
		name: "a supervisor above that gives up at last", address: "p/b", answer: inspect.AnswerRetry, ends: 3 * 3,
		root: func(b actor.Spec) supervisor.Config {
			p := pool("p", supervisor.Config{Intensity: fewTimes, Children: []actor.Spec{b}})
			p.Backoff, p.MaxRetries, p.OnGiveUp = policy.Constant(31*time.Second), 2, policy.GiveUpEscalate
			return supervisor.Config{Intensity: fewTimes, Children: []actor.Spec{p}}
		},
	},
	{
		name: "a supervisor that was healthy before it failed has its retries back", address: "p/b", answer: inspect.AnswerRetry,
		root: func(b actor.Spec) supervisor.Config {
			p := pool("p", supervisor.Config{Intensity: fewTimes, Children: []actor.Spec{b}})
			p.MaxRetries, p.OnGiveUp, p.ResetAfter = 1, policy.GiveUpEscalate, 2*time.Second-1
			return supervisor.Config{Children: []actor.Spec{p}}
		},
	},
	{
		name: "one that was not has not", address: "p/b", answer: inspect.AnswerRetry, ends: 6,
		root: func(b actor.Spec) supervisor.Config {
			p := pool("p", supervisor.Config{Intensity: fewTimes, Children: []actor.Spec{b}})
			p.MaxRetries, p.OnGiveUp, p.ResetAfter = 1, policy.GiveUpEscalate, 2*time.Second
			return supervisor.Config{Children: []actor.Spec{p}}
		},
	},
	{
		name: "a supervisor that ends takes its group along", address: "p/b", answer: inspect.AnswerExceeded, ends: 2,
		root: func(b actor.Spec) supervisor.Config {
			none := policy.Intensity{Within: time.Second}
			p := pool("p", supervisor.Config{Strategy: supervisor.RestForOne, Intensity: none, Children: []actor.Spec{
				service("x"), b, pool("q", supervisor.Config{Strategy: supervisor.RestForOne, Children: []actor.Spec{service("y")}}),
			}})
			return supervisor.Config{
				Strategy: supervisor.OneForAll, Intensity: policy.Intensity{Restarts: 1, Within: time.Hour},
				Children: []actor.Spec{announced("a"), p, service("c")},
			}
		},
	},
	{
		name: "everything ends, up to the root", address: "p/q/b", answer: inspect.AnswerEscalate, ends: 1,
		root: func(b actor.Spec) supervisor.Config {
			b.MaxRetries, b.OnGiveUp = policy.NoRetry, policy.GiveUpEscalate
			q := pool("q", supervisor.Config{Children: []actor.Spec{b, service("x")}})
			q.MaxRetries, q.OnGiveUp = policy.NoRetry, policy.GiveUpEscalate
			p := pool("p", supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{service("x"), q, service("y")}})
			p.MaxRetries, p.OnGiveUp = policy.NoRetry, policy.GiveUpEscalate
			return supervisor.Config{Children: []actor.Spec{service("a"), p, service("c")}}
		},
	},
	{
		name: "a member that has completed starts again, one that was stopped by hand or has failed does not", address: "b",
		answer: inspect.AnswerGroup,
		root: func(b actor.Spec) supervisor.Config {
			done := actor.Spec{Name: "done", Task: actor.Func(func(context.Context) error { return nil })}
			failed := actor.Spec{Name: "failed", MaxRetries: policy.NoRetry, Task: actor.Func(func(context.Context) error { return errBoom })}
			return supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{done, service("stopped"), failed, b, service("c")}}
		},
		then: func(h *house) {
			if err := h.Stop(h.t.Context(), "stopped"); err != nil {
				h.t.Error(err)
			}
		},
	},
	{
		name: "what was added at run time restarts with its group", address: "b", answer: inspect.AnswerGroup, ends: 3,
		root: func(b actor.Spec) supervisor.Config {
			return supervisor.Config{Strategy: supervisor.RestForOne, Intensity: fewTimes, Children: []actor.Spec{service("a"), b}}
		},
		then: func(h *house) { h.add(h.Supervisor, service("late")) },
	},
	{
		name: "what was added at run time does not come back with its supervisor", address: "p/x", answer: inspect.AnswerGroup, ends: 9,
		root: func(b actor.Spec) supervisor.Config {
			b.Name = "x"
			p := pool("p", supervisor.Config{Strategy: supervisor.OneForAll, Intensity: fewTimes, Children: []actor.Spec{b}})
			return supervisor.Config{Intensity: fewTimes, Children: []actor.Spec{p}}
		},
		then: func(h *house) {
			p, _ := h.Settings("p")
			h.add(p.Task.(*supervisor.Supervisor), service("late"))
		},
	},
	{
		name: "the restarts that lie in the window count", address: "b", answer: inspect.AnswerRetry, ends: 2,
		root: func(b actor.Spec) supervisor.Config {
			once := newFuse()
			once.left = 1
			return supervisor.Config{Intensity: fewTimes, Children: []actor.Spec{b, {Name: "once", Task: once, Backoff: second}}}
		},
		then: func(*house) { pass(2 * time.Second) },
	},
	{
		name: "a task that was added at run time can fail as well", address: "late", answer: inspect.AnswerRetry, ends: 4,
		root: func(b actor.Spec) supervisor.Config {
			failing = with(b, func(s *actor.Spec) { s.Name, s.MaxRetries, s.OnGiveUp = "late", 3, policy.GiveUpEscalate })
			return supervisor.Config{Children: []actor.Spec{service("a")}}
		},
		then: func(h *house) { h.add(h.Supervisor, failing) },
	},
}

// failing is a spec on its way from a root to what is done then.
var failing actor.Spec

func (h *house) add(s *supervisor.Supervisor, spec actor.Spec) {
	h.t.Helper()
	if _, err := s.Start(h.t.Context(), spec); err != nil {
		h.t.Fatal(err)
	}
	synctest.Wait()
}

// raise opens the tree of a row, with the task that is to fail.
func (row tree) raise(t *testing.T) (*house, *fuse) {
	f := newFuse()
	cfg := row.root(actor.Spec{Name: "b", Task: f})
	cfg.Name = "app"
	if cfg.Defaults.Backoff.IsZero() {
		cfg.Defaults.Backoff = second
	}
	for i := range cfg.Children { // also below, where nothing else is said
		inheritBackoff(&cfg.Children[i])
	}
	h := open(t, cfg)
	if row.then != nil {
		row.then(h)
	}
	synctest.Wait()
	return h, f
}

// inheritBackoff builds a supervisor below anew, with the backoff of these tests.
func inheritBackoff(spec *actor.Spec) {
	s, ok := spec.Task.(*supervisor.Supervisor)
	if !ok {
		return
	}
	cfg := s.Config()
	cfg.Defaults.Backoff = second
	for i := range cfg.Children {
		inheritBackoff(&cfg.Children[i])
	}
	spec.Task = supervisor.New(cfg)
}

func TestWhatIsExplainedIsWhatHappens(t *testing.T) {
	for _, row := range trees {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, f := row.raise(t)
				said, err := inspect.Explain(h.Supervisor, row.address)
				if err != nil {
					t.Fatal(err)
				}
				if said.Answer != row.answer {
					t.Errorf("the answer is %v, want %v", said.Answer, row.answer)
				}

				h.recorder.Reset()
				began := time.Now()
				f.light(1)
				pass(100 * time.Millisecond)
				equalPaths(t, "stopped", h.paths(events.TaskStopping), said.Stops)
				equalPaths(t, "ended", h.stoppedByThemselves(), said.Ends)
				equalPaths(t, "started too early", h.paths(events.AttemptStarted), nil)
				pass(time.Minute)
				equalPaths(t, "started", h.paths(events.AttemptStarted), said.Starts)
				if first := h.first(events.AttemptStarted); len(said.Starts) > 0 {
					if d := first.Sub(began); d < said.DelayLow || d > said.DelayHigh {
						t.Errorf("it went on after %v, want %v to %v", d, said.DelayLow, said.DelayHigh)
					}
				}
				if again := slices.Contains(h.paths(events.AttemptStarted), said.Path); again != said.RunsAgain {
					t.Errorf("it runs again: %v, want %v", again, said.RunsAgain)
				}
			})
		})
	}
}

func TestAsManyFailuresAsExplainedEndTheTree(t *testing.T) {
	for _, row := range trees {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, f := row.raise(t)
				said, err := inspect.Explain(h.Supervisor, row.address)
				if err != nil {
					t.Fatal(err)
				}
				if said.FailuresToEnd != row.ends {
					t.Errorf("%d failures are said to end the tree, want %d", said.FailuresToEnd, row.ends)
				}
				f.light(endless)
				if said.FailuresToEnd == inspect.Never {
					pass(time.Hour)
					select {
					case <-h.ended:
						t.Errorf("it has ended after %d failures: %v", f.failures(), h.err)
					default:
					}
					return
				}
				if err := h.wait(time.Hour); err == nil {
					t.Error("it has ended without an error")
				}
				if f.failures() != said.FailuresToEnd {
					t.Errorf("%d failures have ended the tree, want %d", f.failures(), said.FailuresToEnd)
				}
			})
		})
	}
}

// What is said beforehand is what is said of the tree when it is up.
func TestATreeThatDoesNotRunIsExplainedAsOneThatIsUp(t *testing.T) {
	for _, row := range trees {
		if row.then != nil {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			h, _ := row.raise(t)
			up, err := inspect.Explain(h.Supervisor, row.address)
			if err != nil {
				t.Fatal(err)
			}
			down, err := inspect.Explain(supervisor.New(h.Config()), row.address)
			if err != nil {
				t.Fatal(err)
			}
			if up.String() != down.String() {
				t.Errorf("%s:\nup   %v\ndown %v", row.name, up, down)
			}
		})
	}
}

// stoppedByThemselves are the supervisors that nobody has told to stop.
func (h *house) stoppedByThemselves() (paths []string) {
	told := h.paths(events.TaskStopping)
	for _, path := range h.paths(events.SupervisorStopping) {
		if !slices.Contains(told, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// first is when the first event of a kind was recorded.
func (h *house) first(kind events.Kind) time.Time {
	for _, e := range h.recorder.Events() {
		if e.Kind == kind {
			return e.At
		}
	}
	return time.Time{}
}
