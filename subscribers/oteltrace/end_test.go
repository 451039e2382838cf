package oteltrace_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/oteltrace"
	"github.com/taskvisor/taskvisor/supervisor"
)

// ended returns the span of one attempt with that result.
func ended(t *testing.T, res actor.Result) tracetest.SpanStub {
	t.Helper()
	l := newLab()
	_, done := l.Around(t.Context(), actor.Info{ID: 7, Path: "/app/a", Pattern: "/app/a", Name: "a", Attempt: 1, Generation: 1})
	done(res)
	if len(l.spans()) != 1 {
		t.Fatalf("%d spans", len(l.spans()))
	}
	return l.spans()[0]
}

// list is an error that == cannot compare.
type list []error

func (list) Error() string { return "several" }

// mean is an error that panics wherever it can.
type mean struct{}

func (mean) Error() string { panic("no text") }
func (mean) Unwrap() error { panic("nothing below") }
func (mean) As(any) bool   { panic("nothing else") }

func TestEveryExitHasItsStatus(t *testing.T) {
	for exit := range policy.Stopped + 2 {
		t.Run(exit.String(), func(t *testing.T) {
			s := ended(t, actor.Result{Exit: exit, Err: errRefused, Elapsed: time.Nanosecond})
			want, said := codes.Unset, ""
			if exit.IsFailure() {
				want, said = codes.Error, "connection refused"
			}
			equal(t, "status", s.Status.Code, want)
			equal(t, "description", s.Status.Description, said)
			equal(t, "exit", value(s.Attributes, oteltrace.ExitKey), exit.String())
			equal(t, "has an error type", value(s.Attributes, "error.type") != "", exit.IsFailure())
			equal(t, "has an exception", len(s.Events) == 1, exit.IsFailure() || exit == policy.Stopped)
		})
	}
}

func TestWhatIsSaidAboutAnError(t *testing.T) {
	opErr := &net.OpError{Op: "dial", Err: errRefused}
	for _, row := range []struct {
		sentence, kind, message string
		err                     error
	}{
		{"a plain error", "*errors.errorString", "connection refused", errRefused},
		{"words around it are no type", "*net.OpError", "db: dial: connection refused", fmt.Errorf("db: %w", opErr)},
		{"marks are no type", "*net.OpError", "db: dial: connection refused", actor.Fatal(actor.RetryAfter(actor.Escalate(fmt.Errorf("db: %w", opErr)), time.Second))},
		{"joined errors are of their own type", "*errors.joinError", "connection refused\ndial: connection refused", errors.Join(errRefused, opErr)},
		{"a value has its package", "github.com/taskvisor/taskvisor/subscribers/oteltrace_test.list", "several", list{errRefused}},
		{"a panic is a panic", "*actor.PanicError", "panic: boom", &actor.PanicError{Value: "boom"}},
		{"an error that panics", "github.com/taskvisor/taskvisor/subscribers/oteltrace_test.mean", "%!v(PANIC=Error method: no text)", mean{}},
		{"an error that panics, with words around it", "github.com/taskvisor/taskvisor/subscribers/oteltrace_test.mean", "%!v(PANIC=Error method: no text)", actor.Fatal(mean{})},
		{"a nil pointer", "*net.OpError", "<nil>", (*net.OpError)(nil)},
		{"text that is not UTF-8", "*errors.errorString", "a\uFFFDb", errors.New("a\xffb")},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			s := ended(t, actor.Result{Exit: policy.Failed, Err: row.err, Elapsed: time.Nanosecond})
			if len(s.Events) != 1 || s.Events[0].Name != "exception" {
				t.Fatalf("events %v", s.Events)
			}
			attrs := s.Events[0].Attributes
			equal(t, "type", value(attrs, "exception.type"), row.kind)
			equal(t, "error.type", value(s.Attributes, "error.type"), row.kind)
			equal(t, "stack", value(attrs, "exception.stacktrace"), "")
			equal(t, "message", value(attrs, "exception.message"), row.message)
			first, _, _ := strings.Cut(row.message, "\n")
			equal(t, "description", s.Status.Description, first)
		})
	}
}

func TestAResultMayBeEmpty(t *testing.T) {
	s := ended(t, actor.Result{})
	equal(t, "status", s.Status.Code, codes.Unset)
	if s.EndTime.Before(s.StartTime) {
		t.Errorf("it ends %v before it begins", s.StartTime.Sub(s.EndTime))
	}
	s = ended(t, actor.Result{Exit: policy.Failed})
	equal(t, "description of a failure without an error", s.Status.Description, "failed")
	equal(t, "events of a failure without an error", len(s.Events), 0)
}

func TestTheDelayThatAnErrorAskedForIsInSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		_ = l.runs(t, actor.Spec{Name: "a", Task: steps(
			func(context.Context) error { return actor.RetryAfter(errRefused, 1500*time.Millisecond) },
			func(context.Context) error { return actor.RetryAfter(errRefused, 0) },
			succeeds,
		)})
		for i, want := range []string{"1.5", "0", ""} {
			equal(t, fmt.Sprint("after attempt ", i+1), value(l.spans()[i].Attributes, oteltrace.RetryAfterKey), want)
		}
	})
}

func blowUp() { panic("boom") }
func giveUp() { runtime.Goexit() }
func beyond() { _ = make(list, 1)[len(errRefused.Error())] }

func TestTheStackIsThatOfTheGoroutineThatFailed(t *testing.T) {
	inHelper := func(f func()) actor.Func {
		return func(ctx context.Context) error {
			return actor.Go(ctx, func(context.Context) error { f(); return nil })
		}
	}
	in := func(f func()) actor.Func { return func(context.Context) error { f(); return nil } }
	for _, row := range []struct {
		sentence    string
		task        actor.Func
		exit, where string
	}{
		{"a panic", in(blowUp), "panicked", "oteltrace_test.blowUp("},
		{"a panic of the runtime", in(beyond), "panicked", "oteltrace_test.beyond("},
		{"a panic in a helper", inHelper(blowUp), "panicked", "oteltrace_test.blowUp("},
		{"Goexit", in(giveUp), "exited", "oteltrace_test.giveUp("},
		{"Goexit in a helper", inHelper(giveUp), "exited", "oteltrace_test.giveUp("},
		{"a panic when it was told to stop", func(ctx context.Context) error { <-ctx.Done(); blowUp(); return nil }, "panicked", "oteltrace_test.blowUp("},
		{"a panic with words around it", func(context.Context) error {
			return fmt.Errorf("job: %w", &actor.PanicError{Value: 1, Stack: []byte("main.job(")})
		}, "panicked", "main.job("},
		{"a stack that is not UTF-8", func(context.Context) error {
			return &actor.PanicError{Value: 1, Stack: []byte("main.\xffjob(")}
		}, "panicked", "main.\uFFFDjob("},
		{"a failure without one", fails, "failed", ""},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab()
				_ = l.runs(t, actor.Spec{Name: "a", Restart: policy.Never, Timeout: time.Minute, Task: row.task})
				spans := l.spans()
				if len(spans) != 1 || len(spans[0].Events) != 1 {
					t.Fatalf("got %q", lines(spans))
				}
				equal(t, "exit", value(spans[0].Attributes, oteltrace.ExitKey), row.exit)
				equal(t, "status", spans[0].Status.Code, codes.Error)
				stack := value(spans[0].Events[0].Attributes, "exception.stacktrace")
				if !strings.Contains(stack, row.where) || (stack == "") != (row.where == "") {
					t.Errorf("the stack has no %q:\n%s", row.where, stack)
				}
				if strings.Contains(stack, "oteltrace.(*Tracer)") || strings.Contains(stack, "oteltrace.end") {
					t.Errorf("the stack is that of the tracer:\n%s", stack)
				}
				equal(t, "valid", utf8.ValidString(stack), true)
			})
		})
	}
}

func TestAPanicOfATaskThatWasToldToStopIsRecordedAndNoError(t *testing.T) {
	s := ended(t, actor.Result{Exit: policy.Stopped, Err: &actor.PanicError{Value: "boom", Stack: []byte("main.work(")}, Elapsed: time.Nanosecond})
	equal(t, "status", s.Status.Code, codes.Unset)
	equal(t, "stack", value(s.Events[0].Attributes, "exception.stacktrace"), "main.work(")
}

func TestASpanIsAsLongAsTheAttemptTook(t *testing.T) {
	s := ended(t, actor.Result{Exit: policy.Failed, Err: errRefused, Elapsed: time.Hour})
	if took := s.EndTime.Sub(s.StartTime); took <= 59*time.Minute || took > time.Hour {
		t.Errorf("it took %v", took)
	}
	equal(t, "time of the exception", s.Events[0].Time, s.EndTime)
}

func TestASpanBeginsWhenItIsItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		waits := func(context.Context, actor.Info) (context.Context, func(actor.Result)) {
			time.Sleep(time.Minute)
			return nil, nil
		}
		began := time.Now()
		app := supervisor.New(supervisor.Config{
			Name: "app", EndWhenEmpty: true, Around: []actor.Around{waits, l.Around},
			Children: []actor.Spec{{Name: "a", Task: in(3*time.Second, nil)}},
		})
		if err := app.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := l.spans()[0]
		equal(t, "begins after", s.StartTime.Sub(began), time.Minute)
		equal(t, "takes", s.EndTime.Sub(s.StartTime), 3*time.Second)
	})
}
