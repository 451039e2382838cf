package health

import (
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
)

// MaxError is how many bytes of an error's text a Problem has at most.
const MaxError = 1024

// Report is the answer to a probe, and why. The JSON names are stable.
type Report struct {
	Status Status `json:"status"`
	// Path is what was asked about: the root, unless a request named another.
	Path string `json:"path"`
	// State is what that is doing.
	State supervisor.State `json:"state,omitzero"`
	// Tasks is how many declared tasks there are that have not ended. Supervisors,
	// and what was added at run time, are not counted.
	Tasks int `json:"tasks"`
	// Overdue is, in a report of liveness, how many critical tasks have missed a
	// beat of their Stall and not returned since.
	Overdue int `json:"overdue,omitempty"`
	// Problems are what is not in order, the worst first.
	Problems []Problem `json:"problems,omitempty"`
	// More is how many problems there are besides those.
	More int `json:"more,omitempty"`
	// Due is when the answer may be another although nothing happens: a tolerance
	// ends, or a task has settled. Zero is never.
	Due time.Time `json:"-"`
}

// Problem is one task or supervisor that is not in order. In JSON, its durations
// are numbers of seconds.
type Problem struct {
	Path string `json:"path"`
	// Severity is what the problem does to the status.
	Severity Severity `json:"severity"`
	// State is what the task is doing. Running, of one that has been in trouble,
	// means that it has to settle.
	State supervisor.State `json:"state,omitzero"`
	// Since is when it came into that state, and For how long ago that is.
	Since time.Time     `json:"since,omitzero"`
	For   time.Duration `json:"for"`
	// Reason is why it is stopping.
	Reason events.Reason `json:"reason,omitzero"`
	// Waiting is the path of the child that a supervisor waits for.
	Waiting string `json:"waiting,omitempty"`
	// Error is the text of its last error, at most MaxError bytes of it.
	Error string `json:"error,omitempty"`
	// Attempt is the number of the present attempt, or of the last.
	Attempt int `json:"attempt,omitempty"`
	// Failures is the length of the present streak of failures.
	Failures int `json:"failures,omitempty"`
	// NextRetry is when it is run again.
	NextRetry time.Time `json:"next_retry,omitzero"`
	// FallsIn is when a tolerated problem becomes critical unless it ends. Zero is
	// not said.
	FallsIn time.Duration `json:"falls_in,omitzero"`
	// SettlesIn is when it is in order again unless it fails. Zero is not said.
	SettlesIn time.Duration `json:"settles_in,omitzero"`
}

// plain is a Problem that encoding/json treats like any struct.
type plain Problem

// seconds shadows the durations of plain.
type seconds struct {
	plain
	For       float64 `json:"for"`
	FallsIn   float64 `json:"falls_in,omitzero"`
	SettlesIn float64 `json:"settles_in,omitzero"`
}

// MarshalJSON returns the problem with its durations in seconds, such as 2.5.
func (p Problem) MarshalJSON() ([]byte, error) {
	return json.Marshal(seconds{plain(p), p.For.Seconds(), p.FallsIn.Seconds(), p.SettlesIn.Seconds()})
}

// UnmarshalJSON reads what MarshalJSON has written.
func (p *Problem) UnmarshalJSON(text []byte) error {
	var s seconds
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	duration := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)).Round(time.Microsecond) }
	*p = Problem(s.plain)
	p.For, p.FallsIn, p.SettlesIn = duration(s.For), duration(s.FallsIn), duration(s.SettlesIn)
	return nil
}

// describe makes a problem of what the listing says.
func describe(n *supervisor.Node, severity Severity, now time.Time) Problem {
	p := Problem{
		Path: n.Path, Severity: severity, State: n.State, Since: n.Since,
		Reason: n.Reason, Waiting: n.Waiting, Error: clip(n.Error),
		Attempt: n.Attempt, Failures: n.Failures, NextRetry: n.NextRetry,
	}
	if !n.Since.IsZero() {
		p.For = max(now.Sub(n.Since), 0)
	}
	return p
}

// clip cuts a text to MaxError bytes, between two characters.
func clip(text string) string {
	const more = "..."
	if len(text) <= MaxError {
		return text
	}
	end := MaxError - len(more)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + more
}
