// Basic one shot runs one task once: three ticks, then the task has ended, and the
// program with it. Ctrl-C ends it earlier, and gracefully.
//
//	go run ./examples/basic_one_shot
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
	ticker := actor.Spec{
		Name:    "ticker",
		Restart: policy.Never,    // once, whatever comes of it
		Timeout: 5 * time.Second, // then the context of the attempt ends
		Task:    actor.Func(func(ctx context.Context) error { return tick(ctx, say, 3) }),
	}

	// Main is for the main function: it returns when the last of its tasks has
	// ended, and on SIGINT or SIGTERM it stops them first. The error is that of the
	// tasks that failed, or nil.
	if err := supervisor.Main(ctx, ticker); err != nil {
		return err
	}
	say.Print("nothing is left to run: the program ends")
	return nil
}

// tick is the task. What it has to know about supervision is what every function
// with a context should: return nil when the work is done, an error when it cannot
// be done, and soon when ctx has ended.
func tick(ctx context.Context, say *log.Logger, ticks int) error {
	for n := 1; n <= ticks; n++ {
		select {
		case <-time.After(500 * time.Millisecond):
			say.Printf("tick %d of %d", n, ticks)
		case <-ctx.Done():
			// The cause says why: a shutdown, a timeout, somebody's Stop.
			say.Print("interrupted: ", context.Cause(ctx))
			return ctx.Err()
		}
	}
	return nil
}
