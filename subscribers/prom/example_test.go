package prom_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/prom"
	"github.com/taskvisor/taskvisor/supervisor"
)

// show prints one series, or how often a histogram was fed.
func show(reg prometheus.Gatherer, name string, labels ...string) {
	families, err := reg.Gather()
	if err != nil {
		fmt.Println(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			fits := f.GetName() == name && len(m.GetLabel()) == len(labels)
			for i, l := range m.GetLabel() {
				fits = fits && l.GetValue() == labels[i]
			}
			if fits {
				fmt.Println(name, labels, m.GetCounter().GetValue()+m.GetGauge().GetValue()+float64(m.GetHistogram().GetSampleCount()))
			}
		}
	}
}

// The Collector is there before the supervisor, whose Config has its subscriber.
func ExampleCollector() {
	var metrics prom.Collector
	app := supervisor.New(supervisor.Config{
		Name:         "app",
		EndWhenEmpty: true,
		Subscribers:  []events.Subscriber{metrics.Subscriber()},
		Children: []actor.Spec{{
			Name: "job", MaxRetries: 2, Backoff: policy.Constant(time.Millisecond),
			Task: actor.Func(func(context.Context) error { return errors.New("no disk") }),
		}},
	})
	if err := metrics.Add(app); err != nil {
		fmt.Println(err)
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(&metrics)
	http.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))

	_ = app.Run(context.Background())
	show(reg, "taskvisor_attempts_ended_total", "failed", "/app/job")
	show(reg, "taskvisor_task_restarts_total", "/app/job")
	show(reg, "taskvisor_attempt_duration_seconds", "/app/job")
	show(reg, "taskvisor_backoff_delay_seconds", "/app/job")
	// Output:
	// taskvisor_attempts_ended_total [failed /app/job] 3
	// taskvisor_task_restarts_total [/app/job] 2
	// taskvisor_attempt_duration_seconds [/app/job] 3
	// taskvisor_backoff_delay_seconds [/app/job] 2
}

// Without the subscriber there are counters and gauges, and no histograms.
func ExampleNew() {
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		{Name: "job", Task: actor.Func(func(context.Context) error { return nil })},
	}})
	metrics, err := prom.New(app)
	if err != nil {
		fmt.Println(err)
		return
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(metrics)

	show(reg, "taskvisor_tasks", "stopped", "/app/job") // nothing runs yet
	show(reg, "taskvisor_task_duration_seconds", "/app/job")

	_, err = prom.New(app, supervisor.New(supervisor.Config{Name: "app"}))
	fmt.Println(err)
	// Output:
	// taskvisor_tasks [stopped /app/job] 1
	// taskvisor_tasks{task="/app/*",state="starting"} is reported by sources 1 and 2: give the roots of their trees different names, or leave one out if they are the same
}

// Trees that share a bus share the subscriber too.
func ExampleCollector_Subscriber() {
	var bus events.Bus
	job := []actor.Spec{{Name: "job", Task: actor.Func(func(context.Context) error { return nil })}}
	front := supervisor.New(supervisor.Config{Name: "front", Bus: &bus, EndWhenEmpty: true, Children: job})
	back := supervisor.New(supervisor.Config{Name: "back", Bus: &bus, EndWhenEmpty: true, Children: job})

	metrics, err := prom.New(front, back, &bus)
	if err != nil {
		fmt.Println(err)
		return
	}
	sub, err := bus.Subscribe(metrics.Subscriber())
	if err != nil {
		fmt.Println(err)
		return
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(metrics)

	ctx := context.Background()
	_ = front.Run(ctx)
	_ = back.Run(ctx)
	_ = sub.Close(ctx)
	show(reg, "taskvisor_task_duration_seconds", "/front/job")
	show(reg, "taskvisor_task_duration_seconds", "/back/job")
	// Output:
	// taskvisor_task_duration_seconds [/front/job] 1
	// taskvisor_task_duration_seconds [/back/job] 1
}

// A tree that is made later is added to the Collector that there is.
func ExampleCollector_Add() {
	metrics := &prom.Collector{AttemptBuckets: []float64{0.01, 0.1, 1, 10}}
	if err := metrics.Add(supervisor.New(supervisor.Config{Name: "app"})); err != nil {
		fmt.Println(err)
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(metrics)

	if err := metrics.Add(supervisor.New(supervisor.Config{Name: "plugins"})); err != nil {
		fmt.Println(err)
	}
	show(reg, "taskvisor_supervisor_up", "/app")
	show(reg, "taskvisor_supervisor_up", "/plugins")
	// Output:
	// taskvisor_supervisor_up [/app] 0
	// taskvisor_supervisor_up [/plugins] 0
}
