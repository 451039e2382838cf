package actor

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/taskvisor/taskvisor/policy"
)

// MaxName is the length in bytes that a task's name may have.
const MaxName = 200

// Spec describes a task to a supervisor, which uses it again at every restart.
// Name and Task are required. A zero setting is inherited from the supervisor's
// defaults, then from the constants of package policy; a zero choice is the
// default choice.
type Spec struct {
	// Name is unique among the children of a supervisor and the last part of
	// the task's path: not empty, valid UTF-8 without '/', control characters
	// or surrounding space, not "." or "..", at most MaxName bytes.
	Name string
	// Task is what runs.
	Task Task

	// Restart says when the task is run again: OnFailure (zero), Always, Never.
	Restart policy.Restart
	// Every is the pause after a success under Restart: Always; zero means at
	// once, though never more often than once per millisecond.
	Every time.Duration
	// Backoff gives the delays between a failure and the next attempt. Zero
	// inherits, and then means 200 ms to 30 s, doubled each time, half at random.
	Backoff policy.Backoff
	// MaxRetries is how many retries a streak of failures may take: n means
	// n+1 attempts. Zero inherits; policy.Unlimited and policy.NoRetry are named.
	MaxRetries int
	// ResetAfter is how long an attempt must have run to count as healthy: the
	// backoff starts again from its first delay. When it is set here or in the
	// supervisor's defaults, the retry budget starts again too. Zero inherits,
	// and then means a minute.
	ResetAfter time.Duration

	// Timeout ends the context of an attempt that runs longer. Zero inherits,
	// and without a default there is none.
	Timeout time.Duration
	// Stall ends the context of an attempt that has not called Beat for that
	// long. Zero inherits, and without a default nothing is expected.
	Stall time.Duration
	// Grace is how long an attempt may take to return after its context has
	// ended; then it is stuck and OnStuck decides. Zero inherits, and then means
	// 10 s, for a supervisor Forever; policy.Forever and policy.NoGrace are named.
	Grace time.Duration

	// AwaitReady says that the task calls Ready when it is up. Its younger
	// siblings are started only then. A completed task counts as ready.
	AwaitReady bool
	// StartTimeout is how long the task may take to be ready: at the first start
	// of its supervisor with all its attempts together, later in each attempt.
	// It has a meaning only with AwaitReady. Zero inherits, and then means a
	// minute, for a supervisor the sum of its children's.
	StartTimeout time.Duration

	// OnGiveUp says what follows when no retry is left; zero leaves the siblings
	// alone.
	OnGiveUp policy.OnGiveUp
	// OnPanic says what follows a panic; zero treats it as any failure.
	OnPanic policy.OnPanic
	// OnStuck says what is done about an attempt that outlives its grace; zero
	// waits before a restart and abandons when the task is to end.
	OnStuck policy.OnStuck
	// Significant marks a child whose end may end its supervisor, see
	// supervisor.AutoShutdown. A significant child may not be restarted Always.
	Significant bool
	// Optional marks a declared child without which its supervisor is ready all the
	// same: a cache, a reporter. Its younger siblings do not wait for it, so that it
	// cannot fail the start; else it is like any other.
	Optional bool
	// NoPermit exempts the attempts from the supervisor's Concurrency limit.
	NoPermit bool
}

// Rules returns the part of the spec that decides whether a task runs again.
func (s *Spec) Rules() policy.Rules {
	return policy.Rules{
		Restart:    s.Restart,
		MaxRetries: s.MaxRetries,
		OnGiveUp:   s.OnGiveUp,
		OnPanic:    s.OnPanic,
	}
}

// Validate returns a *SpecError that names the first field that cannot be
// used, or nil. A task with a Validate method is asked too.
func (s *Spec) Validate() error {
	if err := s.check(); err != nil {
		return &SpecError{Name: s.Name, Err: err}
	}
	return nil
}

// ValidateTask is Validate for the name and the task alone, for who knows that
// the settings are valid.
func (s *Spec) ValidateTask() error {
	if err := s.checkTask(); err != nil {
		return &SpecError{Name: s.Name, Err: err}
	}
	return nil
}

func (s *Spec) checkTask() error {
	if reason := badName(s.Name); reason != "" {
		return &policy.FieldError{Field: "Name", Value: s.Name, Reason: reason}
	}
	if isNil(s.Task) {
		return &policy.FieldError{Field: "Task", Value: nil, Reason: "must not be nil"}
	}
	if v, ok := s.Task.(interface{ Validate() error }); ok {
		return v.Validate()
	}
	return nil
}

func (s *Spec) check() error {
	if err := s.checkTask(); err != nil {
		return err
	}
	if err := s.Rules().Validate(); err != nil {
		return err
	}
	if s.OnStuck > policy.StuckEscalate {
		return &policy.FieldError{Field: "OnStuck", Value: s.OnStuck, Reason: "is not a known choice"}
	}
	if err := s.Backoff.Validate(); err != nil {
		return err
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"Every", s.Every},
		{"ResetAfter", s.ResetAfter},
		{"Timeout", s.Timeout},
		{"Stall", s.Stall},
		{"Grace", s.Grace},
		{"StartTimeout", s.StartTimeout},
	} {
		if d.value < 0 {
			return &policy.FieldError{Field: d.field, Value: d.value, Reason: "must not be negative"}
		}
	}
	switch {
	case s.Every > 0 && s.Restart != policy.Always:
		return &policy.FieldError{Field: "Every", Value: s.Every, Reason: "needs Restart: Always"}
	case s.Significant && s.Restart == policy.Always:
		return &policy.FieldError{Field: "Significant", Value: true, Reason: "contradicts Restart: Always, which never ends"}
	case s.StartTimeout > 0 && !s.AwaitReady:
		return &policy.FieldError{Field: "StartTimeout", Value: s.StartTimeout, Reason: "needs AwaitReady"}
	}
	return nil
}

// badName says what is wrong with a name, or nothing.
func badName(name string) string {
	if isPlain(name) {
		return ""
	}
	switch {
	case name == "":
		return "must not be empty"
	case len(name) > MaxName:
		return fmt.Sprintf("is longer than %d bytes", MaxName)
	case name == "." || name == "..", name == "*": // which stands for all dynamic children where they are counted
		return "is reserved"
	case !utf8.ValidString(name):
		return "is not valid UTF-8"
	case strings.ContainsRune(name, '/'):
		return "must not contain '/', which separates the parts of a path"
	case strings.IndexFunc(name, unicode.IsControl) >= 0:
		return "must not contain control characters"
	case strings.TrimSpace(name) != name:
		return "must not begin or end with space"
	}
	return ""
}

// isPlain says of most good names that they are good, at little cost.
func isPlain(name string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= utf8.RuneSelf-1 || c == '/' {
			return false
		}
	}
	return name != "" && name[0] != '.' && name[0] != '*' && len(name) <= MaxName
}

// isNil also finds the nil Func and the nil pointer inside an interface, which
// would otherwise panic at every attempt.
func isNil(t Task) bool {
	switch t := t.(type) {
	case nil:
		return true
	case Func:
		return t == nil
	}
	switch v := reflect.ValueOf(t); v.Kind() {
	case reflect.Func, reflect.Pointer, reflect.Map, reflect.Slice, reflect.Chan, reflect.Interface:
		return v.IsNil()
	}
	return false
}

// CheckName returns a *SpecError when name cannot be a task's name.
func CheckName(name string) error {
	if reason := badName(name); reason != "" {
		return &SpecError{Name: name, Err: &policy.FieldError{Field: "Name", Value: name, Reason: reason}}
	}
	return nil
}
