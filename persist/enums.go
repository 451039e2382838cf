package persist

import (
	"fmt"
	"strconv"

	"github.com/taskvisor/taskvisor/internal/label"
)

// Priority says which of the jobs that may run goes first: the lower, the more urgent.
// Any value may be used. Jobs of one priority run in the order of their IDs.
type Priority uint8

const (
	// Realtime goes before everything else.
	Realtime Priority = 0
	// High is for what somebody waits for.
	High Priority = 64
	// Normal is the default.
	Normal Priority = 128
	// Background is for what nobody waits for.
	Background Priority = 192
	// Idle goes after everything else.
	Idle Priority = 255
)

// ParsePriority returns the priority of that name or number: what String returns.
func ParsePriority(text string) (Priority, error) {
	for _, p := range []Priority{Realtime, High, Normal, Background, Idle} {
		if text == p.String() {
			return p, nil
		}
	}
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil {
		return 0, fmt.Errorf("%q is no priority: it is a name, such as high, or a number from 0 to 255", text)
	}
	return Priority(n), nil
}

// String returns the name of a priority that has one, and the number of any other.
func (p Priority) String() string {
	switch p {
	case Realtime:
		return "realtime"
	case High:
		return "high"
	case Normal:
		return "normal"
	case Background:
		return "background"
	case Idle:
		return "idle"
	}
	return strconv.Itoa(int(p))
}

// TTLFrom says from when a time to live counts.
type TTLFrom uint8

const (
	// TTLFromSubmission counts from the submission.
	TTLFromSubmission TTLFrom = iota
	// TTLFromFirstAttempt counts from the beginning of the first attempt, and so bounds
	// for how long a job is retried.
	TTLFromFirstAttempt
)

var ttlFroms = label.Table[TTLFrom]{Type: "ttl", Labels: []string{
	TTLFromSubmission:   "submission",
	TTLFromFirstAttempt: "first_attempt",
}}

// String returns the label of f.
func (f TTLFrom) String() string { return ttlFroms.String(f) }

// MarshalText returns the label of f; a value without one is an error.
func (f TTLFrom) MarshalText() ([]byte, error) { return ttlFroms.Marshal(f) }

// UnmarshalText sets f to the value with that label; an unknown label is an error.
func (f *TTLFrom) UnmarshalText(text []byte) error { return ttlFroms.Unmarshal(f, text) }

// Duplicates says what becomes of a submission whose key another job has that has not
// ended.
type Duplicates uint8

const (
	// Skip leaves the other as it is, but for raising its priority to that of the
	// submission. If it runs already, the submission is to run after it.
	Skip Duplicates = iota
	// Supersede ends the other, and takes its place. One that runs is told to stop, and the
	// submission runs when it has.
	Supersede
	// Reject refuses the submission.
	Reject
)

var duplicates = label.Table[Duplicates]{Type: "duplicate strategy", Labels: []string{
	Skip:      "skip",
	Supersede: "supersede",
	Reject:    "reject",
}}

// String returns the label of d.
func (d Duplicates) String() string { return duplicates.String(d) }

// MarshalText returns the label of d; a value without one is an error.
func (d Duplicates) MarshalText() ([]byte, error) { return duplicates.Marshal(d) }

// UnmarshalText sets d to the value with that label; an unknown label is an error.
func (d *Duplicates) UnmarshalText(text []byte) error { return duplicates.Unmarshal(d, text) }

// Durability says when a submission is acknowledged.
type Durability uint8

const (
	// Strict acknowledges what is on disk.
	Strict Durability = iota
	// Relaxed acknowledges what is in memory, and will be on disk a moment later, see
	// Config.RelaxedDelay. What was acknowledged within that time before the process dies
	// is lost, ID and all: a job may have run of which nothing is known, and another may be given
	// its ID. So is what a store that fails, or is full, has not taken when the queue stops:
	// LostError.Submissions says how many.
	Relaxed
)

var durabilities = label.Table[Durability]{Type: "durability", Labels: []string{
	Strict:  "strict",
	Relaxed: "relaxed",
}}

// String returns the label of d.
func (d Durability) String() string { return durabilities.String(d) }

// MarshalText returns the label of d; a value without one is an error.
func (d Durability) MarshalText() ([]byte, error) { return durabilities.Marshal(d) }

// UnmarshalText sets d to the value with that label; an unknown label is an error.
func (d *Durability) UnmarshalText(text []byte) error { return durabilities.Unmarshal(d, text) }

// Phase is where a job is that has not ended, or that it has.
type Phase uint8

const (
	_ Phase = iota
	// Blocked jobs wait for another to end.
	Blocked
	// Delayed jobs wait for a time.
	Delayed
	// Ready jobs wait for a place.
	Ready
	// Running jobs have been claimed.
	Running
	// Parked jobs wait for somebody to release them.
	Parked
	// Ended jobs are history.
	Ended
)

var phases = label.Table[Phase]{Type: "phase", Unsaid: true, Labels: []string{
	Blocked: "blocked",
	Delayed: "delayed",
	Ready:   "ready",
	Running: "running",
	Parked:  "parked",
	Ended:   "ended",
}}

// String returns the label of p, and nothing for zero.
func (p Phase) String() string { return phases.String(p) }

// MarshalText returns the label of p, and nothing for zero; a value without one is an
// error.
func (p Phase) MarshalText() ([]byte, error) { return phases.Marshal(p) }

// UnmarshalText sets p to the phase with that label; an unknown label is an error.
func (p *Phase) UnmarshalText(text []byte) error { return phases.Unmarshal(p, text) }

// Ending is how a job has ended. Zero means that it has not.
type Ending uint8

const (
	_ Ending = iota
	// Completed jobs have done what they should.
	Completed
	// Failed jobs have failed in a way that another attempt would not mend.
	Failed
	// DeadLetter jobs have failed as often as they may. They can be revived.
	DeadLetter
	// Cancelled jobs were told to end by somebody.
	Cancelled
	// Superseded jobs have made place for another of the same key.
	Superseded
	// Expired jobs have waited for longer than they were worth.
	Expired
	// DependencyFailed is for jobs that have waited for one that did not complete. Nothing ends
	// so yet.
	DependencyFailed
)

var endings = label.Table[Ending]{Type: "ending", Unsaid: true, Labels: []string{
	Completed:        "completed",
	Failed:           "failed",
	DeadLetter:       "dead_letter",
	Cancelled:        "cancelled",
	Superseded:       "superseded",
	Expired:          "expired",
	DependencyFailed: "dependency_failed",
}}

// Endings returns every way to end. The slice is the caller's own.
func Endings() []Ending { return endings.Values() }

// String returns the label of e, and nothing for zero.
func (e Ending) String() string { return endings.String(e) }

// MarshalText returns the label of e, and nothing for zero; a value without one is an
// error.
func (e Ending) MarshalText() ([]byte, error) { return endings.Marshal(e) }

// UnmarshalText sets e to the ending with that label; an unknown label is an error.
func (e *Ending) UnmarshalText(text []byte) error { return endings.Unmarshal(e, text) }
