package main

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// ancestorControlWorks are the ancestor's workloads for its controller. Each burst has a
// controller of its own; only the time from its first submission on counts.
func ancestorControlWorks() []work {
	mine := []string{ours}
	return []work{
		ancestor("controller-queue", mine,
			"n tasks that do nothing are submitted with Queue for one key, until a subscriber has counted their ends; per task. Making and stopping the controller do not count.",
			[]int{5, 20, 50}, "queue %d instant tasks in one slot, until all have ended, per task", func(_ peer, size scale, n int) (float64, error) {
				return queuedTime(size, n, 1)
			}),
		ancestor("controller-replace", mine,
			"The same with Replace and tasks that wait for five milliseconds or their stop; only until the last `Submit` returns.",
			[]int{5, 20, 50}, "submit %d waiting tasks with Replace, per task", func(_ peer, size scale, n int) (float64, error) {
				return admittedTime(size, n, controller.Replace, numbered)
			}),
		ancestor("controller-drop", mine,
			"The same with DropIfRunning.",
			[]int{5, 20, 50}, "submit %d waiting tasks with DropIfRunning, per task", func(_ peer, size scale, n int) (float64, error) {
				return admittedTime(size, n, controller.DropIfRunning, numbered)
			}),
		ancestor("controller-hotpath", mine,
			"The same with one submission, which is given n times, and what comes of it ignored.",
			[]int{100, 500, 1000}, "submit one waiting task %d times with DropIfRunning, per submission", func(_ peer, size scale, n int) (float64, error) {
				return admittedTime(size, n, controller.DropIfRunning, func(int) string { return "slot-h" })
			}),
		ancestor("controller-multi-slot", mine,
			"The first with eight keys in turn.",
			[]int{8, 32, 64}, "queue %d instant tasks in eight slots, until all have ended, per task", func(_ peer, size scale, n int) (float64, error) {
				return queuedTime(size, n, 8)
			}),
	}
}

// eventQueue is the queue that the ancestor gives the subscriber that counts.
const eventQueue = 65_536

// queuedTime returns the time that a task takes of n that wait for so many keys.
func queuedTime(size scale, n, keys int) (float64, error) {
	subs := make([]controller.Submission, n)
	for i := range subs {
		subs[i] = oneShot(numbered(i), "slot-"+strconv.Itoa(i%keys))
	}
	return timed(size.spell, n, func() (time.Duration, error) {
		var left atomic.Int64
		left.Store(int64(n))
		all := make(chan struct{})
		count := events.HandlerFunc(func(e events.Event) {
			if e.Kind == events.TaskFinished && left.Add(-1) == 0 {
				close(all)
			}
		})
		c, err := control(controller.Config{Workers: supervisor.Config{
			Subscribers: []events.Subscriber{{Name: "counter", Handler: count, Queue: eventQueue}},
		}})
		if err != nil {
			return 0, err
		}
		begin := time.Now()
		if err := c.submitAll(subs); err != nil {
			return 0, err
		}
		<-all
		took := time.Since(begin)
		return took, c.stop()
	})
}

// admittedTime returns the time that a submission takes of n for one key.
func admittedTime(size scale, n int, a controller.Admission, name func(i int) string) (float64, error) {
	subs := make([]controller.Submission, n)
	for i := range subs {
		subs[i] = controller.Submission{
			Key: "slot", Admission: a, Spec: actor.Spec{Name: name(i), Task: actor.Func(resting), Restart: policy.Never},
		}
	}
	return timed(size.spell, n, func() (time.Duration, error) {
		c, err := control(controller.Config{})
		if err != nil {
			return 0, err
		}
		begin := time.Now()
		if err := c.submitAll(subs); err != nil {
			return 0, err
		}
		took := time.Since(begin)
		return took, c.stop()
	})
}

func (c *controlled) submitAll(subs []controller.Submission) error {
	for i := range subs {
		if _, err := c.Submit(context.Background(), subs[i]); err != nil {
			return err
		}
	}
	return nil
}

func numbered(i int) string { return "task-" + strconv.Itoa(i) }

// resting waits for five milliseconds, or for its stop.
func resting(ctx context.Context) error {
	t := time.NewTimer(5 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
	return nil
}
