package supervisor_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// bMain runs Main outside of a bubble, where signals can be listened to.
func bMain(t *testing.T, ctx context.Context, specs ...actor.Spec) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- supervisor.Main(ctx, specs...) }()
	select {
	case err := <-done:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("Main has not returned")
		return nil
	}
}

func bReturns(err error) actor.Func { return func(context.Context) error { return err } }

func TestMainReturnsWhenTheLastChildHasEnded(t *testing.T) {
	t.Parallel()
	tries := 0
	err := bMain(t, t.Context(),
		actor.Spec{Name: "once", Task: bReturns(nil)},
		actor.Spec{Name: "retries", Backoff: policy.NoBackoff(), Task: actor.Func(func(context.Context) error {
			if tries++; tries < 5 {
				return errOfB
			}
			return nil
		})},
		actor.Spec{Name: "done", Restart: policy.Always, Task: bReturns(actor.Done)},
	)
	if err != nil || tries != 5 {
		t.Errorf("%v after %d tries", err, tries)
	}
	if err := bMain(t, t.Context()); err != nil {
		t.Errorf("without any task: %v", err)
	}
}

func TestMainJoinsTheErrorsOfThoseThatFailed(t *testing.T) {
	t.Parallel()
	errs := []error{errors.New("one"), errors.New("two"), errors.New("three")}
	sub := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "leaf", Task: bReturns(actor.Escalate(errs[2]))}}})
	nested := sub.Spec("nested")
	nested.Restart = policy.Never
	err := bMain(t, t.Context(),
		actor.Spec{Name: "a", Task: bReturns(errs[0]), MaxRetries: 1, Backoff: policy.NoBackoff()},
		actor.Spec{Name: "b", Task: bReturns(actor.Fatal(errs[1]))},
		actor.Spec{Name: "fine", Task: bReturns(nil)},
		nested,
	)
	for _, want := range errs {
		if !errors.Is(err, want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	for _, path := range []string{"/a", "/b", "/nested"} {
		if !strings.Contains(err.Error(), path) {
			t.Errorf("%v does not name %s", err, path)
		}
	}
	if strings.Contains(err.Error(), "/fine") {
		t.Errorf("%v", err)
	}
}

func TestMainEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := bMain(t, ctx, actor.Spec{Name: "a", Task: actor.Func(bIdle)}); err != nil {
		t.Error(err)
	}
	gate := make(chan struct{})
	defer close(gate)
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := bMain(t, ctx, actor.Spec{Name: "deaf", Task: bDeaf(gate), Grace: 10 * time.Millisecond}); len(bStuck(err)) != 1 {
		t.Errorf("%v", err)
	}
}

func TestMainRefusesWhatCannotBeUsed(t *testing.T) {
	t.Parallel()
	if err := bMain(t, t.Context(), actor.Spec{Name: "a/b", Task: actor.Func(bIdle)}); !errors.Is(err, policy.ErrInvalid) {
		t.Errorf("%v", err)
	}
}

// logged collects what is logged.
type logged struct {
	mu    sync.Mutex
	lines []string // guarded by mu
}

func (l *logged) Enabled(context.Context, slog.Level) bool { return true }
func (l *logged) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logged) WithGroup(string) slog.Handler            { return l }

func (l *logged) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, r.Level.String()+" "+r.Message)
	return nil
}

func TestMainLogsWhatFailsWhenNobodyListens(t *testing.T) {
	t.Parallel()
	run := func(cfg supervisor.Config) []string {
		var log logged
		cfg.EndWhenEmpty, cfg.Logger = true, slog.New(&log)
		cfg.Children = []actor.Spec{
			{Name: "bad", MaxRetries: 5, Backoff: policy.NoBackoff(), Task: bReturns(errOfB)},
			{Name: "good", Task: bReturns(nil)},
		}
		if err := supervisor.New(cfg).Main(t.Context()); !errors.Is(err, errOfB) {
			t.Errorf("got %v", err)
		}
		return log.lines
	}
	// Six failures: of the five that are retried the first, second and fourth.
	want := []string{"WARN retry_scheduled", "WARN retry_scheduled", "WARN retry_scheduled", "ERROR task_finished"}
	if got := run(supervisor.Config{}); !slices.Equal(got, want) {
		t.Errorf("logged %v, want %v", got, want)
	}
	counter := events.Subscriber{Name: "counter", Handler: events.HandlerFunc(func(events.Event) {}), Silent: true}
	if got := run(supervisor.Config{Subscribers: []events.Subscriber{counter}}); !slices.Equal(got, want) {
		t.Errorf("beside one that only counts it logged %v, want %v", got, want)
	}
	reader := counter
	reader.Name, reader.Silent = "reader", false
	if got := run(supervisor.Config{Subscribers: []events.Subscriber{counter, reader}}); len(got) != 0 {
		t.Errorf("beside one that reads it logged %v", got)
	}
	if got := run(supervisor.Config{Bus: &events.Bus{}}); len(got) != 0 {
		t.Errorf("with a bus of its own it logged %v", got)
	}
}
