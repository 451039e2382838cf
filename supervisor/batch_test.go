package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestStartAllAddsAllOrNone(t *testing.T) {
	good := func(name string) actor.Spec { return actor.Spec{Name: name, Task: actor.Func(serve)} }
	rows := map[string]struct {
		specs []actor.Spec
		want  error
		names string // what the error is about
	}{
		"all are new":                     {[]actor.Spec{good("x"), good("y")}, nil, ""},
		"as many as the limit allows":     {[]actor.Spec{good("x"), good("y"), good("z")}, nil, ""},
		"one more than the limit allows":  {[]actor.Spec{good("x"), good("y"), good("z"), good("w")}, supervisor.ErrLimit, ""},
		"the last is there already":       {[]actor.Spec{good("x"), good("old")}, supervisor.ErrExists, "old"},
		"the last is a declared child":    {[]actor.Spec{good("x"), good("declared")}, supervisor.ErrExists, "declared"},
		"the last has ended and is kept":  {[]actor.Spec{good("x"), good("ended")}, supervisor.ErrExists, "ended"},
		"two of them have the same name":  {[]actor.Spec{good("x"), good("y"), good("x")}, policy.ErrInvalid, "x"},
		"one of them is invalid":          {[]actor.Spec{good("x"), {Name: "y"}}, policy.ErrInvalid, "y"},
		"one is significant without need": {[]actor.Spec{good("x"), significant(good("y"))}, policy.ErrInvalid, "y"},
		"none is asked for":               {nil, nil, ""},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, supervisor.Config{Name: "app", Limit: 4, Children: []actor.Spec{
					good("declared"), {Name: "ended", Task: actor.Func(in(0, nil))},
				}})
				h.start(good("old"))
				pass(0)
				handles, err := h.StartAll(t.Context(), row.specs...)
				if !errors.Is(err, row.want) {
					t.Errorf("got %v, want %v", err, row.want)
				}
				if err != nil {
					equal(t, "handles", len(handles), 0)
					equal(t, "children", len(h.Children()), 3)
					var spec *actor.SpecError
					var child *supervisor.ChildError
					switch {
					case errors.As(err, &spec):
						equal(t, "name", spec.Name, row.names)
					case errors.As(err, &child) && row.names != "":
						equal(t, "path", child.Path, "/app/"+row.names)
					case child == nil:
						t.Errorf("%T is not a typed error", err)
					}
					return
				}
				equal(t, "children", len(h.Children()), 3+len(row.specs))
				for i, hd := range handles {
					equal(t, "path", hd.Path(), "/app/"+row.specs[i].Name)
				}
			})
		})
	}
}

func TestABatchStartsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e ear
		h := open(t, supervisor.Config{Subscribers: e.subscriber(events.AttemptStarted)})
		var specs []actor.Spec
		for i := range 100 {
			specs = append(specs, actor.Spec{Name: fmt.Sprint(i), Task: actor.Func(serve)})
		}
		if _, err := h.StartAll(t.Context(), specs...); err != nil {
			t.Fatal(err)
		}
		for i, ev := range e.of("") {
			equal(t, "path", ev.Path, fmt.Sprintf("/%d", i))
		}
		equal(t, "started", len(e.of("")), 100)
	})
}

func TestTheLimitCountsDynamicChildrenThatBackOffAndNoDeclaredOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{
			Limit: 1, Defaults: supervisor.Defaults{Backoff: policy.Constant(time.Hour)},
			Children: []actor.Spec{j.spec("a", serve), j.spec("b", serve)},
		})
		h.start(j.spec("x", in(0, errBoom)))
		pass(time.Second)
		equal(t, "state of x", h.child("x").State, supervisor.StateBackingOff)
		if _, err := h.Start(t.Context(), j.spec("y", serve)); !errors.Is(err, supervisor.ErrLimit) {
			t.Errorf("got %v, want ErrLimit", err)
		}
		if err := h.Stop(t.Context(), "x"); err != nil {
			t.Error(err)
		}
		h.start(j.spec("y", serve))
	})
}

func TestANameIsFreeWhenTheHandleResolves(t *testing.T) {
	s := supervisor.New(supervisor.Config{Limit: 1})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	for s.Tree().State != supervisor.StateRunning {
		runtime.Gosched()
	}
	for n := range 2000 {
		h, err := s.Start(ctx, actor.Spec{Name: "a", Task: actor.Func(func(context.Context) error { return nil })})
		if err != nil {
			t.Fatalf("start %d: %v", n, err)
		}
		if n%2 == 0 {
			<-h.Done()
			continue
		}
		if o, err := h.Wait(ctx); err != nil || o.Kind != events.Completed {
			t.Fatal(o, err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAnOutcomeReachesEveryoneWhoWaitsAlsoLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{})
		hd := h.start(j.spec("a", in(time.Second, actor.Fatal(errBoom))))
		var told atomic.Int32
		for range 100 {
			go func() {
				if o, err := hd.Wait(context.Background()); err == nil && errors.Is(o.Err, errBoom) && o.Kind == events.Failed {
					told.Add(1)
				}
			}()
		}
		if _, ok := hd.Outcome(); ok {
			t.Error("there is an outcome before the end")
		}
		pass(time.Minute)
		equal(t, "told", told.Load(), 100)
		if err := h.close(); err != nil {
			t.Error(err)
		}
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		if o, err := hd.Wait(gone); err != nil || o.Kind != events.Failed {
			t.Errorf("got %+v, %v after the end", o, err)
		}
	})
}

// Ten thousand children fail in the same instant, and all the books are right.
func TestManyFailuresInOneInstant(t *testing.T) {
	const many = 10_000
	children := func(steps ...actor.Func) (specs []actor.Spec) {
		for i := range many {
			j := newJournal()
			specs = append(specs, j.spec(fmt.Sprint(i), steps...))
		}
		return specs
	}
	rows := map[string]struct {
		strategy supervisor.Strategy
		limit    policy.Intensity
		window   int // restarts counted; -1 when the limit is exceeded
	}{
		"one for one, each counts":         {supervisor.OneForOne, policy.Intensity{Restarts: many, Within: time.Minute}, many},
		"one for one, one more than there": {supervisor.OneForOne, policy.Intensity{Restarts: many - 1, Within: time.Minute}, -1},
		"one for all, they count once":     {supervisor.OneForAll, policy.Intensity{Restarts: 1, Within: time.Minute}, 1},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, supervisor.Config{Strategy: row.strategy, Intensity: row.limit, Defaults: supervisor.Defaults{Backoff: second}})
				handles, err := h.StartAll(t.Context(), children(in(time.Second, errBoom), serve)...)
				if err != nil {
					t.Fatal(err)
				}
				pass(30 * time.Second)
				if row.window < 0 {
					as[*supervisor.IntensityError](t, h.wait())
				} else {
					n := h.Tree()
					equal(t, "restarts in the window", n.RestartsInWindow, row.window)
					equal(t, "children", len(n.Children), many)
					restarts := 0
					for _, c := range n.Children {
						restarts += c.Restarts
						if c.State != supervisor.StateRunning || c.Attempt != 2 {
							t.Fatalf("%s is %v in attempt %d", c.Path, c.State, c.Attempt)
						}
					}
					equal(t, "restarts of the children", restarts, row.window)
					if err := h.close(); err != nil {
						t.Error(err)
					}
				}
				failed := 0
				for _, hd := range handles {
					if outcome(t, hd).Kind == events.Failed {
						failed++
					}
				}
				equal(t, "failed for good", failed, map[bool]int{true: 1, false: 0}[row.window < 0])
			})
		})
	}
}
