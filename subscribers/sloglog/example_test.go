package sloglog_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/sloglog"
	"github.com/taskvisor/taskvisor/supervisor"
)

// short is a logger whose records are the same each time: without the times, and
// without the numbers that count the events and the tasks of a process.
func short() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			switch a.Key {
			case slog.TimeKey, "elapsed", "seq", "id":
				return slog.Attr{}
			}
			return a
		},
	}))
}

// The job is refused three times before it is done. The second time and the third are
// no news.
func ExampleNew() {
	job := func(ctx context.Context) error {
		if info, _ := actor.FromContext(ctx); info.Attempt <= 3 {
			return errors.New("connection refused")
		}
		return nil
	}
	app := supervisor.New(supervisor.Config{
		Name:         "app",
		EndWhenEmpty: true,
		Subscribers:  []events.Subscriber{sloglog.New(short()).Subscriber()},
		Children:     []actor.Spec{{Name: "job", Task: actor.Func(job), Backoff: policy.Constant(time.Millisecond), AwaitReady: true}},
	})
	_ = app.Run(context.Background())
	// Output:
	// level=WARN msg="attempt failed" kind=attempt_ended path=/app/job attempt=1 exit=failed error="connection refused"
	// level=INFO msg="task recovered" kind=attempt_ended path=/app/job attempt=4 exit=succeeded failures=3 repeats=2
	// level=INFO msg="supervisor started" kind=supervisor_started path=/app
	// level=INFO msg="supervisor stopping" kind=supervisor_stopping path=/app
	// level=INFO msg="supervisor stopped" kind=supervisor_stopped path=/app
}

// Three failures in a row are an error here. A supervisor subscribes the logger; here
// three events are handed to it directly.
func ExampleLogger() {
	l := &sloglog.Logger{Log: short(), EscalateAfter: 3}
	for attempt := range 3 {
		l.Handle(events.Event{
			Kind: events.AttemptEnded, Path: "/app/db", Attempt: attempt + 1, Exit: policy.Failed, Err: errors.New("connection refused"),
		})
	}
	// Output:
	// level=WARN msg="attempt failed" kind=attempt_ended path=/app/db attempt=1 exit=failed error="connection refused"
	// level=ERROR msg="attempt keeps failing" kind=attempt_ended path=/app/db attempt=3 exit=failed error="connection refused" failures=3 repeats=1
}
