package persist

import "github.com/taskvisor/taskvisor/policy"

// What can be changed while a queue is there.

// SetWorkers says how many jobs run at a time, from now on. Those that run are left alone.
// NoWorkers has the queue pause: it takes jobs in, and begins none.
func (q *Queue) SetWorkers(n int) error {
	if n < 1 && n != NoWorkers {
		return &policy.FieldError{Field: "Workers", Value: n, Reason: "must be at least 1, or NoWorkers"}
	}
	return q.set(func(b *book) { b.workers = workers(n) })
}

// SetGroupLimit says how many jobs of a group run at a time, from now on and as long as the
// queue exists. Zero goes back to Config.GroupLimit, policy.Unlimited sets no limit.
func (q *Queue) SetGroupLimit(name string, n int) error {
	if n < 0 {
		return &policy.FieldError{Field: "GroupLimit", Value: n, Reason: "must not be negative"}
	}
	if name == "" || len(name) > MaxName {
		return &policy.FieldError{Field: "Group", Value: name, Reason: "is no name of a group"}
	}
	return q.set(func(b *book) {
		g := b.group(name)
		g.own = n
		b.groupChanged(g)
		b.tidy(name, g)
	})
}

// SetDefaultGroupLimit says how many jobs of a group run at a time that has no limit of its
// own. Zero sets none.
func (q *Queue) SetDefaultGroupLimit(n int) error {
	if n < 0 {
		return &policy.FieldError{Field: "GroupLimit", Value: n, Reason: "must not be negative"}
	}
	return q.set(func(b *book) {
		b.groupLimit = n
		for _, g := range b.groups {
			b.groupChanged(g)
		}
	})
}

// SetDomainLimit says how many jobs of a domain run at a time, from now on and as long as the
// queue exists, whatever its Domain says that may become known later. An empty name is the
// default domain. Zero sets no limit.
func (q *Queue) SetDomainLimit(name string, n int) error {
	if n < 0 {
		return &policy.FieldError{Field: "Domain.Limit", Value: n, Reason: "must not be negative"}
	}
	if name != "" {
		if err := checkName("Domain", name); err != nil {
			return err
		}
	}
	return q.set(func(b *book) {
		d := b.domain(name)
		d.limit, d.limited = n, true
		b.domainChanged(d)
	})
}

// set changes a limit, and lets those run that may run now.
func (q *Queue) set(change func(*book)) error {
	if q.head == nil {
		return q.Validate()
	}
	q.book.mu.Lock()
	change(q.book)
	q.book.mu.Unlock()
	q.dispatch()
	return nil
}
