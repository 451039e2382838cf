package health

import (
	"encoding/json"
	"fmt"
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
	// Since is when it came into that state, and For how long ago that is. Both
	// begin anew with each attempt.
	Since time.Time     `json:"since,omitzero"`
	For   time.Duration `json:"for"`
	// DownSince is since when it has not been in order, and Down how long ago that
	// is: through all attempts and recoveries that did not last, as far as the
	// Checker has seen. One that is asked for the first time knows the present
	// state only.
	DownSince time.Time     `json:"down_since,omitzero"`
	Down      time.Duration `json:"down"`
	// Reason is why it is stopping.
	Reason events.Reason `json:"reason,omitzero"`
	// Waiting is the path of the child that a supervisor waits for.
	Waiting string `json:"waiting,omitempty"`
	// Error is the text of its last error, at most MaxError bytes of it. That of a
	// stuck task would be one of an earlier attempt: its Error says instead that it
	// has not returned, and why it was to.
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
	// FallsAtOnce says of a tolerated problem that settles that its tolerance is
	// used up: going down before it has settled is critical at once.
	FallsAtOnce bool `json:"falls_at_once,omitzero"`
	// SettlesIn is when it is in order again unless it goes down before, which
	// begins the time anew. Zero is not said.
	SettlesIn time.Duration `json:"settles_in,omitzero"`
}

// plain is a Problem that encoding/json treats like any struct.
type plain Problem

// seconds shadows the durations of plain.
type seconds struct {
	plain
	For       float64 `json:"for"`
	Down      float64 `json:"down"`
	FallsIn   float64 `json:"falls_in,omitzero"`
	SettlesIn float64 `json:"settles_in,omitzero"`
}

// MarshalJSON returns the problem with its durations in seconds, such as 2.5.
func (p Problem) MarshalJSON() ([]byte, error) {
	return json.Marshal(seconds{
		plain(p), p.For.Seconds(), p.Down.Seconds(), p.FallsIn.Seconds(), p.SettlesIn.Seconds(),
	})
}

// UnmarshalJSON reads what MarshalJSON has written.
func (p *Problem) UnmarshalJSON(text []byte) error {
	var s seconds
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	duration := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)).Round(time.Microsecond) }
	*p = Problem(s.plain)
	p.For, p.Down = duration(s.For), duration(s.Down)
	p.FallsIn, p.SettlesIn = duration(s.FallsIn), duration(s.SettlesIn)
	return nil
}

// describe puts a finding into words, at a time.
func (f *finding) describe(now time.Time) Problem {
	n := f.node
	return Problem{
		Path: n.Path, Severity: f.severity, State: n.State,
		Since: n.Since, For: between(n.Since, now), DownSince: f.since, Down: between(f.since, now),
		Reason: n.Reason, Waiting: n.Waiting, Error: errorOf(n),
		Attempt: n.Attempt, Failures: n.Failures, NextRetry: n.NextRetry,
		FallsIn: between(now, f.fallsAt), FallsAtOnce: f.fallsAtOnce, SettlesIn: between(now, f.settles),
	}
}

// between is how long from one time to a later one, if both are known.
func between(from, to time.Time) time.Duration {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return max(to.Sub(from), 0)
}

// errorOf says what is wrong with a task. How long one is stuck is not in the text,
// so that it stays the same from look to look.
func errorOf(n *supervisor.Node) string {
	switch {
	case n.State != supervisor.StateStuck:
		return clip(n.Error)
	case n.Reason == 0:
		return "has not returned within its grace"
	}
	return fmt.Sprintf("has not returned within its grace (%v)", n.Reason)
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
