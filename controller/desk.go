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
	slots   map[string]*slot               // those that are not empty
	tickets register.Of[events.ID, Ticket] // those that wait or run
	queued  int                            // how many wait
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
		d.reject(t, events.ReasonClosing)
		return nil, nil
	}
	s := d.slot(t.key)
	switch answer, why := decide(t.admission, d.occupancy(s, t)); answer {
	case enters:
		d.enter(s, t)
		d.tidy(s)
	case waits:
		d.queue(s, t)
	case succeeds:
		d.succeed(s, t)
	case refused:
		d.reject(t, why)
	}
	if t.room == parked {
		return t.admitted, nil
	}
	return nil, nil
}

// occupancy is how full a slot is for t.
func (d *desk) occupancy(s *slot, t *Ticket) occupancy {
	return occupancy{
		owners: s.owners.n, width: s.width,
		waiting: s.queue.n, depth: d.c.cfg.Depth,
		namesake: d.namesake(s, t) != nil,
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

// enter gives t a place of the slot, or its outcome.
func (d *desk) enter(s *slot, t *Ticket) {
	err := t.task.Enter()
	switch {
	case err == nil:
		t.slot = s
		s.own(t)
		d.tickets.Add(t.ID(), t)
		d.c.counts.entered.Add(1)
	case errors.Is(err, supervisor.ErrExists):
		d.reject(t, events.ReasonDuplicate)
	default:
		d.reject(t, events.ReasonClosing)
	}
}

// queue has t wait at the end.
func (d *desk) queue(s *slot, t *Ticket) {
	d.room.take(t)
	s.queue.append(t)
	d.wait(s, t)
}

// succeed has t wait at the head, in place of who was there, and the oldest owner end.
func (d *desk) succeed(s *slot, t *Ticket) {
	owner := d.namesake(s, t)
	if _, taken := t.task.Namesake(); taken && owner == nil {
		d.reject(t, events.ReasonDuplicate) // nobody shall make way for it in vain
		return
	}
	if head := s.queue.first; head != nil {
		d.dismiss(head, events.ReasonSuperseded)
	}
	s.queue.prepend(t)
	d.wait(s, t)
	if owner == nil {
		owner = s.oldest()
	}
	if owner != nil && !owner.task.Ending() {
		d.c.counts.replaced.Add(1)
		owner.task.Stop(events.ReasonReplaced)
	}
}

// namesake is the owner in the slot that has the name of t, or nil.
func (d *desk) namesake(s *slot, t *Ticket) *Ticket {
	if s.owners.n == 0 {
		return nil
	}
	id, taken := t.task.Namesake()
	if !taken {
		return nil
	}
	if owner := d.tickets.Find(id); owner != nil && owner.slot == s {
		return owner
	}
	return nil
}

// wait is what all have in common that wait.
func (d *desk) wait(s *slot, t *Ticket) {
	t.slot, t.waits, t.since = s, true, time.Now()
	d.tickets.Add(t.ID(), t)
	d.queued++
	if t.ttl != policy.Forever {
		t.timer = time.AfterFunc(t.ttl, func() { d.expire(t) })
	}
	d.door.Tell(t.task, events.TaskQueued, func(e *events.Event) { e.Key, e.Count = t.key, uint64(s.queue.n) })
}

// stopWaiting takes t out of its queue, for whatever comes next.
func (d *desk) stopWaiting(t *Ticket) {
	t.slot.queue.remove(t)
	t.waits = false
	d.queued--
	d.tickets.Remove(t.ID())
	d.room.give(t)
	if t.timer != nil {
		t.timer.Stop()
	}
}

// dismiss rejects one that waits.
func (d *desk) dismiss(t *Ticket, why events.Reason) {
	d.stopWaiting(t)
	d.reject(t, why)
}

// takeOut dismisses one that waits by itself, for which others may have waited.
func (d *desk) takeOut(t *Ticket, why events.Reason) {
	s := t.slot
	d.dismiss(t, why)
	d.advance(s)
}

// reject gives t its outcome without having run.
func (d *desk) reject(t *Ticket, why events.Reason) {
	d.c.counts.rejected[why].Add(1)
	d.door.Tell(t.task, events.TaskRejected, func(e *events.Event) {
		e.Key, e.Reason = t.key, why
		if !t.since.IsZero() {
			e.Elapsed = e.At.Sub(t.since)
		}
	})
	t.task.Reject(t.key, why)
}

// Left frees the place of an owner, and says whether others wait for it.
func (d *desk) Left(k supervisor.Candidate) (more bool) {
	id := k.Handle().ID()
	t := d.tickets.Find(id)
	if t == nil {
		return false // started by hand
	}
	d.tickets.Remove(id)
	s := t.slot
	s.disown(t)
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
	for t := d.next(s); t != nil; t = d.next(s) {
		d.enter(s, t)
	}
	d.tidy(s)
}

// next takes from the queue who may enter now, or nobody.
func (d *desk) next(s *slot) *Ticket {
	for t := s.queue.first; t != nil && d.occupancy(s, t).hasPlace(); t = s.queue.first {
		if t.ttl != policy.Forever && time.Since(t.since) >= t.ttl { // its timer is late
			d.dismiss(t, events.ReasonExpired)
			continue
		}
		d.stopWaiting(t)
		return t
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
	if t.waits {
		d.takeOut(t, events.ReasonExpired)
	}
}

// giveUp rejects t if it still waits for room.
func (d *desk) giveUp(t *Ticket) bool {
	d.door.Lock()
	defer d.door.Unlock()
	if t.room != parked {
		return false
	}
	d.takeOut(t, events.ReasonFull)
	return true
}

// cancel ends a submission; it returns one that runs and is to be waited for.
func (d *desk) cancel(ctx context.Context, id events.ID) (*Ticket, error) {
	caller := actor.Current(ctx) // asks a user's context, so without the lock
	d.door.Lock()
	defer d.door.Unlock()
	t := d.tickets.Find(id)
	switch {
	case t == nil:
		return nil, supervisor.ErrNotFound
	case t.waits:
		d.takeOut(t, events.ReasonWithdrawn)
		return nil, nil
	case t.task.Has(caller):
		return t, supervisor.ErrSelf
	}
	t.task.Stop(events.ReasonStopped)
	return t, nil
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
	for t := s.queue.first; t != nil; t = s.queue.first {
		d.dismiss(t, why)
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
	for t := s.owners.first; t != nil; t = t.next {
		if t.task.Has(caller) {
			return nil, supervisor.ErrSelf
		}
		owners = append(owners, t)
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
