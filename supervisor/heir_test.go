package supervisor_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// turnstile lets in one after the other: who has left makes room for the next.
type turnstile struct {
	hall
	queue []supervisor.Candidate
	errs  []error
}

func (q *turnstile) Open(d *supervisor.Door) supervisor.Guard { q.door = d; return q }
func (q *turnstile) Left(supervisor.Candidate) bool           { return len(q.queue) > 0 }
func (q *turnstile) Next() {
	k := q.queue[0]
	q.queue = q.queue[1:]
	if err := k.Enter(); err != nil {
		q.errs = append(q.errs, err)
	}
}

// line queues up tasks, and lets in the first.
func (q *turnstile) line(t *testing.T, specs ...actor.Spec) (all []supervisor.Candidate) {
	t.Helper()
	for i := range specs {
		k, err := q.door.Prepare(&specs[i])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, k)
	}
	q.door.Lock()
	defer q.door.Unlock()
	q.queue = all[1:]
	if err := all[0].Enter(); err != nil {
		t.Fatal(err)
	}
	return all
}

// goroutine returns the number of the calling goroutine.
func goroutine() string {
	buf := make([]byte, 64)
	return string(bytes.Fields(buf[:runtime.Stack(buf, false)])[1])
}

// Whoever comes in next has the goroutine of who has left, if that is still there, with a
// label and a context of its own.
func TestWhoComesInNextInheritsTheGoroutine(t *testing.T) {
	var at []string // the goroutines, in the order of the tasks
	note := func(end func(ctx context.Context) error) actor.Func {
		return func(ctx context.Context) error {
			at = append(at, goroutine())
			info, _ := actor.FromContext(ctx)
			mine := slices.ContainsFunc(actor.Goroutines(), func(g actor.Goroutine) bool {
				return g.Path == info.Path && strings.Contains(g.Stack, "TestWhoComesInNextInheritsTheGoroutine")
			})
			if !mine {
				t.Errorf("%s is not found by its label", info.Path)
			}
			if err := ctx.Err(); err != nil {
				t.Errorf("%s begins with a context that has ended: %v", info.Path, err)
			}
			return end(ctx)
		}
	}
	nothing := func(context.Context) error { return nil }
	for _, row := range []struct {
		sentence string
		first    actor.Spec
		same     bool
		outcome  events.Outcome
	}{
		{"it has returned", actor.Spec{Task: note(nothing)}, true, events.Completed},
		{"it has failed", actor.Spec{Task: note(func(context.Context) error { return errBoom }), Restart: policy.Never}, true, events.Failed},
		{"it has panicked", actor.Spec{Task: note(func(context.Context) error { panic("boom") }), Restart: policy.Never}, true, events.Failed},
		{"it has run into its timeout", actor.Spec{Task: note(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }), Restart: policy.Never, Timeout: time.Second}, true, events.Failed},
		{"it took its goroutine along", actor.Spec{Task: note(func(context.Context) error { runtime.Goexit(); return nil }), Restart: policy.Never}, false, events.Failed},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				at = nil
				q := &turnstile{}
				h := reopen(t, supervisor.NewGuarded(supervisor.Config{Name: "app"}, q))
				row.first.Name = "first"
				all := q.line(t, row.first, actor.Spec{Name: "second", Task: note(nothing)}, actor.Spec{Name: "third", Task: note(nothing)})
				equal(t, "first", outcome(t, all[0].Handle()).Kind, row.outcome)
				equal(t, "second", outcome(t, all[1].Handle()).Kind, events.Completed)
				equal(t, "third", outcome(t, all[2].Handle()).Kind, events.Completed)
				if err := h.close(); err != nil {
					t.Error(err)
				}
				if len(at) != 3 {
					t.Fatalf("goroutines %v", at)
				}
				equal(t, "the second has the goroutine of the first", at[0] == at[1], row.same)
				equal(t, "the third has that of the second", at[1] == at[2], true)
				if len(q.errs) > 0 {
					t.Error(q.errs)
				}
			})
		})
	}
}

// A task that is given up keeps its goroutine, and the next gets another.
func TestWhoIsAbandonedKeepsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &turnstile{}
		h := reopen(t, supervisor.NewGuarded(supervisor.Config{}, q))
		release := make(chan struct{})
		deaf := actor.Spec{
			Name: "deaf", Restart: policy.Never, Timeout: time.Second, Grace: time.Second, OnStuck: policy.StuckAbandon,
			Task: actor.Func(func(context.Context) error { <-release; return errors.New("late") }),
		}
		entered := time.Now()
		var began time.Duration
		next := actor.Spec{Name: "next", Task: actor.Func(func(context.Context) error { began = time.Since(entered); return nil })}
		all := q.line(t, deaf, next)
		equal(t, "next", outcome(t, all[1].Handle()).Kind, events.Completed)
		equal(t, "began after", began, 2*time.Second)
		o := outcome(t, all[0].Handle())
		if o.Kind == events.Completed {
			t.Errorf("the deaf one: %v", o)
		}
		close(release)
		synctest.Wait()
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
}

// Many that hand over to each other, some of whom fail, panic or take their goroutines
// along, all come to their ends.
func TestALongLineOfHeirs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &turnstile{}
		h := reopen(t, supervisor.NewGuarded(supervisor.Config{}, q))
		var specs []actor.Spec
		for i := range 2000 {
			specs = append(specs, actor.Spec{
				Name: fmt.Sprint(i), Restart: policy.OnFailure, Backoff: policy.NoBackoff(), MaxRetries: 1,
				Task: actor.Func(func(context.Context) error {
					switch i % 4 {
					case 1:
						return errBoom
					case 2:
						panic(i)
					case 3:
						runtime.Goexit()
					}
					return nil
				}),
			})
		}
		for i, k := range q.line(t, specs...) {
			want := events.Failed
			if i%4 == 0 {
				want = events.Completed
			}
			equal(t, fmt.Sprint("outcome of ", i), outcome(t, k.Handle()).Kind, want)
		}
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
}

// stopper has another end when one has left.
type stopper struct {
	hall
	told  []string
	other supervisor.Candidate
}

func (s *stopper) Open(d *supervisor.Door) supervisor.Guard { s.door = d; return s }
func (s *stopper) Left(k supervisor.Candidate) bool {
	s.told = append(s.told, k.Handle().Name())
	if k.Handle().Name() == "a" {
		s.other.Stop(events.ReasonStopped)
	}
	return false
}

// Who ends because the guard is told of another's end is told of too.
func TestTheGuardIsToldOfWhomItEndsItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stopper{}
		untilStopped := actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })
		h := reopen(t, supervisor.NewGuarded(supervisor.Config{
			Strategy: supervisor.RestForOne, // so that who comes in has to wait for the slow one
			Children: []actor.Spec{{Name: "slow", AwaitReady: true, Task: untilStopped}},
		}, s))
		var inside []supervisor.Candidate
		for _, name := range []string{"a", "b"} {
			k, err := s.door.Prepare(&actor.Spec{Name: name, Task: untilStopped})
			if err != nil {
				t.Fatal(err)
			}
			inside = append(inside, k)
		}
		s.other = inside[1]
		s.door.Lock()
		for _, k := range inside {
			if err := k.Enter(); err != nil {
				t.Error(err)
			}
		}
		inside[0].Stop(events.ReasonStopped)
		s.door.Unlock()
		synctest.Wait()
		for _, k := range inside {
			equal(t, k.Handle().Name(), outcome(t, k.Handle()).Kind, events.Stopped)
		}
		equal(t, "told of", fmt.Sprint(s.told), "[a b]")
		_ = h.close()
	})
}
