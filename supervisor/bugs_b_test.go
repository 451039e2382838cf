package supervisor_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAnAttemptAfterOneThatWasAbandonedInAGroupIsFoundStuckToo(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{
			Strategy: supervisor.OneForAll, StopTimeout: 20 * time.Second,
			Children: []actor.Spec{
				{Name: "deaf", Task: bDeaf(gate), OnStuck: policy.StuckAbandon, Grace: time.Second},
				{Name: "fails", Task: bEach(func(ctx context.Context, attempt int) error {
					if attempt == 1 {
						return errOfB
					}
					return bIdle(ctx)
				}), Backoff: policy.NoBackoff()},
			},
		})
		time.Sleep(5 * time.Second)
		if n := b.node("/app/deaf"); n.Generation != 2 || n.State != supervisor.StateRunning {
			t.Errorf("before the stop: %v, generation %d", n.State, n.Generation)
		}
		b.cancel()
		time.Sleep(time.Minute)
		if !b.ended() {
			t.Errorf("a minute after the stop Run has not returned")
		} else if got := bStuck(b.err); !slices.Contains(got, "/app/deaf") {
			t.Errorf("stuck are %v", got)
		}
	})
}

func TestTheLateReturnOfAnAbandonedAttemptDoesNotTouchTheBackoff(t *testing.T) {
	for _, late := range []error{nil, errOfB} {
		bBubble(t, func(t *testing.T, _ chan struct{}) {
			b := bRun(t, supervisor.Config{Children: []actor.Spec{{
				Name: "a", OnStuck: policy.StuckAbandon, Grace: time.Second, Timeout: 10 * time.Second, Backoff: bExact(),
				Task: bEach(func(_ context.Context, attempt int) error {
					switch attempt {
					case 1:
						time.Sleep(13 * time.Second) // abandoned at 11 s, followed at 12 s
						return late
					case 2:
						time.Sleep(5 * time.Second)
						return errOfB
					}
					return actor.Done
				}),
			}}})
			time.Sleep(40 * time.Second)
			var delays []time.Duration
			for _, e := range b.log.of(events.RetryScheduled, "/app/a") {
				delays = append(delays, e.Delay)
			}
			if want := []time.Duration{time.Second, 2 * time.Second}; !slices.Equal(delays, want) {
				t.Errorf("late return of %v: delays are %v, want %v", late, delays, want)
			}
			b.mustStop()
		})
	}
}

func TestAnAbandonedAttemptMayStillUseItsContext(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		type key struct{}
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{
			Name: "a", OnStuck: policy.StuckAbandon, Grace: time.Second, Timeout: time.Second, Backoff: bExact(),
			Task: bEach(func(ctx context.Context, attempt int) error {
				for attempt == 1 {
					select {
					case <-gate:
						return nil
					case <-time.After(time.Millisecond):
						_ = ctx.Value(key{})
					}
				}
				return actor.Done
			}),
		}}})
		time.Sleep(10 * time.Second)
		if err, _ := b.stop(); !slices.Equal(bStuck(err), []string{"/app/a"}) {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestHelpersOfAnAbandonedAttemptCountForItsGeneration(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{StopTimeout: 10 * time.Second, Children: []actor.Spec{{
			Name: "a", OnStuck: policy.StuckAbandon, Grace: time.Second, Timeout: time.Second, Backoff: policy.NoBackoff(),
			Task: bEach(func(ctx context.Context, attempt int) error {
				if attempt == 1 {
					time.Sleep(3 * time.Second) // abandoned at 2 s
					_ = actor.Go(ctx, func(context.Context) error { bLateHelper(gate); return nil })
				}
				<-gate
				return nil
			}),
		}}})
		time.Sleep(20 * time.Second)
		for _, e := range b.log.of(events.TaskStuck, "/app/a") {
			var stuck *actor.StuckError
			if !errors.As(e.Err, &stuck) {
				t.Fatal(e)
			}
			for _, g := range stuck.Goroutines {
				if e.Generation > 1 && g.Calls("github.com/taskvisor/taskvisor/supervisor_test.bLateHelper") {
					t.Errorf("generation %d is said to be stuck in a helper of generation 1", e.Generation)
				}
			}
		}
		b.stop()
	})
}

func bLateHelper(gate <-chan struct{}) { <-gate }

func TestStuckLeavesAreNamedWhenTheirSupervisorWasFailingAlready(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		pool := supervisor.New(supervisor.Config{Name: "pool", Children: []actor.Spec{
			{Name: "deaf", Task: bDeaf(gate), Grace: 5 * time.Second},
			{Name: "fails", Task: actor.Func(func(context.Context) error {
				time.Sleep(time.Second)
				return actor.Escalate(errOfB)
			})},
		}})
		b := bRun(t, supervisor.Config{Children: []actor.Spec{pool.Spec("")}})
		time.Sleep(2 * time.Second)
		err, _ := b.stop()
		if got, want := bStuck(err), []string{"/app/pool/deaf"}; !slices.Equal(got, want) {
			t.Errorf("stuck are %v, want %v; Run returned %v", got, want, err)
		}
	})
}

// bFamily is a supervisor with something around it.
type bFamily struct {
	*supervisor.Supervisor
	around func(ctx context.Context, run func(context.Context) error) error
}

func (f *bFamily) Run(ctx context.Context) error { return f.around(ctx, f.Supervisor.Run) }

func TestTheDeadlineReachesAFamilyThatHasNotBegunItsSupervisorYet(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		fam := &bFamily{
			Supervisor: supervisor.New(supervisor.Config{Children: []actor.Spec{
				{Name: "deaf", Task: bDeaf(gate), Grace: policy.Forever},
			}}),
			around: func(ctx context.Context, run func(context.Context) error) error {
				time.Sleep(3 * time.Second)
				return run(ctx)
			},
		}
		b := bRun(t, supervisor.Config{StopTimeout: 5 * time.Second, Children: []actor.Spec{{Name: "fam", Task: fam}}})
		time.Sleep(time.Second)
		if _, took := b.stop(); took > 6*time.Second {
			t.Errorf("the stop took %v, and should take 5s", took)
		}
	})
}

func TestAFamilyThatDoesNotReturnIsStuckLikeAnyTask(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		fam := &bFamily{
			Supervisor: supervisor.New(supervisor.Config{}),
			around: func(ctx context.Context, run func(context.Context) error) error {
				_ = run(ctx)
				<-gate
				return nil
			},
		}
		b := bRun(t, supervisor.Config{StopTimeout: 5 * time.Second, Children: []actor.Spec{{Name: "fam", Task: fam}}})
		b.cancel()
		time.Sleep(time.Minute)
		if !b.ended() {
			t.Errorf("a minute after the stop Run has not returned; StopTimeout is 5s")
		} else if got := bStuck(b.err); !slices.Equal(got, []string{"/app/fam"}) {
			t.Errorf("stuck are %v", got)
		}
	})
}

func TestALameDuckBelowDoesNotOutlastTheDeadline(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		pool := supervisor.New(supervisor.Config{Name: "pool", LameDuck: 30 * time.Second, Children: []actor.Spec{
			{Name: "a", Task: actor.Func(bIdle)},
		}})
		b := bRun(t, supervisor.Config{StopTimeout: 5 * time.Second, Children: []actor.Spec{pool.Spec("")}})
		go b.Restart(t.Context(), "pool") //nolint:errcheck // it is cut off by the stop
		time.Sleep(time.Second)
		if _, took := b.stop(); took > 6*time.Second {
			t.Errorf("the stop took %v, and should take 5s at most", took)
		}
	})
}

func TestLameDuckAndStopAreWithinOneDeadline(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{StopTimeout: 10 * time.Second, LameDuck: 6 * time.Second, Children: []actor.Spec{
			{Name: "deaf", Task: bDeaf(gate), Grace: policy.Forever},
		}})
		if _, took := b.stop(); took > 10*time.Second {
			t.Errorf("the stop took %v, and StopTimeout is 10s", took)
		}
	})
}

func TestRestartFailsWhenTheChildWasAbandonedInstead(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{Name: "a", Task: bDeaf(gate), Grace: time.Second}}})
		res := make(chan error, 1)
		go func() {
			_, err := b.Restart(t.Context(), "a")
			res <- err
		}()
		time.Sleep(100 * time.Millisecond)
		if err := b.Stop(t.Context(), "a"); err == nil {
			t.Error("Stop of a stuck child returned nil")
		}
		if err := <-res; err == nil {
			t.Errorf("Restart returned nil, and the child is %v after %d attempt(s)", b.node("/app/a").State, b.node("/app/a").Attempt)
		}
		b.stop()
	})
}

func TestAnAttemptIsStuckWhenAHelperDoesNotReturnAfterRunFailed(t *testing.T) {
	for _, timeout := range []time.Duration{policy.NoTimeout, 5 * time.Second} {
		bBubble(t, func(t *testing.T, gate chan struct{}) {
			b := bRun(t, supervisor.Config{Children: []actor.Spec{{
				Name: "a", Grace: time.Second, Timeout: timeout,
				Task: actor.Func(func(ctx context.Context) error {
					_ = actor.Go(ctx, func(context.Context) error { <-gate; return nil })
					return errOfB
				}),
			}}})
			time.Sleep(time.Minute)
			if len(b.log.of(events.TaskStuck, "/app/a")) == 0 {
				t.Errorf("timeout %v: after a minute nobody was told; the task is %v", timeout, b.node("/app/a").State)
			}
			b.stop()
		})
	}
}

func TestAnAttemptIsStuckWhenItIgnoresTheFailureOfItsHelper(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{
			Name: "a", Grace: time.Second, Timeout: 5 * time.Second,
			Task: actor.Func(func(ctx context.Context) error {
				_ = actor.Go(ctx, func(context.Context) error { return errOfB })
				<-gate
				return nil
			}),
		}}})
		time.Sleep(time.Minute)
		if len(b.log.of(events.TaskStuck, "/app/a")) == 0 {
			t.Errorf("after a minute nobody was told; the task is %v", b.node("/app/a").State)
		}
		b.stop()
	})
}

func TestARunningTaskHasNoReasonToStop(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{
			Name: "a", Timeout: time.Second, Backoff: bExact(), Task: actor.Func(bIdle),
		}}})
		time.Sleep(2500 * time.Millisecond)
		if n := b.node("/app/a"); n.State != supervisor.StateRunning || n.Reason != 0 {
			t.Errorf("%v with reason %v", n.State, n.Reason)
		}
		b.mustStop()
	})
}

func TestPermitsAreGivenInTheOrderOfStart(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		var notes bNotes
		first := make(chan struct{})
		b := bRun(t, supervisor.Config{Concurrency: 1, Children: []actor.Spec{{Name: "first", Task: bDeaf(first)}}})
		var want []string
		for i := range 50 {
			name := "t" + strconv.Itoa(i)
			want = append(want, name)
			if _, err := b.Start(t.Context(), actor.Spec{Name: name, Task: actor.Func(func(context.Context) error {
				notes.add(name)
				return nil
			})}); err != nil {
				t.Fatal(err)
			}
		}
		close(first)
		synctest.Wait()
		if got := notes.list(); !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
		b.mustStop()
	})
}

func TestAStoppedTreeNamesWhatWasAbandonedBeforeAndStillRuns(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{Name: "deaf", Task: bDeaf(gate), Grace: time.Second}}})
		if err := b.Stop(t.Context(), "deaf"); err == nil {
			t.Error("Stop of a stuck child returned nil")
		}
		err, _ := b.stop()
		if got := bStuck(err); !slices.Equal(got, []string{"/app/deaf"}) {
			t.Errorf("a goroutine of /app/deaf is left, and Run returned %v", err)
		}
	})
}

func TestStuckForSaysSinceWhenTheTaskWasTold(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{StopTimeout: 10 * time.Second, Children: []actor.Spec{
			{Name: "deaf", Task: bDeaf(gate), Grace: policy.Forever},
		}})
		_ = b.Stop(bWithin(t, 100*time.Second), "deaf")
		err, _ := b.stop()
		var stop *supervisor.StopError
		if !errors.As(err, &stop) || len(stop.Stuck) != 1 {
			t.Fatalf("Run returned %v", err)
		}
		if got := stop.Stuck[0].For; got != 110*time.Second {
			t.Errorf("the task was told 1m50s ago, and For is %v", got)
		}
	})
}

func TestTheRepeatsOfAStuckEventBeginAnewWithEachAttempt(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{
			Name: "a", Timeout: time.Second, Grace: time.Second, Backoff: policy.NoBackoff(),
			Task: bEach(func(context.Context, int) error { time.Sleep(10 * time.Second); return nil }),
		}}})
		time.Sleep(15 * time.Second)
		var at [3][]time.Duration
		for _, e := range b.log.of(events.TaskStuck, "/app/a") {
			at[e.Attempt] = append(at[e.Attempt], e.Elapsed)
		}
		if len(at[2]) < 2 || !slices.Equal(at[1][:2], at[2][:2]) {
			t.Errorf("the first attempt was stuck at %v, the second at %v", at[1], at[2])
		}
		b.stop()
	})
}

func TestAnEndedContextAlwaysGetsTheSameAnswerFromRestart(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{Name: "a", Task: actor.Func(func(context.Context) error { return nil })}}})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		answers := map[bool]int{}
		for range 50 {
			synctest.Wait()
			_, err := b.Restart(ctx, "a")
			answers[err == nil]++
		}
		if len(answers) != 1 {
			t.Errorf("%d times nil and %d times an error", answers[true], answers[false])
		}
		b.mustStop()
	})
}

func TestRestartFindsTheChildWhoeverElseRestartsIt(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{Name: "c", Task: actor.Func(func(context.Context) error { return nil })}}})
		done := make(chan error)
		for range 4 {
			go func() {
				var first error
				for range 500 {
					if _, err := b.Restart(t.Context(), "c"); err != nil && first == nil {
						first = err
					}
				}
				done <- first
			}()
		}
		for range 4 {
			bMustBe(t, "restart of a child that was always there", <-done, nil)
		}
		b.mustStop()
	})
}
