package supervisor_test

import (
	"context"
	"errors"
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

func TestARestartedChildThatIsNotReadyInTimeHasFailedOnce(t *testing.T) {
	for _, strategy := range []supervisor.Strategy{supervisor.OneForOne, supervisor.RestForOne} {
		t.Run(strategy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				spec := awaited(j.spec("a", readyIn(0, in(time.Second, errBoom)), serve, readyIn(0, serve)))
				spec.StartTimeout, spec.Backoff = 5*time.Second, second
				open(t, supervisor.Config{Strategy: strategy, Children: []actor.Spec{spec}})
				pass(time.Minute)
				equalLines(t, j.take(), "0s +a", "1s -a", "2s +a", "7s -a", "8s +a")
			})
		})
	}
}

func TestADynamicChildThatIsNotReadyInTimeHasFailedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{})
		spec := awaited(j.spec("a", serve, readyIn(0, serve)))
		spec.StartTimeout, spec.Backoff = 5*time.Second, second
		h.start(spec)
		pass(time.Minute)
		equalLines(t, j.take(), "0s +a", "5s -a", "6s +a")
	})
}

func TestADynamicChildStartsOnlyWhenItsEldersAreReady(t *testing.T) {
	for _, strategy := range []supervisor.Strategy{supervisor.RestForOne, supervisor.OneForAll} {
		t.Run(strategy.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newJournal()
				h := open(t, supervisor.Config{Strategy: strategy})
				_, err := h.StartAll(context.Background(), awaited(j.spec("a", readyIn(time.Second, serve))), j.spec("b", serve))
				if err != nil {
					t.Fatal(err)
				}
				pass(time.Minute)
				equalLines(t, j.take(), "0s +a", "1s +b")
			})
		})
	}
}

func TestYoungerChildrenWaitForReadinessInAGroupRestartAlsoWithAConcurrencyLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		open(t, supervisor.Config{
			Strategy: supervisor.OneForAll, Concurrency: 10,
			Defaults: supervisor.Defaults{Backoff: second},
			Children: []actor.Spec{
				j.spec("a", in(10*time.Second, errBoom), serve),
				awaited(j.spec("b", readyIn(time.Second, serve))),
				j.spec("c", serve),
			},
		})
		pass(10500 * time.Millisecond)
		j.take()
		pass(time.Minute)
		equalLines(t, j.take(), "11s +a", "11s +b", "12s +c")
	})
}

func TestAChildThatFailsForGoodAfterItWasReadyDoesNotFailTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			j := newJournal()
			h := open(t, supervisor.Config{Children: []actor.Spec{
				awaited(j.spec("a", readyIn(0, in(0, actor.Fatal(errBoom))))),
				j.spec("b", serve),
			}})
			if !h.isUp() {
				t.Fatalf("Run returned %v", h.wait())
			}
			if err := h.close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestADynamicChildCannotFailTheFirstStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{
			Strategy: supervisor.RestForOne,
			Children: []actor.Spec{awaited(j.spec("a", readyIn(time.Second, serve)))},
		})
		hd := h.start(awaited(j.spec("b", in(0, actor.Fatal(errBoom)))))
		equal(t, "outcome of b", outcome(t, hd).Kind, events.Failed)
		pass(time.Second)
		if !h.isUp() {
			t.Fatalf("Run returned %v", h.wait())
		}
	})
}

func TestWhatATaskReturnedWhenItsGroupWasRestartedIsNotInItsFinalOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{
			Strategy: supervisor.OneForAll,
			Defaults: supervisor.Defaults{Backoff: second},
			Children: []actor.Spec{
				j.spec("a", in(time.Second, errBoom), serve),
				j.spec("b", func(ctx context.Context) error {
					<-ctx.Done()
					return errors.New("of the first stop")
				}, serve),
			},
		})
		pass(time.Minute)
		hd := h.handle("b")
		if err := h.close(); err != nil {
			t.Fatal(err)
		}
		if o := outcome(t, hd); o.Kind != events.Stopped || o.StopErr != nil {
			t.Errorf("got %+v, want stopped without an error: the last attempt returned nil", o)
		}
	})
}

func TestAStopOfItsGroupDoesNotResetAChildsBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		open(t, supervisor.Config{
			Strategy: supervisor.OneForAll,
			Defaults: supervisor.Defaults{Backoff: doubling},
			Children: []actor.Spec{
				// a fails in its first and third run, b in its second.
				j.spec("a", in(10*time.Second, errBoom), serve, in(10*time.Second, errBoom), serve),
				j.spec("b", serve, in(10*time.Second, errBoom), serve),
			},
		})
		pass(time.Hour)
		// a fails at 10 s, b at 21 s, and a for the second time in its streak at 32 s.
		equalLines(t, j.take(),
			"0s +a", "0s +b", "10s -a", "10s -b",
			"11s +a", "11s +b", "21s -b", "21s -a",
			"22s +a", "22s +b", "32s -a", "32s -b",
			"34s +a", "34s +b")
	})
}

func TestNothingStartsWhileAGroupIsBeingStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		repeats := j.spec("a", in(100*time.Millisecond, nil))
		repeats.Restart = policy.Always
		h := open(t, supervisor.Config{
			Strategy: supervisor.OneForAll,
			Defaults: supervisor.Defaults{Backoff: second},
			Children: []actor.Spec{
				repeats,
				j.spec("b", in(1050*time.Millisecond, errBoom), serve),
				j.spec("c", slow(5*time.Second)),
			},
		})
		pass(1060 * time.Millisecond) // b has failed, and c takes its time
		equal(t, "state of the supervisor", h.Tree().State, supervisor.StateRestarting)
		before := j.count("a")
		pass(4900 * time.Millisecond)
		equal(t, "runs of a while the group waits for c", j.count("a"), before)
	})
}

func TestTheHealthyTimeOfAChildCountsFromItsReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		// Ready after 50 s, failing 20 s later: never up for a minute.
		spec := awaited(j.spec("a", readyIn(50*time.Second, in(20*time.Second, errBoom))))
		spec.Backoff, spec.StartTimeout = doubling, time.Hour
		open(t, supervisor.Config{Children: []actor.Spec{spec}})
		pass(4 * time.Minute)
		equalLines(t, j.take(), "0s +a", "1m10s -a", "1m11s +a", "2m21s -a", "2m23s +a", "3m33s -a", "3m37s +a")
	})
}

func TestAGoroutineLostToGoexitIsFollowedByTheNextGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []int
		open(t, supervisor.Config{Children: []actor.Spec{{
			Name: "a", Backoff: second,
			Task: actor.Func(func(ctx context.Context) error {
				info, _ := actor.FromContext(ctx)
				seen = append(seen, info.Generation)
				if len(seen) == 1 {
					runtime.Goexit()
				}
				return serve(ctx)
			}),
		}}})
		pass(time.Minute)
		if len(seen) != 2 || seen[0] != 1 || seen[1] != 2 {
			t.Errorf("generations %v, want [1 2]", seen)
		}
	})
}

func TestABackoffThatExitsItsGoroutineDoesNotLoseTheTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		spec := j.spec("a", in(time.Second, errBoom), serve)
		spec.Backoff = policy.Custom(func() backoff.BackOff { runtime.Goexit(); return nil })
		open(t, supervisor.Config{Children: []actor.Spec{spec}})
		pass(10 * time.Minute)
		equal(t, "runs", j.count("a"), 2)
	})
}
