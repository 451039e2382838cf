// Latest wins gives each of three tenants three lanes. A change of its configuration
// replaces the one that is being applied, and whatever waited behind that: only the
// latest counts. Its exports run one after the other. Its health is probed, unless a
// probe runs already. No tenant waits for another.
//
//	go run ./examples/latest_wins
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
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

// tenants and how much each of them asks for, once per tick.
var tenants = []tenant{
	{name: "acme", changes: 5, exports: 3, probes: 5},
	{name: "birch", changes: 2, exports: 2, probes: 1},
	{name: "cedar", changes: 1, exports: 1, probes: 3},
}

type tenant struct {
	name                     string
	changes, exports, probes int
}

// How long things take. The tenants have a wish of each kind per tick, and a change is made
// in two steps.
const (
	tick   = 80 * time.Millisecond
	step   = 200 * time.Millisecond
	export = 300 * time.Millisecond
	probe  = 120 * time.Millisecond
)

func run(ctx context.Context, out io.Writer) error {
	lanes := controller.New(controller.Config{Name: "lanes"})
	o := &office{lanes: lanes, say: log.New(out, "", 0), applied: map[string]int{}}
	app := supervisor.New(supervisor.Config{
		Name: "app",
		Children: []actor.Spec{
			lanes.Spec(""),
			{Name: "office", Task: actor.Func(o.run), Restart: policy.Never, Significant: true},
		},
		AutoShutdown: supervisor.AutoShutdownAny, // the app ends with the office
	})
	return app.Run(ctx)
}

// office is where the tenants' wishes arrive.
type office struct {
	lanes *controller.Controller
	say   *log.Logger
	all   []*actor.Handle

	mu      sync.Mutex
	applied map[string]int // guarded by mu: the version of each tenant's configuration
}

func (o *office) run(ctx context.Context) error {
	for n := range 5 {
		for _, t := range tenants {
			if err := o.take(ctx, t, n+1); err != nil {
				return err
			}
		}
		if err := pause(ctx, tick/4); err != nil {
			return err
		}
		if n == 2 {
			o.draw()
		}
		if err := pause(ctx, tick-tick/4); err != nil {
			return err
		}
	}
	return o.tellAll(ctx)
}

// take submits the nth wish of each kind that a tenant has.
func (o *office) take(ctx context.Context, t tenant, n int) error {
	if n <= t.changes {
		err := o.submit(ctx, t.name+"/config", controller.Replace, n, actor.Spec{
			Task: o.change(t.name, n),
			// Two that write one configuration must never overlap: who does not
			// make way in time is waited for, and not abandoned.
			OnStuck: policy.StuckWait,
		})
		if err != nil {
			return err
		}
	}
	if n <= t.exports {
		err := o.submit(ctx, t.name+"/export", controller.Queue, n, actor.Spec{Task: takes(export)})
		if err != nil {
			return err
		}
	}
	if n <= t.probes {
		return o.submit(ctx, t.name+"/probe", controller.DropIfRunning, n, actor.Spec{Task: takes(probe)})
	}
	return nil
}

// submit has the key be the lane. The name of a task is a part of its path, and so it has
// no slash.
func (o *office) submit(ctx context.Context, lane string, a controller.Admission, n int, spec actor.Spec) error {
	spec.Name = fmt.Sprintf("%s-%d", strings.ReplaceAll(lane, "/", "-"), n)
	spec.Restart = policy.Never
	h, err := o.lanes.Submit(ctx, controller.Submission{Key: lane, Admission: a, Spec: spec})
	if err != nil {
		return err
	}
	o.all = append(o.all, h)
	return nil
}

// draw shows all lanes at one moment.
func (o *office) draw() {
	snap := o.lanes.Snapshot()
	ending := 0 // owners that were told to end: they keep their places until they have
	var lanes []string
	for _, s := range snap.Slots {
		var who []string
		for _, owner := range s.Owners {
			if owner.State == supervisor.StateStopping {
				ending++
			}
			who = append(who, fmt.Sprintf("%s is %v", path.Base(owner.Path), owner.State))
		}
		for _, w := range s.Queue {
			who = append(who, path.Base(w.Path)+" waits")
		}
		lanes = append(lanes, fmt.Sprintf("  %-13s %s", s.Key, strings.Join(who, ", ")))
	}
	o.say.Printf("In the middle, %d run, %d are stopping and %d wait:", snap.Owners-ending, ending, snap.Queued)
	o.say.Print(strings.Join(lanes, "\n"))
}

// tellAll waits for the outcome of every wish, and says it.
func (o *office) tellAll(ctx context.Context) error {
	for _, h := range o.all {
		if _, err := h.Wait(ctx); err != nil {
			return err
		}
	}
	o.say.Print("What has become of it all:")
	slices.SortFunc(o.all, func(a, b *actor.Handle) int { return cmp.Compare(a.Name(), b.Name()) })
	for _, h := range o.all {
		outcome, _ := h.Outcome()
		o.say.Printf("  %-15s %s", h.Name(), words(outcome))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.say.Print("What is in force:")
	for _, t := range tenants {
		o.say.Printf("  %-15s version %d", t.name, o.applied[t.name])
	}
	return nil
}

func words(o actor.Outcome) string {
	switch {
	case o.Kind == events.Rejected && o.Reason == events.ReasonSuperseded:
		return "never ran: a later one took its turn"
	case o.Kind == events.Rejected && o.Reason == events.ReasonBusy:
		return "never ran: one was running"
	case o.Reason == events.ReasonReplaced:
		return "stopped halfway: a later one took its place"
	}
	return o.Kind.String()
}

// change applies a version in two steps. After each it looks whether it is still wanted.
func (o *office) change(tenant string, version int) actor.Task {
	return actor.Func(func(ctx context.Context) error {
		for range 2 {
			_ = pause(context.WithoutCancel(ctx), step) // cannot be interrupted
			if ctx.Err() != nil {
				return context.Cause(ctx) // taskvisor: the task was replaced
			}
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.applied[tenant] = version
		return nil
	})
}

func takes(d time.Duration) actor.Task {
	return actor.Func(func(ctx context.Context) error { return pause(ctx, d) })
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
