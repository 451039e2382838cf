// Custom subscriber shows how to react to what happens: an alert for every task that
// has failed for good. Alpha is fine, bravo is not.
//
//	go run ./examples/custom_subscriber
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// alert is the subscriber. Its handler is called on a goroutine of its own, one event
// after the other: if it is slow, or panics, no task will notice.
func alert(say *log.Logger) events.Subscriber {
	return events.Subscriber{
		Name:  "alert",
		Kinds: []events.Kind{events.TaskFinished}, // all of them if none is named
		Handler: events.HandlerFunc(func(e events.Event) {
			if e.Outcome == events.Failed {
				say.Printf("ALERT: %s failed at attempt %d: %v", e.Path, e.Attempt, e.Err)
			}
		}),
	}
}

func run(ctx context.Context, out io.Writer) error {
	say := log.New(out, "", 0)
	app := supervisor.New(supervisor.Config{
		Name:        "app",
		Subscribers: []events.Subscriber{alert(say)},
		Children: []actor.Spec{
			{Name: "alpha", Task: actor.Func(alpha)},
			{Name: "bravo", Task: actor.Func(bravo), MaxRetries: 1},
		},
		EndWhenEmpty: true, // the app ends with the last of them
		Defaults:     supervisor.Defaults{Backoff: policy.Constant(100 * time.Millisecond)},
	})

	// The subscribers are there for the length of a run. At its end they are given
	// the time to handle what is queued, so the alert comes before the last line.
	err := app.Run(ctx)
	say.Print("the app has ended: ", err)
	return nil
}

func alpha(ctx context.Context) error {
	select {
	case <-time.After(time.Second): // the work
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func bravo(context.Context) error { return errors.New("no space left on device") }
