package prom_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/prom"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAnEventOfAKnownPatternAllocatesNothing(t *testing.T) {
	c := new(prom.Collector)
	e := events.Event{Kind: events.AttemptEnded, Pattern: "/app/db", Exit: policy.Failed, Elapsed: time.Second}
	c.Handle(e)
	if n := testing.AllocsPerRun(1000, func() { c.Handle(e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkHandle is one event of a pattern that is known, among a thousand.
func BenchmarkHandle(b *testing.B) {
	for _, native := range []float64{0, 1.1} {
		b.Run(fmt.Sprintf("factor=%v", native), func(b *testing.B) {
			c := &prom.Collector{NativeHistogramBucketFactor: native}
			all := make([]events.Event, 1000)
			for i := range all {
				all[i] = events.Event{Kind: events.AttemptEnded, Pattern: fmt.Sprintf("/app/task-%d", i), Elapsed: time.Duration(i) * time.Millisecond}
				c.Handle(all[i])
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				c.Handle(all[i%len(all)])
			}
		})
	}
}

// BenchmarkGather is a scrape, without the text.
func BenchmarkGather(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("tasks=%d", n), func(b *testing.B) {
			cfg := supervisor.Config{Name: "app"}
			for i := range n {
				cfg.Children = append(cfg.Children, actor.Spec{Name: fmt.Sprintf("task-%d", i), Task: actor.Func(idle)})
			}
			c := collectorOf(b, supervisor.New(cfg))
			c.Subscriber()
			reg := prometheus.NewRegistry()
			reg.MustRegister(c)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := reg.Gather(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
