package persist

import (
	"errors"
	"slices"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// settleOp stores what follows an attempt that has ended.
type settleOp struct {
	job  *entry
	v    verdict
	move move
	end  Ending
	wait time.Duration // the pause before the next attempt

	unbegun bool // the handler was never entered

	asked func() // takes back what plan has made of a verdict that may not become durable
}

// decide says what follows the attempt of a claim.
func (o *settleOp) decide(c *claim) {
	e := o.job
	failed := e.failures + 1
	o.move, o.end = decideNext(&o.v, c.rules.MaxRetries, int(failed))
	switch {
	case o.v.expired: // no attempt was made
	case o.move == putOff:
		o.wait = o.v.after
	case o.move == again, o.end == DeadLetter, o.end == Failed:
		e.attempts++
		e.failures = failed
		if o.move == again {
			o.wait = c.pause(&o.v)
			e.extend().pause = o.wait
		}
	case o.move == endNow:
		e.attempts++
	}
	o.wait = min(o.wait, MaxWait)
}

// prepare makes the text of an error that nobody has read yet, without the lock.
func (o *settleOp) prepare() {
	if o.v.text == "" {
		o.v.read()
	}
}

func (o *settleOp) plan(b *book, c *commit) {
	e := o.job
	if d := e.extra().verdict; d != 0 && o.end != d { // durable, or in this commit
		move, end, attempts := o.move, o.end, e.attempts
		o.asked = func() { o.move, o.end, e.attempts = move, end, attempts }
		if !o.unbegun && o.move != endNow && o.move != again {
			e.attempts++
		}
		o.move, o.end = endNow, d
	}
	if o.v.exit.IsFailure() && o.end != Completed && (o.v.text != "" || !o.v.snooze && !o.v.cancel) {
		e.extend().last = &Failure{At: c.now, Attempt: int(e.attempts), Exit: o.v.exit, Text: o.v.text}
	}
	if o.move == endNow {
		c.resolve(b, e, End{Kind: o.end, At: c.now, Elapsed: o.v.elapsed, By: e.extra().by})
		return
	}
	if o.move == setAside {
		e.extend().parked = o.v.text
	}
	s := e.state(&b.clock)
	s.PutOff = o.move == putOff && e.failures > 0
	if o.wait > 0 {
		s.RunAt = c.now.Add(o.wait)
	}
	c.steps = append(c.steps, Step{Verb: Amend, ID: e.id, State: s})
}

func (o *settleOp) done(b *book, c *commit) {
	e := o.job
	b.owing--
	if o.move == endNow {
		b.counts.ended[o.end]++
		if o.end == Expired {
			o.v = waitedInVain(e, c.now)
		}
		b.tellEnd(endKind[o.end], e, &o.v, c.now)
		e.claim = nil
		b.forget(e)
		return
	}
	e.when = b.clock.after(o.wait)
	if o.wait <= 0 {
		e.when = 0
	}
	e.absolute = false
	if e.more != nil {
		e.more.putOff = o.move == putOff
	}
	b.tellAgain(o, c.now)
	e.claim = nil
	if e.more != nil && e.more.verdict != 0 { // decided meanwhile
		b.enqueue(&settleOp{job: e, v: o.v, move: endNow, end: e.more.verdict}) // which is durable
		b.owing++
		return
	}
	b.settleIn(e)
}

func (o *settleOp) undone(*book, error) bool {
	if o.asked != nil {
		o.asked()
		o.asked = nil
	}
	return true
}

var endKind = [...]events.Kind{
	Completed: events.JobCompleted, Failed: events.JobFailed, DeadLetter: events.JobDeadLettered, Cancelled: events.JobCancelled,
	Superseded: events.JobSuperseded, Expired: events.JobExpired, DependencyFailed: events.JobFailed,
}

// claimOp stores a claim before the job is begun.
type claimOp struct {
	claim *claim
}

func (o *claimOp) plan(b *book, c *commit) {
	s := o.claim.job.state(&b.clock)
	s.Claimed = true
	o.claim.stored = true
	c.steps = append(c.steps, Step{Verb: Amend, ID: o.claim.job.id, State: s})
}

func (o *claimOp) done(b *book, c *commit) {
	c.after = append(c.after, o.claim.begin)
}

func (o *claimOp) undone(b *book, _ error) bool { return true }

// noteOp stores what is to be known of a job after a crash: when it expires, which its first
// attempt has decided. Nobody waits for that.
type noteOp struct{ job *entry }

func (o *noteOp) plan(b *book, c *commit) {
	if e := o.job; b.find(e.id) == e && e.place == running { // else what follows its attempt says so too
		c.amend(b, e)
	}
}

func (o *noteOp) done(*book, *commit) {}

func (o *noteOp) undone(*book, error) bool { return false } // the next that is stored of it says so too

// cancelOp ends a job, or tells it to end.
type cancelOp struct {
	id    ID
	job   *entry
	from  place
	when  instant
	reply chan error // has room for one
	err   error
	ended chan struct{} // of a job that runs
}

func (o *cancelOp) plan(b *book, c *commit) {
	e := b.find(o.id)
	switch {
	case e == nil:
		o.err = ErrEnded // or there is none: who asks finds out
	case e.place == arriving, e.place == leaving, e.place == settling:
		c.later = append(c.later, o) // its end may be part of this very commit
	case e.place.waits():
		o.job, o.from, o.when = e, e.place, e.when
		b.move(e, leaving, e.when)
		c.resolve(b, e, End{Kind: Cancelled, At: c.now})
	case e.extra().verdict != 0:
		o.ended = e.awaited()
	default:
		o.job = e
		o.ended = e.awaited()
		e.extend().verdict = Cancelled
		c.amend(b, e)
	}
}

func (o *cancelOp) done(b *book, c *commit) {
	if e := o.job; e != nil && o.ended == nil {
		b.counts.ended[Cancelled]++
		b.tellEnd(events.JobCancelled, e, &verdict{}, c.now)
		b.forget(e)
	} else if e != nil && e.claim != nil {
		cl := e.claim
		c.after = append(c.after, func() { cl.stop(events.ReasonCancelled) })
		b.overtake(e)
	}
	o.reply <- o.err
}

// overtake settles the attempt at a job that was given up before it was decided that the job makes way:
// nobody would be told that it has ended.
func (b *book) overtake(e *entry) {
	if c := e.claim; c != nil && b.has(c) && e.place == running && e.makesWay() && c.end.Load() == abandoned {
		b.giveBackLimits(e)
		b.settle(c, &verdict{exit: policy.Stopped, reason: c.lost})
	}
}

func (o *cancelOp) undone(b *book, err error) bool {
	switch e := o.job; {
	case e == nil:
	case o.ended != nil:
		e.more.verdict = 0
	default:
		e.when = o.when
		b.settleIn(e)
	}
	o.reply <- err
	return false
}

// expireOp ends a job that has waited for too long.
type expireOp struct{ job *entry }

func (o *expireOp) plan(b *book, c *commit) {
	c.resolve(b, o.job, End{Kind: Expired, At: c.now})
}

func (o *expireOp) done(b *book, c *commit) {
	b.counts.ended[Expired]++
	v := waitedInVain(o.job, c.now)
	b.tellEnd(events.JobExpired, o.job, &v, c.now)
	b.forget(o.job)
}

// waitedInVain is what is told of a job that has expired.
func waitedInVain(e *entry, now time.Time) verdict {
	return verdict{elapsed: now.Sub(time.Unix(0, e.submitted))}
}

func (o *expireOp) undone(*book, error) bool { return true }

// releaseOp puts a job back that was set aside.
type releaseOp struct {
	id    ID
	job   *entry
	was   string
	reply chan error // has room for one
	err   error
}

func (o *releaseOp) plan(b *book, c *commit) {
	e := b.find(o.id)
	switch {
	case e == nil:
		o.err = ErrEnded // or there is none: who asks finds out
	case e.place != parked:
		o.err = ErrNotParked
	default:
		o.job, o.was = e, e.more.parked
		b.move(e, leaving, 0)
		e.more.parked, e.more.crashes = "", 0
		c.amend(b, e)
	}
}

func (o *releaseOp) done(b *book, _ *commit) {
	if e := o.job; e != nil {
		b.settleIn(e)
		b.tell(events.JobRevived, e, func(*events.Event) {})
	}
	o.reply <- o.err
}

func (o *releaseOp) undone(b *book, err error) bool {
	if e := o.job; e != nil {
		e.more.parked = o.was
		b.settleIn(e)
	}
	o.reply <- err
	return false
}

// reviveOp makes a job of one that has ended. It keeps its ID.
type reviveOp struct {
	job   *Job   // as the store knew it
	seen  uint64 // book.revivals before that
	entry *entry
	step  int        // its place in the commit
	reply chan error // has room for one
	err   error
}

func (o *reviveOp) plan(b *book, c *commit) {
	r := &o.job.Record
	switch {
	case b.find(r.ID) != nil:
		o.err = ErrNotEnded
		return
	case b.revivals != o.seen:
		o.err = errOutdated
		return
	case !r.Digest.IsZero() && b.keys[r.Digest] != 0:
		o.err = &KeyError{Holder: b.keys[r.Digest]}
		return
	}
	s := State{Fence: o.job.Fence, Attempts: o.job.Attempts, Priority: o.job.State.Priority, Last: o.job.Last}
	if r.RunAt.After(c.now) {
		s.RunAt = r.RunAt
	}
	if r.TTL > 0 && r.TTLFrom == TTLFromSubmission {
		s.Expires = c.now.Add(r.TTL)
	}
	o.entry = b.newEntry(r, &s, b.kind(r.Type))
	b.register(o.entry)
	if !r.Digest.IsZero() {
		if c.revived == nil {
			c.revived = map[Digest]bool{}
		}
		c.revived[r.Digest] = true
	}
	c.revivals[o.job.End.Kind]++
	o.step = len(c.steps)
	c.steps = append(c.steps, Step{Verb: Revive, ID: r.ID, State: s})
}

func (o *reviveOp) done(b *book, c *commit) {
	switch {
	case o.entry == nil:
	case slices.Contains(c.stale, o.step): // it was forgotten after it was read
		b.forget(o.entry)
		o.err = ErrPruned
	default:
		b.revivals++
		b.past[o.job.End.Kind]--
		b.settleIn(o.entry)
		b.tell(events.JobRevived, o.entry, func(x *events.Event) { x.Job = o.entry.stand(aboutRecord(&o.job.Record, "", 0, 0)) })
	}
	o.reply <- o.err
}

func (o *reviveOp) undone(b *book, err error) bool {
	if o.entry != nil {
		b.forget(o.entry)
	}
	o.reply <- err
	return false
}

// errOutdated means: a job has been revived, maybe this one, and may have ended anew.
var errOutdated = errors.New("has to be read again")

// rulesOf are the rules of a job, with those of its type where it has none of its own. They are not
// changed any more.
func rulesOf(e *entry) *Rules {
	if e.more == nil || e.more.rules.isZero() {
		return e.kind.rules
	}
	r, own := *e.kind.rules, &e.more.rules
	if own.MaxRetries != 0 {
		r.MaxRetries = own.MaxRetries
	}
	if !own.Backoff.IsZero() {
		r.Backoff = own.Backoff
	}
	if own.Timeout != 0 {
		r.Timeout = own.Timeout
	}
	if own.Stall != 0 {
		r.Stall = own.Stall
	}
	if own.Grace != 0 {
		r.Grace = own.Grace
	}
	return &r
}
