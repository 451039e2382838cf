package controller

import "container/list"

// room is the bound over all queues: those above it wait until others leave, in the order
// in which they came. It is guarded by the desk's door.
type room struct {
	free   int
	parked list.List // of *entry
}

// take gives e room, or has it wait for some.
func (r *room) take(e *entry) {
	if r.free > 0 {
		r.free--
		e.room = seated
		return
	}
	e.room = parked
	e.ticket.admitted = make(chan struct{})
	e.ticket.parked = r.parked.PushBack(e)
}

// give is called when e does not wait in its queue any more.
func (r *room) give(e *entry) {
	switch e.room {
	case parked:
		r.unpark(e, standing)
	case seated:
		e.room = standing
		if first := r.parked.Front(); first != nil {
			r.unpark(first.Value.(*entry), seated)
			return
		}
		r.free++
	}
}

// unpark lets the caller go on that has submitted e.
func (r *room) unpark(e *entry, to seating) {
	t := e.ticket
	r.parked.Remove(t.parked)
	t.parked, e.room = nil, to
	close(t.admitted)
}
