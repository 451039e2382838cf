package supervisor

import "github.com/taskvisor/taskvisor/internal/label"

// State is what a child, or a supervisor, is doing. Zero is not a state.
type State uint8

const (
	// StateStarting means: not ready yet, or waiting for its elders to be.
	StateStarting State = iota + 1
	// StateRunning means: an attempt runs and is ready, if it has to say so.
	StateRunning
	// StateBackingOff means: between two attempts, until a known time.
	StateBackingOff
	// StateWaiting means: waiting for a permit of the Concurrency limit.
	StateWaiting
	// StateStopping means: told to stop and within its grace.
	StateStopping
	// StateRestarting means: between two runs of its group, or about to be.
	StateRestarting
	// StateStuck means: told to stop and still not returned after its grace.
	StateStuck
	// StateStopped means: ended because it was told to, or abandoned.
	StateStopped
	// StateCompleted means: ended with success.
	StateCompleted
	// StateFailed means: ended because no retry was left or allowed.
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
