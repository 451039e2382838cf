package supervisor_test

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestRestartFailsWhenTheChildWasAbandonedInstead(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{Name: "a", Task: bDeaf(gate), Grace: time.Second}}})
		res := make(chan error, 1)
		go func() {
			_, err := b.Restart(t.Context(), "a")
			res <- err
		}()
		rest(100 * time.Millisecond)
		if err := b.Stop(t.Context(), "a"); err == nil {
			t.Error("Stop of a stuck child returned nil")
		}
		if err := <-res; err == nil {
			t.Errorf("Restart returned nil, and the child is %v after %d attempt(s)", b.node("/app/a").State, b.node("/app/a").Attempt)
		}
		b.stop()
	})
}

func TestARunningTaskHasNoReasonToStop(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{
			Name: "a", Timeout: time.Second, Backoff: bExact(), Task: actor.Func(bIdle),
		}}})
		rest(2500 * time.Millisecond)
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
