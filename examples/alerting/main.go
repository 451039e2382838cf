// Alerting shows a subscriber that calls somebody: when a task gave up, is stuck, or
// fails again and again, and once more when that is over. It knows the tasks by their
// events alone.
//
//	go run ./examples/alerting
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

func main() { run(context.Background(), os.Stdout) }

func run(ctx context.Context, out io.Writer) {
	say := log.New(out, "", 0)
	alerts := &alerter{
		notify:   func(text string) { say.Print(text) }, // or a mail, a pager, a chat
		failures: 3, window: 10 * time.Second, coolDown: time.Minute,
		tasks: map[string]*trouble{},
	}
	const ms = time.Millisecond
	app := supervisor.New(supervisor.Config{
		Name:         "app",
		EndWhenEmpty: true,
		Subscribers:  []events.Subscriber{alerts.subscriber()},
		Children: []actor.Spec{
			{Name: "mail", Task: actor.Func(mail), Backoff: policy.Constant(100 * ms)},
			{Name: "report", Task: actor.Func(report), Backoff: policy.Constant(150 * ms), MaxRetries: 1},
			{Name: "upload", Task: actor.Func(upload), Backoff: policy.Constant(100 * ms), Timeout: 300 * ms, Grace: 100 * ms},
		},
	})
	say.Print("the app has ended: ", app.Run(ctx))
}

// attempt returns which one it is.
func attempt(ctx context.Context) int {
	info, _ := actor.FromContext(ctx)
	return info.Attempt
}

// mail is refused six times.
func mail(ctx context.Context) error {
	if attempt(ctx) <= 6 {
		return errors.New("connection refused")
	}
	return nil
}

// report has no chance.
func report(context.Context) error { return errors.New("no such table") }

// upload does not listen when its time is up, the first time.
func upload(ctx context.Context) error {
	if attempt(ctx) == 1 {
		<-time.After(700 * time.Millisecond)
	}
	return nil
}
