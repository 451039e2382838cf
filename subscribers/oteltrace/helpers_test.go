package oteltrace_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/subscribers/oteltrace"
	"github.com/taskvisor/taskvisor/supervisor"
)

var errRefused = errors.New("connection refused")

// lab is a tracer with a real provider whose spans can be looked at.
type lab struct {
	*oteltrace.Tracer
	provider *sdk.TracerProvider
	exporter *tracetest.InMemoryExporter
}

func newLab(options ...sdk.TracerProviderOption) *lab {
	l := &lab{exporter: tracetest.NewInMemoryExporter()}
	l.provider = sdk.NewTracerProvider(append(options, sdk.WithSyncer(l.exporter))...)
	l.Tracer = oteltrace.New(l.provider)
	return l
}

// spans returns those that have ended, in that order.
func (l *lab) spans() tracetest.SpanStubs { return l.exporter.GetSpans() }

// of returns the spans with that name.
func (l *lab) of(name string) (found tracetest.SpanStubs) {
	for _, s := range l.spans() {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// runs runs a tree around which the tracer stands until it ends by itself.
func (l *lab) runs(t *testing.T, children ...actor.Spec) error {
	t.Helper()
	return supervisor.New(supervisor.Config{
		Name: "app", EndWhenEmpty: true, Around: []actor.Around{l.Around}, Children: children,
	}).Run(t.Context())
}

// up runs a tree in a bubble until its end and returns what stops it.
func up(t *testing.T, app *supervisor.Supervisor) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = app.Run(ctx)
	}()
	synctest.Wait()
	return func() {
		cancel()
		<-ended
	}
}

// in returns a task that ends with err after a while, or at once with nil if it is told to.
func in(d time.Duration, err error) actor.Func {
	return func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(d):
			return err
		}
	}
}

// steps is a task that goes one step further with each attempt.
func steps(list ...actor.Func) actor.Func {
	return func(ctx context.Context) error {
		at, _ := actor.FromContext(ctx)
		return list[at.Attempt-1](ctx)
	}
}

func fails(context.Context) error    { return errRefused }
func succeeds(context.Context) error { return nil }

func serve(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// value returns what the attributes have under the key, as text.
func value(attrs []attribute.KeyValue, key attribute.Key) string {
	for _, kv := range attrs {
		if kv.Key == key {
			return kv.Value.String()
		}
	}
	return ""
}

// line is a span in one line: its name, attempt, exit and status, its links, its events.
func line(s tracetest.SpanStub) string {
	var b strings.Builder
	fmt.Fprint(&b, s.Name, " ", value(s.Attributes, oteltrace.AttemptKey), " ", value(s.Attributes, oteltrace.ExitKey))
	if s.Status.Code != codes.Unset {
		fmt.Fprintf(&b, " %s %q", s.Status.Code, s.Status.Description)
	}
	for _, link := range s.Links {
		fmt.Fprint(&b, " ", value(link.Attributes, oteltrace.LinkKey))
		if n := value(link.Attributes, oteltrace.AttemptKey); n != "" {
			fmt.Fprint(&b, "=", n)
		}
	}
	for _, e := range s.Events {
		fmt.Fprintf(&b, " %s: %s %q", e.Name, value(e.Attributes, "exception.type"), value(e.Attributes, "exception.message"))
	}
	return b.String()
}

func lines(spans tracetest.SpanStubs) []string {
	var list []string
	for _, s := range spans {
		list = append(list, line(s))
	}
	return list
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}

// linksTo reports whether the links of s contain the span of to.
func linksTo(s tracetest.SpanStub, to trace.SpanContext) bool {
	for _, link := range s.Links {
		if link.SpanContext.Equal(to) {
			return true
		}
	}
	return false
}
