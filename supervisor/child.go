package supervisor

import (
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
)

// order is what a child is told to do. It only ever grows within one life, but
// for halt, from which the group's start brings it back.
type order uint8

const (
	goOn order = iota // make attempts
	halt              // leave the goroutine; the group starts it again
	end               // end for good
)

// child is one life of a task under a run: the actor and what the supervisor
// keeps about it. All fields below the actor are guarded by run.mu, but for
// those that say otherwise.
type child struct {
	actor.Actor
	run        *run
	set        *settings // read only
	prev, next *child    // start order
	attempt    *actor.Attempt
	trouble    *trouble // nil while all goes well
	since      instant  // when it came into its state
	born       instant  // when it was added
	toldAt     instant  // when the present attempt, or the pause before the next, was told to end
	due        instant  // when it is stuck

	attempts uint32 // made by this handle
	restarts uint32 // attempts that followed a failure of its own
	failures uint32 // in the present streak
	rowAt    uint32 // where it is counted; read only
	position uint64 // grows along the start order

	generation uint32
	state      State
	result     events.Outcome // decided, to be told when the goroutine leaves
	told       order
	reason     events.Reason // why it was told
	alive      bool          // it has a goroutine
	declared   bool          // its record outlives its end
	ready      bool          // the present attempt is up
	wasReady   bool          // some attempt has been
	added      bool          // TaskAdded was told
	forget     bool          // Remove was called
	again      bool          // Restart was called: the attempt is cut short and followed at once
	linked     bool          // it is in the list and its name is taken
}

// trouble is what only children need that fail, wait or are stuck. What a restart looks
// at stands first, since it is fetched together.
type trouble struct {
	err     error                   // last error
	pauses  any                     // of the present streak, between two attempts
	next    instant                 // when a backing off child goes on
	overdue *overdue                // what is known of the present attempt that outlives its grace
	room    *[several]actor.Attempt // see room
	begun   chan struct{}           // closed when the next attempt begins, or none will; nil when nobody waits for it
	stopErr error                   // what the last attempt returned after it was told to end
	wake    chan struct{}
	ticket  ticket
}

// overdue is an attempt that has outlived its grace.
type overdue struct {
	patience time.Duration // until it is looked at again
	stuck    uint64        // how often it was found stuck
	extended int           // how often a supervisor was given more time
}

func (t *trouble) late() *overdue {
	if t.overdue == nil {
		t.overdue = &overdue{}
	}
	return t.overdue
}

// several is how many attempts one allocation has room for.
const several = 4

// room returns a place for the attempt that is about to be made. Places are made several
// at a time: the allocator is slow for those who seldom come.
func (c *child) room() *actor.Attempt {
	if c.attempts == 1 {
		return nil // has its own
	}
	t, at := c.troubled(), (c.attempts-2)%several
	if at == 0 {
		t.room = new([several]actor.Attempt)
	}
	return &t.room[at]
}

// forgetAttempt makes room for what concerns the next attempt.
func (t *trouble) forgetAttempt() {
	t.next, t.overdue = 0, nil
}

// pauses is backoff.BackOff, as far as it is needed here.
type pauses interface{ NextBackOff() time.Duration }

func (c *child) troubled() *trouble {
	if c.trouble == nil {
		c.makeTrouble()
	}
	return c.trouble
}

// makeTrouble stands apart so that what asks for trouble over and over stays short.
//
//go:noinline
func (c *child) makeTrouble() { c.trouble = &trouble{} }

// waker returns the channel on which the actor's goroutine waits.
func (c *child) waker() chan struct{} {
	t := c.troubled()
	if t.wake == nil {
		t.wake = make(chan struct{}, 1)
	}
	return t.wake
}

// rouse makes a waiting goroutine look again.
func (c *child) rouse() {
	if c.trouble != nil && c.trouble.wake != nil {
		select {
		case c.trouble.wake <- struct{}{}:
		default:
		}
	}
}

// begun returns a channel that is closed when the next attempt begins, or when there will
// be none.
func (c *child) begun() <-chan struct{} {
	t := c.troubled()
	if t.begun == nil {
		t.begun = make(chan struct{})
	}
	return t.begun
}

// tellWaiters lets those go on who wait for the next attempt.
func (c *child) tellWaiters() {
	if c.trouble != nil && c.trouble.begun != nil {
		close(c.trouble.begun)
		c.trouble.begun = nil
	}
}

func (c *child) lastErr() error {
	if c.trouble == nil {
		return nil
	}
	return c.trouble.err
}

func (c *child) enterState(s State, now instant) {
	if c.linked && c.state != s {
		states := &c.row().states
		states[c.state]--
		states[s]++
	}
	c.state, c.since = s, now
}

// event begins an event about the child.
func (c *child) event(k events.Kind, now instant) *events.Event {
	e := c.run.blank()
	e.Kind, e.At, e.ID, e.Path, e.Pattern = k, c.run.wall(now), c.ID(), c.Path(), c.row().pattern
	e.Attempt, e.Generation = int(c.attempts), int(c.generation)
	if c.set.described {
		e.Job = c.Task().(actor.Described).Describe()
	}
	return e
}

// link puts c at the end of the order and takes its name.
func (r *run) link(c *child) {
	r.lastPosition++
	c.position = r.lastPosition
	c.linked = true
	r.enroll(c)
	c.prev = r.last
	if r.last != nil {
		r.last.next = c
	} else {
		r.first = c
	}
	r.last = c
	r.names[c.Name()] = c
	if !c.declared {
		r.dynamic++
	}
}

// enroll counts c among what there is, strike does not any more.
func (r *run) enroll(c *child) {
	c.row().states[c.state]++
	if c.set.head != nil {
		if r.families == nil {
			r.families = map[*child]bool{}
		}
		r.families[c] = true
	}
}

func (r *run) strike(c *child) {
	c.row().states[c.state]--
	delete(r.families, c)
}

// replace puts fresh into the place and name of old, which has ended.
func (r *run) replace(old, fresh *child) {
	fresh.position, fresh.prev, fresh.next = old.position, old.prev, old.next
	fresh.linked, old.linked = true, false
	r.enroll(fresh)
	r.strike(old)
	if fresh.prev != nil {
		fresh.prev.next = fresh
	} else {
		r.first = fresh
	}
	if fresh.next != nil {
		fresh.next.prev = fresh
	} else {
		r.last = fresh
	}
	if r.starting == old {
		r.starting = fresh
	}
	if r.group != nil {
		r.group.replaced(old, fresh)
	}
	r.names[fresh.Name()] = fresh
}

// unlink forgets c: its name is free. Whoever walks the list past c goes on
// with its neighbour.
func (r *run) unlink(c *child) {
	if !c.linked {
		return
	}
	c.linked = false
	r.strike(c)
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		r.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		r.last = c.prev
	}
	if r.starting == c {
		r.starting = c.next
	}
	if r.group != nil {
		r.group.unlinked(c)
	}
	if r.stop != nil && r.stop.cursor == c {
		r.stop.cursor = c.prev
	}
	if r.stop == nil { // else the map goes with the run, and nobody may take the name
		delete(r.names, c.Name())
	}
	if !c.declared {
		r.dynamic--
	}
	c.prev, c.next = nil, nil
}

// Pattern is what events call the pattern.
func (c *child) Pattern() string { return c.row().pattern }
