package events

import "github.com/taskvisor/taskvisor/internal/label"

// Reason is why something was stopped, or was not let in. Zero is not said: nobody
// asked for it.
type Reason uint8

const (
	_ Reason = iota
	// ReasonShutdown means: its supervisor stops.
	ReasonShutdown
	// ReasonStopped means: somebody asked for it.
	ReasonStopped
	// ReasonRemoved means: somebody asked to stop and forget it.
	ReasonRemoved
	// ReasonRestarted means: somebody asked to restart it.
	ReasonRestarted
	// ReasonGroup means: it is restarted together with a sibling that failed.
	ReasonGroup
	// ReasonReplaced means: another takes its place.
	ReasonReplaced
	// ReasonTimeout means: it ran for longer than its timeout.
	ReasonTimeout
	// ReasonStalled means: it gave no sign of life for longer than agreed.
	ReasonStalled
	// ReasonReturned means: it helped an attempt that has returned.
	ReasonReturned
	// ReasonHelper means: one of its helper goroutines failed.
	ReasonHelper
	// ReasonCancelled means: somebody cancelled the job that it runs for.
	ReasonCancelled

	// ReasonBusy means: it was to be dropped if its key had no free place.
	ReasonBusy
	// ReasonFull means: there was no room left to wait in.
	ReasonFull
	// ReasonSuperseded means: another took its place, at the head of the queue or for good.
	ReasonSuperseded
	// ReasonWithdrawn means: somebody cancelled it before it had its turn.
	ReasonWithdrawn
	// ReasonExpired means: it waited for longer than it was worth.
	ReasonExpired
	// ReasonClosing means: who would have let it in stops.
	ReasonClosing
	// ReasonDuplicate means: a task of that name runs already.
	ReasonDuplicate
)

var reasons = label.Table[Reason]{Type: "reason", Unsaid: true, Labels: []string{
	ReasonShutdown:   "shutdown",
	ReasonStopped:    "stopped",
	ReasonRemoved:    "removed",
	ReasonRestarted:  "restarted",
	ReasonGroup:      "group",
	ReasonReplaced:   "replaced",
	ReasonTimeout:    "timeout",
	ReasonStalled:    "stalled",
	ReasonReturned:   "returned",
	ReasonHelper:     "helper",
	ReasonCancelled:  "cancelled",
	ReasonBusy:       "busy",
	ReasonFull:       "full",
	ReasonSuperseded: "superseded",
	ReasonWithdrawn:  "withdrawn",
	ReasonExpired:    "expired",
	ReasonClosing:    "closing",
	ReasonDuplicate:  "duplicate_name",
}}

// String returns the label of r, and nothing for zero.
func (r Reason) String() string { return reasons.String(r) }

// MarshalText returns the label of r, and nothing for zero; a value without one is an
// error.
func (r Reason) MarshalText() ([]byte, error) { return reasons.Marshal(r) }

// UnmarshalText sets r to the reason with that label; an unknown label is an error.
func (r *Reason) UnmarshalText(text []byte) error { return reasons.Unmarshal(r, text) }
