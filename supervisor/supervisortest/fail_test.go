package supervisortest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestATaskFailsWithTheErrorAndIsToldSo(t *testing.T) {
	inBubble(t, func(t *testing.T, _ chan struct{}) {
		var why error
		tree := Start(t, app(on("db", func(ctx context.Context) error {
			<-ctx.Done()
			why = context.Cause(ctx)
			return nil
		}, serve)))
		tree.Fail("/app/db", errBoom)
		if why != errBoom { //nolint:errorlint // the cause itself
			t.Errorf("the cause is %v", why)
		}
		if e := tree.Await(events.Event{Kind: events.AttemptEnded, Path: "/app/db"}); e.Exit != policy.Failed || e.Err != errBoom { //nolint:errorlint // the very one
			t.Errorf("it ended as %v", e)
		}
	})
}

func TestWhatSteersInAnErrorHasItsEffect(t *testing.T) {
	inBubble(t, func(t *testing.T, _ chan struct{}) {
		tree := Start(t, app(on("db", serve), on("cache", serve)))
		tree.Fail("db", actor.RetryAfter(errBoom, time.Hour))
		tree.Await(events.Event{Kind: events.RetryScheduled, Path: "/app/db", Delay: time.Hour})
		tree.Fail("cache", actor.Fatal(errBoom))
		tree.Await(events.Event{Kind: events.TaskFinished, Path: "/app/cache", Outcome: events.Failed, Err: errBoom})
	})
}

func TestATaskThatPausesAfterASuccessFailsInItsNextAttempt(t *testing.T) {
	inBubble(t, func(t *testing.T, _ chan struct{}) {
		tree := Start(t, app(with(on("sweep", func(context.Context) error { return nil }), func(s *actor.Spec) {
			s.Restart, s.Every = policy.Always, time.Hour
		})))
		tree.Patience = 2 * time.Hour
		tree.Fail("sweep", errBoom)
		tree.AssertOrder(
			events.Event{Kind: events.AttemptEnded, Path: "/app/sweep", Attempt: 1, Exit: policy.Succeeded},
			events.Event{Kind: events.AttemptEnded, Path: "/app/sweep", Attempt: 2, Exit: policy.Failed, Err: errBoom},
		)
		tree.Await(events.Event{Kind: events.AttemptEnded, Path: "/app/sweep", Attempt: 3, Exit: policy.Succeeded})
	})
}

func TestASupervisorFailsAsAWhole(t *testing.T) {
	for name, db := range map[string]actor.Spec{
		"with tasks":                 family("db", supervisor.RestForOne, on("pool", serve), on("cache", serve)),
		"without children":           family("db", supervisor.OneForAll),
		"with supervisors only":      family("db", supervisor.OneForOne, family("pool", supervisor.OneForOne)),
		"inside of something bigger": {Name: "db", Task: wrapped{supervisor.New(supervisor.Config{})}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, _ chan struct{}) {
				tree := Start(t, app(db))
				tree.Fail("db", errBoom)
				tree.Await(events.Event{Kind: events.AttemptEnded, Path: "/app/db", Exit: policy.Failed, Err: errBoom})
				tree.AwaitReady()
				if n := tree.find("/app/db"); n.Attempt != 2 {
					t.Errorf("it is %v", line(n))
				}
			})
		})
	}
}

// wrapped is a Family that is no Supervisor.
type wrapped struct{ *supervisor.Supervisor }

func TestASupervisorAddedAtRunTimeFailsAsAnyOther(t *testing.T) {
	inBubble(t, func(t *testing.T, _ chan struct{}) {
		tree := Start(t, app())
		if _, err := tree.Start(t.Context(), family("jobs", supervisor.OneForOne, on("job", serve))); err != nil {
			t.Fatal(err)
		}
		tree.Fail("jobs", errBoom)
		tree.AwaitState("jobs/job", supervisor.StateRunning)
		tree.AssertOrder(
			events.Event{Kind: events.AttemptEnded, Path: "/app/jobs", Exit: policy.Failed, Err: errBoom},
			events.Event{Kind: events.AttemptStarted, Path: "/app/jobs", Attempt: 2},
		)
	})
}

func TestTheRootFails(t *testing.T) {
	inBubble(t, func(t *testing.T, _ chan struct{}) {
		cfg := app(on("db", serve))
		cfg.Name = ""
		tree := Start(t, cfg)
		tree.Fail("/", errBoom)
		tree.Await(events.Event{Kind: events.SupervisorStopped, Path: "/"})
		var escalated *supervisor.EscalatedError
		if err := tree.Shutdown(); !errors.As(err, &escalated) {
			t.Errorf("Run has returned %v", err)
		}
	})
}

func TestWhatCannotFailSaysSo(t *testing.T) {
	for _, row := range []struct {
		sentence string
		path     string
		err      error
		says     []string
	}{
		{"nobody", "/app/nobody", errBoom, []string{"there is no /app/nobody to fail"}},
		{"without an error", "/app/db", nil, []string{"/app/db cannot fail without an error"}},
		{"a task that backs off", "/app/flaky", errBoom, []string{"/app/flaky is backing_off and has no attempt that could fail"}},
		{"a task that has ended", "/app/done", errBoom, []string{"/app/done is completed and has no attempt"}},
		{"a supervisor that is full", "/app/jobs", errBoom, []string{"/app/jobs cannot be made to fail, which takes one more child", "limit"}},
		{"a supervisor that has ended", "/app/over", errBoom, []string{"/app/over cannot be made to fail", "not running"}},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			inBubble(t, func(t *testing.T, _ chan struct{}) {
				jobs := supervisor.New(supervisor.Config{Name: "jobs", Limit: 1})
				over := supervisor.New(supervisor.Config{Name: "over", EndWhenEmpty: true})
				cfg := app(
					on("db", serve),
					with(on("flaky", func(context.Context) error { return errBoom }), func(s *actor.Spec) { s.Backoff = policy.Constant(time.Minute) }),
					on("done", func(context.Context) error { return nil }),
					jobs.Spec(""), over.Spec(""),
				)
				expect(t, verdict(func(t testing.TB) {
					tree := Start(t, cfg)
					if _, err := jobs.Start(context.Background(), on("job", serve)); err != nil {
						t.Fatalf("%v", err)
					}
					tree.Fail(row.path, row.err)
				}), row.says...)
			})
		})
	}
}
