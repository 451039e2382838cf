package supervisor_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/supervisor"
)

// background runs app on a goroutine of its own and returns when its children are up.
// The function that it returns ends the run and waits for its end.
func background(app *supervisor.Supervisor) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	if err := app.WaitReady(ctx); err != nil {
		fmt.Println(err)
	}
	return func() {
		cancel()
		if err := <-ended; err != nil {
			fmt.Println(err)
		}
	}
}

// Start adds a child to a supervisor that runs, and its handle tells how it ended.
func ExampleSupervisor_Start() {
	app := supervisor.New(supervisor.Config{Name: "app"})
	stop := background(app)
	defer stop()

	ctx := context.Background()
	job, err := app.Start(ctx, actor.Spec{
		Name: "job-7",
		Task: actor.Func(func(context.Context) error { fmt.Println("working"); return nil }),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	outcome, err := job.Wait(ctx)
	fmt.Println(job.Path(), outcome.Kind, err)
	// Output:
	// working
	// /app/job-7 completed <nil>
}

// StartAll adds all children or, when one of them is refused, none.
func ExampleSupervisor_StartAll() {
	idle := actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })
	app := supervisor.New(supervisor.Config{
		Name:     "app",
		Children: []actor.Spec{{Name: "eu", Task: idle}},
	})
	stop := background(app)
	defer stop()

	ctx := context.Background()
	_, err := app.StartAll(ctx, actor.Spec{Name: "us", Task: idle}, actor.Spec{Name: "eu", Task: idle})
	fmt.Println(errors.Is(err, supervisor.ErrExists), len(app.Children()))

	handles, err := app.StartAll(ctx, actor.Spec{Name: "us", Task: idle}, actor.Spec{Name: "asia", Task: idle})
	fmt.Println(err, len(app.Children()))
	for _, h := range handles {
		fmt.Println(h.Path())
	}
	// Output:
	// true 1
	// <nil> 3
	// /app/us
	// /app/asia
}

// Stop returns when the task has ended. A declared child keeps its place in the listing.
func ExampleSupervisor_Stop() {
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		{Name: "mailer", Task: actor.Func(func(ctx context.Context) error {
			<-ctx.Done()
			fmt.Println(context.Cause(ctx))
			return nil
		})},
	}})
	stop := background(app)
	defer stop()

	err := app.Stop(context.Background(), "mailer")
	fmt.Println(err, app.Children()[0].State)
	// Output:
	// taskvisor: the task was stopped
	// <nil> stopped
}

// Remove stops a child and frees its name, so that another may take it.
func ExampleSupervisor_Remove() {
	idle := actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })
	app := supervisor.New(supervisor.Config{
		Name:     "app",
		Children: []actor.Spec{{Name: "feed", Task: idle}},
	})
	stop := background(app)
	defer stop()

	ctx := context.Background()
	other := actor.Spec{Name: "feed", Task: idle}
	_, err := app.Start(ctx, other)
	fmt.Println(errors.Is(err, supervisor.ErrExists))

	fmt.Println(app.Remove(ctx, "feed"))
	_, err = app.Start(ctx, other)
	fmt.Println(err)
	// Output:
	// true
	// <nil>
	// <nil>
}

// A task that has completed can be run again: it gets a new life, with a new handle.
func ExampleSupervisor_Restart() {
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		{Name: "import", Task: actor.Func(func(context.Context) error { fmt.Println("importing"); return nil })},
	}})
	stop := background(app)
	defer stop()

	ctx := context.Background()
	first, err := app.Handle("import")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = first.Wait(ctx)

	second, err := app.Restart(ctx, "import")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = second.Wait(ctx)
	fmt.Println(first.Path() == second.Path(), first.ID() == second.ID())
	// Output:
	// importing
	// importing
	// true false
}

// A child is found by its name, by its path from the supervisor, or by its full path.
func ExampleSupervisor_Handle() {
	idle := actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })
	pool := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "worker-1", Task: idle}}})
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{pool.Spec("pool")}})
	stop := background(app)
	defer stop()

	for _, address := range []string{"pool", "pool/worker-1", "/app/pool/worker-1"} {
		h, err := app.Handle(address)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(h.Path())
	}
	_, err := app.Handle("worker-1")
	fmt.Println(errors.Is(err, supervisor.ErrNotFound))
	// Output:
	// /app/pool
	// /app/pool/worker-1
	// /app/pool/worker-1
	// true
}

// A limit on what runs at the same time can be raised while tasks wait for it.
func ExampleSupervisor_SetConcurrency() {
	app := supervisor.New(supervisor.Config{Name: "app", Concurrency: 1})
	stop := background(app)
	defer stop()

	ctx := context.Background()
	idle := actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })
	handles, err := app.StartAll(ctx, actor.Spec{Name: "a", Task: idle}, actor.Spec{Name: "b", Task: idle})
	if err != nil {
		fmt.Println(err)
		return
	}
	a, b := handles[0], handles[1]
	fmt.Println("a is up:", a.WaitReady(ctx), app.Tree().PermitsUsed)

	err = app.SetConcurrency(2)
	fmt.Println("now two:", err)
	fmt.Println("b is up:", b.WaitReady(ctx), app.Tree().PermitsUsed)
	// Output:
	// a is up: <nil> 1
	// now two: <nil>
	// b is up: <nil> 2
}
