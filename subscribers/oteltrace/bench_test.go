package oteltrace_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/oteltrace"
)

// BenchmarkAttempt is what the tracer adds to an attempt, the provider's part included.
// The bare rows are that part alone: a span without options.
func BenchmarkAttempt(b *testing.B) {
	providers := []struct {
		name     string
		provider trace.TracerProvider
	}{
		{"sampled", sdk.NewTracerProvider()},
		{"unsampled", sdk.NewTracerProvider(sdk.WithSampler(sdk.NeverSample()))},
		{"noop", noop.NewTracerProvider()},
	}
	results := []struct {
		name string
		res  actor.Result
	}{
		{"succeeds", actor.Result{Exit: policy.Succeeded, Elapsed: time.Millisecond}},
		{"fails", actor.Result{Exit: policy.Failed, Err: errRefused, Elapsed: time.Millisecond}},
	}
	for _, p := range providers {
		b.Run(p.name+"/bare", func(b *testing.B) {
			b.ReportAllocs()
			tracer := p.provider.Tracer("bench")
			for b.Loop() {
				_, span := tracer.Start(context.Background(), "run /app/a")
				span.SetStatus(codes.Unset, "")
				span.End()
			}
		})
		for _, r := range results {
			b.Run(p.name+"/"+r.name, func(b *testing.B) {
				b.ReportAllocs()
				tracer := oteltrace.New(p.provider)
				n := 0
				for b.Loop() {
					n++
					_, done := tracer.Around(context.Background(), actor.Info{
						ID: events.ID(n%1000 + 1), Path: "/app/a", Pattern: "/app/a", Attempt: n/1000 + 1, Generation: 1,
					})
					if done != nil {
						done(r.res)
					}
				}
			})
		}
	}
}

func BenchmarkAttemptParallel(b *testing.B) {
	tracer := oteltrace.New(sdk.NewTracerProvider())
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for n := 1; pb.Next(); n++ {
			_, done := tracer.Around(context.Background(), actor.Info{ID: events.ID(n), Path: "/app/a", Pattern: "/app/a", Attempt: 1})
			done(succeeded)
		}
	})
}
