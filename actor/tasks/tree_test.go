package tasks_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

var errBoom = errors.New("boom")

// supervise runs f beside a supervisor that is up, and stops that afterwards.
func supervise(t *testing.T, f func(t *testing.T, app *supervisor.Supervisor)) {
	t.Helper()
	up := make(chan struct{})
	first := actor.Spec{Name: "first", Task: actor.Func(func(context.Context) error { close(up); return nil })}
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{first}})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the supervisor ended with %v", err)
		}
	})
	<-up
	f(t, app)
}

// bubble is supervise in virtual time. A goroutine that is left over fails the
// test.
func bubble(t *testing.T, f func(t *testing.T, app *supervisor.Supervisor)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { supervise(t, f) })
}

// start starts a task that has to be admitted.
func start(t *testing.T, app *supervisor.Supervisor, spec actor.Spec) *actor.Handle {
	t.Helper()
	spec.Name = "task"
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

// refusedField returns the field for which a task is refused by its spec.
func refusedField(t *testing.T, task actor.Task) string {
	t.Helper()
	spec := actor.Spec{Name: "task", Task: task}
	var field *policy.FieldError
	if err := spec.Validate(); err == nil {
		return ""
	} else if !errors.As(err, &field) || !errors.Is(err, policy.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
	return field.Field
}
