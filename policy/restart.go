package policy

import "github.com/taskvisor/taskvisor/internal/label"

// Restart says after which ends of an attempt the task runs again. Zero is the
// common choice.
type Restart uint8

const (
	// OnFailure runs a task again after a failure; a success completes it.
	// Erlang calls it transient.
	OnFailure Restart = iota
	// Always runs a task again after a success too. Erlang calls it permanent.
	Always
	// Never runs a task once. Erlang calls it temporary.
	Never
)

var restarts = label.Table[Restart]{Type: "restart", Labels: []string{
	OnFailure: "on_failure",
	Always:    "always",
	Never:     "never",
}}

// String returns the label of r.
func (r Restart) String() string { return restarts.String(r) }

// MarshalText returns the label of r; a value without one is an error.
func (r Restart) MarshalText() ([]byte, error) { return restarts.Marshal(r) }

// UnmarshalText sets r to the value with that label; an unknown label is an error.
func (r *Restart) UnmarshalText(text []byte) error { return restarts.Unmarshal(r, text) }
