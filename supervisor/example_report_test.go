package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
)

// After Run has returned, the report says what happened in the stop: here, in the order
// in which they ended, and what one of them returned, which no outcome counts as a failure.
func ExampleSupervisor_StopReport() {
	app := supervisor.New(supervisor.Config{
		Name:     "app",
		Strategy: supervisor.RestForOne, // so they stop one after the other
		Children: []actor.Spec{
			{Name: "db", Task: actor.Func(func(ctx context.Context) error {
				<-ctx.Done()
				return errors.New("flush: disk full")
			})},
			{Name: "web", Task: actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })},
		},
	})
	stop := up(app)
	stop()

	report := app.StopReport() // fmt.Println(report) draws it
	for _, task := range report.Stops {
		fmt.Printf("%s %v %q in time: %v\n", task.Path, task.Outcome, task.StopError, task.Took < time.Second)
	}
	// Output:
	// /app/web stopped "" in time: true
	// /app/db stopped "flush: disk full" in time: true
}

// A report as a text shows who has kept the others waiting. This one was read from a file:
// a report can be written as JSON, and read again.
func ExampleStopReport_String() {
	began := time.Date(2026, 7, 1, 4, 0, 0, 0, time.UTC)
	stopped := func(path string, after, took time.Duration) supervisor.StoppedTask {
		return supervisor.StoppedTask{Path: path, Told: began.Add(after), Took: took, Outcome: events.Stopped}
	}
	pool := stopped("/app/pool", 200*time.Millisecond, 3500*time.Millisecond)
	pool.Below = &supervisor.StopReport{Path: pool.Path, Began: pool.Told, Took: pool.Took, Stops: []supervisor.StoppedTask{
		stopped("/app/pool/worker-1", 200*time.Millisecond, 3500*time.Millisecond),
		stopped("/app/pool/worker-2", 200*time.Millisecond, 10*time.Millisecond),
	}}
	db := stopped("/app/db", 3700*time.Millisecond, time.Second)
	db.StopError = "flush: disk full"

	fmt.Println(supervisor.StopReport{
		Path: "/app", Began: began, Took: 4700 * time.Millisecond,
		Stops: []supervisor.StoppedTask{stopped("/app/web", 0, 200*time.Millisecond), pool, db},
	})
	// Output:
	// stop of /app took 4.7s
	// ├─ web          stopped  200ms
	// ├─ pool         stopped  3.5s   told after 200ms, the slowest
	// │  ├─ worker-1  stopped  3.5s   the slowest
	// │  └─ worker-2  stopped  10ms
	// └─ db           stopped  1s     told after 3.7s, returned "flush: disk full"
}

// A node draws itself, with all that is below it.
func ExampleNode_String() {
	now := time.Now()
	tree := supervisor.Node{ // as app.Tree() returns it
		Path: "/app", State: supervisor.StateRunning, Since: now.Add(-time.Hour), IsSupervisor: true, At: now,
		Children: []supervisor.Node{
			{Name: "db", State: supervisor.StateRunning, Since: now.Add(-time.Hour), Ready: true, Attempt: 1},
			{
				Name: "web", State: supervisor.StateBackingOff, Since: now.Add(-20 * time.Second), NextRetry: now.Add(10 * time.Second),
				Attempt: 5, Restarts: 5, Failures: 5, Error: "listen tcp :443: permission denied",
			},
		},
	}
	fmt.Println(tree)
	// Output:
	// /app    running      1h0m0s  not ready
	// ├─ db   running      1h0m0s
	// └─ web  backing_off  20s     attempt 5, 5 restarts, next in 10s, error "listen tcp :443: permission denied"
}
