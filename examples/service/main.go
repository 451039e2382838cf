// Command service turns files into durable jobs. A file that is dropped into a
// folder, or posted over HTTP, is compressed and hashed, and the results stand
// beside it. Kill the program whenever you like and start it again: everything is
// finished, and every result is there once. Start it, and watch:
//
//	go run ./examples/service
//
//	/app                  rest for one: each stands on those before it
//	├── queue             the jobs, in a file
//	│   ├── ledger        has the file
//	│   ├── workers       what runs is below it
//	│   └── clock         looks after what is due
//	├── sweep             removes uploads that a crash has cut off, and is done
//	├── http              the API
//	├── watcher           looks for files that have no results
//	└── welcome           says what to try, once
//
// The API takes files (POST /files/{name}), shows the jobs and why they wait
// (/jobs), the events as they happen (/events) and the tree (/tree), and has what a
// load balancer wants to know (/healthz, /readyz) and figures for Prometheus
// (/metrics).
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/console"
	"github.com/taskvisor/taskvisor/subscribers/prom"
	"github.com/taskvisor/taskvisor/subscribers/sloglog"
	"github.com/taskvisor/taskvisor/supervisor"
)

// options are what the command line says.
type options struct {
	addr, dir, db         string
	every, pace, lameDuck time.Duration
	workers               int
	hang, quiet           bool
}

func main() {
	var o options
	flag.StringVar(&o.addr, "addr", "127.0.0.1:8080", "listen on this address; port 0 is any free one")
	flag.StringVar(&o.dir, "dir", "", "the folder of the service, with the files in files/; empty makes a new one with a few samples")
	flag.StringVar(&o.db, "db", "", "the file with the jobs; empty means jobs.db in -dir")
	flag.DurationVar(&o.every, "every", 500*time.Millisecond, "how often to look for new files")
	flag.DurationVar(&o.pace, "pace", 100*time.Millisecond, "pause after each part of a file, so that there is something to see")
	flag.IntVar(&o.workers, "workers", 3, "how many jobs run at a time")
	flag.BoolVar(&o.hang, "hang", false, "add a task that ignores its context, and see what becomes of Ctrl-C")
	flag.DurationVar(&o.lameDuck, "lameduck", 0, "after Ctrl-C keep serving for so long, but not ready any more")
	flag.BoolVar(&o.quiet, "quiet", false, "print no events, only log what goes wrong")
	flag.Parse()

	// What ends the app ends the program: to start it again is for whoever
	// started it, with the reason in its hands.
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	files, err := open(&o)
	if err != nil {
		return err
	}
	packer := &packer{files: files, pace: o.pace, registry: &registry{}}
	queue := persist.New(persist.Config{
		Store:      boltstore.File(o.db, boltstore.Options{}),
		Handlers:   []persist.Handler{packing.Handle(packer.pack)},
		Workers:    o.workers,
		GroupLimit: 1,               // one job at a time for each file
		Drain:      2 * time.Second, // after Ctrl-C, for those that are nearly done
		// A job that was the only one to run in several crashes is set aside, for it
		// may be the reason. Here the reason is who plays with kill -9.
		Crashes: 100,
	})
	watcher := &watcher{files: files, queue: queue, every: o.every}
	bus := &events.Bus{}
	api := newAPI(o.addr, watcher, bus)

	// Children start in this order, each after its elders are ready, and stop in the
	// reverse: who submits ends before the queue does.
	var children []actor.Spec
	if o.hang {
		children = append(children, actor.Spec{Name: "hang", Task: actor.Func(stubborn)})
	}
	jobs := queue.Spec("")
	jobs.AwaitReady, jobs.StartTimeout = true, 5*time.Second // or somebody else has the file
	children = append(children,
		jobs,
		actor.Spec{Name: "sweep", Task: actor.Func(files.sweep), AwaitReady: true},
		api.spec(),
		watcher.spec(),
		actor.Spec{Name: "welcome", Task: welcome(api, o), Restart: policy.Never},
	)

	var metrics prom.Collector
	cfg := supervisor.Config{
		Name: "app", Strategy: supervisor.RestForOne, Children: children, LameDuck: o.lameDuck,
		Bus: bus, Subscribers: []events.Subscriber{metrics.Subscriber(), onConsole()},
	}
	if o.quiet {
		cfg.Subscribers[1] = sloglog.New(nil).Subscriber() // what goes wrong
	}
	app := supervisor.New(cfg)
	if err := api.observe(app, &metrics); err != nil {
		return err
	}
	return app.Main(ctx)
}

// onConsole writes the events, but for what the job tells better than its task.
func onConsole() events.Subscriber {
	lines := console.New(os.Stdout)
	return events.Subscriber{Name: "console", Handler: events.HandlerFunc(func(e events.Event) {
		switch e.Kind {
		case events.TaskAdded, events.AttemptStarted, events.AttemptEnded, events.TaskFinished:
			if e.Job != nil {
				return
			}
		}
		lines.Handle(e)
	})}
}

// open makes the folders. A newcomer gets files to begin with.
func open(o *options) (files folder, err error) {
	newcomer := o.dir == ""
	if newcomer {
		if o.dir, err = os.MkdirTemp("", "taskvisor-"); err != nil {
			return "", err
		}
	}
	o.db = cmp.Or(o.db, filepath.Join(o.dir, "jobs.db"))
	files = folder(filepath.Join(o.dir, "files"))
	if err := os.MkdirAll(string(files), 0o755); err != nil {
		return "", err
	}
	if newcomer {
		err = files.dropSamples()
	}
	return files, err
}

// welcome says what to try. It is a task like the others, but one that ends; being
// the last, it speaks when everything else is up.
func welcome(a *api, o options) actor.Task {
	return actor.Func(func(context.Context) error {
		fmt.Printf(`listening on http://%[1]s
  the files are in %[2]s/files, the jobs in %[3]s
  cp README.md %[2]s/files                               a file that is dropped becomes a job
  curl --data-binary @go.mod http://%[1]s/files/go.mod   and so does one that is posted
  curl http://%[1]s/jobs      and /jobs/1, /jobs/1/why, /events, /tree, /healthz, /readyz, /metrics
  curl -X POST http://%[1]s/jobs/1/cancel                or /jobs/1/revive
  kill -9 %[4]d, then go run ./examples/service -dir %[2]s: nothing is lost, and every result is there once
  Ctrl-C stops everything in its order; with -hang, a second one shows what hangs
`, a.bound.Load(), o.dir, o.db, os.Getpid())
		return nil
	})
}

// stubborn is how not to write a task: it never looks at its context.
func stubborn(context.Context) error { select {} }
