package policy

import "github.com/taskvisor/taskvisor/internal/label"

// Exit is how one attempt of a task ended. Zero is no exit at all.
type Exit uint8

const (
	_ Exit = iota
	// Succeeded returned nil.
	Succeeded
	// Finished asked to end the task as a success, whatever its [Restart] says.
	Finished
	// Failed returned an error.
	Failed
	// Fatal returned an error that no retry can mend.
	Fatal
	// Escalated returned an error that asks to end its supervisor.
	Escalated
	// Panicked did not return: the panic was caught.
	Panicked
	// Exited did not return: it called runtime.Goexit.
	Exited
	// TimedOut ran for longer than its timeout.
	TimedOut
	// Stalled gave no sign of life for longer than agreed.
	Stalled
	// Stopped was told to stop. What it returned then does not matter.
	Stopped
)

var exits = label.Table[Exit]{Type: "exit", Unsaid: true, Labels: []string{
	Succeeded: "succeeded",
	Finished:  "finished",
	Failed:    "failed",
	Fatal:     "fatal",
	Escalated: "escalated",
	Panicked:  "panicked",
	Exited:    "exited",
	TimedOut:  "timed_out",
	Stalled:   "stalled",
	Stopped:   "stopped",
}}

// IsFailure reports whether e counts towards a failure streak. Neither a success
// nor a stop does, nor a value that is no exit.
func (e Exit) IsFailure() bool {
	switch e {
	case Failed, Fatal, Escalated, Panicked, Exited, TimedOut, Stalled:
		return true
	}
	return false
}

// String returns the label of e, and nothing for zero.
func (e Exit) String() string { return exits.String(e) }

// MarshalText returns the label of e, and nothing for zero; a value without one is an
// error.
func (e Exit) MarshalText() ([]byte, error) { return exits.Marshal(e) }

// UnmarshalText sets e to the value with that label; an unknown label is an error.
func (e *Exit) UnmarshalText(text []byte) error { return exits.Unmarshal(e, text) }
