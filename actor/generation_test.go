package actor_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// stubborn is a task whose first two attempts ignore their contexts, so that they
// are abandoned, and whose third is kept until it is stopped.
type stubborn struct {
	began chan context.Context
	let   chan struct{}
	late  func()
}

func (s *stubborn) spec() actor.Spec {
	return actor.Spec{
		Task: s, Timeout: time.Second, Grace: time.Second,
		OnStuck: policy.StuckAbandon, Backoff: policy.NoBackoff(),
	}
}

func (s *stubborn) Run(ctx context.Context) error {
	s.began <- ctx
	if info, _ := actor.FromContext(ctx); info.Attempt == 3 {
		return untilDone(ctx)
	}
	for {
		select {
		case <-s.let:
			s.late()
			return errors.New("nobody waits for this")
		case <-time.After(100 * time.Millisecond):
			_ = ctx.Value(insideKey{}) // also while the next generation begins
		}
	}
}

func TestAnAbandonedAttemptKeepsItsIdentityBesideTheNext(t *testing.T) {
	for name, late := range map[string]func(){
		"and returns late": func() {}, "and panics late": func() { fall("late") }, "and exits late": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, supervisor.Config{Name: "app"}, func(t *testing.T, app *supervisor.Supervisor) {
				task := &stubborn{make(chan context.Context, 3), make(chan struct{}), late}
				h := start(t, app, task.spec())
				ctxs := []context.Context{<-task.began, <-task.began, <-task.began}

				for i, ctx := range ctxs {
					info, ok := actor.FromContext(ctx)
					want := actor.Info{ID: h.ID(), Path: "/app/task", Pattern: "/app/*", Name: "task", Attempt: i + 1, Generation: i + 1}
					if !ok || info != want {
						t.Errorf("got %+v, want %+v", info, want)
					}
					if lost := errors.As(context.Cause(ctx), new(*actor.TimeoutError)); lost != (i < 2) {
						t.Errorf("attempt %d ended by %v", i+1, context.Cause(ctx))
					}
				}
				tree := goroutines("/app/task")[0].Tree()
				base := fmt.Sprintf("/app/task#%d.%d", tree, h.ID())
				labels := map[string]int{}
				for _, g := range goroutines("/app/task") {
					labels[g.Label] += g.Count
				}
				if fmt.Sprint(labels) != fmt.Sprintf("map[%s:1 %[1]s.2:1 %[1]s.3:1]", base) {
					t.Errorf("the goroutines are %v", labels)
				}

				// Their late return changes nothing.
				close(task.let)
				synctest.Wait()
				if n := goroutinesOf("/app/task"); n != 1 || ctxs[2].Err() != nil {
					t.Errorf("%d goroutines are left, and the attempt has %v", n, ctxs[2].Err())
				}
				stop(t, app, "task")
				if o := wait(t, h); o.Attempts != 3 {
					t.Errorf("got %+v", o)
				}
			})
		})
	}
}

func TestTheNextGenerationIsFoundByItsLabelAlreadyWhenItBacksOff(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		task := &stubborn{make(chan context.Context, 3), make(chan struct{}), func() {}}
		spec := task.spec()
		spec.Backoff = policy.Constant(time.Hour)
		start(t, app, spec)
		time.Sleep(time.Minute)
		labels := map[string]int{}
		for _, g := range goroutines("/task") {
			_, id, _ := strings.Cut(g.Label, ".")
			_, generation, _ := strings.Cut(id, ".")
			labels[generation] += g.Count
		}
		if !maps.Equal(labels, map[string]int{"": 1, "2": 1}) {
			t.Errorf("the goroutines of its generations are %v", labels)
		}
		close(task.let)
		synctest.Wait()
	})
}

// A goroutine inherits its label from the one that starts it, here another task.
func TestATaskThatWaitsForAPermitIsFoundByItsLabel(t *testing.T) {
	bubble(t, supervisor.Config{Concurrency: 1}, func(t *testing.T, app *supervisor.Supervisor) {
		start(t, app, actor.Spec{Name: "first", Task: actor.Func(func(ctx context.Context) error {
			start(t, app, actor.Spec{Name: "second", Task: actor.Func(untilDone)})
			return untilDone(ctx)
		})})
		synctest.Wait()
		if first, second := goroutinesOf("/first"), goroutinesOf("/second"); first != 1 || second != 1 {
			t.Errorf("the first has %d goroutines and the second %d, want one each", first, second)
		}
	})
}

// A helper of an abandoned attempt belongs to that attempt, not to the next.
func TestHelpersOfAnAbandonedAttemptAreItsOwn(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		task := &stubborn{make(chan context.Context, 3), make(chan struct{}), func() {}}
		start(t, app, task.spec())
		first, _, third := <-task.began, <-task.began, <-task.began
		help(t, first, func(context.Context) error { <-task.let; return errBoom })
		synctest.Wait()
		labels := map[string]int{}
		for _, g := range goroutines("/task") {
			labels[g.Label] += g.Count
		}
		if info, _ := actor.FromContext(first); len(labels) != 3 || info.Generation != 1 {
			t.Errorf("the goroutines are %v", labels)
		}
		close(task.let)
		synctest.Wait()
		if third.Err() != nil {
			t.Errorf("its error ended the present attempt: %v", context.Cause(third))
		}
	})
}

// goroutines returns those of a task.
func goroutines(path string) (gs []actor.Goroutine) {
	for _, g := range actor.Goroutines() {
		if g.Path == path {
			gs = append(gs, g)
		}
	}
	return gs
}
