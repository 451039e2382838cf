package persist

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// gate lets jobs into one run of the workers. It decides on the goroutines of those that end,
// and of the writer.
type gate struct {
	q      *Queue
	door   *supervisor.Door
	closed atomic.Bool // changed under the door's lock
}

// keeper is the queue as the supervisor of its workers sees it.
type keeper Queue

// Open begins a run of the workers.
func (k *keeper) Open(door *supervisor.Door) supervisor.Guard {
	g := &gate{q: (*Queue)(k), door: door}
	b := g.q.book
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened = g
	poke(b.alarm) // nobody is let in by opening
	return g
}

// Left sees to what follows an attempt, and says whether others may run now.
func (g *gate) Left(k supervisor.Candidate) (more bool) {
	c, ok := k.Task().(*claim)
	if !ok || c.task != k {
		return false // started by hand
	}
	b := g.q.book
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.has(c) {
		return false
	}
	b.giveBack(c.job)
	v, givenUp := c.outcome()
	if givenUp && !c.job.makesWay() {
		return !g.closed.Load() // it keeps what it has of limits, and its key, until it returns
	}
	if givenUp {
		v = verdict{exit: policy.Stopped, reason: c.lost}
	}
	b.giveBackLimits(c.job)
	b.settle(c, &v)
	return !g.closed.Load()
}

// has reports whether a claim is one of this run of the queue, and in force.
func (b *book) has(c *claim) bool { return c.era == b.run && c.job.claim == c }

// Next lets in who may run.
func (g *gate) Next() {
	if g.closed.Load() {
		return
	}
	for more := true; more; {
		var c *claim
		c, more = g.claim(nil)
		if c == nil || !g.enter(c) {
			return
		}
	}
}

// Provide claims the next job for who has left.
func (g *gate) Provide() (k supervisor.Candidate, ok, more bool) {
	if g.closed.Load() {
		return k, false, false
	}
	c, more := g.claim(&claim{})
	if c == nil {
		return k, false, false
	}
	k, err := g.prepare(c)
	if err != nil {
		g.refuse(c, err)
		return k, false, true // in its place
	}
	return k, true, more
}

// Receive lets it in.
func (g *gate) Receive(k supervisor.Candidate) {
	c := k.Task().(*claim)
	if err := g.admit(c, k); err != nil {
		g.refuse(c, err)
	}
}

// claim takes the next job that may run, or nil, and says whether there are more. A claim that has
// to be stored first is left to the writer. Room is for the claim, and may be nil: then it is made
// with the book locked.
func (g *gate) claim(room *claim) (c *claim, more bool) {
	b := g.q.book
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		e := b.pick()
		if e == nil {
			return nil, false
		}
		if e.more != nil && e.expired(b.clock.now()) { // and nobody has looked since
			b.move(e, leaving, 0)
			b.enqueue(&expireOp{job: e})
			continue
		}
		if c = room; c == nil {
			c = &claim{}
		}
		c.fill(g, e)
		to := running
		if b.cautious || e.suspect {
			to = claiming
		}
		b.take(e, to)
		c.fence = e.fence
		c.given, c.lent = b.recall(e)
		if to == running {
			b.activate(c)
			return c, b.pick() != nil
		}
		room = nil
		b.enqueue(&claimOp{claim: c})
	}
}

// enter starts the child that runs the job. If that cannot be, the job goes back.
func (g *gate) enter(c *claim) (entered bool) {
	k, err := g.prepare(c)
	if err == nil {
		err = g.admit(c, k)
	}
	if err != nil {
		g.refuse(c, err)
	}
	return err == nil
}

// refuse gives a job back whose claim cannot begin. It may be that of a run of the queue that is over,
// and then it has nothing any more.
func (g *gate) refuse(c *claim, err error) {
	b := g.q.book
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.has(c) {
		return
	}
	defer poke(b.alarm) // its place is for another, and maybe behind another door
	b.giveBack(c.job)
	b.giveBackLimits(c.job)
	v := verdict{exit: policy.Stopped, reason: events.ReasonShutdown}
	if !errors.Is(err, supervisor.ErrStopping) {
		v = unbegun(err)
	}
	b.settle(c, &v)
}

// prepare makes the child of a claim. It needs no lock.
func (g *gate) prepare(c *claim) (supervisor.Candidate, error) {
	c.introduce()
	return g.door.Prepare(&actor.Spec{
		Name: c.name(), Task: c, Restart: policy.Never,
		Timeout: c.rules.Timeout, Stall: c.rules.Stall, Grace: c.rules.Grace,
	})
}

// admit starts the child of a claim. It returns ErrStopping if nobody is let in any more, or if
// the end of the job was decided meanwhile.
func (g *gate) admit(c *claim, k supervisor.Candidate) error {
	if g.closed.Load() || c.unwanted {
		return supervisor.ErrStopping
	}
	c.task = k
	err := supervisor.ErrStopping
	if !c.stored || g.q.book.begin(c) {
		err = k.Enter()
	}
	if err != nil {
		c.task = supervisor.Candidate{} // there is nobody to be told to stop
	}
	return err
}

// begin takes note that a job runs whose claim is durable, and says whether it is to.
func (b *book) begin(c *claim) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.has(c) {
		return false
	}
	b.activate(c)
	if c.job.place == claiming {
		b.move(c.job, running, c.job.when)
	}
	return c.job.extra().verdict == 0
}

// Closing lets nobody in any more.
func (g *gate) Closing() (rejected int) {
	g.closed.Store(true)
	return 0
}

// Waiting returns none: who waits is on disk, and does not mind.
func (g *gate) Waiting() int { return 0 }

// pattern is what events of the workers have as their pattern.
func (g *gate) pattern() string { return g.door.Path() + "/*" }

// fill makes c, which is new, the claim of a job. It is called with the book locked.
func (c *claim) fill(g *gate, e *entry) {
	b := g.q.book
	c.q, c.gate, c.job, c.kind, c.era, c.at = g.q, g, e, e.kind, b.run, -1
	c.attempt, c.priority, c.rules, c.run, c.codec = int(e.attempts)+1, e.priority, rulesOf(e), e.kind.run, e.kind.set.codec
	c.clock, c.taken, c.ready = b.clock, b.clock.now(), e.when
	c.timed = e.more != nil && (e.more.ttl > 0 || e.more.expires != 0)
	if d := e.kind.domain.def; d != nil {
		c.state = append(c.state, d.State...)
	}
	c.state = append(c.state, b.state...)
	e.claim = c
}

// settle decides what follows an attempt, and hands it to the writer. It is called with the
// book locked.
func (b *book) settle(c *claim, v *verdict) {
	e := c.job
	if e.fence != c.fence || e.claim != c || (e.place != running && e.place != claiming) {
		return // somebody else has it, or it has ended
	}
	begun := c.entered.Load() != 0
	if begun {
		v.elapsed = max(0, time.Duration(b.clock.now()-c.since()))
	}
	b.deactivate(c)
	if begun {
		b.survived(e)
	}
	o := &c.then
	*o = settleOp{job: e, v: *v, unbegun: !begun}
	o.decide(c)
	if o.move == putBack && !c.stored && e.extra().verdict == 0 {
		b.move(e, leaving, 0)
		b.tell(events.JobReleased, e, func(x *events.Event) { x.Reason = v.reason })
		e.claim = nil
		b.settleIn(e)
		return
	}
	b.owing++
	b.move(e, settling, 0)
	b.enqueue(o)
}

// pause is how long the job waits after a failure, which is counted already.
func (c *claim) pause(v *verdict) (d time.Duration) {
	if v.asked || c.rules.Backoff.Custom != nil {
		return v.after
	}
	return c.rules.Backoff.Pause(int(c.job.failures)-1, c.job.extra().pause)
}

// enqueue hands something to the writer.
func (b *book) enqueue(o op) {
	b.inbox = append(b.inbox, o)
	if !b.resting || hurries(o) || !b.mayRest() {
		b.rouse()
	}
}
