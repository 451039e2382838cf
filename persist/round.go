package persist

import (
	"errors"
	"slices"
)

// round is what the writer commits before it takes in more: in this order, and as much at a time
// as there seems to be room for.
type round struct {
	ops   []op
	later []op // that have to wait for what others of the round decide
	size  int  // how many are tried together
	lack  lack
}

// lack is for what there was no room when it was tried alone: for nothing else that adds as many
// jobs, with as large payloads. Err is nil if there was room for all.
type lack struct {
	err         error
	jobs, bytes int
	jam         bool // these jobs have their IDs already: no others may be stored before, nor what is about them
}

// begin puts what could not be stored before ops. For how little of it there is room is not known.
func (w *writer) begin(ops []op) {
	size := maxSteps
	if len(w.kept) > 0 && w.round.lack.err != nil {
		size = 1
	}
	if len(w.kept) > 0 {
		ops = append(w.kept, ops...)
	}
	w.round = round{ops: ops, size: size}
	w.kept = nil
}

// next takes what is tried now. It is called with the book locked.
func (w *writer) next() []op {
	r := &w.round
	ops := w.q.book.ordered(r.ops)
	n := min(fitting(ops), r.size)
	r.ops = ops[n:]
	return ops[:n:n]
}

// grow has more tried together, after there was room for all that was.
func (r *round) grow() { r.size = min(2*r.size, maxSteps) }

// split has half as many tried together, and those first for which there was no room.
func (w *writer) split(c *commit) {
	for _, o := range slices.Backward(c.ops) {
		w.q.book.takeBack(o)
	}
	w.round.ops = append(c.ops, w.round.ops...)
	w.round.size = len(c.ops) / 2
}

// miss takes note that there was no room for a single op. The others are tried together then.
func (r *round) miss(c *commit, err error) {
	if !isFull(err) || !slices.ContainsFunc(c.steps, func(s Step) bool { return s.Verb != Prune }) {
		return // to forget takes other room
	}
	r.size = maxSteps
	r.lack.err = err
	r.lack.jobs, r.lack.bytes = inserted(c.steps)
	if accepted(c.ops[0]) {
		r.lack.jobs, r.lack.bytes, r.lack.jam = min(r.lack.jobs, 1), 0, true
	}
}

// bars reports whether steps need not be tried. It is called with the book locked.
func (l *lack) bars(b *book, steps []Step) bool {
	if l.err == nil || len(steps) == 0 {
		return false
	}
	if l.jam && slices.ContainsFunc(steps, func(s Step) bool { e := b.find(s.ID); return e != nil && e.unstored }) {
		return true
	}
	jobs, bytes := inserted(steps)
	return jobs >= l.jobs && bytes >= l.bytes
}

// jammed reports whether jobs with IDs are still to be stored.
func (r *round) jammed() bool { return r.lack.jam || slices.ContainsFunc(r.ops, accepted) }

// inserted is how many jobs steps add, and how large their payloads are.
func inserted(steps []Step) (jobs, bytes int) {
	for i := range steps {
		if s := &steps[i]; s.Verb == Insert {
			jobs++
			bytes += len(s.Record.Payload)
		}
	}
	return jobs, bytes
}

// isFull reports whether there was no room for a commit, and that is known.
func isFull(err error) bool { return errors.Is(err, ErrFull) && !errors.Is(err, ErrUnknown) }

// takeBack undoes what an op has decided, and does not tell who waits for it: it will decide again.
func (b *book) takeBack(o op) {
	switch o := o.(type) {
	case *submitOp:
		o.takeBack(b)
	case *cancelOp:
		unheard(&o.reply, func() { o.undone(b, nil) })
		o.job, o.ended, o.err = nil, nil, nil
	case *releaseOp:
		unheard(&o.reply, func() { o.undone(b, nil) })
		o.job, o.err = nil, nil
	case *reviveOp:
		unheard(&o.reply, func() { o.undone(b, nil) })
		o.entry, o.err = nil, nil
	default:
		o.undone(b, nil)
	}
}

// unheard keeps an answer from who waits for it.
func unheard(reply *chan error, undo func()) {
	own := *reply
	*reply = make(chan error, 1)
	undo()
	*reply = own
}
