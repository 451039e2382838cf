package controller_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/policy"
)

// start runs a controller outside of a bubble, until the test is over.
func start(t *testing.T, cfg controller.Config) *controller.Controller {
	t.Helper()
	c := controller.New(cfg)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return c
}

// scaled is a number of repetitions that fits the run.
func scaled(n int) int {
	if testing.Short() {
		return n / 20
	}
	return n
}

// Whoever learns of an end, in whichever way, finds the place free and the name too.
func TestAPlaceIsFreeTheMomentItsOwnersOutcomeIsThere(t *testing.T) {
	ctx := context.Background()
	returns := func(err error) actor.Func { return func(context.Context) error { return err } }
	for name, row := range map[string]struct {
		task   actor.Func
		learns func(c *controller.Controller, h *actor.Handle) error
	}{
		"by Wait": {returns(nil), func(_ *controller.Controller, h *actor.Handle) error {
			_, err := h.Wait(ctx)
			return err
		}},
		"by Done after a failure": {returns(errBoom), func(_ *controller.Controller, h *actor.Handle) error {
			<-h.Done()
			return nil
		}},
		"by Outcome": {func(context.Context) error { panic("oops") }, func(_ *controller.Controller, h *actor.Handle) error {
			for {
				if _, ok := h.Outcome(); ok {
					return nil
				}
				runtime.Gosched() // it spins, and those that it waits for are to run
			}
		}},
		"by Cancel": {serve, func(c *controller.Controller, h *actor.Handle) error {
			return c.Cancel(ctx, h.ID())
		}},
		"by Stop": {serve, func(c *controller.Controller, h *actor.Handle) error {
			return c.Stop(ctx, "k"+h.Name())
		}},
		"by Stop of the supervisor": {serve, func(c *controller.Controller, h *actor.Handle) error {
			return c.Head().Stop(ctx, h.Name())
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t, controller.Config{Name: "desk"})
			var wg sync.WaitGroup
			for i := range 16 {
				wg.Go(func() {
					own := fmt.Sprint(i)
					for n := range scaled(300) {
						h, err := c.Submit(ctx, submission(controller.DropIfRunning, "k"+own, own, row.task))
						if err != nil {
							t.Error(err)
							return
						}
						if err := row.learns(c, h); err != nil {
							t.Error(err)
							return
						}
						if o, ok := h.Outcome(); !ok || o.Attempts > 1 || errors.As(o.Err, new(*actor.RejectedError)) {
							t.Errorf("round %d: %v, %v", n, o, ok)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// The next of a queue has the place before anybody else can come: a crowd that tries
// all the time does not get in between.
func TestNobodyPassesThoseThatWaitWhenAPlaceBecomesFree(t *testing.T) {
	c := start(t, controller.Config{Name: "desk", Depth: policy.Unlimited})
	ctx := context.Background()
	gate := make(chan struct{})
	n := scaled(500)
	var began []int // by one task at a time
	var queue []*actor.Handle
	for i := range n {
		h, err := c.Submit(ctx, submission(controller.Queue, "k", fmt.Sprint("q", i), func(context.Context) error {
			<-gate
			began = append(began, i)
			return nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		queue = append(queue, h)
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for i := range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				h, err := c.Submit(ctx, submission(controller.DropIfRunning, "k", fmt.Sprint("d", i), once))
				if err != nil {
					t.Error(err)
					return
				}
				o, err := h.Wait(ctx)
				if err != nil || (o.Success() && fate(queue[n-1]) == "") {
					t.Errorf("it got in while others waited: %v, %v", o, err)
					return
				}
			}
		})
	}
	close(gate)
	for i, h := range queue {
		if o, err := h.Wait(ctx); err != nil || !o.Success() {
			t.Errorf("%d: %v, %v", i, o, err)
		}
	}
	close(stop)
	wg.Wait()
	for i, got := range began {
		if got != i {
			t.Fatalf("%d began as number %d", got, i)
		}
	}
}
