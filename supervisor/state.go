package supervisor

import "github.com/taskvisor/taskvisor/internal/label"

// State is what a child, or a supervisor, is doing. Zero is not a state.
type State uint8

const (
	// StateStarting: not ready yet, or waiting for its elders to be.
	StateStarting State = iota + 1
	// StateRunning: an attempt runs and is ready, if it has to say so.
	StateRunning
	// StateBackingOff: between two attempts, until a known time.
	StateBackingOff
	// StateWaiting: waiting for a permit of the Concurrency limit.
	StateWaiting
	// StateStopping: told to stop and within its grace.
	StateStopping
	// StateRestarting: between two runs of its group, or about to be.
	StateRestarting
	// StateStuck: told to stop and still not returned after its grace.
	StateStuck
	// StateStopped: ended because it was told to, or abandoned.
	StateStopped
	// StateCompleted: ended with success.
	StateCompleted
	// StateFailed: ended because no retry was left or allowed.
	StateFailed
)

var states = label.Table[State]{
	Type: "state",
	Labels: []string{
		"", "starting", "running", "backing_off", "waiting", "stopping",
		"restarting", "stuck", "stopped", "completed", "failed",
	},
}

// String returns the label.
func (s State) String() string { return states.String(s) }

// MarshalText returns the label, or an error for an unknown value.
func (s State) MarshalText() ([]byte, error) { return states.Marshal(s) }

// UnmarshalText sets the value from its label.
func (s *State) UnmarshalText(text []byte) error { return states.Unmarshal(s, text) }

// Ended reports whether the state is one that lasts until someone acts.
func (s State) Ended() bool {
	return s == StateStopped || s == StateCompleted || s == StateFailed
}
