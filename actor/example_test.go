package actor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func ExampleFatal() {
	login := func(context.Context) error {
		fmt.Println("login")
		return actor.Fatal(errors.New("the password is wrong"))
	}
	err := supervisor.Main(context.Background(), actor.Spec{Name: "login", Task: actor.Func(login)})
	fmt.Println(err)
	// Output:
	// login
	// task /login: the password is wrong
}

// Done ends a task that would otherwise be run again after every success.
func ExampleFunc_done() {
	pages := []string{"one", "two"}
	fetch := func(context.Context) error {
		if len(pages) == 0 {
			return actor.Done
		}
		fmt.Println("page", pages[0])
		pages = pages[1:]
		return nil
	}
	err := supervisor.Main(context.Background(), actor.Spec{
		Name: "fetch", Task: actor.Func(fetch), Restart: policy.Always,
	})
	fmt.Println(err)
	// Output:
	// page one
	// page two
	// <nil>
}

func ExampleRetryAfter() {
	var last time.Time
	call := func(ctx context.Context) error {
		if info, _ := actor.FromContext(ctx); info.Attempt == 1 {
			last = time.Now()
			return actor.RetryAfter(errors.New("too many requests"), 20*time.Millisecond)
		}
		fmt.Println("after at least 20ms:", time.Since(last) >= 20*time.Millisecond)
		return nil
	}
	_ = supervisor.Main(context.Background(), actor.Spec{
		Name: "call", Task: actor.Func(call), Backoff: policy.Constant(time.Hour),
	})
	// Output: after at least 20ms: true
}

func ExampleEscalate() {
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		{Name: "web", Task: actor.Func(func(ctx context.Context) error {
			<-ctx.Done()
			fmt.Println("web:", context.Cause(ctx))
			return nil
		})},
		{Name: "disk", Task: actor.Func(func(context.Context) error {
			return actor.Escalate(errors.New("read-only file system"))
		})},
	}})
	err := app.Run(context.Background())
	fmt.Println(errors.As(err, new(*supervisor.EscalatedError)))
	// Output:
	// web: taskvisor: the supervisor shuts down
	// true
}

func ExampleContain() {
	err := actor.Contain(actor.Fatal(os.ErrNotExist))
	fmt.Println(err)
	fmt.Println(errors.Is(err, os.ErrNotExist))
	// Output:
	// file does not exist
	// true
}

func ExampleGo() {
	task := func(ctx context.Context) error {
		// The first helper that fails ends the context of the others.
		err := actor.Go(ctx, func(ctx context.Context) error {
			<-ctx.Done()
			fmt.Println("reader:", context.Cause(ctx))
			return nil
		})
		if err != nil {
			return err
		}
		return actor.Go(ctx, func(context.Context) error {
			return errors.New("writer: broken pipe")
		})
	}
	err := supervisor.Main(context.Background(), actor.Spec{
		Name: "copy", Task: actor.Func(task), Restart: policy.Never,
	})
	fmt.Println(err)
	// Output:
	// reader: writer: broken pipe
	// task /copy: writer: broken pipe
}

func ExampleReady() {
	ctx, stop := context.WithCancel(context.Background())
	app := supervisor.New(supervisor.Config{
		Strategy: supervisor.RestForOne,
		Children: []actor.Spec{
			{Name: "db", AwaitReady: true, Task: actor.Func(func(ctx context.Context) error {
				fmt.Println("db: connected")
				actor.Ready(ctx)
				<-ctx.Done()
				return nil
			})},
			{Name: "web", Task: actor.Func(func(context.Context) error {
				fmt.Println("web: started")
				stop()
				return nil
			})},
		},
	})
	fmt.Println(app.Run(ctx))
	// Output:
	// db: connected
	// web: started
	// <nil>
}

func ExampleBeat() {
	work := func(ctx context.Context) error {
		for i := range 3 {
			fmt.Println("item", i)
			actor.Beat(ctx)
		}
		return nil
	}
	// An item that takes longer than a minute ends the attempt with a *StallError.
	err := supervisor.Main(context.Background(), actor.Spec{
		Name: "work", Task: actor.Func(work), Stall: time.Minute,
	})
	fmt.Println(err)
	// Output:
	// item 0
	// item 1
	// item 2
	// <nil>
}

func ExampleFromContext() {
	task := func(ctx context.Context) error {
		info, _ := actor.FromContext(ctx)
		fmt.Println(info.Path, info.Name, info.Attempt)
		if info.Attempt < 2 {
			return errors.New("once more")
		}
		return nil
	}
	_ = supervisor.Main(context.Background(), actor.Spec{
		Name: "task", Task: actor.Func(task), Backoff: policy.NoBackoff(),
	})
	// Output:
	// /task task 1
	// /task task 2
}

func ExampleLogger() {
	shown := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "id" {
			return slog.Attr{}
		}
		return a
	}
	ctx := actor.WithLogger(context.Background(),
		slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: shown})))
	_ = supervisor.Main(ctx, actor.Spec{Name: "db", Task: actor.Func(func(ctx context.Context) error {
		actor.Logger(ctx).Info("connected", "host", "db1")
		return nil
	})})
	// Output: level=INFO msg=connected path=/db attempt=1 generation=1 host=db1
}

func ExampleHandle_Wait() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	app := supervisor.New(supervisor.Config{Name: "app"})
	importer := actor.Func(func(ctx context.Context) error {
		h, err := app.Start(ctx, actor.Spec{Name: "import-7", Task: actor.Func(func(context.Context) error {
			return actor.Fatal(errors.New("no such file"))
		})})
		if err != nil {
			return err
		}
		outcome, err := h.Wait(ctx)
		fmt.Println(h.Path(), outcome.Kind, outcome.Attempts, outcome.Err, err)
		stop()
		return nil
	})
	boss := supervisor.New(supervisor.Config{Children: []actor.Spec{
		app.Spec(""), {Name: "importer", Task: importer},
	}})
	fmt.Println(boss.Run(ctx))
	// Output:
	// /app/import-7 failed 1 no such file <nil>
	// <nil>
}

func ExampleSpec_Validate() {
	spec := actor.Spec{Name: "db/main", Task: actor.Func(func(context.Context) error { return nil })}
	err := spec.Validate()
	fmt.Println(err)
	fmt.Println(errors.Is(err, policy.ErrInvalid))
	// Output:
	// spec "db/main": Name: "db/main": must not contain '/', which separates the parts of a path
	// true
}
