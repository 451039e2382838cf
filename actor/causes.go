package actor

import (
	"context"
	"fmt"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

// The causes with which the context of an attempt ends, as context.Cause gives
// them. Compare with errors.Is.
var (
	// ErrShutdown means: the supervisor stops.
	ErrShutdown error = &cause{events.ReasonShutdown, "taskvisor: the supervisor shuts down"}
	// ErrStopped means: the task was stopped by a call of Stop.
	ErrStopped error = &cause{events.ReasonStopped, "taskvisor: the task was stopped"}
	// ErrRemoved means: the task was removed by a call of Remove.
	ErrRemoved error = &cause{events.ReasonRemoved, "taskvisor: the task was removed"}
	// ErrRestarted means: the task was restarted by a call of Restart.
	ErrRestarted error = &cause{events.ReasonRestarted, "taskvisor: the task was restarted"}
	// ErrGroup means: a sibling failed and the task is restarted with its group.
	ErrGroup error = &cause{events.ReasonGroup, "taskvisor: the task is restarted with its group"}
	// ErrReplaced means: another task takes its place.
	ErrReplaced error = &cause{events.ReasonReplaced, "taskvisor: the task was replaced"}
	// ErrCancelled means: somebody cancelled the job on whose behalf the task runs.
	ErrCancelled error = &cause{events.ReasonCancelled, "taskvisor: the job was cancelled"}
	// ErrSuperseded means: another job takes the place of the one on whose behalf the
	// task runs.
	ErrSuperseded error = &cause{events.ReasonSuperseded, "taskvisor: another job takes its place"}
	// ErrReturned means: Run has returned, and what it left behind should end.
	ErrReturned error = &cause{events.ReasonReturned, "taskvisor: the attempt has returned"}
)

// cause is why a context ended, as a sentinel.
type cause struct {
	reason events.Reason
	text   string
}

func (c *cause) Error() string { return c.text }

// TimeoutError is the failure of an attempt that ran into its timeout, and the
// cause with which its context ended.
type TimeoutError struct {
	Path    string
	Timeout time.Duration
	// Err is what the attempt returned in the end; nil as a cause, or when it
	// returned nothing.
	Err error
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("task %s: timeout after %v%s", e.Path, e.Timeout, after(e.Err))
}

// Unwrap returns what the attempt returned.
func (e *TimeoutError) Unwrap() error { return e.Err }

// Is makes a timeout a context.DeadlineExceeded, as the context of the attempt
// said it was.
func (e *TimeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// StallError is the failure of an attempt that stopped calling Beat, and the
// cause with which its context ended.
type StallError struct {
	Path  string
	Stall time.Duration
	// Err is what the attempt returned in the end; nil as a cause, or when it
	// returned nothing.
	Err error
}

func (e *StallError) Error() string {
	return fmt.Sprintf("task %s: no beat for %v%s", e.Path, e.Stall, after(e.Err))
}

// Unwrap returns what the attempt returned.
func (e *StallError) Unwrap() error { return e.Err }

// NotReadyError is the failure of a start that was not ready within its
// StartTimeout, or that ended before it was ready.
type NotReadyError struct {
	Path string
	// Timeout is zero if the task has ended.
	Timeout time.Duration
	// Err is the task's last error, if there was one.
	Err error
}

func (e *NotReadyError) Error() string {
	if e.Timeout == 0 {
		return fmt.Sprintf("task %s: ended before it was ready%s", e.Path, after(e.Err))
	}
	return fmt.Sprintf("task %s: not ready after %v%s", e.Path, e.Timeout, after(e.Err))
}

// Unwrap returns the task's last error.
func (e *NotReadyError) Unwrap() error { return e.Err }

func after(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}
