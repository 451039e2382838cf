package persist

import "github.com/taskvisor/taskvisor/events"

// dispute is what a submission does to the jobs that have its key.
type dispute struct {
	gone   []ousted // those that are superseded
	busy   *entry   // runs, and is superseded
	ahead  *entry   // is waited for
	joined *entry   // has got another priority
	was    Priority
	now    Priority
	old    *entry // the follower of ahead before
}

// ousted is a job that is superseded, and where it was.
type ousted struct {
	job  *entry
	from place
	when instant
}

func (in *insertion) extend() *dispute {
	if in.dispute == nil {
		in.dispute = &dispute{}
	}
	return in.dispute
}

// join gives a job that waits a higher priority.
func (in *insertion) join(b *book, c *commit, e *entry, p Priority) Result {
	if p >= e.priority {
		return Result{Kind: Duplicate, ID: e.id}
	}
	x := in.extend()
	x.joined, x.was, x.now = e, e.priority, p
	b.prioritise(e, p)
	c.amend(b, e)
	return Result{Kind: Upgraded, ID: e.id}
}

// prioritise changes the priority of a job wherever it is.
func (b *book) prioritise(e *entry, p Priority) {
	if e.place != ready {
		e.priority = p
		return
	}
	since := e.when
	b.move(e, leaving, 0)
	e.priority = p
	b.move(e, ready, since)
}

// stop has a job that runs end as superseded, unless something else is decided already.
func (in *insertion) stop(b *book, c *commit, e *entry) {
	if x := e.extend(); x.verdict == 0 && e.place != leaving {
		in.extend().busy = e
		x.verdict, x.by = Superseded, in.job.id
		c.amend(b, e)
	}
}

// leave keeps others away from a job that is to be superseded, if there is one.
func (in *insertion) leave(b *book, e *entry) {
	if e == nil {
		return
	}
	x := in.extend()
	x.gone = append(x.gone, ousted{e, e.place, e.when})
	b.move(e, leaving, e.when)
}

// resolve ends those that are superseded.
func (in *insertion) resolve(b *book, c *commit) {
	if in.dispute == nil {
		return
	}
	for _, o := range in.gone {
		c.resolve(b, o.job, End{Kind: Superseded, At: c.now, By: in.job.id})
	}
}

// oust ends those that are superseded.
func (x *dispute) oust(b *book, c *commit) {
	if x == nil {
		return
	}
	for _, o := range x.gone {
		b.tellEnd(events.JobSuperseded, o.job, &verdict{}, c.now)
		b.forget(o.job)
		b.counts.ended[Superseded]++
	}
}

// done has the others learn what concerns them.
func (x *dispute) done(b *book, c *commit) {
	if x == nil {
		return
	}
	if e := x.joined; e != nil {
		b.tell(events.JobUpgraded, e, func(*events.Event) {})
	}
	if e := x.busy; e != nil {
		if cl := e.claim; cl != nil {
			c.after = append(c.after, func() { cl.stop(events.ReasonSuperseded) })
		}
	}
	if e := x.ahead; e != nil {
		b.overtake(e)
	}
}

// undo takes back what was decided.
func (in *insertion) undo(b *book) {
	x := in.dispute
	if x == nil {
		x = &dispute{} // of nothing
	}
	if e := x.busy; e != nil {
		e.more.verdict, e.more.by = 0, 0
	}
	if e := x.joined; e != nil && e.place != gone && e.priority == x.now { // else it has got a higher one since
		b.prioritise(e, x.was)
	}
	if e := in.job; e != nil {
		b.forget(e)
		if x.ahead != nil && x.ahead.place != gone {
			x.ahead.extend().follower = x.old
			if x.old != nil {
				x.old.extend().ahead = x.ahead
			}
		}
	}
	for _, o := range x.gone {
		if o.from == arriving {
			b.move(o.job, arriving, o.when)
		} else {
			o.job.when = o.when
			b.settleIn(o.job)
		}
	}
}
