package persist

import "slices"

// laneChanged puts a lane where it belongs, after its head or its circumstances changed.
func (b *book) laneChanged(l *lane) {
	d := l.kind.domain
	switch {
	case l.n == 0 && !l.held:
		d.lanes.remove(l)
		delete(l.kind.lanes, l.group)
	case l.n == 0, l.held, l.kind.run == nil:
		d.lanes.remove(l)
	case b.full(l.group):
		l.wait()
		d.lanes.remove(l)
	default:
		d.lanes.fix(l)
	}
	if l.kind.run == nil && l.n > 0 {
		b.tellUnknown(l.kind)
	}
	b.domainChanged(d)
}

// wait keeps a lane back until there is a place in its group.
func (l *lane) wait() {
	l.held = true
	l.group.parked = append(l.group.parked, l)
}

func (b *book) domainChanged(d *domain) {
	if len(d.lanes.members) == 0 || d.full() {
		b.open.remove(d)
	} else {
		b.open.fix(d)
	}
}

// groupChanged lets the lanes of a group go on, if there is a place.
func (b *book) groupChanged(g *group) {
	if b.full(g) {
		return
	}
	held := g.parked
	g.parked = nil
	for _, l := range held {
		l.held = false
		b.laneChanged(l)
	}
}

// pick returns the job that is to run next, or nil if there is none, or no place for it.
func (b *book) pick() *entry {
	if b.phase != inService || b.running >= b.workers || b.owing >= DefaultBacklog {
		return nil
	}
	if suspect := b.suspect(); suspect != nil || b.alone {
		if b.running > 0 {
			return nil
		}
		return suspect
	}
	for {
		d, ok := b.open.first()
		if !ok {
			return nil
		}
		l := d.lanes.members[0]
		if b.full(l.group) {
			b.laneChanged(l)
			continue
		}
		return l.head()
	}
}

// suspect returns the first job that ran when the process died, and may run.
func (b *book) suspect() *entry {
	b.suspects = slices.DeleteFunc(b.suspects, func(e *entry) bool { return !e.suspect || e.place == gone })
	for _, e := range b.suspects {
		if e.place == ready && e.kind.run != nil && !e.kind.domain.full() && !b.full(e.group) {
			return e
		}
	}
	return nil
}

// take gives a job a place.
func (b *book) take(e *entry, to place) {
	since := e.when
	b.move(e, to, since)
	e.fence++
	b.running++
	b.alone = e.suspect
	d := e.kind.domain
	d.running++
	b.domainChanged(d)
	if e.group != nil {
		e.group.running++
	}
}

// giveBack frees the place that a job had among the workers.
func (b *book) giveBack(e *entry) {
	b.running--
	if e.suspect {
		b.alone = false
	}
}

// giveBackLimits frees what a job had of the limits of its domain and its group.
func (b *book) giveBackLimits(e *entry) {
	d := e.kind.domain
	d.running--
	b.domainChanged(d)
	if g := e.group; g != nil {
		g.running--
		b.groupChanged(g)
	}
}

// survived takes note of an attempt that has ended without the process.
func (b *book) survived(e *entry) {
	if x := e.more; x != nil {
		x.crashes = 0
	}
	e.suspect = false
	if b.cautious && b.suspect() == nil {
		b.cautious = false // what is left of them cannot run yet, and is claimed with care when it can
	}
}
