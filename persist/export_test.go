package persist

// Hold is a child that has left and has been told who comes in next, and is not scheduled until
// Receive is called: what happens between gate.Provide and gate.Receive, which the supervisor calls
// without and with the door's lock (supervisor/door.go, letIn).
type Hold struct{ receive func() }

// HoldProvide claims the next job as the goroutine of a child does that leaves while there is a place.
func HoldProvide(q *Queue, workers int) *Hold {
	g := q.workers.Guard().(*gate)
	q.book.mu.Lock()
	q.book.workers = workers // a place is free, as after Left
	q.book.mu.Unlock()
	k, ok, more := g.Provide()
	if !ok {
		return nil
	}
	return &Hold{func() {
		g.door.Lock()
		g.Receive(k)
		if more {
			g.Next()
		}
		g.door.Unlock()
	}}
}

// Receive goes on where Hold has stopped.
func (h *Hold) Receive() { h.receive() }

// Figures are counts of the book that nobody else is told.
func Figures(q *Queue) (running, owing int, kept int64, unstored, active, inbox int) {
	b := q.book
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.running, b.owing, b.kept, b.unstored, len(b.active), len(b.inbox)
}
