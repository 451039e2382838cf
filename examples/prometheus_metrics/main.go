// Prometheus metrics serves the figures of a tree at /metrics. What they say about the
// tree is kept by the supervisors, and by the controller what it has decided; the
// subscriber adds the histograms of durations.
//
//	go run ./examples/prometheus_metrics -addr 127.0.0.1:9091
//	curl -s http://127.0.0.1:9091/metrics | grep taskvisor_
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/actor/tasks"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/prom"
	"github.com/taskvisor/taskvisor/supervisor"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "serve /metrics at this address; port 0 is any free one")
	flag.Parse()
	if err := run(context.Background(), *addr, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, addr string, out io.Writer) error {
	// The subscriber goes into the Config, so the Collector is there before the
	// supervisor, and is told of it afterwards.
	var metrics prom.Collector
	registry := prometheus.NewRegistry()
	deploys := controller.New(controller.Config{Name: "deploys"})
	app := supervisor.New(supervisor.Config{
		Name:        "app",
		Subscribers: []events.Subscriber{metrics.Subscriber()},
		Defaults:    supervisor.Defaults{Backoff: policy.Constant(50 * time.Millisecond)},
		Children: []actor.Spec{
			{Name: "metrics", Task: serve(addr, registry, out), AwaitReady: true},
			// Fails every third time, and is run again.
			{Name: "poll", Task: actor.Func(poll), Restart: policy.Always, Every: 20 * time.Millisecond},
			// Is lost after two attempts.
			{Name: "doomed", Task: actor.Func(doomed), MaxRetries: 1},
			// Starts tasks that come and go. In the figures they are one: /app/*.
			{Name: "spawner", Task: tasks.Every(30*time.Millisecond, spawn)},
			// Has a new deployment replace the last one, mostly before it is done.
			deploys.Spec(""),
			{Name: "releaser", Task: tasks.Every(30*time.Millisecond, release(deploys))},
		},
	})
	if err := metrics.Add(app, deploys); err != nil {
		return err
	}
	for _, c := range []prometheus.Collector{&metrics, collectors.NewGoCollector()} {
		if err := registry.Register(c); err != nil {
			return err
		}
	}
	return app.Main(ctx)
}

// serve is the task that is scraped. It is supervised, and measured, like the others.
func serve(addr string, registry *prometheus.Registry, out io.Writer) actor.Task {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	task := tasks.HTTP(&http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second})
	task.Listen = func(context.Context) (net.Listener, error) {
		l, err := net.Listen("tcp", addr)
		if err == nil {
			_, _ = fmt.Fprintf(out, "metrics at http://%v/metrics\n", l.Addr())
		}
		return l, err
	}
	return task
}

func poll(ctx context.Context) error {
	if info, _ := actor.FromContext(ctx); info.Attempt%3 == 0 {
		return errors.New("no answer")
	}
	return work(ctx, 10*time.Millisecond)
}

func doomed(context.Context) error { return errors.New("no such table") }

func spawn(ctx context.Context) error {
	job := func(ctx context.Context) error { return work(ctx, 5*time.Millisecond) }
	name := fmt.Sprintf("job-%d", time.Now().UnixNano())
	_, err := supervisor.FromContext(ctx).Start(ctx, actor.Spec{Name: name, Task: actor.Func(job)})
	return err
}

func release(deploys *controller.Controller) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := deploys.Submit(ctx, controller.Submission{
			Key:       "production",
			Admission: controller.Replace,
			Spec: actor.Spec{
				Name:    fmt.Sprintf("deploy-%d", time.Now().UnixNano()),
				Task:    actor.Func(func(ctx context.Context) error { return work(ctx, 40*time.Millisecond) }),
				Restart: policy.Never,
			},
		})
		return err
	}
}

// work takes its time, or returns when it is told to.
func work(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
