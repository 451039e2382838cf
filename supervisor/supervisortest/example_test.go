package supervisortest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/supervisortest"
)

// shop is the tree of a program, as its main runs it, here with fakes.
func shop() supervisor.Config {
	idle := actor.Func(func(ctx context.Context) error {
		actor.Ready(ctx)
		<-ctx.Done()
		return nil
	})
	db := supervisor.New(supervisor.Config{
		Name:     "db",
		Strategy: supervisor.RestForOne,
		Children: []actor.Spec{
			{Name: "pool", Task: idle, AwaitReady: true},
			{Name: "cache", Task: idle},
		},
	})
	return supervisor.Config{
		Name: "shop",
		Children: []actor.Spec{
			db.Spec(""),
			{Name: "http", Task: idle, Backoff: policy.Constant(time.Second)},
		},
	}
}

// t is what the testing package gives to a test; an example has none.
var t *testing.T

// Everything in the shop is failed once, and has to come back.
func ExampleDrill() {
	// func TestTheShopHeals(t *testing.T)
	supervisortest.Drill(t, shop)
}

// A cold cache is part of the plan, and the database may take its time.
func ExampleSkip() {
	supervisortest.Drill(t, shop, supervisortest.Skip("db/cache"), supervisortest.Patience(time.Hour))
}

// What follows a certain failure.
func ExampleRun() {
	// func TestTheCacheIsRestartedWithThePool(t *testing.T)
	supervisortest.Run(t, shop, func(t *testing.T, tree *supervisortest.Tree) {
		tree.Fail("db/pool", errors.New("connection reset"))
		tree.Await(events.Event{Kind: events.GroupRestarted, Path: "/shop/db"})

		tree.AssertOrder(
			events.Event{Kind: events.TaskStopping, Path: "/shop/db/cache", Reason: events.ReasonGroup},
			events.Event{Kind: events.AttemptStarted, Path: "/shop/db/pool", Attempt: 2},
			events.Event{Kind: events.TaskReady, Path: "/shop/db/pool", Attempt: 2},
			events.Event{Kind: events.AttemptStarted, Path: "/shop/db/cache", Attempt: 2},
		)
		tree.AssertNever(events.Event{Kind: events.AttemptEnded, Path: "/shop/http"})
	})
}

// The bodies of the examples, as the tests that they show.
func TestTheExamples(real *testing.T) {
	for name, example := range map[string]func(){"drill": ExampleDrill, "skip": ExampleSkip, "run": ExampleRun} {
		real.Run(name, func(inner *testing.T) {
			t = inner
			example()
		})
	}
}

// A tree in a bubble of the test's own, with channels that both use.
func TestStartInABubbleOfOnesOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		orders := make(chan string)
		cfg := shop()
		cfg.Children = append(cfg.Children, actor.Spec{Name: "till", Task: actor.Func(func(ctx context.Context) error {
			select {
			case <-orders:
				return errors.New("out of change")
			case <-ctx.Done():
				return nil
			}
		})})
		tree := supervisortest.Start(t, cfg)
		orders <- "an apple"
		tree.AwaitState("till", supervisor.StateBackingOff)
		tree.AwaitReady()
		if err := tree.Shutdown(); err != nil {
			t.Error(err)
		}
	})
}
