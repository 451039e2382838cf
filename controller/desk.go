package controller

import (
	"context"
	"errors"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/internal/register"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// desk is one run of a controller: all of its state, so that the next run begins
// afresh. It acts on the goroutines of those that submit, and of owners that end.
type desk struct {
	c    *Controller
	door *supervisor.Door

	// All below is guarded by the door.
	closed  bool
	slots   map[string]*slot              // those that are not empty
	entries register.Of[events.ID, entry] // those that wait or run
	queued  int                           // how many wait
	room    room
	vacant  []*slot // those that have places for who waits
	spare   []*slot // to be used again
}

// maxSpare bounds how many empty slots are kept.
const maxSpare = 64

func newDesk(c *Controller, door *supervisor.Door) *desk {
	return &desk{
		c: c, door: door, room: room{free: c.cfg.Capacity},
		slots: map[string]*slot{},
	}
}

// submit decides what becomes of t. A channel says that there is no room for it, until
// it is closed.
func (d *desk) submit(t *Ticket) (admitted <-chan struct{}, err error) {
	d.door.Lock()
	defer d.door.Unlock()
	if t.given {
		return nil, ErrSubmitted
	}
	t.given = true
	d.c.counts.submitted[t.admission].Add(1)
	if d.closed {
		d.refuse(t, events.ReasonClosing)
		return nil, nil
	}
	s := d.slot(t.key)
	switch answer, why := decide(t.admission, d.occupancy(s, t)); answer {
	case enters:
		d.enter(d.note(s, t))
		d.tidy(s)
	case waits:
		d.queue(s, t)
	case succeeds:
		d.succeed(s, t)
	case refused:
		d.refuse(t, why)
	}
	return t.admitted, nil
}

// occupancy is how full a slot is for t.
func (d *desk) occupancy(s *slot, t *Ticket) occupancy {
	return occupancy{
		owners: s.owners.n, width: s.width,
		waiting: s.queue.n, depth: d.c.cfg.Depth,
		namesake: s.owners.n < s.width && d.namesake(s, t) != nil, // looked for where it matters
	}
}

// slot returns the slot of a key, which is made if there is none.
func (d *desk) slot(key string) *slot {
	s := d.slots[key]
	if s != nil {
		return s
	}
	if n := len(d.spare); n > 0 {
		s, d.spare = d.spare[n-1], d.spare[:n-1]
	} else {
		s = &slot{}
	}
	s.key, s.width = key, d.c.width(key)
	d.slots[key] = s
	return s
}

// tidy forgets a slot that is empty.
func (d *desk) tidy(s *slot) {
	if s.isEmpty() {
		d.forget(s)
	}
}

func (d *desk) forget(s *slot) {
	delete(d.slots, s.key)
	if len(d.spare) < maxSpare {
		s.key = ""
		d.spare = append(d.spare, s)
	}
}

// note gives t its entry, which is in no line yet.
func (d *desk) note(s *slot, t *Ticket) *entry {
	return d.entries.Add(t.ID(), entry{task: t.task, ticket: t, slot: s})
}

// strike removes the entry of one that is in no line any more.
func (d *desk) strike(e *entry) { d.entries.Remove(e.task.Handle().ID()) }

// enter gives e a place of its slot, or its outcome.
func (d *desk) enter(e *entry) {
	err := e.task.Enter()
	switch {
	case err == nil:
		e.slot.own(e)
		d.c.counts.entered.Add(1)
	case errors.Is(err, supervisor.ErrExists):
		d.turnAway(e, events.ReasonDuplicate)
	default:
		d.turnAway(e, events.ReasonClosing)
	}
}

// queue has t wait at the end.
func (d *desk) queue(s *slot, t *Ticket) {
	e := d.note(s, t)
	d.room.take(e)
	s.queue.append(e)
	d.wait(e)
}

// succeed has t wait at the head, in place of who was there, and the oldest owner end.
func (d *desk) succeed(s *slot, t *Ticket) {
	owner := d.namesake(s, t)
	if _, taken := t.task.Namesake(); taken && owner == nil {
		d.refuse(t, events.ReasonDuplicate) // nobody shall make way for it in vain
		return
	}
	if head := s.queue.first; head != nil {
		d.dismiss(head, events.ReasonSuperseded)
	}
	e := d.note(s, t)
	s.queue.prepend(e)
	d.wait(e)
	if owner == nil {
		owner = s.oldest()
	}
	if owner != nil && !owner.task.Ending() {
		d.c.counts.replaced.Add(1)
		owner.task.Stop(events.ReasonReplaced)
	}
}

// namesake is the owner in the slot that has the name of t, or nil.
func (d *desk) namesake(s *slot, t *Ticket) *entry {
	if s.owners.n == 0 {
		return nil
	}
	id, taken := t.task.Namesake()
	if !taken {
		return nil
	}
	if owner := d.entries.Find(id); owner != nil && owner.slot == s {
		return owner
	}
	return nil
}

// wait is what all have in common that wait.
func (d *desk) wait(e *entry) {
	t := e.ticket
	e.waits, t.since = true, time.Now()
	d.queued++
	if t.ttl != policy.Forever {
		e.timed = true
		t.timer = time.AfterFunc(t.ttl, func() { d.expire(t) })
	}
	d.door.Tell(t.task, events.TaskQueued, func(ev *events.Event) { ev.Key, ev.Count = t.key, uint64(e.slot.queue.n) })
}

// stopWaiting takes e out of its queue, for whatever comes next.
func (d *desk) stopWaiting(e *entry) {
	e.slot.queue.remove(e)
	e.waits = false
	d.queued--
	d.room.give(e)
	if e.timed {
		e.ticket.timer.Stop()
	}
}

// dismiss rejects one that waits.
func (d *desk) dismiss(e *entry, why events.Reason) {
	d.stopWaiting(e)
	d.turnAway(e, why)
}

// takeOut dismisses one that waits by itself, for which others may have waited.
func (d *desk) takeOut(e *entry, why events.Reason) {
	s := e.slot
	d.dismiss(e, why)
	d.advance(s)
}

// refuse rejects one that has no entry.
func (d *desk) refuse(t *Ticket, why events.Reason) { d.reject(t.task, t.key, t, why) }

// turnAway rejects one that is in no line.
func (d *desk) turnAway(e *entry, why events.Reason) {
	was := *e
	d.strike(e)
	d.reject(was.task, was.slot.key, was.ticket, why)
}

// reject gives a task its outcome without having run. Its ticket is looked at only if
// somebody listens.
func (d *desk) reject(task supervisor.Candidate, key string, t *Ticket, why events.Reason) {
	d.c.counts.rejected[why].Add(1)
	d.door.Tell(task, events.TaskRejected, func(e *events.Event) {
		e.Key, e.Reason = key, why
		if !t.since.IsZero() {
			e.Elapsed = e.At.Sub(t.since)
		}
	})
	task.Reject(key, why)
}

// Left frees the place of an owner, and says whether others wait for it.
func (d *desk) Left(k supervisor.Candidate) (more bool) {
	e := d.entries.Find(k.Handle().ID())
	if e == nil {
		return false // started by hand
	}
	s := e.slot
	s.disown(e)
	d.strike(e)
	switch {
	case s.vacant:
	case s.queue.n == 0:
		d.tidy(s)
	default:
		s.vacant = true
		d.vacant = append(d.vacant, s)
	}
	return s.vacant
}

// Next fills the places that have become free.
func (d *desk) Next() {
	for n := len(d.vacant); n > 0; n = len(d.vacant) {
		s := d.vacant[n-1]
		d.vacant = d.vacant[:n-1]
		s.vacant = false
		d.advance(s)
	}
}

// advance fills the free places of a slot from its queue. An owner that ends has little
// stack for it, so it does itself as little as it can.
func (d *desk) advance(s *slot) {
	for e := d.next(s); e != nil; e = d.next(s) {
		d.enter(e)
	}
	d.tidy(s)
}

// next takes from the queue who may enter now, or nobody.
func (d *desk) next(s *slot) *entry {
	for e := s.queue.first; e != nil && d.occupancy(s, e.ticket).hasPlace(); e = s.queue.first {
		if t := e.ticket; e.timed && time.Since(t.since) >= t.ttl { // its timer is late
			d.dismiss(e, events.ReasonExpired)
			continue
		}
		d.stopWaiting(e)
		return e
	}
	return nil
}

func (d *desk) widen(key string) {
	if s := d.slots[key]; s != nil {
		s.width = d.c.width(key)
		d.advance(s)
	}
}

// expire rejects t if it still waits.
func (d *desk) expire(t *Ticket) {
	d.door.Lock()
	defer d.door.Unlock()
	if e := d.entries.Find(t.ID()); e != nil && e.waits {
		d.takeOut(e, events.ReasonExpired)
	}
}

// giveUp rejects t if it still waits for room.
func (d *desk) giveUp(t *Ticket) bool {
	d.door.Lock()
	defer d.door.Unlock()
	e := d.entries.Find(t.ID())
	if e == nil || e.room != parked {
		return false
	}
	d.takeOut(e, events.ReasonFull)
	return true
}

// cancel ends a submission; it returns one that runs and is to be waited for.
func (d *desk) cancel(ctx context.Context, id events.ID) (*Ticket, error) {
	caller := actor.Current(ctx) // asks a user's context, so without the lock
	d.door.Lock()
	defer d.door.Unlock()
	e := d.entries.Find(id)
	switch {
	case e == nil:
		return nil, supervisor.ErrNotFound
	case e.waits:
		d.takeOut(e, events.ReasonWithdrawn)
		return nil, nil
	case e.task.Has(caller):
		return e.ticket, supervisor.ErrSelf
	}
	e.task.Stop(events.ReasonStopped)
	return e.ticket, nil
}

// purge rejects all that wait for a key.
func (d *desk) purge(key string) (n int) {
	s := d.slots[key]
	if s == nil {
		return 0
	}
	return d.empty(s, events.ReasonWithdrawn)
}

func (d *desk) empty(s *slot, why events.Reason) (n int) {
	for e := s.queue.first; e != nil; e = s.queue.first {
		d.dismiss(e, why)
		n++
	}
	return n
}

// stop purges a key and tells its owners to end, whom it returns.
func (d *desk) stop(ctx context.Context, key string) ([]*Ticket, error) {
	caller := actor.Current(ctx)
	d.door.Lock()
	defer d.door.Unlock()
	s := d.slots[key]
	if s == nil {
		return nil, nil
	}
	var owners []*Ticket
	for e := s.owners.first; e != nil; e = e.next {
		if e.task.Has(caller) {
			return nil, supervisor.ErrSelf
		}
		owners = append(owners, e.ticket)
	}
	d.empty(s, events.ReasonWithdrawn)
	for _, t := range owners {
		t.task.Stop(events.ReasonStopped)
	}
	return owners, nil
}

// Closing rejects all that wait, and whatever comes.
func (d *desk) Closing() (rejected int) {
	d.closed = true
	for _, s := range d.slots {
		rejected += d.empty(s, events.ReasonClosing)
	}
	return rejected
}

// Waiting returns how many wait.
func (d *desk) Waiting() int { return d.queued }
