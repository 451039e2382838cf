package recorder_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/recorder"
	"github.com/taskvisor/taskvisor/supervisor"
)

// What happened, to be compared with what should have.
func ExampleRecorder() {
	var seen recorder.Recorder
	app := supervisor.New(supervisor.Config{
		Name:         "app",
		AutoShutdown: supervisor.AutoShutdownAny,
		Subscribers:  []events.Subscriber{seen.Subscriber()},
		Children: []actor.Spec{{
			Name: "job", Restart: policy.Never, Significant: true,
			Task: actor.Func(func(context.Context) error { return errors.New("no disk") }),
		}},
	})
	_ = app.Run(context.Background())

	for _, e := range seen.Of("/app/job") {
		fmt.Println(e.Kind)
	}
	fmt.Println("failed attempts:", seen.Count(events.AttemptEnded))
	// Output:
	// task_added
	// attempt_started
	// attempt_ended
	// task_finished
	// failed attempts: 1
}

// A test that waits for what it needs to have happened does not have to sleep.
func ExampleRecorder_WaitKind() {
	var bus events.Bus
	var seen recorder.Recorder
	sub, err := bus.Subscribe(seen.Subscriber())
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()

	bus.Publish(events.Event{Kind: events.TaskReady, Path: "/app/db", Attempt: 3})
	e, err := seen.WaitKind(ctx, events.TaskReady, "/app/db")
	fmt.Println(e.Attempt, err)

	_ = sub.Close(ctx)
	// Output: 3 <nil>
}
