package zaplog_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/zaplog"
	"github.com/taskvisor/taskvisor/supervisor"
)

// The job is refused three times before it is done. A program uses the logger that it
// has; this one keeps the entries, to show them without what differs each time.
func ExampleNew() {
	core, log := observer.New(zap.InfoLevel)
	job := func(ctx context.Context) error {
		if info, _ := actor.FromContext(ctx); info.Attempt <= 3 {
			return errors.New("connection refused")
		}
		return nil
	}
	app := supervisor.New(supervisor.Config{
		Name:         "app",
		EndWhenEmpty: true,
		Subscribers:  []events.Subscriber{zaplog.New(zap.New(core)).Subscriber()},
		Children:     []actor.Spec{{Name: "job", Task: actor.Func(job), Backoff: policy.Constant(time.Millisecond)}},
	})
	_ = app.Run(context.Background())

	for _, e := range log.FilterField(zap.String("path", "/app/job")).All() {
		fmt.Println(e.Level, e.Message, e.ContextMap()["repeats"])
	}
	// Output:
	// warn attempt failed <nil>
	// info task recovered 2
}

// Three failures in a row are an error here. A supervisor subscribes the logger; here
// three events are handed to it directly.
func ExampleLogger() {
	l := &zaplog.Logger{Log: zap.NewExample(), EscalateAfter: 3}
	for attempt := range 3 {
		l.Handle(events.Event{
			Kind: events.AttemptEnded, Path: "/app/db", Attempt: attempt + 1, Exit: policy.Failed, Err: errors.New("connection refused"),
		})
	}
	// Output:
	// {"level":"warn","msg":"attempt failed","kind":"attempt_ended","path":"/app/db","attempt":1,"exit":"failed","elapsed":"0s","error":"connection refused"}
	// {"level":"error","msg":"attempt keeps failing","kind":"attempt_ended","path":"/app/db","attempt":3,"exit":"failed","elapsed":"0s","error":"connection refused","failures":3,"repeats":1}
}
