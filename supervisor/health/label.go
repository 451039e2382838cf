package health

import "github.com/taskvisor/taskvisor/internal/label"

// Status is the answer to a probe. Zero is none.
type Status uint8

const (
	_ Status = iota
	// StatusReady means: send requests.
	StatusReady
	// StatusDegraded means: send requests, though something optional is wrong, or
	// something critical is tolerated.
	StatusDegraded
	// StatusNotReady means: send no requests now.
	StatusNotReady
	// StatusLive means: let the process go on.
	StatusLive
	// StatusNotLive means: nothing but a new process will help.
	StatusNotLive
)

var statuses = label.Table[Status]{Type: "status", Labels: []string{
	StatusReady:    "ready",
	StatusDegraded: "degraded",
	StatusNotReady: "not_ready",
	StatusLive:     "live",
	StatusNotLive:  "not_live",
}}

// OK reports whether a probe is answered with 200; otherwise it is 503.
func (s Status) OK() bool {
	return s == StatusReady || s == StatusDegraded || s == StatusLive
}

// String returns the label of s.
func (s Status) String() string { return statuses.String(s) }

// MarshalText returns the label of s; a value without one is an error.
func (s Status) MarshalText() ([]byte, error) { return statuses.Marshal(s) }

// UnmarshalText sets s to the status with that label; an unknown label is an error.
func (s *Status) UnmarshalText(text []byte) error { return statuses.Unmarshal(s, text) }

// Severity is what a problem does to the status. Zero is none.
type Severity uint8

const (
	_ Severity = iota
	// Critical means: the status is as bad as it is because of this.
	Critical
	// Tolerated means: it will be critical if it goes on, or if the task goes down
	// again before it has settled.
	Tolerated
	// Optional means: the app does without it.
	Optional
)

var severities = label.Table[Severity]{Type: "severity", Labels: []string{
	Critical:  "critical",
	Tolerated: "tolerated",
	Optional:  "optional",
}}

// String returns the label of s.
func (s Severity) String() string { return severities.String(s) }

// MarshalText returns the label of s; a value without one is an error.
func (s Severity) MarshalText() ([]byte, error) { return severities.Marshal(s) }

// UnmarshalText sets s to the severity with that label; an unknown label is an
// error.
func (s *Severity) UnmarshalText(text []byte) error { return severities.Unmarshal(s, text) }
