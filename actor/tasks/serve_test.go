package tasks_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// service is a service in the shape of suture.
type service struct {
	serve  func(ctx context.Context) error
	refuse error
}

func (s *service) Serve(ctx context.Context) error { return s.serve(ctx) }
func (s *service) Validate() error                 { return s.refuse }

// serveFunc is a service that is a function.
type serveFunc func(ctx context.Context) error

func (f serveFunc) Serve(ctx context.Context) error { return f(ctx) }

func TestAServerRunsUntilItsContextEnds(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		var who actor.Info
		h := start(t, app, actor.Spec{Task: tasks.Serve(&service{serve: func(ctx context.Context) error {
			who, _ = actor.FromContext(ctx)
			<-ctx.Done()
			return ctx.Err()
		}})})
		synctest.Wait()
		if err := app.Stop(t.Context(), "task"); err != nil {
			t.Error(err)
		}
		if o := wait(t, h); o.Kind != events.Stopped || who.Path != "/app/task" {
			t.Errorf("got %+v of %+v", o, who)
		}
	})
}

func TestWhatAServerReturnsIsWhatTheTaskReturns(t *testing.T) {
	bubble(t, func(t *testing.T, app *supervisor.Supervisor) {
		for _, err := range []error{nil, errBoom} {
			o := wait(t, start(t, app, actor.Spec{
				MaxRetries: policy.NoRetry,
				Task:       tasks.Serve(serveFunc(func(context.Context) error { return err })),
			}))
			if o.Err != err || o.Success() != (err == nil) { //nolint:errorlint // as it is
				t.Errorf("returned %v, outcome %+v", err, o)
			}
		}
	})
}

func TestAServerThatIsNilIsRefused(t *testing.T) {
	for says, c := range map[string]struct {
		server tasks.Server
		field  string
	}{
		"nil":                {nil, "Server"},
		"a nil pointer":      {(*service)(nil), "Server"},
		"a nil function":     {serveFunc(nil), "Server"},
		"one that refuses":   {&service{refuse: &policy.FieldError{Field: "Addr"}}, "Addr"},
		"one that is usable": {&service{}, ""},
		"one without checks": {serveFunc(func(context.Context) error { return nil }), ""},
	} {
		if got := refusedField(t, tasks.Serve(c.server)); got != c.field {
			t.Errorf("%s: refused for %q, want %q", says, got, c.field)
		}
	}
}
