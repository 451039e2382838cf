package supervisortest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestRunStopsATreeInItsOrder(t *testing.T) {
	var tree *Tree
	Run(t, func() supervisor.Config {
		cfg := app(with(on("db", serve), awaited), on("http", serve))
		cfg.Strategy = supervisor.RestForOne
		return cfg
	}, func(t *testing.T, running *Tree) {
		tree = running
		if !tree.Tree().Ready {
			t.Error("it is not up at the beginning")
		}
	})
	if n := inOrder(tree.Events.Events(), []events.Event{
		{Kind: events.AttemptStarted, Path: "/app/db"},
		{Kind: events.TaskReady, Path: "/app/db"},
		{Kind: events.AttemptStarted, Path: "/app/http"},
		{Kind: events.TaskFinished, Path: "/app/http"},
		{Kind: events.TaskStopping, Path: "/app/db", Reason: events.ReasonShutdown},
		{Kind: events.SupervisorStopped, Path: "/app"},
	}); n != 6 {
		t.Errorf("only %d of its events are in order: %v", n, tree.Events.Events())
	}
}

func TestWhatATreeFailsItsTestFor(t *testing.T) {
	quit := func(context.Context) error { return actor.Fatal(errBoom) }
	nothing := func(*Tree) {}
	for _, row := range []struct {
		sentence string
		cfg      func(gate chan struct{}) supervisor.Config
		then     func(tree *Tree)
		says     []string
	}{
		{"a tree that works, for nothing", func(chan struct{}) supervisor.Config {
			return app(on("db", serve))
		}, nothing, nil},

		{"a configuration that is refused", func(chan struct{}) supervisor.Config {
			return app(on("", serve))
		}, nothing, []string{"the tree is refused", "must not be empty"}},

		{"a start that fails, once", func(chan struct{}) supervisor.Config {
			return app(with(on("db", quit), awaited))
		}, nothing, []string{"the tree did not start: supervisor /app: start of /app/db: boom\nthe tree has ended"}},

		{"a start that does not come to an end", func(chan struct{}) supervisor.Config {
			idle := func(ctx context.Context) error { <-ctx.Done(); return nil }
			return app(with(on("db", idle), func(s *actor.Spec) { s.AwaitReady, s.StartTimeout = true, policy.Forever }))
		}, nothing, []string{"the tree has not started after 10m0s", "waiting for /app/db"}},

		{"an end by itself that is no failure, for nothing", func(chan struct{}) supervisor.Config {
			cfg := app(on("job", func(context.Context) error { return nil }))
			cfg.EndWhenEmpty = true
			return cfg
		}, nothing, nil},

		{"an end by itself that is one", func(chan struct{}) supervisor.Config {
			return app(on("db", serve))
		}, func(tree *Tree) { tree.Fail("/app/db", actor.Escalate(errBoom)) }, []string{"the tree did not end cleanly: supervisor /app: escalated by /app/db: boom"}},

		{"but not when the test has asked for it", func(chan struct{}) supervisor.Config {
			return app(on("db", serve))
		}, func(tree *Tree) {
			tree.Fail("/app/db", actor.Escalate(errBoom))
			if err := tree.Shutdown(); !errors.Is(err, errBoom) {
				tree.t.Errorf("Shutdown returns %v", err)
			}
		}, nil},

		{"a task that is stuck, with its stack and only once", func(gate chan struct{}) supervisor.Config {
			return app(on("db", deaf(gate)))
		}, nothing, []string{"the tree did not end cleanly: stop of /app: 1 task left behind", "waitDeaf"}},

		{"a stop without an end", func(gate chan struct{}) supervisor.Config {
			cfg := app(with(on("db", deaf(gate)), func(s *actor.Spec) { s.OnStuck = policy.StuckWait }))
			cfg.StopTimeout = policy.Forever
			return cfg
		}, nothing, []string{"the tree has not stopped", "/app/db is stuck", "still running", "waitDeaf"}},

		{"one that was asked for, too", func(gate chan struct{}) supervisor.Config {
			cfg := app(with(on("db", deaf(gate)), func(s *actor.Spec) { s.OnStuck = policy.StuckWait }))
			cfg.StopTimeout = policy.Forever
			return cfg
		}, func(tree *Tree) { _ = tree.Shutdown() }, []string{"the tree has not stopped", "waitDeaf"}},

		{"a goroutine left behind, by its path", func(gate chan struct{}) supervisor.Config {
			return app(on("db", func(ctx context.Context) error { go waitDeaf(gate); return serve(ctx) }))
		}, nothing, []string{"/app/db has left behind 1 goroutine at", "waitDeaf"}},

		{"a stuck task of which only the error was taken", func(gate chan struct{}) supervisor.Config {
			return app(on("db", deaf(gate)))
		}, func(tree *Tree) { _ = tree.Shutdown() }, []string{"/app/db has left behind 1 goroutine at", "waitDeaf"}},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			inBubble(t, func(t *testing.T, gate chan struct{}) {
				said := verdict(func(t testing.TB) { row.then(Start(t, row.cfg(gate))) })
				expect(t, said, row.says...)
				if n := strings.Count(said, "\n\n"); n > 0 {
					t.Errorf("it is said in %d failures:\n%s", n+1, said)
				}
			})
		})
	}
}

func TestWaitingTakesVirtualTimeOnly(t *testing.T) {
	inBubble(t, func(t *testing.T, _ chan struct{}) {
		began := time.Now()
		tree := Start(t, app(with(on("db", serve), func(s *actor.Spec) { s.AwaitReady, s.Backoff = true, policy.Constant(30*time.Second) })))
		tree.Fail("db", errBoom)
		if e := tree.Await(events.Event{Kind: events.RetryScheduled, Path: "/app/db", Err: errBoom}); e.Delay != 30*time.Second {
			t.Errorf("the pause is %v", e.Delay)
		}
		tree.AwaitState("db", supervisor.StateBackingOff)
		tree.Await(events.Event{Kind: events.AttemptStarted, Path: "/app/db", Attempt: 2})
		tree.AwaitReady()
		if passed := time.Since(began); passed != 30*time.Second {
			t.Errorf("it took %v", passed)
		}
	})
}

func TestWhatIsAwaitedInVain(t *testing.T) {
	for _, row := range []struct {
		sentence string
		then     func(tree *Tree)
		says     []string
	}{
		{"an event", func(tree *Tree) {
			tree.Await(events.Event{Kind: events.AttemptEnded, Path: "/app/db", Exit: policy.Panicked})
		}, []string{"there was no attempt_ended /app/db exit=panicked within 10m0s", "the tree:", "/app ", "db  running", "the last events:", "attempt_started /app/db"}},
		{"a state", func(tree *Tree) { tree.AwaitState("db", supervisor.StateFailed) }, []string{"/app/db was not failed within 10m0s"}},
		{"a state of nobody", func(tree *Tree) { tree.AwaitState("bd", supervisor.StateFailed) }, []string{"/app/bd was not failed"}},
		{"a tree that is ready", func(tree *Tree) {
			tree.Fail("db", actor.Fatal(errBoom))
			tree.Patience = time.Second
			tree.AwaitReady()
		}, []string{"the tree was not ready within 1s", "not ready", "db  failed   1s", "error \"boom\"", "/app/db"}},
		{"a tree that has ended", func(tree *Tree) {
			tree.stop()
			tree.AwaitReady()
		}, []string{"the tree was not ready within 10m0s", "the tree has ended: <nil>", "supervisor_stopped /app"}},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			inBubble(t, func(t *testing.T, _ chan struct{}) {
				expect(t, verdict(func(t testing.TB) { row.then(Start(t, app(on("db", serve)))) }), row.says...)
			})
		})
	}
}
