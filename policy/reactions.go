package policy

import "github.com/taskvisor/taskvisor/internal/label"

// OnGiveUp says what the failure of a task that will not be retried does to the
// tasks beside it.
type OnGiveUp uint8

const (
	// GiveUpLeave leaves them alone.
	GiveUpLeave OnGiveUp = iota
	// GiveUpEscalate ends their supervisor with an error.
	GiveUpEscalate
)

var giveUps = label.Table[OnGiveUp]{Type: "on_give_up", Labels: []string{
	GiveUpLeave:    "leave",
	GiveUpEscalate: "escalate",
}}

// String returns the label of o.
func (o OnGiveUp) String() string { return giveUps.String(o) }

// MarshalText returns the label of o; a value without one is an error.
func (o OnGiveUp) MarshalText() ([]byte, error) { return giveUps.Marshal(o) }

// UnmarshalText sets o to the value with that label; an unknown label is an error.
func (o *OnGiveUp) UnmarshalText(text []byte) error { return giveUps.Unmarshal(o, text) }

// OnPanic says what a panic of a task does.
type OnPanic uint8

const (
	// PanicRestart counts it as a failure like any other.
	PanicRestart OnPanic = iota
	// PanicEscalate ends the supervisor of the task with an error.
	PanicEscalate
	// PanicCrash lets it end the process, as it would without a supervisor.
	PanicCrash
)

var panics = label.Table[OnPanic]{Type: "on_panic", Labels: []string{
	PanicRestart:  "restart",
	PanicEscalate: "escalate",
	PanicCrash:    "crash",
}}

// String returns the label of o.
func (o OnPanic) String() string { return panics.String(o) }

// MarshalText returns the label of o; a value without one is an error.
func (o OnPanic) MarshalText() ([]byte, error) { return panics.Marshal(o) }

// UnmarshalText sets o to the value with that label; an unknown label is an error.
func (o *OnPanic) UnmarshalText(text []byte) error { return panics.Unmarshal(o, text) }

// OnStuck says what happens to an attempt that was told to end and has not done
// so within its grace.
type OnStuck uint8

const (
	// StuckAuto waits for it where a restart would follow, so that no second one
	// runs beside it, and abandons it where its supervisor wants to stop.
	StuckAuto OnStuck = iota
	// StuckWait waits for it, however long that takes.
	StuckWait
	// StuckAbandon goes on without it; it may still be running.
	StuckAbandon
	// StuckEscalate ends the supervisor of the task with an error.
	StuckEscalate
)

var stucks = label.Table[OnStuck]{Type: "on_stuck", Labels: []string{
	StuckAuto:     "auto",
	StuckWait:     "wait",
	StuckAbandon:  "abandon",
	StuckEscalate: "escalate",
}}

// String returns the label of o.
func (o OnStuck) String() string { return stucks.String(o) }

// MarshalText returns the label of o; a value without one is an error.
func (o OnStuck) MarshalText() ([]byte, error) { return stucks.Marshal(o) }

// UnmarshalText sets o to the value with that label; an unknown label is an error.
func (o *OnStuck) UnmarshalText(text []byte) error { return stucks.Unmarshal(o, text) }
