// Package oteltrace makes OpenTelemetry traces of what runs: a span for each attempt
// of a task.
//
//	tracer := oteltrace.New(provider)
//	app := supervisor.New(supervisor.Config{
//		Around: []actor.Around{tracer.Around},
//	})
//	err := app.Run(ctx)
//	_ = provider.Shutdown(context.Background()) // afterwards, or the last spans are lost
//
// It is no subscriber: it stands around the attempts, so that the context of a task
// carries the span. What a task starts with it is a child, in helpers of actor.Go too,
// and an unsampled attempt has unsampled children.
//
// # Spans
//
// A span is named "run" and the task's pattern, such as "run /app/jobs/*", of which
// there are few. It begins when the attempt is about to run and ends when the task and
// its helpers have returned. An attempt that was abandoned ends when it returns after
// all, with what it returned then; one that never returns has no span, only events.
// Supervisors have none. At the beginning, for samplers too, a span has
//
//	taskvisor.path        where the task is, such as "/app/jobs/17"
//	taskvisor.task        its pattern, such as "/app/jobs/*"
//	taskvisor.id          its ID in this process
//	taskvisor.attempt     from 1
//	taskvisor.generation  from 1; more after an attempt that was abandoned or left by runtime.Goexit
//
// and if it is an attempt at a stored job, whose type then stands in the name in place of
// the pattern, such as "run media/resize",
//
//	taskvisor.job.id       its number in its store
//	taskvisor.job.type     which handler it is for
//	taskvisor.job.attempt  from 1, over all runs of the program
//
// and at its end
//
//	taskvisor.exit         how the attempt ended: a label of policy.Exit
//	taskvisor.retry_after  the delay that the error asked for, in seconds, if it did
//	error.type             the type of the error, if the exit is a failure
//
// The status is Error, with the first line of the error, when the exit is a failure.
// It is left unset for any other, as OpenTelemetry asks of those who trace for others:
// a task that was told to stop has not failed.
//
// The error of a failure is also an event named exception with exception.type,
// exception.message, and exception.stacktrace where the error knows a stack: that of
// the goroutine that panicked, not that of the tracer. So is what a task had to say
// when it was told to stop, if that is more than that its context has ended. The type
// is that of the error below what only adds words or a mark: fmt.Errorf, actor.Fatal,
// actor.Escalate, actor.RetryAfter.
//
// # Traces
//
// A tree may live for months, and a trace should not. So each attempt begins a trace
// of its own, and links make the chain:
//
//	taskvisor.link=previous_attempt  the attempt before of the same task, with its taskvisor.attempt
//	taskvisor.link=outer             the span in the context that the attempt was given
//
// The attempt before is the last one that was recorded; it may still run, if it was
// abandoned. There is an outer span when the supervisor was run with one, or when
// another [actor.Around] made one. With [Tracer].Nested it is the parent and no link.
//
// A task that lives as long as the program makes one trace of all that it does with its
// context. Where that is not wanted, leave it out:
//
//	func(ctx context.Context, at actor.Info) (context.Context, func(actor.Result)) {
//		if at.Path == "/app/consumer" {
//			return nil, nil
//		}
//		return tracer.Around(ctx, at)
//	}
//
// # Logs
//
// actor.Logger(ctx) knows nothing of traces, but its handler is given what the line is
// written with: a [log/slog.Handler] that asks trace.SpanContextFromContext adds the
// ids to each line of InfoContext and its like. The example of [Tracer.Around] has one.
package oteltrace

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/taskvisor/taskvisor/actor"
)

// The attributes of spans and links, see the package comment.
const (
	PathKey       = attribute.Key("taskvisor.path")
	TaskKey       = attribute.Key("taskvisor.task")
	IDKey         = attribute.Key("taskvisor.id")
	AttemptKey    = attribute.Key("taskvisor.attempt")
	GenerationKey = attribute.Key("taskvisor.generation")
	JobIDKey      = attribute.Key("taskvisor.job.id")
	JobTypeKey    = attribute.Key("taskvisor.job.type")
	JobAttemptKey = attribute.Key("taskvisor.job.attempt")
	ExitKey       = attribute.Key("taskvisor.exit")
	RetryAfterKey = attribute.Key("taskvisor.retry_after")
	LinkKey       = attribute.Key("taskvisor.link")
)

// The values of LinkKey.
const (
	PreviousAttempt = "previous_attempt"
	Outer           = "outer"
)

// ScopeName is the name of the instrumentation scope.
const ScopeName = "github.com/taskvisor/taskvisor/subscribers/oteltrace"

// Tracer makes spans of attempts, of one tree or of several. Its zero value is ready,
// and a nil one traces nothing. Its fields are set before its first use and not changed
// afterwards; its method may be called by any goroutine.
type Tracer struct {
	// Provider makes the spans. Nil means the global one of package otel, also if that
	// is set later.
	Provider trace.TracerProvider
	// Nested makes the span that the context already carries the parent of the attempt's,
	// instead of beginning a trace with a link. It is for trees that live as long as one
	// request or job. Beware of a supervisor that is run with a span of the whole program:
	// all its attempts are one trace then.
	Nested bool

	once   sync.Once
	tracer trace.Tracer // set once
	before memory
}

// New returns a Tracer with that provider, of which nil means the global one.
func New(provider trace.TracerProvider) *Tracer { return &Tracer{Provider: provider} }

// Around starts the span of an attempt and returns the context that carries it and the
// function that ends it. Its method value is an [actor.Around]. A panic of the provider,
// of a sampler or of a processor costs the span and not the attempt: it goes to
// [otel.Handle]. A tracer that stands around twice, here and further up the tree, makes
// one span.
func (t *Tracer) Around(ctx context.Context, at actor.Info) (values context.Context, done func(actor.Result)) {
	if t == nil {
		return nil, nil
	}
	defer guard("start")

	before := t.before.get(at.ID)
	outer := trace.SpanContextFromContext(ctx)
	if before.attempt == at.Attempt && outer.IsValid() && outer.Equal(before.span) {
		return nil, nil // a supervisor above has the same tracer
	}

	began, waited := time.Now(), waited(ctx)
	traced, span := t.open().Start(ctx, "run "+subjectOf(at), t.options(at, began, before, outer)...)
	if !span.IsRecording() {
		return traced, nil // which keeps what is below unsampled
	}

	// The next attempt may begin before this one has ended, or long afterwards.
	here := place{span: span.SpanContext(), attempt: at.Attempt}
	t.before.put(at.ID, here)
	return traced, func(res actor.Result) {
		defer guard("end")
		t.before.put(at.ID, here)
		end(span, began, waited, res)
	}
}

// waited returns how old the attempt of ctx is already.
func waited(ctx context.Context) time.Duration {
	if a := actor.Current(ctx); a != nil {
		return a.Age()
	}
	return 0
}

// subjectOf is what is run, of which there is one of few.
func subjectOf(at actor.Info) string {
	if at.Job != nil && at.Job.Type != "" {
		return valid(at.Job.Type)
	}
	return at.Pattern
}

func (t *Tracer) open() trace.Tracer {
	t.once.Do(func() {
		provider := t.Provider
		if provider == nil {
			provider = otel.GetTracerProvider()
		}
		t.tracer = provider.Tracer(ScopeName)
	})
	return t.tracer
}

// The options that are the same for every span. The kind is the default, but a sampler
// would not see it.
var (
	internalKind = trace.WithSpanKind(trace.SpanKindInternal)
	newRoot      = trace.WithNewRoot()
)

// options says how the span begins.
func (t *Tracer) options(at actor.Info, began time.Time, before place, outer trace.SpanContext) []trace.SpanStartOption {
	options := make([]trace.SpanStartOption, 0, 7)
	options = append(options, internalKind, trace.WithTimestamp(began), trace.WithAttributes(
		PathKey.String(at.Path),
		TaskKey.String(at.Pattern),
		IDKey.Int64(int64(at.ID)),
		AttemptKey.Int(at.Attempt),
		GenerationKey.Int(at.Generation),
	))
	if j := at.Job; j != nil {
		options = append(options, trace.WithAttributes(
			JobIDKey.Int64(int64(j.ID)), //nolint:gosec // a number is given in order, and there are not that many
			JobTypeKey.String(valid(j.Type)),
			JobAttemptKey.Int(j.Attempt),
		))
	}
	if before.span.IsValid() && before.attempt < at.Attempt {
		options = append(options, trace.WithLinks(trace.Link{
			SpanContext: before.span,
			Attributes:  []attribute.KeyValue{LinkKey.String(PreviousAttempt), AttemptKey.Int(before.attempt)},
		}))
	}
	if t.Nested {
		return options
	}
	options = append(options, newRoot)
	if outer.IsValid() {
		options = append(options, trace.WithLinks(trace.Link{
			SpanContext: outer,
			Attributes:  []attribute.KeyValue{LinkKey.String(Outer)},
		}))
	}
	return options
}

// guard is deferred: it keeps a panic from the attempt.
func guard(doing string) {
	if v := recover(); v != nil {
		otel.Handle(fmt.Errorf("oteltrace: panic at the %s of a span: %v", doing, v))
	}
}
