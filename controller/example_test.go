package controller_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// run is what main does: it runs a controller until the program is told to end.
func run(c *controller.Controller) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	_ = c.WaitReady(ctx)
	return func() error {
		cancel()
		return <-ended
	}
}

// job is a task that runs once, until it is told to stop.
func job(name string) actor.Spec {
	return actor.Spec{Name: name, Restart: policy.Never, Task: actor.Func(func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	})}
}

// Of the deployments of a cluster the last one counts, while a health check that is
// already under way need not be made twice.
func ExampleController_Submit() {
	ctx := context.Background()
	c := controller.New(controller.Config{Name: "desk"})
	stop := run(c)

	first, _ := c.Submit(ctx, controller.Submission{Key: "production", Spec: job("deploy-1")})
	second, _ := c.Submit(ctx, controller.Submission{Key: "production", Spec: job("deploy-2"), Admission: controller.Replace})
	o, _ := first.Wait(ctx)
	fmt.Println(first.Name(), o)

	_, _ = c.Submit(ctx, controller.Submission{Spec: job("health"), Admission: controller.DropIfRunning})
	again, _ := c.Submit(ctx, controller.Submission{Spec: job("health"), Admission: controller.DropIfRunning})
	o, _ = again.Wait(ctx)
	fmt.Println(again.Name(), o)

	fmt.Println(second.WaitReady(ctx), stop())
	o, _ = second.Wait(ctx)
	fmt.Println(second.Name(), o)
	// Output:
	// deploy-1 stopped (replaced) after 1 attempt(s)
	// health rejected (busy)
	// <nil> <nil>
	// deploy-2 stopped (shutdown) after 1 attempt(s)
}

// A program can note under which number it will find a task before there is any.
func ExampleController_Prepare() {
	ctx := context.Background()
	c := controller.New(controller.Config{Name: "desk"})
	stop := run(c)

	ticket, err := c.Prepare(controller.Submission{Key: "tenant-7", Spec: job("sync")})
	if err != nil {
		fmt.Println(err)
		return
	}
	orders := map[string]*controller.Ticket{"order-1": ticket}
	fmt.Println("not there yet:", errors.Is(c.Cancel(ctx, ticket.ID()), supervisor.ErrNotFound))

	fmt.Println(orders["order-1"].Submit(ctx))
	h, _ := c.Handle(ticket.ID())
	fmt.Println(h.Path())
	fmt.Println(errors.Is(ticket.Submit(ctx), controller.ErrSubmitted))
	_ = stop()
	// Output:
	// not there yet: true
	// <nil>
	// /desk/sync
	// true
}

// What waits is withdrawn, what runs is stopped.
func ExampleController_Cancel() {
	ctx := context.Background()
	c := controller.New(controller.Config{Name: "desk"})
	stop := run(c)

	owner, _ := c.Submit(ctx, controller.Submission{Key: "tenant-7", Spec: job("sync-1")})
	waiting, _ := c.Submit(ctx, controller.Submission{Key: "tenant-7", Spec: job("sync-2")})
	_, _ = c.Submit(ctx, controller.Submission{Key: "tenant-7", Spec: job("sync-3")})
	for _, h := range []*actor.Handle{waiting, owner} {
		if err := c.Cancel(ctx, h.ID()); err != nil {
			fmt.Println(err)
		}
		o, _ := h.Outcome() // is there when Cancel returns
		fmt.Println(h.Name(), o)
	}
	slot, _ := c.Slot("tenant-7")
	fmt.Println(slot.Owners[0].Path)
	_ = stop()
	// Output:
	// sync-2 rejected (withdrawn)
	// sync-1 stopped (stopped) after 1 attempt(s)
	// /desk/sync-3
}

// A key is emptied as one act; then it can be used again.
func ExampleController_Stop() {
	ctx := context.Background()
	c := controller.New(controller.Config{Name: "desk"})
	stop := run(c)

	var all []*actor.Handle
	for _, name := range []string{"upload-1", "upload-2", "upload-3"} {
		h, _ := c.Submit(ctx, controller.Submission{Key: "camera", Spec: job(name)})
		all = append(all, h)
	}
	fmt.Println(c.Purge("camera"), "withdrawn")
	fmt.Println(c.Stop(ctx, "camera"))
	for _, h := range all {
		o, _ := h.Outcome()
		fmt.Println(h.Name(), o)
	}
	_, busy := c.Slot("camera")
	fmt.Println("busy:", busy)
	_ = stop()
	// Output:
	// 2 withdrawn
	// <nil>
	// upload-1 stopped (stopped) after 1 attempt(s)
	// upload-2 rejected (withdrawn)
	// upload-3 rejected (withdrawn)
	// busy: false
}

// A key may be given more room, and those that wait for it take it at once.
func ExampleController_SetWidth() {
	ctx := context.Background()
	c := controller.New(controller.Config{Name: "desk"})
	stop := run(c)

	for i := range 4 {
		_, _ = c.Submit(ctx, controller.Submission{Key: "encode", Spec: job(fmt.Sprint("video-", i))})
	}
	show := func() {
		slot, _ := c.Slot("encode")
		fmt.Println(len(slot.Owners), "run,", len(slot.Queue), "wait")
	}
	show()
	_ = c.SetWidth("encode", 3)
	show()
	_ = stop()
	// Output:
	// 1 run, 3 wait
	// 3 run, 1 wait
}

// Who runs and who waits, by key.
func ExampleController_Snapshot() {
	ctx := context.Background()
	c := controller.New(controller.Config{Name: "desk", Depth: 10})
	stop := run(c)

	for i := range 12 {
		_, _ = c.Submit(ctx, controller.Submission{Key: "batch", Spec: job(fmt.Sprint("item-", i))})
	}
	_, _ = c.Submit(ctx, controller.Submission{Spec: job("backup")})
	for _, slot := range c.Snapshot().Slots {
		fmt.Printf("%s: %s runs, %d wait\n", slot.Key, slot.Owners[0].Path, len(slot.Queue))
	}
	_ = stop()
	// Output:
	// backup: /desk/backup runs, 0 wait
	// batch: /desk/item-0 runs, 10 wait
}
