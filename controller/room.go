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
		t.room = seated
		return
	}
	t.room = parked
	t.admitted = make(chan struct{})
	t.parked = r.parked.PushBack(t)
}

// give is called when t does not wait in its queue any more.
func (r *room) give(t *Ticket) {
	switch t.room {
	case parked:
		r.unpark(t, standing)
	case seated:
		t.room = standing
		if e := r.parked.Front(); e != nil {
			r.unpark(e.Value.(*Ticket), seated)
			return
		}
		r.free++
	}
}

// unpark lets the caller go on that has submitted t.
func (r *room) unpark(t *Ticket, to seating) {
	r.parked.Remove(t.parked)
	t.parked, t.room = nil, to
	close(t.admitted)
}
