package inspect_test

import (
	"context"
	"fmt"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/inspect"
)

// The backoff of the task and the intensity of its supervisor are both good, and
// together nobody would ever hear that the database is gone.
func ExampleVet() {
	run := actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })
	app := supervisor.New(supervisor.Config{
		Name:        "app",
		Intensity:   policy.Intensity{Restarts: 5, Within: 10 * time.Second},
		StopTimeout: 25 * time.Second,
		Children: []actor.Spec{
			{Name: "db", Task: run, Backoff: policy.Constant(5 * time.Second)},
			{Name: "http", Task: run, MaxRetries: 2, Grace: 30 * time.Second},
		},
	})
	for _, f := range inspect.Vet(app) {
		fmt.Println(f.Path, f.Check)
		fmt.Println("  problem:", f.Problem)
		fmt.Println("  remedy: ", f.Remedy)
	}
	// Output:
	// /app intensity_out_of_reach
	//   problem: unless an error asks for a shorter pause, its declared children can fail at most 5 times within 10s, since their backoffs are so slow, and the Intensity allows 5: /app/db may fail for ever, and nobody above is told
	//   remedy:  lengthen Intensity.Within, lower Intensity.Restarts, or give the children a MaxRetries
	// /app/http grace_cut_short
	//   problem: its Grace is 30s, but a stop of the tree leaves it at most 25s
	//   remedy:  shorten the Grace, or raise what /app has for a stop
}

func ExampleExplain() {
	run := actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })
	pool := supervisor.New(supervisor.Config{
		Name: "pool", Strategy: supervisor.RestForOne,
		Intensity: policy.Intensity{Restarts: 3, Within: time.Minute},
		Children: []actor.Spec{
			{Name: "db", Task: run, Backoff: policy.Constant(time.Second)},
			{Name: "cache", Task: run},
			{Name: "api", Task: run, Grace: 5 * time.Second},
		},
	})
	app := supervisor.New(supervisor.Config{
		Name: "app", Intensity: policy.Intensity{Restarts: 2, Within: time.Hour},
		Children: []actor.Spec{pool.Spec(""), {Name: "http", Task: run}},
	})
	e, err := inspect.Explain(app, "/app/pool/db")
	fmt.Println(e, err)
	// Output:
	// if /app/pool/db fails now:
	//   /app/pool restarts the group of /app/pool/db
	//   stops   /app/pool/api, /app/pool/cache
	//           in whatever time it takes at the longest, 15s if each keeps its grace
	//   pauses  1s
	//   starts  /app/pool/db, /app/pool/cache, /app/pool/api
	//   12 such failures in a row can end the tree
	//   a stop of the whole tree as it is now takes 25s at the longest <nil>
}
