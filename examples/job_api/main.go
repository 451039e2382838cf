// Job API is an HTTP front of a controller. Of the deployments of an environment only
// the latest counts; the exports of a tenant wait for each other, not too many of them
// and not for too long. Who submits is told the number of the job before its work
// begins, and the outcome of every job is logged.
//
//	go run ./examples/job_api -addr 127.0.0.1:8080
//	curl -X POST 'http://127.0.0.1:8080/deploy?env=production&version=1.2'
//	curl -X POST 'http://127.0.0.1:8080/export?tenant=acme'
//	curl http://127.0.0.1:8080/jobs
//	curl -X DELETE http://127.0.0.1:8080/jobs/5
package main

import (
	"context"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/supervisor"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "listen on this address")
	flag.Parse()
	a := newAPI(5*time.Second, slog.New(slog.NewTextHandler(os.Stdout, nil)))
	server := &http.Server{Addr: *addr, Handler: a.routes(), ReadHeaderTimeout: 5 * time.Second}
	a.log.Info("starting", "url", "http://"+*addr)
	err := supervisor.New(a.app(tasks.HTTP(server))).Main(context.Background())
	a.log.Info("stopped", "submitted", a.submitted.Load(), "told", a.outcomes.told.Load(), "error", err)
	if err != nil {
		os.Exit(1)
	}
}

// newAPI returns an API whose jobs take so long.
func newAPI(takes time.Duration, log *slog.Logger) *api {
	// The depth is that of all keys; who wants another one makes another controller.
	jobs := controller.New(controller.Config{Name: "jobs", Depth: 5})
	_ = jobs.SetWidth("export/acme", 2) // a large tenant; the error would be about the values
	return &api{takes: takes, log: log, jobs: jobs, outcomes: &outcomes{log: log, jobs: make(chan *actor.Handle)}}
}

// app is the tree, with what serves the API.
func (a *api) app(server actor.Task) supervisor.Config {
	return supervisor.Config{
		Name: "app",
		// Each needs those before it, so the youngest is stopped first: no request meets a
		// controller that closes, and who logs the outcomes outlives the jobs. The price:
		// one waits for the other, and a controller that fails takes the API down with it.
		Strategy:    supervisor.RestForOne,
		StopTimeout: 25 * time.Second,
		Logger:      a.log,
		Children: []actor.Spec{
			{Name: "outcomes", Task: a.outcomes},
			a.jobs.Spec(""),
			{Name: "http", Task: server, AwaitReady: true},
		},
	}
}
