// Retry with backoff runs a task that fails twice before it succeeds. Nothing in the
// task repeats anything: it fails, and its spec says what follows. The console shows
// the delays, which grow, and of which chance takes up to a half.
//
//	go run ./examples/retry_with_backoff
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/console"
	"github.com/taskvisor/taskvisor/supervisor"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	download := actor.Spec{
		Name: "download",
		Task: actor.Func(download),

		// On failure is also what an empty spec says: a success ends the task.
		Restart: policy.OnFailure,
		// From 100 ms, doubled each time, to 2 s at most. The jitter, equal if
		// nothing else is said, keeps half of the delay and draws the other half, so
		// that many tasks that failed together do not come back together.
		Backoff: policy.Exponential(100*time.Millisecond, 2*time.Second),
		// Without this it would be tried for ever.
		MaxRetries: 5,

		Significant: true,
	}
	app := supervisor.New(supervisor.Config{
		Name:     "app",
		Children: []actor.Spec{download},
		// A supervisor lives until it is stopped. This one also ends when the last
		// of its significant children has.
		AutoShutdown: supervisor.AutoShutdownAll,
		Subscribers:  []events.Subscriber{console.New(out).Subscriber()},
	})
	// Run returns when the app has ended. Main does the same, and obeys Ctrl-C.
	return app.Run(ctx)
}

var errRefused = errors.New("connection refused")

// download works at the third attempt. The context knows which one it is.
func download(ctx context.Context) error {
	info, _ := actor.FromContext(ctx)
	select {
	case <-time.After(30 * time.Millisecond): // the work
	case <-ctx.Done():
		return ctx.Err()
	}
	if info.Attempt < 3 {
		return fmt.Errorf("mirror %d: %w", info.Attempt, errRefused)
	}
	return nil
}
