package controller

import "github.com/taskvisor/taskvisor/supervisor"

// entry is a ticket that waits or runs, as the desk knows it. The entries of many stand side
// by side and are all that is looked at to end a wait: among very many each further piece of
// memory counts. It is guarded by the desk's door.
type entry struct {
	task       supervisor.Candidate
	ticket     *Ticket
	slot       *slot
	prev, next *entry // in the line of those that do the same
	waits      bool   // for its turn
	timed      bool   // its ticket has a timer
	room       seating
}

// seating is whether one that waits takes room.
type seating uint8

const (
	standing seating = iota // it needs none
	seated                  // it does
	parked                  // it would, if there were any
)
