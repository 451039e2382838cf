package main

import (
	"context"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// controlled is a controller that runs.
type controlled struct {
	*controller.Controller
	cancel context.CancelFunc
	ended  chan error
}

// control runs a controller and returns when it admits tasks.
func control(cfg controller.Config) (*controlled, error) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &controlled{Controller: controller.New(cfg), cancel: cancel, ended: make(chan error, 1)}
	go func() { c.ended <- c.Run(ctx) }()
	return c, c.WaitReady(ctx)
}

// boundless runs a controller that lets any number wait.
func boundless() (*controlled, error) {
	return control(controller.Config{Name: "app", Depth: policy.Unlimited, Capacity: policy.Unlimited})
}

func (c *controlled) shot(name string) error {
	h, err := c.Submit(context.Background(), oneShot(name, ""))
	if err != nil {
		return err
	}
	return awaitShot(h)
}

func (c *controlled) stop() error {
	c.cancel()
	return <-c.ended
}

// oneShot is a submission of a task that does nothing. Without a key it is for its name.
func oneShot(name, key string) controller.Submission {
	return controller.Submission{Spec: actor.Spec{Name: name, Task: doNothing, Restart: policy.Never}, Key: key}
}

// occupy gives a key an owner that goes when it is released, and not when it is told to.
func (c *controlled) occupy(key string) (release func() error, err error) {
	entered, leave := make(chan struct{}), make(chan struct{})
	h, err := c.Submit(context.Background(), controller.Submission{
		Key: key,
		Spec: actor.Spec{
			Name: "owner-" + key, Restart: policy.Never, Grace: policy.Forever,
			Task: actor.Func(func(context.Context) error {
				close(entered)
				<-leave
				return nil
			}),
		},
	})
	if err != nil {
		return nil, err
	}
	<-entered
	return func() error {
		close(leave)
		_, err := h.Wait(context.Background())
		return err
	}, nil
}

// submitted submits the same n times, and appends the identities to ids.
func (c *controlled) submitted(ids []events.ID, n int, sub controller.Submission) ([]events.ID, error) {
	for range n {
		h, err := c.Submit(context.Background(), sub)
		if err != nil {
			return ids, err
		}
		ids = append(ids, h.ID())
	}
	return ids, nil
}

// withdraw cancels submissions that wait.
func (c *controlled) withdraw(ids []events.ID) error {
	for _, id := range ids {
		if err := c.Cancel(context.Background(), id); err != nil {
			return err
		}
	}
	return nil
}
