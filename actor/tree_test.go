package actor_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

var errBoom = errors.New("boom")

// outsideKey is the key of a value that the context of every tree here carries.
type outsideKey struct{}

// bubble runs f in virtual time beside a supervisor that is up, and stops that
// afterwards. A goroutine that is left over then fails the test. The supervisor may
// end with an escalation, which is what some tasks ask for.
func bubble(t *testing.T, cfg supervisor.Config, f func(t *testing.T, app *supervisor.Supervisor)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		app := supervisor.New(cfg)
		ctx, stop := context.WithCancel(context.WithValue(t.Context(), outsideKey{}, "outside"))
		ended := make(chan error, 1)
		go func() { ended <- app.Run(ctx) }()
		t.Cleanup(func() {
			stop()
			if err := <-ended; err != nil && !errors.As(err, new(*supervisor.EscalatedError)) {
				t.Errorf("the supervisor ended with %v", err)
			}
		})
		synctest.Wait()
		f(t, app)
	})
}

// start starts a dynamic child that has to be admitted.
func start(t *testing.T, app *supervisor.Supervisor, spec actor.Spec) *actor.Handle {
	t.Helper()
	if spec.Name == "" {
		spec.Name = "task"
	}
	h, err := app.Start(t.Context(), spec)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	return h
}

// wait waits for a task to end for good.
func wait(t *testing.T, h *actor.Handle) actor.Outcome {
	t.Helper()
	o, err := h.Wait(t.Context())
	if err != nil {
		t.Fatalf("wait: %v", err)
	}
	return o
}

// run runs one task to its end and returns how its attempts ended.
func run(t *testing.T, spec actor.Spec) (ends []events.Event, o actor.Outcome) {
	t.Helper()
	var mu sync.Mutex
	keep := events.Subscriber{
		Name:  "ends",
		Kinds: []events.Kind{events.AttemptEnded},
		Handler: events.HandlerFunc(func(e events.Event) {
			mu.Lock()
			defer mu.Unlock()
			ends = append(ends, e)
		}),
	}
	cfg := supervisor.Config{Subscribers: []events.Subscriber{keep}}
	bubble(t, cfg, func(t *testing.T, app *supervisor.Supervisor) {
		o = wait(t, start(t, app, spec))
	})
	return ends, o
}

// once runs one attempt of a function and returns how it ended.
func once(t *testing.T, f actor.Func) events.Event {
	t.Helper()
	return onceOf(t, actor.Spec{Task: f})
}

// onceOf is once with settings.
func onceOf(t *testing.T, spec actor.Spec) events.Event {
	t.Helper()
	spec.Restart = policy.Never
	ends, _ := run(t, spec)
	if len(ends) != 1 {
		t.Fatalf("%d attempts, want one", len(ends))
	}
	return ends[0]
}

// hold starts a task whose attempt ends only when release is called, and
// returns the attempt's context.
func hold(t *testing.T, app *supervisor.Supervisor, spec actor.Spec) (ctx context.Context, release func()) {
	t.Helper()
	given, let := make(chan context.Context, 1), make(chan struct{})
	if spec.Grace == 0 {
		spec.Grace = policy.Forever
	}
	spec.Task = actor.Func(func(ctx context.Context) error {
		given <- ctx
		<-let
		return nil
	})
	start(t, app, spec)
	release = sync.OnceFunc(func() { close(let) })
	t.Cleanup(release)
	return <-given, release
}

// stop tells a task to stop, which is not waited for.
func stop(t *testing.T, app *supervisor.Supervisor, name string) {
	t.Helper()
	go func() {
		if err := app.Stop(context.Background(), name); err != nil {
			t.Errorf("stop: %v", err)
		}
	}()
	synctest.Wait()
}
