package events_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

// benchBurst is less than a queue, so that no figure is made pretty by events that
// were lost.
const benchBurst = 512

func benchBus(b *testing.B, n int, kinds ...events.Kind) *events.Bus {
	b.Helper()
	bus := new(events.Bus)
	for i := range n {
		if _, err := bus.Subscribe(events.Subscriber{
			Name:    fmt.Sprint(i),
			Handler: events.HandlerFunc(func(events.Event) {}),
			Kinds:   kinds,
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.Cleanup(func() {
		for _, s := range bus.Stats() {
			if s.Lost > 0 {
				b.Errorf("%d events were lost", s.Lost)
			}
		}
		if err := bus.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return bus
}

// publishLoop publishes in bursts that the subscribers then catch up with. The
// figure that counts is ns/event, the publisher's side alone.
func publishLoop(b *testing.B, bus *events.Bus, at time.Time) {
	var spent time.Duration
	b.ReportAllocs()
	for b.Loop() {
		begin := time.Now()
		for range benchBurst {
			if bus.Wants(events.AttemptStarted) {
				bus.Publish(events.Event{
					Kind: events.AttemptStarted, At: at, ID: 7, Path: "/app/db", Attempt: 3, Generation: 1,
				})
			}
		}
		spent += time.Since(begin)
		if err := bus.Drain(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N)/benchBurst, "ns/event")
}

func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{0, 1, 10} {
		b.Run(fmt.Sprintf("subscribers=%d", n), func(b *testing.B) {
			publishLoop(b, benchBus(b, n), time.Time{})
		})
	}
}

// Half of the cost for one subscriber is reading the clock, which falls away for a
// publisher that knows the time.
func BenchmarkPublishAtKnownTime(b *testing.B) {
	for _, n := range []int{1, 10} {
		b.Run(fmt.Sprintf("subscribers=%d", n), func(b *testing.B) {
			publishLoop(b, benchBus(b, n), time.Now())
		})
	}
}

func BenchmarkPublishWhatNobodyWants(b *testing.B) {
	publishLoop(b, benchBus(b, 10, events.TaskFinished), time.Time{})
}

func BenchmarkPublishFromManyGoroutines(b *testing.B) {
	bus := new(events.Bus)
	if _, err := bus.Subscribe(events.Subscriber{
		Name: "busy", Handler: events.HandlerFunc(func(events.Event) {}),
	}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			bus.Publish(events.Event{Kind: events.AttemptStarted, Path: "/app/db", ID: 7, Attempt: 3})
		}
	})
	if err := bus.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}
