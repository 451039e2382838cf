// Controller shows what becomes of a task when one for the same key runs already:
//
//   - builds wait for their turn (Queue);
//   - a deployment makes way for the next one, and only the latest of those that wait
//     runs (Replace);
//   - a probe is not worth waiting for (DropIfRunning);
//   - of a batch, no more wait than the queue of the key has room for (Depth).
//
// Ctrl-C ends it at any time. Every submission has its outcome even then.
//
//	go run ./examples/controller
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/events"
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
	jobs := controller.New(controller.Config{Name: "jobs", Depth: 2})
	c := &client{jobs: jobs}
	app := supervisor.New(supervisor.Config{
		Name:        "app",
		Subscribers: []events.Subscriber{narrator(say)},
		Children: []actor.Spec{
			jobs.Spec(""), // is ready before the client starts
			{Name: "client", Task: actor.Func(c.run), Restart: policy.Never, Significant: true},
		},
		AutoShutdown: supervisor.AutoShutdownAny, // the app ends with the client
	})
	err := app.Main(ctx)
	say.Print(c.tally())
	return err
}

// client submits, and waits for what becomes of it.
type client struct {
	jobs *controller.Controller
	all  []*actor.Handle
	seen int // how many of them have been waited for
}

func (c *client) run(ctx context.Context) error {
	for _, act := range []func(context.Context) error{c.build, c.deploy, c.probe, c.batch} {
		if err := act(ctx); err != nil {
			return err
		}
		if err := c.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// build submits three at once. They run one after the other.
func (c *client) build(ctx context.Context) error {
	for n := range 3 {
		if err := c.submit(ctx, controller.Queue, "build", n+1, 150*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// deploy changes its mind twice. The first deployment needs some time to end; the second
// waits for that, and never runs, because the third comes before.
func (c *client) deploy(ctx context.Context) error {
	for n := range 3 {
		if err := c.submit(ctx, controller.Replace, "deploy", n+1, 300*time.Millisecond); err != nil {
			return err
		}
		if err := pause(ctx, 80*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// probe asks for one while another runs, which is ignored, and for one when it is over.
func (c *client) probe(ctx context.Context) error {
	for n := range 2 {
		if err := c.submit(ctx, controller.DropIfRunning, "probe", n+1, 100*time.Millisecond); err != nil {
			return err
		}
	}
	if err := c.wait(ctx); err != nil {
		return err
	}
	return c.submit(ctx, controller.DropIfRunning, "probe", 3, 100*time.Millisecond)
}

// batch submits four at once. One runs, two may wait, so one is too many.
func (c *client) batch(ctx context.Context) error {
	for n := range 4 {
		if err := c.submit(ctx, controller.Queue, "batch", n+1, 30*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// submit returns as soon as it is decided whether the job runs, waits or is rejected.
// The error would be one of the call, not of the job.
func (c *client) submit(ctx context.Context, a controller.Admission, key string, n int, d time.Duration) error {
	h, err := c.jobs.Submit(ctx, controller.Submission{
		Key:       key,
		Admission: a,
		Spec:      actor.Spec{Name: fmt.Sprintf("%s-%d", key, n), Task: job(d), Restart: policy.Never},
	})
	if err != nil {
		return err
	}
	c.all = append(c.all, h)
	return nil
}

// wait returns when all that was submitted has its outcome. A job that was rejected has
// one as well.
func (c *client) wait(ctx context.Context) error {
	for ; c.seen < len(c.all); c.seen++ {
		if _, err := c.all[c.seen].Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tally counts the outcomes. Every submission has one, also those of an app that was
// interrupted.
func (c *client) tally() string {
	counts := map[events.Outcome]int{}
	for _, h := range c.all {
		o, _ := h.Outcome()
		counts[o.Kind]++
	}
	return fmt.Sprintf("%d submissions: %d completed, %d stopped, %d rejected",
		len(c.all), counts[events.Completed], counts[events.Stopped], counts[events.Rejected])
}

// job takes its time. It needs some more when it is told to end, as a deployment does
// that cleans up.
func job(d time.Duration) actor.Task {
	return actor.Func(func(ctx context.Context) error {
		if err := pause(ctx, d); err != nil {
			return pause(context.WithoutCancel(ctx), 150*time.Millisecond)
		}
		return nil
	})
}

// acts are the headings of what is told, by key.
var acts = map[string]string{
	"build":  "Queue: each build waits for the one before",
	"deploy": "Replace: a deployment makes way, and only the latest of those that wait runs",
	"probe":  "DropIfRunning: no probe waits",
	"batch":  "Queue, with Depth 2: only two of a batch may wait",
}

// narrator says what the controller decides, in the order in which it does.
func narrator(say *log.Logger) events.Subscriber {
	var act string // a subscriber is told one event at a time
	return events.Subscriber{
		Name:  "narrator",
		Kinds: []events.Kind{events.TaskQueued, events.TaskRejected, events.TaskAdded, events.TaskStopping, events.TaskFinished},
		Handler: events.HandlerFunc(func(e events.Event) {
			dir, name := path.Split(e.Path)
			if dir != "/app/jobs/" {
				return
			}
			if key, _, _ := strings.Cut(name, "-"); key != act {
				act = key
				say.Print(acts[act])
			}
			say.Printf("  %-9s %s", name, words(e))
		}),
	}
}

func words(e events.Event) string {
	switch e.Kind {
	case events.TaskQueued:
		return fmt.Sprintf("waits, as number %d", e.Count)
	case events.TaskRejected:
		return fmt.Sprintf("is rejected: %v", e.Reason)
	case events.TaskAdded:
		return "runs"
	case events.TaskStopping:
		return fmt.Sprintf("is told to end: %v", e.Reason)
	}
	return fmt.Sprintf("has ended: %v", e.Outcome)
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
