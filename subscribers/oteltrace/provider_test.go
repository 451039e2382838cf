package oteltrace_test

import (
	"context"
	"sync"
	"testing"

	"go.opentelemetry.io/otel"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

func newRecorder() *tracetest.SpanRecorder { return tracetest.NewSpanRecorder() }

// rude is a processor that panics.
type rude struct{ atStart bool }

func (r rude) OnStart(context.Context, sdk.ReadWriteSpan) {
	if r.atStart {
		panic("no room")
	}
}

func (r rude) OnEnd(sdk.ReadOnlySpan) {
	if !r.atStart {
		panic("no room")
	}
}

func (rude) Shutdown(context.Context) error   { return nil }
func (rude) ForceFlush(context.Context) error { return nil }

// handling returns what otel is told of until the end of the test.
func handling(t *testing.T) func() []error {
	var mu sync.Mutex
	var list []error
	before := otel.GetErrorHandler()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, err)
	}))
	t.Cleanup(func() { otel.SetErrorHandler(before) })
	return func() []error {
		mu.Lock()
		defer mu.Unlock()
		return list
	}
}

// global makes p the global provider until the end of the test.
func global(t *testing.T, p trace.TracerProvider) {
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(p)
	t.Cleanup(func() { otel.SetTracerProvider(before) })
}
