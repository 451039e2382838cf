package supervisor_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// A supervisor runs its children until its context ends.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		{Name: "greeter", Task: actor.Func(func(ctx context.Context) error {
			fmt.Println("hello")
			stop() // comes from elsewhere in a program
			<-ctx.Done()
			return nil
		})},
	}})
	err := app.Run(ctx)
	fmt.Println("stopped:", err)
	// Output:
	// hello
	// stopped: <nil>
}

// A task that fails is run again, and one that panics too.
func Example_restart() {
	dial := func(ctx context.Context) error {
		info, _ := actor.FromContext(ctx)
		fmt.Println("attempt", info.Attempt)
		switch info.Attempt {
		case 1:
			return errors.New("connection refused")
		case 2:
			panic("no address")
		}
		return nil
	}
	err := supervisor.Main(context.Background(), actor.Spec{
		Name: "dial", Task: actor.Func(dial), Backoff: policy.NoBackoff(),
	})
	fmt.Println(err)
	// Output:
	// attempt 1
	// attempt 2
	// attempt 3
	// <nil>
}

// Main returns when the last task has ended, with the errors of those that failed for
// good.
func ExampleMain() {
	err := supervisor.Main(context.Background(),
		actor.Spec{Name: "fetch", Task: actor.Func(func(context.Context) error {
			return nil
		})},
		actor.Spec{Name: "store", Restart: policy.Never, Task: actor.Func(func(context.Context) error {
			return errors.New("disk full")
		})},
	)
	fmt.Println(err)
	// Output: task /store: disk full
}

// Children start in order, each when its elders are ready. With a strategy other than
// OneForOne they also stop in reverse order, one after the other.
func ExampleSupervisor_Run() {
	service := func(name string) actor.Spec {
		return actor.Spec{Name: name, AwaitReady: true, Task: actor.Func(func(ctx context.Context) error {
			fmt.Println(name, "up")
			actor.Ready(ctx)
			<-ctx.Done()
			fmt.Println(name, "down")
			return nil
		})}
	}
	ctx, stop := context.WithCancel(context.Background())
	app := supervisor.New(supervisor.Config{
		Strategy: supervisor.RestForOne,
		Children: []actor.Spec{
			service("db"),
			service("web"),
			{Name: "stop", Task: actor.Func(func(context.Context) error { stop(); return nil })},
		},
	})
	fmt.Println(app.Run(ctx))
	// Output:
	// db up
	// web up
	// web down
	// db down
	// <nil>
}

// A batch program ends with its last task, or gracefully when it is interrupted.
func ExampleSupervisor_Main() {
	job := func(ctx context.Context) error {
		info, _ := actor.FromContext(ctx)
		fmt.Println("done:", info.Path)
		return nil
	}
	batch := supervisor.New(supervisor.Config{
		Name:         "batch",
		EndWhenEmpty: true,
		Children:     []actor.Spec{{Name: "import", Task: actor.Func(job)}},
	})
	fmt.Println(batch.Main(context.Background()))
	// Output:
	// done: /batch/import
	// <nil>
}

// What cannot be used is named before anything runs. Run refuses it with the same error.
func ExampleSupervisor_Validate() {
	idle := actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		{Name: "db", Task: idle},
		{Name: "db", Task: idle},
	}})
	err := app.Validate()
	fmt.Println(errors.Is(err, policy.ErrInvalid))

	var wrong *policy.FieldError
	if errors.As(err, &wrong) {
		fmt.Println(wrong)
	}
	// Output:
	// true
	// Name: "db": is there twice
}

// A task can start a sibling without knowing who supervises it.
func ExampleFromContext() {
	boss := func(ctx context.Context) error {
		family := supervisor.FromContext(ctx)
		helper, err := family.Start(ctx, actor.Spec{
			Name: "helper",
			Task: actor.Func(func(context.Context) error { fmt.Println("helping"); return nil }),
		})
		if err != nil {
			return err
		}
		outcome, err := helper.Wait(ctx)
		fmt.Println(helper.Path(), outcome.Kind)
		return err
	}
	_ = supervisor.Main(context.Background(), actor.Spec{Name: "boss", Task: actor.Func(boss)})
	// Output:
	// helping
	// /helper completed
}

// database is a supervisor that holds a connection while its children run.
type database struct{ *supervisor.Supervisor }

func (d database) Run(ctx context.Context) error {
	fmt.Println("connect")
	defer fmt.Println("disconnect")
	return d.Supervisor.Run(ctx)
}

// A type that embeds a *Supervisor is a Family: it may do something around the run, and
// is treated like a supervisor all the same. It is hung into a tree by a spec of its own,
// for the embedded Supervisor's Spec knows nothing of the type around it.
func ExampleFamily() {
	query := func(ctx context.Context) error {
		info, _ := actor.FromContext(ctx)
		fmt.Println("query by", info.Path)
		return nil
	}
	db := database{supervisor.New(supervisor.Config{
		EndWhenEmpty: true,
		Children:     []actor.Spec{{Name: "report", Task: actor.Func(query)}},
	})}
	err := supervisor.Main(context.Background(), actor.Spec{Name: "db", Task: db})
	fmt.Println(err)
	// Output:
	// connect
	// query by /db/report
	// disconnect
	// <nil>
}
