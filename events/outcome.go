package events

import "github.com/taskvisor/taskvisor/internal/label"

// Outcome is how a task ended for good. Zero is no outcome: the task has not
// ended, or the event is not about that.
type Outcome uint8

const (
	_ Outcome = iota
	// Completed ended as a success.
	Completed
	// Failed ended with an error and without a retry.
	Failed
	// Stopped ended because it was told to.
	Stopped
	// Abandoned did not end when it was told to, and is no longer waited for.
	Abandoned
	// Rejected was submitted and never let in. The reason says why.
	Rejected
)

var outcomes = label.Table[Outcome]{Type: "outcome", Unsaid: true, Labels: []string{
	Completed: "completed",
	Failed:    "failed",
	Stopped:   "stopped",
	Abandoned: "abandoned",
	Rejected:  "rejected",
}}

// String returns the label of o, and nothing for zero.
func (o Outcome) String() string { return outcomes.String(o) }

// MarshalText returns the label of o, and nothing for zero; a value without one is an
// error.
func (o Outcome) MarshalText() ([]byte, error) { return outcomes.Marshal(o) }

// UnmarshalText sets o to the outcome with that label; an unknown label is an error.
func (o *Outcome) UnmarshalText(text []byte) error { return outcomes.Unmarshal(o, text) }
