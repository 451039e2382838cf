package persist

import (
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
	steps  []Step
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

func (c *commit) insert(r *Record) {
	c.steps = append(c.steps, Step{Verb: Insert, ID: r.ID, Record: r})
	c.bytes += len(r.Payload)
	if c.first == 0 {
		c.first = r.ID
	}
}

func (c *commit) amend(b *book, e *entry) {
	s := e.state(&b.clock)
	s.Claimed = e.place == running && e.claim != nil && e.claim.stored
	c.steps = append(c.steps, Step{Verb: Amend, ID: e.id, State: s})
}

func (c *commit) resolve(b *book, e *entry, end End) {
	c.steps = append(c.steps, Step{Verb: Resolve, ID: e.id, State: e.state(&b.clock), End: end})
}

// submitOp stores submissions, all or none.
type submitOp struct {
	subs      []*prepared // nil where a later one has the same key
	results   []Result
	relaxed   bool
	plans     []insertion
	steps     []Step // of a relaxed one, which is planned by who submits
	withdrawn bool   // nobody waits for it any more, and it is not planned
	planned   bool
	reply     chan error // has room for one
	batch     bool
}

// entryRoom is how many entries are made together, when many are needed: few enough for all of
// them to be forgotten soon.
const entryRoom = 64

// insertion is what was decided about one submission.
type insertion struct {
	room   *entry   // to be used for the new one
	job    *entry   // the new one, if there is one
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
	o.plans = make([]insertion, len(o.subs))
	var room []entry
	for i, p := range o.subs {
		if p != nil {
			if len(room) == 0 && len(o.subs)-i >= entryRoom {
				room = make([]entry, entryRoom)
			}
			if len(room) > 0 {
				o.plans[i].room, room = &room[0], room[1:]
			}
			o.results[i] = o.planOne(b, c, p, &o.plans[i])
		}
	}
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
	r := &p.job.Record
	var holds *entry
	if !r.Digest.IsZero() {
		holds = b.keys[r.Digest]
	}
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
		in.insert(b, c, p, holds)
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
		in.insert(b, c, p, holds)
		in.resolve(b, c)
		in.stop(b, c, holds)
		return Result{Kind: Replaced, ID: r.ID, Other: other.id}
	case insertBehind:
		in.insert(b, c, p, holds)
		if p.duplicates == Supersede {
			in.stop(b, c, holds) // should a retry be what follows
		}
		return Result{Kind: Requeued, ID: r.ID, Other: holds.id}
	}
	in.insert(b, c, p, nil)
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
func (in *insertion) insert(b *book, c *commit, p *prepared, ahead *entry) {
	r := &p.job.Record
	r.ID = b.next
	b.next++
	s := r.InitialState()
	e := in.room // one of many, or nil
	if e == nil {
		e = new(entry)
	}
	b.fill(e, r, &s, b.kind(r.Type)) // which may have become another's alias meanwhile
	e.absolute = e.absolute && !p.delayed
	in.job = e
	b.register(e)
	if ahead != nil {
		in.ahead, in.old = ahead, ahead.follower()
		follow(e, ahead)
	}
	c.insert(r)
}

// join gives a job that waits a higher priority.
func (in *insertion) join(b *book, c *commit, e *entry, p Priority) Result {
	if p >= e.priority {
		return Result{Kind: Duplicate, ID: e.id}
	}
	in.joined, in.was, in.now = e, e.priority, p
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
		in.busy = e
		x.verdict, x.by = Superseded, in.job.id
		c.amend(b, e)
	}
}

// leave keeps others away from a job that is to be superseded, if there is one.
func (in *insertion) leave(b *book, e *entry) {
	if e == nil {
		return
	}
	in.gone = append(in.gone, ousted{e, e.place, e.when})
	b.move(e, leaving, e.when)
}

// resolve ends those that are superseded.
func (in *insertion) resolve(b *book, c *commit) {
	for _, o := range in.gone {
		c.resolve(b, o.job, End{Kind: Superseded, At: c.now, By: in.job.id})
	}
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
	var inserted []*entry
	for i := range o.plans {
		in := &o.plans[i]
		for _, o := range in.gone {
			b.tellEnd(events.JobSuperseded, o.job, &verdict{}, c.now)
			b.forget(o.job)
			b.counts.ended[Superseded]++
		}
		if e := in.job; e != nil {
			if o.batch {
				inserted = append(inserted, e)
			}
			j := &o.subs[i].job
			b.tellSubmitted(e, &j.Record, c.now)
			b.keep(e, j)
			if e.place == arriving {
				b.settleIn(e)
			}
		}
		if e := in.joined; e != nil {
			b.tell(events.JobUpgraded, e, func(*events.Event) {})
		}
		if e := in.busy; e != nil {
			if cl := e.claim; cl != nil {
				c.after = append(c.after, func() { cl.stop(events.ReasonSuperseded) })
			}
		}
		if e := in.ahead; e != nil {
			b.overtake(e)
		}
		if kind := o.results[i].Kind; kind != 0 {
			b.counts.results[kind]++
		}
	}
	if o.batch {
		b.tellBatch(inserted, c.now)
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
	o.planned, o.plans = false, nil
	clear(o.results)
}

// undo takes back what was decided.
func (in *insertion) undo(b *book) {
	if e := in.busy; e != nil {
		e.more.verdict, e.more.by = 0, 0
	}
	if e := in.joined; e != nil && e.place != gone && e.priority == in.now { // else it has got a higher one since
		b.prioritise(e, in.was)
	}
	if e := in.job; e != nil {
		b.forget(e)
		if in.ahead != nil && in.ahead.place != gone {
			in.ahead.extend().follower = in.old
			if in.old != nil {
				in.old.extend().ahead = in.ahead
			}
		}
	}
	for _, o := range in.gone {
		if o.from == arriving {
			b.move(o.job, arriving, o.when)
		} else {
			o.job.when = o.when
			b.settleIn(o.job)
		}
	}
}
