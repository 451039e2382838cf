package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// With RestForOne a failure restarts the child that failed and those started after it,
// which may depend on it.
func ExampleStrategy() {
	ctx, stop := context.WithCancel(context.Background())
	webIsUp := make(chan bool)
	service := func(name string, next func(attempt int) error) actor.Spec {
		return actor.Spec{Name: name, AwaitReady: true, Task: actor.Func(func(ctx context.Context) error {
			info, _ := actor.FromContext(ctx)
			fmt.Println(name, info.Attempt)
			actor.Ready(ctx)
			if err := next(info.Attempt); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		})}
	}
	app := supervisor.New(supervisor.Config{
		Strategy: supervisor.RestForOne,
		Defaults: supervisor.Defaults{Backoff: policy.NoBackoff()},
		Children: []actor.Spec{
			service("db", func(int) error { return nil }),
			service("cache", func(attempt int) error {
				if attempt == 1 {
					<-webIsUp
					return errors.New("out of memory")
				}
				return nil
			}),
			service("web", func(attempt int) error {
				if attempt == 1 {
					webIsUp <- true
				} else {
					stop()
				}
				return nil
			}),
		},
	})
	fmt.Println(app.Run(ctx))
	// Output:
	// db 1
	// cache 1
	// web 1
	// cache 2
	// web 2
	// <nil>
}

// A supervisor gives up when its children fail too often.
func ExampleIntensityError() {
	app := supervisor.New(supervisor.Config{
		Name:      "app",
		Intensity: policy.Intensity{Restarts: 3, Within: time.Minute},
		Children: []actor.Spec{{
			Name: "db", Backoff: policy.NoBackoff(),
			Task: actor.Func(func(context.Context) error { return errors.New("connection refused") }),
		}},
	})
	err := app.Run(context.Background())

	var often *supervisor.IntensityError
	if errors.As(err, &often) {
		fmt.Println(often.Child, "was restarted", often.Restarts, "times:", often.Err)
	}
	// Output: /app/db was restarted 3 times: connection refused
}

// A task that does not return when it is told to is left behind, and named. Its grace,
// ten seconds unless its spec says otherwise, is next to nothing here.
func ExampleStopError() {
	release := make(chan bool)
	ctx, stop := context.WithCancel(context.Background())
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		{Name: "stubborn", Grace: policy.NoGrace, Task: actor.Func(func(context.Context) error {
			stop()
			<-release // instead of its context
			return nil
		})},
	}})
	err := app.Run(ctx)

	var left *supervisor.StopError
	if errors.As(err, &left) {
		for _, stuck := range left.Stuck {
			fmt.Println(stuck.Path, "is stuck in attempt", stuck.Attempt)
		}
	}
	close(release)
	// Output: /app/stubborn is stuck in attempt 1
}

// A child for whose sake the others run is significant: its end ends the supervisor.
func ExampleAutoShutdown() {
	app := supervisor.New(supervisor.Config{
		Name:         "app",
		AutoShutdown: supervisor.AutoShutdownAny,
		Children: []actor.Spec{
			{Name: "progress", Task: actor.Func(func(ctx context.Context) error {
				<-ctx.Done() // would run forever
				return nil
			})},
			{Name: "import", Significant: true, Task: actor.Func(func(context.Context) error {
				fmt.Println("imported")
				return nil
			})},
		},
	})
	fmt.Println(app.Run(context.Background()))
	// Output:
	// imported
	// <nil>
}

// A significant child that fails for good ends its supervisor with an error.
func ExampleEndedError() {
	app := supervisor.New(supervisor.Config{
		Name:         "app",
		AutoShutdown: supervisor.AutoShutdownAny,
		Children: []actor.Spec{{
			Name: "import", Significant: true, Restart: policy.Never,
			Task: actor.Func(func(context.Context) error { return errors.New("no such file") }),
		}},
	})
	err := app.Run(context.Background())

	var ended *supervisor.EndedError
	if errors.As(err, &ended) {
		fmt.Println(ended.Child, "failed:", ended.Err)
	}
	// Output: /app/import failed: no such file
}

// A declared child that others wait for, and that gives up before it was ready, keeps
// its supervisor from starting.
func ExampleStartError() {
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		{Name: "db", AwaitReady: true, Task: actor.Func(func(context.Context) error {
			return actor.Fatal(errors.New("unknown host"))
		})},
		{Name: "web", Task: actor.Func(func(context.Context) error {
			fmt.Println("is never reached")
			return nil
		})},
	}})
	err := app.Run(context.Background())

	var start *supervisor.StartError
	if errors.As(err, &start) {
		fmt.Println(start.Child, "did not start:", start.Err)
	}
	// Output: /app/db did not start: unknown host
}
