package actor_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/supervisor"
)

// endings are ways in which the context of an attempt ends. Twin makes a context
// of package context that ends alike when end is called, or by itself.
var endings = []struct {
	name string
	spec actor.Spec
	end  func(t *testing.T, app *supervisor.Supervisor, ctx context.Context)
	twin func(ctx context.Context) (twin context.Context, end func())
}{
	{
		"a stop", actor.Spec{},
		func(t *testing.T, app *supervisor.Supervisor, _ context.Context) { stop(t, app, "task") },
		cancelled(actor.ErrStopped),
	},
	{
		"a timeout", actor.Spec{Timeout: time.Second},
		func(*testing.T, *supervisor.Supervisor, context.Context) { time.Sleep(2 * time.Second) },
		func(ctx context.Context) (context.Context, func()) {
			cause := &actor.TimeoutError{Path: "/task", Timeout: time.Second}
			ctx, cancel := context.WithTimeoutCause(ctx, time.Second, cause)
			return ctx, func() { <-ctx.Done(); cancel() }
		},
	},
	{
		"a stall", actor.Spec{Stall: time.Second},
		func(*testing.T, *supervisor.Supervisor, context.Context) { time.Sleep(2 * time.Second) },
		cancelled(&actor.StallError{Path: "/task", Stall: time.Second}),
	},
	{
		"a helper's failure", actor.Spec{},
		func(t *testing.T, _ *supervisor.Supervisor, ctx context.Context) {
			if err := actor.Go(ctx, func(context.Context) error { return errBoom }); err != nil {
				t.Error(err)
			}
		},
		cancelled(errBoom),
	},
}

func cancelled(cause error) func(context.Context) (context.Context, func()) {
	return func(ctx context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancelCause(ctx)
		return ctx, func() { cancel(cause) }
	}
}

// consumers are what programs do with a context.
var consumers = []struct {
	name   string
	derive func(context.Context) (context.Context, context.CancelFunc)
}{
	{"the context itself", func(ctx context.Context) (context.Context, context.CancelFunc) { return ctx, func() {} }},
	{"WithCancel", context.WithCancel},
	{"WithCancelCause", func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancelCause(ctx)
		return ctx, func() { cancel(errors.New("too late to count")) }
	}},
	{"WithTimeout", func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, time.Hour)
	}},
	{"WithDeadlineCause", func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithDeadlineCause(ctx, time.Now().Add(time.Hour), errors.New("an hour has passed"))
	}},
	{"WithValue", func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithValue(ctx, insideKey{}, "inside"), func() {}
	}},
	{"WithoutCancel", func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithoutCancel(ctx), func() {}
	}},
	{"WithCancel of WithValue", func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithCancel(context.WithValue(ctx, insideKey{}, "inside"))
	}},
	{"WithTimeout of WithCancel", func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		ctx, cancelInner := context.WithTimeout(ctx, time.Hour)
		return ctx, func() { cancelInner(); cancel() }
	}},
	{"WithCancel of WithoutCancel", func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		cancel()
		return ctx, cancel
	}},
}

type insideKey struct{}

// sight is what a context shows.
type sight struct {
	Err, Cause      error
	Done            bool
	Deadline        time.Time
	HasDeadline     bool
	Outside, Inside any
}

func look(ctx context.Context) sight {
	s := sight{Err: ctx.Err(), Cause: context.Cause(ctx), Outside: ctx.Value(outsideKey{}), Inside: ctx.Value(insideKey{})}
	s.Deadline, s.HasDeadline = ctx.Deadline()
	s.Deadline = s.Deadline.Round(0)
	select {
	case <-ctx.Done():
		s.Done = true
	default:
	}
	return s
}

func TestWhatDerivesFromAnAttemptIsAsFromAStandardContext(t *testing.T) {
	for _, e := range endings {
		t.Run(e.name, func(t *testing.T) {
			bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
				ctx, _ := hold(t, app, e.spec)
				twin, end := e.twin(context.WithValue(t.Context(), outsideKey{}, "outside"))

				// Twice each consumer: derived before the end, and after it.
				compare := func(when string, got, want context.Context, consumer string) {
					if g, w := look(got), look(want); !reflect.DeepEqual(g, w) {
						t.Errorf("%s %s:\n got %+v\nwant %+v", consumer, when, g, w)
					}
				}
				type pair struct{ got, want context.Context }
				early := make([]pair, len(consumers))
				for i, c := range consumers {
					got, cancelGot := c.derive(ctx)
					want, cancelWant := c.derive(twin)
					defer cancelGot()
					defer cancelWant()
					early[i] = pair{got, want}
					compare("before the end", got, want, c.name)
				}

				e.end(t, app, ctx)
				end()
				synctest.Wait()

				for i, c := range consumers {
					compare("derived before the end, after it", early[i].got, early[i].want, c.name)
					got, cancelGot := c.derive(ctx)
					want, cancelWant := c.derive(twin)
					defer cancelGot()
					defer cancelWant()
					if s := look(want); s.HasDeadline && s.Deadline.After(time.Now().Add(time.Minute)) {
						got, want = deadlineless{got}, deadlineless{want}
					}
					compare("derived after the end", got, want, c.name)
				}
			})
		})
	}
}

// deadlineless hides a deadline that depends on when it was set.
type deadlineless struct{ context.Context }

func (deadlineless) Deadline() (time.Time, bool) { return time.Time{}, false }

func TestTheErrorOfAContextIsExactlyThatOfPackageContext(t *testing.T) {
	want := map[string]error{"a timeout": context.DeadlineExceeded}
	for _, e := range endings {
		t.Run(e.name, func(t *testing.T) {
			bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
				ctx, _ := hold(t, app, e.spec)
				if err := ctx.Err(); err != nil {
					t.Errorf("before the end: %v", err)
				}
				e.end(t, app, ctx)
				<-ctx.Done()
				wanted := want[e.name]
				if wanted == nil {
					wanted = context.Canceled
				}
				if ctx.Err() != wanted { //nolint:errorlint // the very value is promised
					t.Errorf("got %v, want %v", ctx.Err(), wanted)
				}
			})
		})
	}
}

func TestAContextHasADeadlineIfItsTaskHasATimeout(t *testing.T) {
	bubble(t, supervisor.Config{}, func(t *testing.T, app *supervisor.Supervisor) {
		with, _ := hold(t, app, actor.Spec{Name: "with", Timeout: time.Minute})
		without, _ := hold(t, app, actor.Spec{Name: "without"})
		if at, ok := with.Deadline(); !ok || time.Until(at) != time.Minute {
			t.Errorf("with a timeout: in %v, %v", time.Until(at), ok)
		}
		if at, ok := without.Deadline(); ok {
			t.Errorf("without a timeout: %v", at)
		}
	})
}

func TestAContextSaysWhoseItIs(t *testing.T) {
	bubble(t, supervisor.Config{Name: "app"}, func(t *testing.T, app *supervisor.Supervisor) {
		ctx, _ := hold(t, app, actor.Spec{})
		if got, want := fmt.Sprint(ctx), "taskvisor.Attempt(/app/task)"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
