package policy

import "github.com/taskvisor/taskvisor/internal/label"

// Decision is what follows an attempt. Zero is no decision at all.
type Decision uint8

const (
	_ Decision = iota
	// Repeat runs the task again after a success; see [RepeatDelay].
	Repeat
	// Retry runs the task again after the backoff.
	Retry
	// Complete ends the task as a success.
	Complete
	// GiveUp ends the task as failed.
	GiveUp
	// Escalate ends the task as failed, and its supervisor with it.
	Escalate
	// Halt ends the task because it was told to stop.
	Halt
)

var decisions = label.Table[Decision]{Type: "decision", Labels: []string{
	Repeat:   "repeat",
	Retry:    "retry",
	Complete: "complete",
	GiveUp:   "give_up",
	Escalate: "escalate",
	Halt:     "halt",
}}

// String returns the label of d.
func (d Decision) String() string { return decisions.String(d) }

// MarshalText returns the label of d; a value without one is an error.
func (d Decision) MarshalText() ([]byte, error) { return decisions.Marshal(d) }

// UnmarshalText sets d to the value with that label; an unknown label is an error.
func (d *Decision) UnmarshalText(text []byte) error { return decisions.Unmarshal(d, text) }
