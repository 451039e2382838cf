// Dynamic add remove shows tasks that come and go while the program runs. One task,
// the manager, adds two others to the supervisor that it runs under itself: a ticker,
// which it removes later, and a report, whose end it awaits.
//
//	go run ./examples/dynamic_add_remove
package main

import (
	"context"
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
	manager := actor.Spec{
		Name:    "manager",
		Restart: policy.Never,
		Task:    actor.Func(func(ctx context.Context) error { return manage(ctx, say) }),
	}
	app := supervisor.New(supervisor.Config{
		Name:         "app",
		Children:     []actor.Spec{manager},
		EndWhenEmpty: true, // nothing left to run is the end of the app
	})
	return app.Run(ctx)
}

func manage(ctx context.Context, say *log.Logger) error {
	// A task finds the supervisor that runs it by its context.
	app := supervisor.FromContext(ctx)

	// Start returns when the child is admitted. The ctx is only for the call: the
	// child is the supervisor's from now on, and would survive the manager.
	tick := func(ctx context.Context) error { return tick(ctx, say) }
	if _, err := app.Start(ctx, actor.Spec{Name: "ticker", Task: actor.Func(tick)}); err != nil {
		return err
	}
	work := func(ctx context.Context) error { return pause(ctx, 250*time.Millisecond) }
	report, err := app.Start(ctx, actor.Spec{Name: "report", Task: actor.Func(work)})
	if err != nil {
		return err
	}
	list(app, say)

	// The handle follows the report through all of its attempts. When it resolves,
	// the report is forgotten, and its name is free.
	outcome, err := report.Wait(ctx)
	if err != nil {
		return err
	}
	say.Printf("manager: the report has %v", outcome.Kind)
	list(app, say)

	// Remove returns when the ticker has ended.
	err = app.Remove(ctx, "ticker")
	list(app, say)
	return err
}

func list(app *supervisor.Supervisor, say *log.Logger) {
	for _, child := range app.Children() {
		say.Printf("manager:   %-8s is %v", child.Name, child.State)
	}
}

func tick(ctx context.Context, say *log.Logger) error {
	for pause(ctx, 100*time.Millisecond) == nil {
		say.Print("ticker: tick")
	}
	say.Print("ticker: ", context.Cause(ctx))
	return nil
}

// pause is a sleep that ends with its context.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
