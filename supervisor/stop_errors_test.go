package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

const bPkg = "github.com/taskvisor/taskvisor/supervisor_test."

// Places to be stuck at, told apart by their names in a stack.
func bHangInLeaf(gate <-chan struct{})   { <-gate }
func bHangInHelper(gate <-chan struct{}) { <-gate }
func bHangInPlain(gate <-chan struct{})  { <-gate }
func bHangInOther(gate <-chan struct{})  { <-gate }

func TestAStopErrorNamesExactlyTheStuckLeavesWithTheirOwnStacks(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		leaf := actor.Func(func(ctx context.Context) error {
			_ = actor.Go(ctx, func(context.Context) error { bHangInHelper(gate); return nil })
			go bHangInPlain(gate)
			bHangInLeaf(gate)
			return nil
		})
		other := actor.Func(func(context.Context) error { bHangInOther(gate); return nil })
		ok := actor.Func(bIdle)
		deep := supervisor.New(supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{
			{Name: `we"ird, "task":"x#1.2`, Task: leaf, Grace: time.Second}, {Name: "ok", Task: ok},
		}})
		mid := supervisor.New(supervisor.Config{Children: []actor.Spec{
			{Name: "ok", Task: ok}, deep.Spec("deep"), {Name: "other", Task: other, Grace: 2 * time.Second},
		}})
		b := bRun(t, supervisor.Config{Strategy: supervisor.RestForOne, Children: []actor.Spec{
			{Name: "ok", Task: ok}, mid.Spec("mid"), {Name: "other", Task: other, Grace: time.Second},
		}})
		rest(time.Second)
		err, _ := b.stop()

		weird := `/app/mid/deep/we"ird, "task":"x#1.2`
		if got, want := bStuck(err), []string{weird, "/app/mid/other", "/app/other"}; !slices.Equal(got, want) {
			t.Fatalf("stuck are %q, want %q", got, want)
		}
		for _, s := range bStop(t, err).Stuck {
			want := []string{"bHangInOther"}
			if s.Path == weird {
				want = []string{"bHangInHelper", "bHangInLeaf", "bHangInPlain"}
			}
			if got := bPlaces(s.Goroutines); !slices.Equal(got, want) {
				t.Errorf("%s is stuck in %v, want %v", s.Path, got, want)
			}
			if !strings.Contains(err.Error(), want[0]) || !strings.Contains(err.Error(), s.Path) {
				t.Errorf("the text does not tell of %s", s.Path)
			}
		}
	})
}

func bStop(t *testing.T, err error) *supervisor.StopError {
	t.Helper()
	var stop *supervisor.StopError
	if !errors.As(err, &stop) {
		t.Fatalf("%v is no StopError", err)
	}
	return stop
}

// bPlaces returns where goroutines are, each as often as there are such.
func bPlaces(gs []actor.Goroutine) []string {
	var places []string
	for _, g := range gs {
		place := "?"
		for line := range strings.Lines(g.Stack) {
			if fn, ok := strings.CutPrefix(line, bPkg); ok && strings.HasPrefix(fn, "bHang") {
				place, _, _ = strings.Cut(fn, " ")
				break
			}
		}
		for range g.Count {
			places = append(places, place)
		}
	}
	slices.Sort(places)
	return places
}

func TestTreesOfOneProcessDoNotSeeEachOthersStacks(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		spec := actor.Spec{Name: "a", Grace: time.Second, Task: actor.Func(func(context.Context) error { bHangInLeaf(gate); return nil })}
		b1 := bRun(t, supervisor.Config{Children: []actor.Spec{spec}})
		spec.Task = actor.Func(func(context.Context) error { bHangInOther(gate); return nil })
		b2 := bRun(t, supervisor.Config{Children: []actor.Spec{spec}})
		for b, want := range map[*bTree]string{b1: "bHangInLeaf", b2: "bHangInOther"} {
			err, _ := b.stop()
			if got := bPlaces(bStop(t, err).Stuck[0].Goroutines); !slices.Equal(got, []string{want}) {
				t.Errorf("stuck in %v, want %v", got, want)
			}
		}
	})
}

func TestErrorsReturnedAfterARequestedStopAreNoiseInTheOutcome(t *testing.T) {
	rows := map[string]struct {
		task actor.Func
		want error // StopErr
	}{
		"nil":                         {func(ctx context.Context) error { <-ctx.Done(); return nil }, nil},
		"the context's own":           {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, nil},
		"the context's cause":         {func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }, nil},
		"the context's own, wrapped":  {func(ctx context.Context) error { <-ctx.Done(); return fmt.Errorf("read: %w", ctx.Err()) }, nil},
		"an ordinary error":           {func(ctx context.Context) error { <-ctx.Done(); return errOfB }, errOfB},
		"a fatal one":                 {func(ctx context.Context) error { <-ctx.Done(); return actor.Fatal(errOfB) }, errOfB},
		"one that wants to escalate":  {func(ctx context.Context) error { <-ctx.Done(); return actor.Escalate(errOfB) }, errOfB},
		"a panic":                     {func(ctx context.Context) error { <-ctx.Done(); panic(errOfB) }, errOfB},
		"one that asks for a retry":   {func(ctx context.Context) error { <-ctx.Done(); return actor.RetryAfter(errOfB, 0) }, errOfB},
		"the wish to be done with it": {func(ctx context.Context) error { <-ctx.Done(); return actor.Done }, actor.Done},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			bBubble(t, func(t *testing.T, _ chan struct{}) {
				b := bRun(t, supervisor.Config{Children: []actor.Spec{
					{Name: "by", Task: row.task, MaxRetries: policy.NoRetry, OnGiveUp: policy.GiveUpEscalate},
					{Name: "with", Task: row.task, Restart: policy.Always},
				}})
				hs := map[*actor.Handle]events.Reason{}
				for name, reason := range map[string]events.Reason{"by": events.ReasonStopped, "with": events.ReasonShutdown} {
					h, err := b.Handle(name)
					if err != nil {
						t.Fatal(err)
					}
					hs[h] = reason
				}
				if err := b.Stop(t.Context(), "by"); err != nil {
					t.Errorf("Stop returned %v", err)
				}
				b.mustStop()
				for h, reason := range hs {
					o, ok := h.Outcome()
					if !ok || o.Kind != events.Stopped || o.Reason != reason || o.Err != nil || o.Attempts != 1 {
						t.Errorf("%s: %+v", h.Name(), o)
					}
					if !errors.Is(o.StopErr, row.want) || (row.want == nil) != (o.StopErr == nil) {
						t.Errorf("%s: StopErr is %v, want %v", h.Name(), o.StopErr, row.want)
					}
				}
			})
		})
	}
}

func TestAForeignContextErrorIsAnOrdinaryFailure(t *testing.T) {
	for _, foreign := range []error{context.Canceled, context.DeadlineExceeded, actor.ErrShutdown, actor.ErrStopped} {
		bBubble(t, func(t *testing.T, _ chan struct{}) {
			b := bRun(t, supervisor.Config{Children: []actor.Spec{{
				Name: "a", MaxRetries: 2, Backoff: policy.NoBackoff(),
				Task: actor.Func(func(context.Context) error { return foreign }),
			}}})
			n := b.node("/app/a")
			if n.State != supervisor.StateFailed || n.Attempt != 3 || !errors.Is(n.Err, foreign) {
				t.Errorf("%v: %v after %d attempts with %v", foreign, n.State, n.Attempt, n.Err)
			}
			b.mustStop()
		})
	}
}

func TestTheCauseOfAContextSaysWhy(t *testing.T) {
	act := func(fn func(*bTree) error) func(*bTree) {
		return func(b *bTree) {
			if err := fn(b); err != nil {
				b.t.Error(err)
			}
		}
	}
	rows := map[string]struct {
		spec actor.Spec
		do   func(*bTree)
		want error
	}{
		"stop":     {actor.Spec{}, act(func(b *bTree) error { return b.Stop(b.t.Context(), "pool/a") }), actor.ErrStopped},
		"remove":   {actor.Spec{}, act(func(b *bTree) error { return b.Remove(b.t.Context(), "pool/a") }), actor.ErrRemoved},
		"restart":  {actor.Spec{}, act(func(b *bTree) error { return bErrOf(b.Restart(b.t.Context(), "pool/a")) }), actor.ErrRestarted},
		"shutdown": {actor.Spec{}, func(b *bTree) { b.mustStop() }, actor.ErrShutdown},
		"stop of its supervisor": {
			actor.Spec{}, act(func(b *bTree) error { return b.Stop(b.t.Context(), "pool") }), actor.ErrShutdown,
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			bBubble(t, func(t *testing.T, _ chan struct{}) {
				causes := make(chan error, 10)
				row.spec.Name, row.spec.Task = "a", actor.Func(func(ctx context.Context) error {
					derived, cancel := context.WithCancel(context.WithValue(ctx, t, 1))
					defer cancel()
					<-derived.Done()
					causes <- context.Cause(derived)
					return nil
				})
				pool := supervisor.New(supervisor.Config{Children: []actor.Spec{row.spec}})
				b := bRun(t, supervisor.Config{Children: []actor.Spec{pool.Spec("pool")}})
				row.do(b)
				if got := <-causes; !errors.Is(got, row.want) {
					t.Errorf("the cause is %v, want %v", got, row.want)
				}
				b.stop()
			})
		})
	}
}
