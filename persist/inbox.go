package persist

import "slices"

// gather takes what was handed in, as much as one commit is for.
func (w *writer) gather() (ops []op, mine bool) {
	mine = w.locked(func() { ops = w.q.book.gather() })
	return ops, mine
}

func (b *book) gather() []op {
	n, steps, bytes := 0, 0, 0
	for _, o := range b.inbox {
		s, size := weight(o)
		steps += s
		bytes += size
		if n > 0 && (steps > maxSteps || bytes > maxBytes) {
			break
		}
		n++
	}
	ops := b.inbox[:n:n]
	b.inbox = b.inbox[n:]
	if len(b.inbox) > 0 {
		poke(b.wake)
	} else {
		b.inbox = nil
	}
	b.asking = asking(b.inbox)
	return ops
}

// ordered puts those first whose jobs have their IDs already, those included that have come since
// ops were gathered: whoever is given one now has a higher one, and must not be stored before.
func (b *book) ordered(ops []op) []op {
	var first, rest []op
	numbers := false // are to be given
	for _, o := range ops {
		if accepted(o) {
			first = append(first, o)
			continue
		}
		rest = append(rest, o)
		_, ok := o.(*submitOp)
		numbers = numbers || ok
	}
	if numbers && b.unstored > 0 {
		b.inbox = slices.DeleteFunc(b.inbox, func(o op) bool {
			if accepted(o) {
				first = append(first, o)
			}
			return accepted(o)
		})
	}
	return append(first, rest...)
}

// accepted reports whether an op has taken effect before it is stored.
func accepted(o op) bool {
	s, ok := o.(*submitOp)
	return ok && s.steps != nil
}

// weight is about how many steps an op makes, and how many bytes.
func weight(o op) (steps, bytes int) {
	s, ok := o.(*submitOp)
	if !ok {
		return 1, 0
	}
	for _, p := range s.subs {
		if p != nil {
			bytes += len(p.job.Payload)
		}
	}
	return len(s.subs), bytes
}
