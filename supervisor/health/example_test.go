package health_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/health"
)

// The server of the probes may hang in the very tree that they are about: handlers
// can be added to a mux until the app is run.
func ExampleNew() {
	mux := http.NewServeMux()
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		{Name: "http", Task: tasks.HTTP(&http.Server{Addr: ":8080", Handler: mux}), AwaitReady: true},
	}})
	probes, err := health.New(app, health.Config{})
	if err != nil {
		log.Fatal(err)
	}
	mux.Handle("/readyz", probes.Ready())
	mux.Handle("/healthz", probes.Live())

	// Before app.Main(ctx) it is not ready.
	fmt.Println(probes.Readiness().Status, probes.Liveness().Status)
	// Output: not_ready live
}

// run runs an app until its children are up and one of them has failed, for the
// examples.
func run(do func(*supervisor.Supervisor)) {
	failed := make(chan struct{})
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		{Name: "db", Task: actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })},
		{Name: "cache", Optional: true, Restart: policy.Never, Task: actor.Func(func(context.Context) error {
			defer close(failed)
			return errors.New("connection refused")
		})},
	}})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	<-failed
	if h, err := app.Handle("cache"); err == nil {
		_, _ = h.Wait(ctx)
	}
	do(app)
	stop()
	<-ended
}

// A report is made for people and for programs.
func ExampleChecker_Readiness() {
	run(func(app *supervisor.Supervisor) {
		probes, err := health.New(app, health.Config{})
		if err != nil {
			log.Fatal(err)
		}
		report := probes.Readiness()
		fmt.Println(report.Status, report.Status.OK())
		for _, p := range report.Problems {
			fmt.Println(p.Severity, p.Path, p.State, p.Error)
		}
	})
	// Output:
	// degraded true
	// optional /app/cache failed connection refused
}

// A load balancer that needs the cache asks about the cache.
func ExampleChecker_Ready() {
	run(func(app *supervisor.Supervisor) {
		probes, err := health.New(app, health.Config{HideErrors: true})
		if err != nil {
			log.Fatal(err)
		}
		for _, target := range []string{"/readyz", "/readyz?path=db", "/readyz?path=cache"} {
			w := httptest.NewRecorder()
			probes.Ready().ServeHTTP(w, httptest.NewRequest("GET", target, nil))
			var report health.Report
			if err := json.NewDecoder(w.Body).Decode(&report); err != nil {
				log.Fatal(err)
			}
			fmt.Println(w.Code, report.Path, report.Status)
		}
	})
	// Output:
	// 200 /app degraded
	// 200 /app/db ready
	// 503 /app/cache not_ready
}

// Once a run was seen, its end is a reason for a new process.
func ExampleChecker_Live() {
	app := supervisor.New(supervisor.Config{Name: "app"})
	probes, err := health.New(app, health.Config{})
	if err != nil {
		log.Fatal(err)
	}
	probe := func() {
		w := httptest.NewRecorder()
		probes.Live().ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil))
		fmt.Println(w.Code)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	if err := app.WaitReady(ctx); err != nil {
		log.Fatal(err)
	}
	probe()
	stop()
	<-ended
	probe()
	// Output:
	// 200
	// 503
}

// A Checker is a source of figures, and goes where its app goes: with the package
// prom, metrics.Add(app, probes).
func ExampleChecker_Measure() {
	run(func(app *supervisor.Supervisor) {
		probes, err := health.New(app, health.Config{})
		if err != nil {
			log.Fatal(err)
		}
		probes.Measure(func(m *events.Metric, value float64, labels ...string) {
			fmt.Println(m.Name, labels, value)
		})
	})
	// Output:
	// health_ready [/app] 1
	// health_live [/app] 1
	// health_problems [/app critical] 0
	// health_problems [/app tolerated] 0
	// health_problems [/app optional] 1
}

// Whatever its tasks do, an app is live while a supervisor looks after them.
func ExampleChecker_Liveness() {
	run(func(app *supervisor.Supervisor) {
		probes, err := health.New(app, health.Config{StuckAfter: policy.Forever})
		if err != nil {
			log.Fatal(err)
		}
		report := probes.Liveness()
		fmt.Println(report.Status, report.Overdue, len(report.Problems))
	})
	// Output: live 0 0
}
