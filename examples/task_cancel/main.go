// Task cancel stops a task from outside. The worker would run for ever: its restart
// policy is Always. The operator, another task, looks at it, stops it, and removes it.
//
//	go run ./examples/task_cancel
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	say := log.New(out, "", 0)
	app := supervisor.New(supervisor.Config{
		Name: "app",
		Children: []actor.Spec{
			{
				Name:    "worker",
				Task:    actor.Func(func(ctx context.Context) error { return work(ctx, say) }),
				Restart: policy.Always,
			},
			{
				Name:    "operator",
				Task:    actor.Func(func(ctx context.Context) error { return operate(ctx, say) }),
				Restart: policy.Never,
			},
		},
		EndWhenEmpty: true,
	})
	return app.Run(ctx)
}

// work is one round of the worker: Always has it followed by the next one.
func work(ctx context.Context, say *log.Logger) error {
	info, _ := actor.FromContext(ctx)
	select {
	case <-time.After(100 * time.Millisecond):
		say.Printf("worker: round %d is done", info.Attempt)
		return nil
	case <-ctx.Done():
		say.Printf("worker: round %d is cut short: %v", info.Attempt, context.Cause(ctx))
		return ctx.Err()
	}
}

func operate(ctx context.Context, say *log.Logger) error {
	app := supervisor.FromContext(ctx)
	select {
	case <-time.After(250 * time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	list(app, say)

	// Stop returns when the worker has ended. A declared child keeps its place: it
	// could be started again by Restart.
	if err := app.Stop(ctx, "worker"); err != nil {
		return err
	}
	list(app, say)

	// Remove stops what still runs, and forgets it.
	if err := app.Remove(ctx, "worker"); err != nil {
		return err
	}
	list(app, say)

	err := app.Stop(ctx, "worker")
	say.Printf("operator: %v (not found: %t)", err, errors.Is(err, supervisor.ErrNotFound))
	return nil
}

// list shows what the supervisor itself knows, not what events have told.
func list(app *supervisor.Supervisor, say *log.Logger) {
	say.Print("operator: the list:")
	for _, child := range app.Children() {
		say.Printf("  %-9s %v", child.Name, child.State)
	}
}
