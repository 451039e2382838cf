package actor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// Done may be wrapped like any error: the task has completed all the same, although it
// would be run again after a success.
func Example_done() {
	drain := func(context.Context) error {
		return fmt.Errorf("nothing left in the queue: %w", actor.Done)
	}
	err := supervisor.Main(context.Background(), actor.Spec{
		Name: "drain", Task: actor.Func(drain), Restart: policy.Always,
	})
	fmt.Println(err)
	// Output: <nil>
}

// Every goroutine of a task carries the task's path, so that a profile can be read task
// by task.
func ExampleGoroutines() {
	crawl := func(ctx context.Context) error {
		arrived, enough := make(chan bool), make(chan bool)
		for range 3 {
			err := actor.Go(ctx, func(context.Context) error { return fetchPage(arrived, enough) })
			if err != nil {
				return err
			}
			<-arrived
		}
		count := 0
		for _, g := range actor.Goroutines() {
			if g.Path == "/crawl" && strings.Contains(g.Stack, "fetchPage") {
				count += g.Count
			}
		}
		fmt.Println(count, "pages are being fetched")
		close(enough)
		return nil
	}
	_ = supervisor.Main(context.Background(), actor.Spec{Name: "crawl", Task: actor.Func(crawl)})
	// Output: 3 pages are being fetched
}

func fetchPage(arrived, enough chan bool) error {
	arrived <- true
	<-enough
	return nil
}

// Who starts a task can wait until it is up, and learns of it when it never will be.
func ExampleHandle_WaitReady() {
	boss := func(ctx context.Context) error {
		family := supervisor.FromContext(ctx)
		cache, err := family.Start(ctx, actor.Spec{
			Name: "cache", AwaitReady: true,
			Task: actor.Func(func(ctx context.Context) error {
				fmt.Println("warming up")
				actor.Ready(ctx)
				<-ctx.Done()
				return nil
			}),
		})
		if err != nil {
			return err
		}
		fmt.Println("cache:", cache.WaitReady(ctx))

		mail, err := family.Start(ctx, actor.Spec{
			Name: "mail", AwaitReady: true,
			Task: actor.Func(func(context.Context) error { return actor.Fatal(errors.New("wrong password")) }),
		})
		if err != nil {
			return err
		}
		fmt.Println("mail:", mail.WaitReady(ctx))
		return family.Stop(ctx, "cache")
	}
	_ = supervisor.Main(context.Background(), actor.Spec{Name: "boss", Task: actor.Func(boss)})
	// Output:
	// warming up
	// cache: <nil>
	// mail: task /mail: ended before it was ready: wrong password
}

// Done is a channel for a select, and Outcome an answer that does not wait.
func ExampleHandle_Done() {
	boss := func(ctx context.Context) error {
		answer := make(chan string)
		job, err := supervisor.FromContext(ctx).Start(ctx, actor.Spec{
			Name: "job", Task: actor.Func(func(context.Context) error { answer <- "42"; return nil }),
		})
		if err != nil {
			return err
		}
		_, ended := job.Outcome()
		fmt.Println("ended:", ended)
		for {
			select {
			case a := <-answer:
				fmt.Println("answer:", a)
			case <-job.Done():
				outcome, ended := job.Outcome()
				fmt.Println("ended:", ended, outcome.Kind)
				return nil
			case <-ctx.Done():
				return nil
			}
		}
	}
	_ = supervisor.Main(context.Background(), actor.Spec{Name: "boss", Task: actor.Func(boss)})
	// Output:
	// ended: false
	// answer: 42
	// ended: true completed
}

// An outcome says how a task ended for good, after how many attempts, and with which
// error.
func ExampleHandle_Outcome() {
	boss := func(ctx context.Context) error {
		job, err := supervisor.FromContext(ctx).Start(ctx, actor.Spec{
			Name: "job", Backoff: policy.NoBackoff(), MaxRetries: 2,
			Task: actor.Func(func(context.Context) error { return errors.New("no route to host") }),
		})
		if err != nil {
			return err
		}
		<-job.Done()
		outcome, _ := job.Outcome()
		fmt.Println(outcome.Success(), outcome.Kind, outcome.Attempts)
		fmt.Println(outcome.Err)
		return nil
	}
	_ = supervisor.Main(context.Background(), actor.Spec{Name: "boss", Task: actor.Func(boss)})
	// Output:
	// false failed 3
	// no route to host
}

// The logger given to the context of a run is the base of all loggers below.
func ExampleWithLogger() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "id" {
				return slog.Attr{} // differs from run to run
			}
			return a
		},
	}))
	ctx := actor.WithLogger(context.Background(), logger.With("service", "shop"))
	_ = supervisor.Main(ctx, actor.Spec{Name: "stock", Task: actor.Func(func(ctx context.Context) error {
		actor.Logger(ctx).Warn("low", "item", "tea")
		return nil
	})})
	// Output: level=WARN msg=low service=shop path=/stock attempt=1 generation=1 item=tea
}
