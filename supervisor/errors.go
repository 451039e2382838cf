package supervisor

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
)

// What a call may be answered with. The errors that are returned say which
// path; compare with errors.Is.
var (
	// ErrNotRunning means: the supervisor has not been run yet, or has ended.
	ErrNotRunning = errors.New("supervisor is not running")
	// ErrRunning means: a supervisor can be run only once at a time.
	ErrRunning = errors.New("supervisor is running already")
	// ErrStopping means: the supervisor, or the child, is being stopped.
	ErrStopping = errors.New("is being stopped")
	// ErrNotFound means: no such child.
	ErrNotFound = errors.New("no such child")
	// ErrExists means: the name is taken, by a running child or by the record of one
	// that has ended; the latter can be restarted or removed.
	ErrExists = errors.New("name is taken")
	// ErrLimit means: the supervisor has as many dynamic children as Limit allows.
	ErrLimit = errors.New("limit of dynamic children reached")
	// ErrSelf means: a task asked to stop, restart or remove itself, or a supervisor
	// above it, and would wait for its own end.
	ErrSelf = errors.New("a task cannot wait for its own end")
)

// ConfigError is a configuration that was refused. Err names the field or the
// child.
type ConfigError struct {
	Name string
	Err  error
}

func (e *ConfigError) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("supervisor: %v", e.Err)
	}
	return fmt.Sprintf("supervisor %q: %v", e.Name, e.Err)
}

// Unwrap returns the reason.
func (e *ConfigError) Unwrap() error { return e.Err }

// Is makes every refused configuration a policy.ErrInvalid.
func (e *ConfigError) Is(target error) bool { return target == policy.ErrInvalid }

// StartError says which child kept a supervisor from starting.
type StartError struct {
	Path  string // of the supervisor
	Child string // path of the child
	Err   error
}

func (e *StartError) Error() string {
	return fmt.Sprintf("supervisor %s: start of %s: %v", e.Path, e.Child, e.Err)
}

// Unwrap returns why the child did not start.
func (e *StartError) Unwrap() error { return e.Err }

// EscalatedError ends a supervisor because one of its children said so, by
// [actor.Escalate] or by its spec.
type EscalatedError struct {
	Path  string
	Child string
	Err   error
}

func (e *EscalatedError) Error() string {
	return fmt.Sprintf("supervisor %s: escalated by %s: %v", e.Path, e.Child, e.Err)
}

// Unwrap returns the child's error.
func (e *EscalatedError) Unwrap() error { return e.Err }

// IntensityError ends a supervisor whose children failed more often than its
// Intensity allows.
type IntensityError struct {
	Path      string
	Child     string // whose failure was one too many
	Restarts  int    // how many restarts lay in the window
	Intensity policy.Intensity
	Err       error // the child's last error
}

func (e *IntensityError) Error() string {
	return fmt.Sprintf("supervisor %s: more than %d restarts within %v, the last by %s: %v",
		e.Path, e.Intensity.Restarts, e.Intensity.Within, e.Child, e.Err)
}

// Unwrap returns the child's last error.
func (e *IntensityError) Unwrap() error { return e.Err }

// EndedError ends a supervisor whose significant child failed.
type EndedError struct {
	Path  string
	Child string
	Err   error
}

func (e *EndedError) Error() string {
	return fmt.Sprintf("supervisor %s: significant child %s failed: %v", e.Path, e.Child, e.Err)
}

// Unwrap returns the child's error.
func (e *EndedError) Unwrap() error { return e.Err }

// StopError is a stop that had to leave something behind.
type StopError struct {
	Path string
	// Took is how long the stop took.
	Took time.Duration
	// Stuck names the tasks that did not return, in the whole tree below Path,
	// with the stacks of exactly their goroutines.
	Stuck []*actor.StuckError
}

func (e *StopError) Error() string {
	var b strings.Builder
	tasks := "tasks"
	if len(e.Stuck) == 1 {
		tasks = "task"
	}
	fmt.Fprintf(&b, "stop of %s: %d %s left behind after %v", e.Path, len(e.Stuck), tasks, e.Took.Round(time.Millisecond))
	for _, s := range e.Stuck {
		b.WriteString("\n" + s.Error() + "\n" + s.Traces())
	}
	return strings.TrimRight(b.String(), "\n")
}

// Unwrap returns an error for each stuck task.
func (e *StopError) Unwrap() []error {
	errs := make([]error, len(e.Stuck))
	for i, s := range e.Stuck {
		errs[i] = s
	}
	return errs
}

// ChildError is an answer about one child, or one address: Err is one of the
// sentinels of this package, or the cause of the caller's context.
type ChildError struct {
	Act  string // "start", "stop", "restart", "remove", "find"
	Path string
	Err  error
}

func (e *ChildError) Error() string {
	return fmt.Sprintf("%s %s: %v", e.Act, cmp.Or(e.Path, `""`), e.Err)
}

// Unwrap returns the reason.
func (e *ChildError) Unwrap() error { return e.Err }
