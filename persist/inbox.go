package persist

import "slices"

// gather takes what was handed in, as much as one commit is for.
func (w *writer) gather() (ops []op, mine bool) {
	mine = w.locked(func() { ops = w.q.book.gather() })
	return ops, mine
}

func (b *book) gather() []op {
	n := fitting(b.inbox)
	if n == 0 {
		return nil
	}
	ops := b.inbox[:n:n]
	b.inbox = b.inbox[n:]
	if len(b.inbox) > 0 {
		poke(b.wake)
	} else {
		b.inbox = make([]op, 0, min(n, maxSteps)) // as many are likely to come
	}
	b.asking = asking(b.inbox)
	return ops
}

// fitting is how many of ops go into one commit: one at least, if there is one.
func fitting(ops []op) (n int) {
	steps, bytes := 0, 0
	for _, o := range ops {
		s, size := weight(o)
		steps += s
		bytes += size
		if n > 0 && (steps > maxSteps || bytes > maxBytes) {
			break
		}
		n++
	}
	return n
}

// ordered puts those first whose jobs have their IDs already, those included that have come since
// ops were gathered. Whoever is given an ID now has a higher one, and must not be stored before; and
// what is decided now about such a job, or one that was upgraded so, must not be either.
func (b *book) ordered(ops []op) []op {
	if !slices.ContainsFunc(ops, accepted) && !slices.ContainsFunc(b.inbox, accepted) {
		return ops
	}
	var first, rest []op
	for _, o := range ops {
		if accepted(o) {
			first = append(first, o)
		} else {
			rest = append(rest, o)
		}
	}
	b.inbox = slices.DeleteFunc(b.inbox, func(o op) bool {
		if accepted(o) {
			first = append(first, o)
		}
		return accepted(o)
	})
	return append(first, rest...)
}

// accepted reports whether an op has taken effect before it is stored.
func accepted(o op) bool {
	s, ok := o.(*submitOp)
	return ok && s.steps != nil
}

// asks reports whether somebody waits for an answer to an op.
func asks(o op) bool {
	switch o := o.(type) {
	case *submitOp:
		return o.steps == nil && !o.withdrawn
	case *cancelOp, *releaseOp, *reviveOp:
		return true
	}
	return false
}

// weight is about how many steps an op makes, and how many bytes.
func weight(o op) (steps, bytes int) {
	s, ok := o.(*submitOp)
	if !ok {
		return 1, 0
	}
	return len(s.subs), s.bytes()
}

// bytes is how large the payloads are.
func (o *submitOp) bytes() (n int) {
	for _, p := range o.subs {
		if p != nil {
			n += len(p.job.Payload)
		}
	}
	return n
}
