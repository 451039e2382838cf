package inspect

import "github.com/taskvisor/taskvisor/internal/label"

// Answer is what a supervisor does about the failure of a child. Zero is none.
type Answer uint8

const (
	_ Answer = iota
	// AnswerRetry means: the child is run again, and nothing else happens.
	AnswerRetry
	// AnswerGroup means: the child is run again together with siblings, which are
	// stopped first.
	AnswerGroup
	// AnswerGiveUp means: the child has failed for good, and its siblings go on.
	AnswerGiveUp
	// AnswerEscalate means: the child has failed for good, and its OnGiveUp ends the
	// supervisor.
	AnswerEscalate
	// AnswerExceeded means: it is one failure too many for the Intensity, which ends the
	// supervisor.
	AnswerExceeded
	// AnswerShutdown means: the child was significant and has failed for good, and the
	// AutoShutdown ends the supervisor.
	AnswerShutdown
	// AnswerEmptied means: the child was the last and has failed for good, and
	// EndWhenEmpty ends the supervisor.
	AnswerEmptied
	// AnswerNotStarted means: the child has failed for good before it was ever ready,
	// and the supervisor cannot start without it.
	AnswerNotStarted
	// AnswerNothing means: the child, or a supervisor above it, is being stopped, so that
	// what follows has been decided already. In a lame-duck time, in which nothing has been
	// told to stop yet, it may still be run again.
	AnswerNothing
)

var answers = label.Table[Answer]{Type: "answer", Labels: []string{
	AnswerRetry:      "retry",
	AnswerGroup:      "restart_group",
	AnswerGiveUp:     "give_up",
	AnswerEscalate:   "escalate",
	AnswerExceeded:   "intensity_exceeded",
	AnswerShutdown:   "auto_shutdown",
	AnswerEmptied:    "emptied",
	AnswerNotStarted: "not_started",
	AnswerNothing:    "nothing",
}}

// Answers returns every answer, in the order of their declaration. The slice is the
// caller's own.
func Answers() []Answer { return answers.Values() }

// EndsSupervisor reports whether the supervisor that answers ends, and fails itself.
func (a Answer) EndsSupervisor() bool {
	switch a {
	case AnswerEscalate, AnswerExceeded, AnswerShutdown, AnswerEmptied, AnswerNotStarted:
		return true
	}
	return false
}

// RunsAgain reports whether the child is run again.
func (a Answer) RunsAgain() bool { return a == AnswerRetry || a == AnswerGroup }

// String returns the label of a.
func (a Answer) String() string { return answers.String(a) }

// MarshalText returns the label of a; a value without one is an error.
func (a Answer) MarshalText() ([]byte, error) { return answers.Marshal(a) }

// UnmarshalText sets a to the value with that label; an unknown label is an error.
func (a *Answer) UnmarshalText(text []byte) error { return answers.Unmarshal(a, text) }
