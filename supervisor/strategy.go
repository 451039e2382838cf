package supervisor

import "github.com/taskvisor/taskvisor/internal/label"

// Strategy says who is restarted when a child fails and is to be restarted.
// Each is a span of the start order.
type Strategy uint8

const (
	// OneForOne restarts the child that failed and leaves its siblings alone.
	OneForOne Strategy = iota
	// RestForOne stops the children started after the one that failed, in
	// reverse order, and starts it and them again in order.
	RestForOne
	// OneForAll stops all children in reverse order and starts them again in
	// order.
	OneForAll
)

var strategies = label.Table[Strategy]{
	Type:   "strategy",
	Labels: []string{"one_for_one", "rest_for_one", "one_for_all"},
}

// String returns the label.
func (s Strategy) String() string { return strategies.String(s) }

// MarshalText returns the label, or an error for an unknown value.
func (s Strategy) MarshalText() ([]byte, error) { return strategies.Marshal(s) }

// UnmarshalText sets the value from its label.
func (s *Strategy) UnmarshalText(text []byte) error { return strategies.Unmarshal(s, text) }

// AutoShutdown says whether the end of a significant child ends its supervisor.
// Success and giving up count; a failure that is retried, and an end that the
// supervisor was asked for, do not.
type AutoShutdown uint8

const (
	// AutoShutdownNever leaves the supervisor running.
	AutoShutdownNever AutoShutdown = iota
	// AutoShutdownAny ends it with the first significant child.
	AutoShutdownAny
	// AutoShutdownAll ends it with the last significant child, whose end alone
	// says whether that is an error.
	AutoShutdownAll
)

var autoShutdowns = label.Table[AutoShutdown]{
	Type:   "auto_shutdown",
	Labels: []string{"never", "any", "all"},
}

// String returns the label.
func (a AutoShutdown) String() string { return autoShutdowns.String(a) }

// MarshalText returns the label, or an error for an unknown value.
func (a AutoShutdown) MarshalText() ([]byte, error) { return autoShutdowns.Marshal(a) }

// UnmarshalText sets the value from its label.
func (a *AutoShutdown) UnmarshalText(text []byte) error { return autoShutdowns.Unmarshal(a, text) }
