package controller

import (
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/internal/label"
)

// Admission says what becomes of a submission whose key has no free place.
type Admission uint8

const (
	// Queue waits for its turn.
	Queue Admission = iota
	// Replace has the oldest owner end, and is next.
	Replace
	// DropIfRunning gives up.
	DropIfRunning
)

var admissions = label.Table[Admission]{
	Type:   "admission",
	Labels: []string{"queue", "replace", "drop_if_running"},
}

// String returns the label.
func (a Admission) String() string { return admissions.String(a) }

// MarshalText returns the label, or an error for an unknown value.
func (a Admission) MarshalText() ([]byte, error) { return admissions.Marshal(a) }

// UnmarshalText sets the value from its label.
func (a *Admission) UnmarshalText(text []byte) error { return admissions.Unmarshal(a, text) }

// occupancy is how full a slot is, for one who comes.
type occupancy struct {
	owners, width  int
	waiting, depth int
	// namesake says that an owner has the same name.
	namesake bool
}

// hasPlace says that there is a place to take. Two of a name cannot run at a time.
func (o occupancy) hasPlace() bool { return o.owners < o.width && !o.namesake }

// answer is what becomes of a submission.
type answer uint8

const (
	enters   answer = iota // it runs
	waits                  // at the end of the queue
	succeeds               // at its head, in place of who was there; an owner makes way
	refused
)

// decide answers a submission, and says why if it is refused.
func decide(a Admission, o occupancy) (answer, events.Reason) {
	switch {
	case o.hasPlace() && (o.waiting == 0 || a == Replace):
		return enters, 0
	case a == Replace:
		return succeeds, 0
	case a == DropIfRunning:
		return refused, events.ReasonBusy
	case o.waiting >= o.depth:
		return refused, events.ReasonFull
	}
	return waits, 0
}
