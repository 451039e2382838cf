package actor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/internal/origin"
	"github.com/taskvisor/taskvisor/policy"
)

var (
	// Done is returned by a task that has nothing left to do: it ends as a
	// success under any restart policy.
	Done error = done{}
	// ErrNoTask is returned for a context that does not belong to a task.
	ErrNoTask = errors.New("taskvisor: the context belongs to no task")
	// ErrEnded is returned to a helper that comes after its attempt has ended.
	ErrEnded = errors.New("taskvisor: the attempt has ended")
)

// done is a type of its own, so that an error of the usual one is known not to be Done.
type done struct{}

func (done) Error() string { return "taskvisor: done" }

// Fatal marks err as one that no retry will mend: the task fails at once,
// under any restart policy. Fatal(nil) is nil.
func Fatal(err error) error {
	if err == nil {
		return nil
	}
	return &FatalError{Err: err}
}

// FatalError is an error that is never retried, see [Fatal].
type FatalError struct{ Err error }

func (e *FatalError) Error() string { return e.Err.Error() }

// Unwrap returns the error that was marked.
func (e *FatalError) Unwrap() error { return e.Err }

// Escalate marks err as one that the whole family cannot survive: the task's
// supervisor stops its other children and fails with it. Escalate(nil) is nil.
func Escalate(err error) error {
	if err == nil {
		return nil
	}
	return &EscalateError{Err: err}
}

// EscalateError is an error that ends its task's supervisor, see [Escalate].
type EscalateError struct{ Err error }

func (e *EscalateError) Error() string { return e.Err.Error() }

// Unwrap returns the error that was marked.
func (e *EscalateError) Unwrap() error { return e.Err }

// RetryAfter marks err so that the next attempt is made after d instead of
// after the backoff's delay, this once. A negative d is zero. RetryAfter(nil, d)
// is nil. Any error in the chain with a method RetryAfter() time.Duration does
// the same.
func RetryAfter(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return &RetryAfterError{Err: err, After: max(d, 0)}
}

// RetryAfterError is an error that sets the next delay, see [RetryAfter].
type RetryAfterError struct {
	Err   error
	After time.Duration
}

func (e *RetryAfterError) Error() string { return e.Err.Error() }

// Unwrap returns the error that was marked.
func (e *RetryAfterError) Unwrap() error { return e.Err }

// RetryAfter returns the delay.
func (e *RetryAfterError) RetryAfter() time.Duration { return e.After }

// PanicError is the failure of an attempt, or of one of its helpers, that
// panicked.
type PanicError struct {
	// Value is what panic was called with.
	Value any
	// Stack is the stack of the goroutine that panicked, as runtime.Stack
	// formats it.
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Traces returns the stack from where it panicked on, without what caught it.
func (e *PanicError) Traces() string { return origin.Of(string(e.Stack)) }

// Unwrap returns the panic's value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// GoexitError is the failure of an attempt, or of one of its helpers, that
// called runtime.Goexit (as testing's FailNow does).
type GoexitError struct {
	// Stack is the stack of the goroutine that exited.
	Stack []byte
}

func (e *GoexitError) Error() string { return "the goroutine was ended by runtime.Goexit" }

// Traces returns the stack from where it exited on, without what noticed it.
func (e *GoexitError) Traces() string { return origin.Of(string(e.Stack)) }

// StuckError names a task that did not return after its context had ended.
type StuckError struct {
	Path       string
	Attempt    int
	Generation int
	// For is how long ago it was told to return.
	For time.Duration
	// Goroutines are the goroutines of exactly this task, helpers included.
	Goroutines []Goroutine
}

// Error returns one line; Traces says where.
func (e *StuckError) Error() string {
	return fmt.Sprintf("task %s: attempt %d has not returned for %v after it was told to",
		e.Path, e.Attempt, e.For.Round(time.Millisecond))
}

// Traces returns where the task's goroutines are.
func (e *StuckError) Traces() string { return strings.TrimPrefix(where(e.Goroutines), "\n") }

// RejectedError is why a task that was submitted has not been let in.
type RejectedError struct {
	Path string
	// Key is what it was submitted for.
	Key    string
	Reason events.Reason
}

func (e *RejectedError) Error() string {
	return fmt.Sprintf("task %s: not let in for key %q: %v", e.Path, e.Key, e.Reason)
}

// SpecError is a spec that was refused. Err says why; it is a
// *policy.FieldError that names the field, or what the task's own Validate
// returned.
type SpecError struct {
	Name string
	Err  error
}

func (e *SpecError) Error() string { return fmt.Sprintf("spec %q: %v", e.Name, e.Err) }

// Unwrap returns the reason.
func (e *SpecError) Unwrap() error { return e.Err }

// Is makes every refused spec a policy.ErrInvalid.
func (e *SpecError) Is(target error) bool { return target == policy.ErrInvalid }
