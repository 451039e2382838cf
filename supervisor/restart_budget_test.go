package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

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
