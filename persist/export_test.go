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

// Figures are how many places are taken, and how many claims are known to run.
func Figures(q *Queue) (running, active int) {
	b := q.book
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.running, len(b.active)
}
