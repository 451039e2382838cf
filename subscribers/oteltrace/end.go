package oteltrace

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// What the semantic conventions say about errors. Their package would tie this one to
// one of their many versions; these names have never changed.
const (
	errorTypeKey     = attribute.Key("error.type")
	exceptionEvent   = "exception"
	exceptionType    = attribute.Key("exception.type")
	exceptionMessage = attribute.Key("exception.message")
	exceptionStack   = attribute.Key("exception.stacktrace")
)

// end tells the span of an attempt how that has ended, and ends it. Waited is how old the
// attempt was when the span began.
func end(span trace.Span, began time.Time, waited time.Duration, res actor.Result) {
	// As long after its beginning as it took, also if the wall clock was set meanwhile.
	ended := began.Add(max(res.Elapsed-waited, 0))
	defer span.End(trace.WithTimestamp(ended)) // whatever the user's error does

	span.SetAttributes(ExitKey.String(res.Exit.String()))
	if res.HasAfter {
		span.SetAttributes(RetryAfterKey.Float64(res.After.Seconds()))
	}
	switch {
	case res.Exit.IsFailure():
		fail(span, res, ended)
	case res.Exit == policy.Stopped && res.Err != nil:
		record(span, typeOf(res.Err), text(res.Err), stacksOf(res.Err), ended)
	} // the error of a success says that the task is done
}

// fail gives the span of a failure its status and what is known about the error.
func fail(span trace.Span, res actor.Result, ended time.Time) {
	if res.Err == nil {
		span.SetStatus(codes.Error, res.Exit.String())
		return
	}
	name, message := typeOf(res.Err), text(res.Err)
	span.SetStatus(codes.Error, firstLine(message))
	span.SetAttributes(errorTypeKey.String(name))
	record(span, name, message, stacksOf(res.Err), ended)
}

// record makes the event of an error. Span.RecordError would take the tracer's own
// stack, and let the error's method panic.
func record(span trace.Span, name, message, stacks string, at time.Time) {
	said := []attribute.KeyValue{exceptionType.String(name), exceptionMessage.String(message)}
	if stacks != "" {
		said = append(said, exceptionStack.String(stacks))
	}
	span.AddEvent(exceptionEvent, trace.WithTimestamp(at), trace.WithAttributes(said...))
}

// text is what err says. fmt survives an Error method that panics.
func text(err error) string { return valid(fmt.Sprint(err)) }

// stacksOf returns the stacks that err knows. Looking for them calls methods of the
// user's errors, which may panic.
func stacksOf(err error) (stacks string) {
	defer func() {
		if recover() != nil {
			stacks = ""
		}
	}()
	return valid(events.Traces(err))
}

// wrapped is the type of what fmt.Errorf makes with one %w.
var wrapped = reflect.TypeOf(fmt.Errorf("%w", actor.Done))

// typeOf returns the type of err below what only adds words or a mark, written as the
// SDK writes it.
func typeOf(err error) string {
	for below := err; below != nil; below = unmarked(err) {
		err = below
	}
	t := reflect.TypeOf(err)
	if t.PkgPath() == "" {
		return t.String() // a pointer, most of the time
	}
	return t.PkgPath() + "." + t.Name()
}

// unmarked returns the error below one that only adds words or a mark, or nil.
func unmarked(err error) error {
	switch e := err.(type) { //nolint:errorlint // the chain is walked by typeOf
	case *actor.FatalError:
		return e.Err
	case *actor.EscalateError:
		return e.Err
	case *actor.RetryAfterError:
		return e.Err
	}
	if reflect.TypeOf(err) == wrapped {
		return errors.Unwrap(err)
	}
	return nil
}

// valid returns s as exporters need it: text that is not UTF-8 costs them the batch.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimRight(line, "\r")
}
