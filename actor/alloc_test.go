package actor_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestARestartAllocatesRoomForAttemptsNowAndThenAndNothingElse(t *testing.T) {
	for _, c := range []struct {
		says  string
		asks  func(ctx context.Context)
		least float64
	}{
		{"an attempt that uses nothing", func(context.Context) {}, 0.25},
		{"an attempt that asks whether it should end", func(ctx context.Context) { _ = ctx.Err() }, 0.25},
		{"an attempt that says who it is", func(ctx context.Context) { _, _ = actor.FromContext(ctx) }, 0.25},
		{"an attempt that waits for its end", func(ctx context.Context) { _ = ctx.Done() }, 1.25},
	} {
		t.Run(c.says, func(t *testing.T) {
			if got := allocsPerRestart(t, c.asks); got < c.least || got > c.least+0.5 {
				t.Errorf("%.2f allocations, want %v", got, c.least)
			}
		})
	}
}

// allocsPerRestart lets a task fail at once again and again.
func allocsPerRestart(t *testing.T, asks func(context.Context)) float64 {
	const warm, measured = 100, 2000
	var before, after runtime.MemStats
	n := 0
	app := supervisor.New(supervisor.Config{EndWhenEmpty: true, Children: []actor.Spec{{
		Name: "task", Backoff: policy.NoBackoff(),
		Task: actor.Func(func(ctx context.Context) error {
			asks(ctx)
			switch n++; n {
			case warm:
				runtime.ReadMemStats(&before)
			case warm + measured:
				runtime.ReadMemStats(&after)
				return actor.Done
			}
			return errBoom
		}),
	}}})
	if err := app.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return float64(after.Mallocs-before.Mallocs) / measured
}
