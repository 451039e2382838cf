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

// A test can wait for whatever a function recognises, here for a third attempt.
func ExampleRecorder_Wait() {
	var seen recorder.Recorder
	app := supervisor.New(supervisor.Config{
		Name:        "app",
		Subscribers: []events.Subscriber{seen.Subscriber()},
		Children: []actor.Spec{{
			Name: "db", Backoff: policy.NoBackoff(),
			Task: actor.Func(func(ctx context.Context) error {
				if info, _ := actor.FromContext(ctx); info.Attempt < 3 {
					return errors.New("connection refused")
				}
				<-ctx.Done()
				return nil
			}),
		}},
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()

	e, err := seen.Wait(ctx, func(e events.Event) bool {
		return e.Kind == events.AttemptStarted && e.Attempt == 3
	})
	fmt.Println(e.Path, err)
	stop()
	fmt.Println(<-ended, seen.Count(events.RetryScheduled), "retries")
	// Output:
	// /app/db <nil>
	// <nil> 2 retries
}
