package persist

import (
	"slices"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

// op is something that is to be stored. The writer calls its methods with the book locked.
type op interface {
	// plan decides and adds the steps. What is decided has no effect yet, but for keeping
	// others away from the jobs that it is about.
	plan(b *book, c *commit)
	// done is called when the steps are durable, in the order of plan.
	done(b *book, c *commit)
	// undone is called when they are not, in the reverse order, with the reason. It returns
	// whether the op is to be tried again.
	undone(b *book, err error) (again bool)
}

// commit is what is stored together.
type commit struct {
	ops    []op
	steps  []Step // behind the last there is nothing but zeros
	bytes  int
	first  ID // of the jobs that are inserted here, whose IDs grow
	now    time.Time
	later  []op     // that have to wait for what is decided here
	after  []func() // to be called without the lock, when all is done
	stored time.Duration
	stale  []int // of the steps, those that have changed nothing
	failed bool  // it is counted among those that have

	revivals [DependencyFailed + 1]int  // by how they had ended
	overdue  [DependencyFailed + 1]bool // of which there is too much in any case

	revived map[Digest]bool // keys of jobs that may turn out to be forgotten

	strangers []ID // jobs that events will be about, of which the book has no texts
	about     map[ID]*events.Job
}

// step adds a step, of which no more is written than what it says.
func (c *commit) step(v Verb, id ID) *Step {
	n := len(c.steps)
	c.steps = slices.Grow(c.steps, 1)[:n+1]
	s := &c.steps[n]
	s.Verb, s.ID = v, id
	return s
}

func (c *commit) insert(r *Record) {
	c.step(Insert, r.ID).Record = r
	c.bytes += len(r.Payload)
	if c.first == 0 {
		c.first = r.ID
	}
}

func (c *commit) amend(b *book, e *entry) {
	s := c.step(Amend, e.id)
	s.State = e.state(&b.clock)
	s.State.Claimed = e.place == running && e.claim != nil && e.claim.stored
}

func (c *commit) resolve(b *book, e *entry, end End) {
	s := c.step(Resolve, e.id)
	s.State, s.End = e.state(&b.clock), end
}

// submitOp stores submissions, all or none.
type submitOp struct {
	subs      []*prepared // nil where a later one has the same key
	results   []Result
	relaxed   bool
	plans     []insertion // as many as subs
	room      []entry     // for the next ones, while it is planned
	steps     []Step      // of a relaxed one, which is planned by who submits
	withdrawn bool        // nobody waits for it any more, and it is not planned
	planned   bool
	reply     chan error // has room for one
	batch     bool
}

// entryRoom is how many entries are made together, when many are needed: few enough for all of
// them to be forgotten soon.
const entryRoom = 64

// insertion is what was decided about one submission.
type insertion struct {
	job   *entry // the new one, if there is one
	holds *entry // had its key, or nil
	*dispute
}

func (o *submitOp) plan(b *book, c *commit) {
	if o.withdrawn {
		return
	}
	if o.planned { // relaxed: it is done already
		o.repeat(b, c)
		return
	}
	for _, p := range o.subs {
		if p != nil && c.revived[p.job.Digest] {
			c.later = append(c.later, o) // who has the key is not sure before this commit is over
			return
		}
	}
	o.planned = true
	for i, p := range o.subs { // all have other keys, and in a short loop one need not wait for another's memory
		if p != nil && !p.job.Digest.IsZero() {
			o.plans[i].holds = b.holding(p.job.Digest)
		}
	}
	for i, p := range o.subs {
		if p != nil {
			if len(o.room) == 0 && len(o.subs)-i >= entryRoom {
				o.room = make([]entry, entryRoom)
			}
			o.results[i] = o.planOne(b, c, p, &o.plans[i])
		}
	}
	o.room = nil
}

// repeat adds the steps of a relaxed submission. What it has made of other jobs is stored as these
// stand now: something else about them may be durable already.
func (o *submitOp) repeat(b *book, c *commit) {
	for i := range o.steps {
		s := &o.steps[i]
		if s.Verb == Insert {
			c.bytes += len(s.Record.Payload)
			c.steps = append(c.steps, *s)
			continue
		}
		if e := b.find(s.ID); e != nil { // else it has ended, and that is durable
			c.amend(b, e)
		}
	}
}

func (o *submitOp) planOne(b *book, c *commit, p *prepared, in *insertion) Result {
	r, holds := &p.job.Record, in.holds
	switch decideDuplicate(p.duplicates, b.holder(holds)) {
	case refuse:
		return Result{Kind: Rejected, Other: holds.id}
	case joinHolder:
		return in.join(b, c, holds, r.Priority)
	case joinFollower:
		return in.join(b, c, holds.heir(), r.Priority)
	case replace:
		in.leave(b, holds.heir())
		in.leave(b, holds)
		o.insert(b, c, p, in, holds)
		in.resolve(b, c)
		return Result{Kind: Replaced, ID: r.ID, Other: holds.id}
	case replaceBusy:
		other := holds
		if f := holds.heir(); f != nil {
			in.leave(b, f)
			if holds.place == settling || holds.place == leaving {
				other = f // the holder may have ended in another way
			}
		}
		o.insert(b, c, p, in, holds)
		in.resolve(b, c)
		in.stop(b, c, holds)
		return Result{Kind: Replaced, ID: r.ID, Other: other.id}
	case insertBehind:
		o.insert(b, c, p, in, holds)
		if p.duplicates == Supersede {
			in.stop(b, c, holds) // should a retry be what follows
		}
		return Result{Kind: Requeued, ID: r.ID, Other: holds.id}
	}
	o.insert(b, c, p, in, nil)
	return Result{Kind: Inserted, ID: r.ID}
}

// holder says what a submission finds.
func (b *book) holder(e *entry) holder {
	switch {
	case e == nil:
		return noHolder
	case e.place.waits():
		return waiting
	case e.heir() != nil:
		return busyTwice
	case e.place == settling, e.place == leaving:
		return ending
	}
	return busy
}

// insert makes a new job, which waits for another if there is one.
func (o *submitOp) insert(b *book, c *commit, p *prepared, in *insertion, ahead *entry) {
	r := &p.job.Record
	r.ID = b.next
	b.next++
	s := r.InitialState()
	var e *entry
	if len(o.room) > 0 {
		e, o.room = &o.room[0], o.room[1:]
	} else {
		e = new(entry)
	}
	b.fill(e, r, &s, b.kind(r.Type)) // which may have become another's alias meanwhile
	e.absolute = e.absolute && !p.delayed
	in.job = e
	b.register(e)
	if ahead != nil {
		x := in.extend()
		x.ahead, x.old = ahead, ahead.follower()
		follow(e, ahead)
	}
	c.insert(r)
}

func (o *submitOp) done(b *book, c *commit) {
	if o.withdrawn {
		return
	}
	if o.steps != nil { // it has taken effect before
		for i := range o.plans {
			if e := o.plans[i].job; e != nil {
				b.nowStored(e)
			}
		}
		b.pledged -= o.bytes()
		return
	}
	now := b.clock.now()
	for i := range o.plans {
		in := &o.plans[i]
		in.oust(b, c)
		if e := in.job; e != nil {
			p := o.subs[i]
			b.tellSubmitted(e, &p.job.Record, c.now)
			b.keep(e, p)
			if e.place == arriving {
				b.settleInAt(e, now)
			}
		}
		in.done(b, c)
		if kind := o.results[i].Kind; kind != 0 {
			b.counts.results[kind]++
		}
	}
	if o.batch {
		b.tellBatch(o.plans, c.now)
	}
	if o.reply != nil {
		o.reply <- nil
	}
}

func (o *submitOp) undone(b *book, err error) (again bool) {
	if o.withdrawn {
		return false
	}
	if o.steps != nil {
		return true
	}
	o.takeBack(b)
	o.reply <- err
	return false
}

// takeBack undoes what was decided, so that it can be decided again.
func (o *submitOp) takeBack(b *book) {
	if o.steps != nil {
		return
	}
	for i := len(o.plans) - 1; i >= 0; i-- {
		o.plans[i].undo(b)
	}
	o.planned = false
	clear(o.plans)
	clear(o.results)
}
