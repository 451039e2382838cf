package controller

import "container/list"

// room is the bound over all queues: those above it wait until others leave, in the order
// in which they came. It is guarded by the desk's door.
type room struct {
	free   int
	parked list.List // of *Ticket
}

// take gives t room, or has it wait for some.
func (r *room) take(t *Ticket) {
	if r.free > 0 {
		r.free--
		t.room = true
		return
	}
	t.admitted = make(chan struct{})
	t.parked = r.parked.PushBack(t)
}

// give is called when t does not wait in its queue any more.
func (r *room) give(t *Ticket) {
	switch {
	case t.parked != nil:
		r.unpark(t)
	case t.room:
		t.room = false
		if e := r.parked.Front(); e != nil {
			next := e.Value.(*Ticket)
			next.room = true
			r.unpark(next)
			return
		}
		r.free++
	}
}

// unpark lets the caller go on that has submitted t.
func (r *room) unpark(t *Ticket) {
	r.parked.Remove(t.parked)
	t.parked = nil
	close(t.admitted)
}
