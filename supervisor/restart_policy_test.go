package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// exits are the ways in which the first run of a task can end by itself, each
// after a second.
var exits = map[policy.Exit]struct {
	step actor.Func
	spec func(*actor.Spec)
}{
	policy.Succeeded: {step: in(time.Second, nil)},
	policy.Finished:  {step: in(time.Second, fmt.Errorf("enough: %w", actor.Done))},
	policy.Failed:    {step: in(time.Second, errBoom)},
	policy.Fatal:     {step: in(time.Second, fmt.Errorf("hopeless: %w", actor.Fatal(errBoom)))},
	policy.Escalated: {step: in(time.Second, fmt.Errorf("all of us: %w", actor.Escalate(errBoom)))},
	policy.Panicked: {step: func(context.Context) error {
		time.Sleep(time.Second)
		panic(errBoom)
	}},
	policy.Exited: {step: func(context.Context) error {
		time.Sleep(time.Second)
		runtime.Goexit()
		return nil
	}},
	policy.TimedOut: {step: serve, spec: func(s *actor.Spec) { s.Timeout = time.Second }},
	policy.Stalled:  {step: serve, spec: func(s *actor.Spec) { s.Stall = time.Second }},
}

// again is what a task does that runs again: it has to be left alone.
func again(ctx context.Context) error {
	for ctx.Err() == nil {
		actor.Beat(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

func TestWhatFollowsAnExitIsSaidByTheRestartType(t *testing.T) {
	const (
		completes = "completes"
		fails     = "fails"
		repeats   = "runs again"
		retries   = "runs again after its delay"
		escalates = "ends its supervisor"
	)
	table := map[policy.Exit][3]string{ // OnFailure, Always, Never
		policy.Succeeded: {completes, repeats, completes},
		policy.Finished:  {completes, completes, completes},
		policy.Failed:    {retries, retries, fails},
		policy.Fatal:     {fails, fails, fails},
		policy.Escalated: {escalates, escalates, escalates},
		policy.Panicked:  {retries, retries, fails},
		policy.Exited:    {retries, retries, fails},
		policy.TimedOut:  {retries, retries, fails},
		policy.Stalled:   {retries, retries, fails},
	}
	for exit, row := range table {
		for i, restart := range []policy.Restart{policy.OnFailure, policy.Always, policy.Never} {
			want := row[i]
			t.Run(fmt.Sprintf("%v with %v %s", exit, restart, want), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var e ear
					j := newJournal()
					spec := j.spec("a", exits[exit].step, again)
					spec.Restart, spec.Backoff = restart, policy.Constant(5*time.Second)
					if change := exits[exit].spec; change != nil {
						change(&spec)
						spec.Stall, spec.Timeout = 2*spec.Stall, 2*spec.Timeout
						change(&spec)
					}
					h := open(t, supervisor.Config{Subscribers: e.subscriber(events.AttemptEnded), Children: []actor.Spec{spec}})
					hd := h.handle("a")
					pass(1500 * time.Millisecond)
					if first := e.of("/a")[0]; first.Exit != exit {
						t.Errorf("the exit was %v", first.Exit)
					}
					switch want {
					case completes:
						o := outcome(t, hd)
						equal(t, "outcome", o.Kind, events.Completed)
						equal(t, "error", o.Err, nil)
						equal(t, "state", h.child("a").State, supervisor.StateCompleted)
					case fails:
						o := outcome(t, hd)
						equal(t, "outcome", o.Kind, events.Failed)
						if o.Err == nil {
							t.Error("the outcome has no error")
						}
						equal(t, "state", h.child("a").State, supervisor.StateFailed)
					case repeats:
						equal(t, "runs", j.count("a"), 2)
					case retries:
						equal(t, "runs during the delay", j.count("a"), 1)
						equal(t, "state", h.child("a").State, supervisor.StateBackingOff)
						equal(t, "next retry", h.child("a").NextRetry, j.began.Add(6*time.Second))
						pass(5 * time.Second)
						equal(t, "runs after the delay", j.count("a"), 2)
					case escalates:
						err := as[*supervisor.EscalatedError](t, h.wait())
						equal(t, "child", err.Child, "/a")
						if !errors.Is(err, errBoom) {
							t.Errorf("%v does not wrap the child's error", err)
						}
						equal(t, "outcome", outcome(t, hd).Kind, events.Failed)
					}
					if want == completes || want == fails {
						pass(time.Minute)
						equal(t, "runs", j.count("a"), 1)
					}
				})
			})
		}
	}
}

func TestDelaysAreExactlyThoseOfTheBackoff(t *testing.T) {
	custom := policy.Custom(func() backoff.BackOff { return backoff.NewConstantBackOff(3 * time.Second) })
	rows := map[string]struct {
		backoff policy.Backoff
		starts  []string
	}{
		"doubling": {doubling, []string{"0s +a", "1s +a", "3s +a", "7s +a", "15s +a", "31s +a"}},
		"doubling up to a maximum": {
			policy.Backoff{Jitter: policy.NoJitter, First: time.Second, Max: 3 * time.Second},
			[]string{"0s +a", "1s +a", "3s +a", "6s +a", "9s +a", "12s +a"},
		},
		"linear": {
			policy.Backoff{Shape: policy.ShapeLinear, Jitter: policy.NoJitter, First: time.Second, Step: 2 * time.Second, Max: time.Hour},
			[]string{"0s +a", "1s +a", "4s +a", "9s +a", "16s +a", "25s +a"},
		},
		"constant": {second, []string{"0s +a", "1s +a", "2s +a", "3s +a", "4s +a", "5s +a"}},
		"custom":   {custom, []string{"0s +a", "3s +a", "6s +a", "9s +a", "12s +a", "15s +a"}},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				spec := j.spec("a", in(0, errBoom), in(0, errBoom), in(0, errBoom), in(0, errBoom), in(0, errBoom), serve)
				spec.Backoff = row.backoff
				open(t, supervisor.Config{Children: []actor.Spec{spec}})
				pass(time.Hour)
				var starts []string
				for _, l := range j.take() {
					if l[len(l)-2] == '+' {
						starts = append(starts, l)
					}
				}
				equalLines(t, starts, row.starts...)
			})
		})
	}
}

func TestNRetriesAreNPlusOneAttempts(t *testing.T) {
	for retries, attempts := range map[int]int{policy.NoRetry: 1, 1: 2, 2: 3, 10: 11} {
		t.Run(fmt.Sprintf("%d attempts", attempts), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				spec := j.spec("a", in(time.Second, errBoom))
				spec.MaxRetries, spec.Backoff = retries, second
				h := open(t, supervisor.Config{Children: []actor.Spec{spec, j.spec("b", serve)}})
				o := outcome(t, h.handle("a"))
				equal(t, "outcome", o.Kind, events.Failed)
				equal(t, "last error", o.Err, errBoom)
				equal(t, "attempts", o.Attempts, attempts)
				equal(t, "runs", j.count("a"), attempts)
				equal(t, "the supervisor goes on", h.isUp(), true)
				equal(t, "the sibling goes on", h.child("b").State, supervisor.StateRunning)
			})
		})
	}
}

func TestWhatEndsAStreak(t *testing.T) {
	long := in(2*time.Minute, errBoom)
	short := in(0, errBoom)
	rows := map[string]struct {
		change func(*actor.Spec)
		steps  []actor.Func
		// Each second of the schedule is the delay before a run; the task then serves.
		starts []string
		failed bool
	}{
		"a success resets the backoff and the budget": {
			change: func(s *actor.Spec) { s.Restart, s.Every, s.MaxRetries = policy.Always, time.Minute, 2 },
			steps:  []actor.Func{short, short, in(0, nil), short, short, serve},
			starts: []string{"0s +a", "1s +a", "3s +a", "1m3s +a", "1m4s +a", "1m6s +a"},
		},
		"a healthy run resets the backoff but not the budget": {
			change: func(s *actor.Spec) { s.MaxRetries = 3 },
			steps:  []actor.Func{short, short, long, short},
			starts: []string{"0s +a", "1s +a", "3s +a", "2m4s +a"},
			failed: true,
		},
		"a healthy run resets the budget too when ResetAfter is set": {
			change: func(s *actor.Spec) { s.MaxRetries, s.ResetAfter = 3, time.Minute },
			steps:  []actor.Func{short, short, long, short, short, serve},
			starts: []string{"0s +a", "1s +a", "3s +a", "2m4s +a", "2m6s +a", "2m10s +a"},
		},
		"a run of exactly ResetAfter is healthy": {
			change: func(s *actor.Spec) { s.ResetAfter = 2 * time.Minute },
			steps:  []actor.Func{short, short, long, serve},
			starts: []string{"0s +a", "1s +a", "3s +a", "2m4s +a"},
		},
		"a run that is shorter by a nanosecond is not": {
			change: func(s *actor.Spec) { s.ResetAfter = 2*time.Minute + 1 },
			steps:  []actor.Func{short, short, long, serve},
			starts: []string{"0s +a", "1s +a", "3s +a", "2m7s +a"},
		},
		"without ResetAfter a run of a minute is healthy": {
			change: func(*actor.Spec) {},
			steps:  []actor.Func{short, short, in(time.Minute, errBoom), serve},
			starts: []string{"0s +a", "1s +a", "3s +a", "1m4s +a"},
		},
		"a task that has to be ready and is not is not healthy": {
			change: func(s *actor.Spec) { s.AwaitReady, s.StartTimeout = true, time.Hour },
			steps:  []actor.Func{short, short, long, readyIn(0, serve)},
			starts: []string{"0s +a", "1s +a", "3s +a", "2m7s +a"},
		},
		"the error's own delay counts once": {
			change: func(*actor.Spec) {},
			steps:  []actor.Func{short, in(0, fmt.Errorf("later: %w", actor.RetryAfter(errBoom, time.Minute))), in(10*time.Second, errBoom), serve},
			starts: []string{"0s +a", "1s +a", "1m1s +a", "1m13s +a"},
		},
		"the error's own delay may be none": {
			change: func(*actor.Spec) {},
			steps:  []actor.Func{in(0, actor.RetryAfter(errBoom, 0)), serve},
			starts: []string{"0s +a", "0s +a"},
		},
		"the error's own delay uses up a retry": {
			change: func(s *actor.Spec) { s.MaxRetries = 1 },
			steps:  []actor.Func{in(0, actor.RetryAfter(errBoom, time.Minute))},
			starts: []string{"0s +a", "1m0s +a"},
			failed: true,
		},
		"a backoff that wants no more gives up": {
			change: func(s *actor.Spec) {
				s.Backoff = policy.Custom(func() backoff.BackOff {
					return backoff.WithMaxRetries(backoff.NewConstantBackOff(time.Second), 2)
				})
			},
			steps:  []actor.Func{short},
			starts: []string{"0s +a", "1s +a", "2s +a"},
			failed: true,
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				spec := j.spec("a", row.steps...)
				spec.Backoff = doubling
				row.change(&spec)
				h := open(t, supervisor.Config{Children: []actor.Spec{spec}})
				hd := h.handle("a")
				pass(time.Hour)
				var starts []string
				for _, l := range j.take() {
					if l[len(l)-2] == '+' {
						starts = append(starts, l)
					}
				}
				equalLines(t, starts, row.starts...)
				_, ended := hd.Outcome()
				equal(t, "has given up", ended, row.failed)
			})
		})
	}
}

func TestDefaultsOfTheSupervisorAreInherited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{
			Defaults: supervisor.Defaults{Backoff: second, MaxRetries: 2, Timeout: 5 * time.Second},
			Children: []actor.Spec{
				j.spec("a", serve),
				with(j.spec("b", serve), func(s *actor.Spec) { s.MaxRetries = policy.NoRetry }),
				with(j.spec("c", serve), func(s *actor.Spec) { s.Timeout = policy.NoTimeout }),
			},
		})
		a, b := h.handle("a"), h.handle("b")
		pass(time.Minute)
		equal(t, "runs of a", j.count("a"), 3)
		equal(t, "runs of b", j.count("b"), 1)
		equal(t, "runs of c", j.count("c"), 1)
		for _, hd := range []*actor.Handle{a, b} {
			equal(t, "timeout", as[*actor.TimeoutError](t, outcome(t, hd).Err).Timeout, 5*time.Second)
		}
	})
}

func TestAForeignCancellationIsAnOrdinaryFailure(t *testing.T) {
	for _, foreign := range []error{context.Canceled, context.DeadlineExceeded, actor.ErrShutdown, actor.ErrStopped} {
		t.Run(foreign.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				spec := j.spec("a", in(time.Second, fmt.Errorf("call: %w", foreign)), serve)
				spec.Backoff = second
				h := open(t, supervisor.Config{Children: []actor.Spec{spec}})
				pass(time.Minute)
				equal(t, "runs", j.count("a"), 2)
				equal(t, "restarts", h.child("a").Restarts, 1)
			})
		})
	}
}

func TestAPermanentErrorIsNotRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{})
		o := outcome(t, h.start(j.spec("a", in(0, fmt.Errorf("no: %w", backoff.Permanent(errBoom))))))
		equal(t, "outcome", o.Kind, events.Failed)
		equal(t, "runs", j.count("a"), 1)
	})
}

func TestATaskThatAlwaysSucceedsRunsOnceAMillisecondAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		open(t, supervisor.Config{
			Intensity: policy.Intensity{Restarts: 0, Within: time.Hour},
			Children:  []actor.Spec{with(j.spec("a", in(0, nil)), func(s *actor.Spec) { s.Restart = policy.Always })},
		})
		pass(time.Second + time.Microsecond)
		equal(t, "runs in a second", j.count("a"), 1001)
	})
}

func TestEveryIsAPauseAfterTheEndAndTheFirstRunIsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		spec := j.spec("a", in(5*time.Second, nil), in(5*time.Second, nil), in(0, errBoom), serve)
		spec.Restart, spec.Every, spec.Backoff = policy.Always, time.Minute, second
		open(t, supervisor.Config{Children: []actor.Spec{spec}})
		pass(time.Hour)
		equalLines(t, j.take(), "0s +a", "5s -a", "1m5s +a", "1m10s -a", "2m10s +a", "2m10s -a", "2m11s +a")
	})
}

func TestAPanicOfABackoffIsAFailureWithALongDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		spec := j.spec("a", in(0, errBoom), serve)
		spec.Backoff = policy.Custom(func() backoff.BackOff { panic("no backoff today") })
		h := open(t, supervisor.Config{Children: []actor.Spec{spec}})
		pass(time.Second)
		n := h.child("a")
		equal(t, "state", n.State, supervisor.StateBackingOff)
		if !errors.Is(n.Err, errBoom) {
			t.Errorf("the task's own error is lost: %v", n.Err)
		}
		as[*actor.PanicError](t, n.Err)
		pass(policy.DefaultMax)
		equal(t, "runs", j.count("a"), 2)
	})
}
