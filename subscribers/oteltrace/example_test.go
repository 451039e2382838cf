package oteltrace_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/oteltrace"
	"github.com/taskvisor/taskvisor/supervisor"
)

// Each attempt is a span. A program has an exporter of its own, in batches, and shuts
// the provider down after Run.
func ExampleNew() {
	exporter := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(exporter))
	tracer := oteltrace.New(provider)

	dial := func(ctx context.Context) error {
		if at, _ := actor.FromContext(ctx); at.Attempt == 1 {
			return errors.New("connection refused")
		}
		return nil
	}
	app := supervisor.New(supervisor.Config{
		Name: "app", EndWhenEmpty: true,
		Around:   []actor.Around{tracer.Around},
		Children: []actor.Spec{{Name: "dial", Task: actor.Func(dial), Backoff: policy.NoBackoff()}},
	})
	_ = app.Run(context.Background())

	for _, span := range exporter.GetSpans() {
		fmt.Println(span.Name, "status:", span.Status.Code)
		for _, a := range span.Attributes {
			if a.Key == oteltrace.AttemptKey || a.Key == oteltrace.ExitKey {
				fmt.Printf("  %s=%s\n", a.Key, a.Value.String())
			}
		}
		for _, link := range span.Links {
			fmt.Println("  link to the attempt before:", link.SpanContext.Equal(exporter.GetSpans()[0].SpanContext))
		}
	}
	// Output:
	// run /app/dial status: Error
	//   taskvisor.attempt=1
	//   taskvisor.exit=failed
	// run /app/dial status: Unset
	//   taskvisor.attempt=2
	//   taskvisor.exit=succeeded
	//   link to the attempt before: true
}

// traceIDs adds to each line the ids of the span in its context.
type traceIDs struct{ slog.Handler }

func (h traceIDs) Handle(ctx context.Context, r slog.Record) error {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		r.AddAttrs(slog.String("trace_id", span.TraceID().String()), slog.String("span_id", span.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h traceIDs) WithAttrs(as []slog.Attr) slog.Handler { return traceIDs{h.Handler.WithAttrs(as)} }
func (h traceIDs) WithGroup(name string) slog.Handler    { return traceIDs{h.Handler.WithGroup(name)} }

// The lines of a task have the ids of its span, if the handler adds them and the line
// is written with the task's context.
func ExampleTracer_Around() {
	lines := slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: sameEachTime})
	tracer := oteltrace.New(sdk.NewTracerProvider(sdk.WithIDGenerator(ids{})))

	app := supervisor.New(supervisor.Config{
		Name: "app", EndWhenEmpty: true,
		Around: []actor.Around{tracer.Around},
		Logger: slog.New(traceIDs{lines}),
		Children: []actor.Spec{{Name: "job", Task: actor.Func(func(ctx context.Context) error {
			actor.Logger(ctx).InfoContext(ctx, "half done")
			return nil
		})}},
	})
	_ = app.Run(context.Background())
	// Output:
	// level=INFO msg="half done" path=/app/job attempt=1 generation=1 trace_id=01000000000000000000000000000000 span_id=0200000000000000
}

// A task that lives as long as the program would make one trace of all that it does.
// Without a span around it, each message that it handles begins a trace instead.
func ExampleTracer_Around_some() {
	exporter := tracetest.NewInMemoryExporter()
	tracer := oteltrace.New(sdk.NewTracerProvider(sdk.WithSyncer(exporter)))
	jobs := func(ctx context.Context, at actor.Info) (context.Context, func(actor.Result)) {
		if at.Path == "/app/consumer" {
			return nil, nil
		}
		return tracer.Around(ctx, at)
	}

	work := actor.Func(func(context.Context) error { return nil })
	app := supervisor.New(supervisor.Config{
		Name: "app", EndWhenEmpty: true,
		Around:   []actor.Around{jobs},
		Children: []actor.Spec{{Name: "consumer", Task: work}, {Name: "job", Task: work}},
	})
	_ = app.Run(context.Background())
	for _, span := range exporter.GetSpans() {
		fmt.Println(span.Name)
	}
	// Output: run /app/job
}

// ids are the same each time.
type ids struct{}

func (ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	return trace.TraceID{1}, trace.SpanID{2}
}

func (ids) NewSpanID(context.Context, trace.TraceID) trace.SpanID { return trace.SpanID{2} }

// sameEachTime leaves out what is not.
func sameEachTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == "id" {
		return slog.Attr{}
	}
	return a
}
