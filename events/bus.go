package events

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// ErrDuplicate is what Subscribe returns when a live subscription has that name.
	ErrDuplicate = errors.New("duplicate subscriber")
	// ErrClosed is what Subscribe returns after Close, and what Drain returns when
	// Close discarded what it waited for.
	ErrClosed = errors.New("the bus is closed")
	// ErrInside is what Drain and Close return when they are called from within a
	// handler that they would have to wait for: everything else is done.
	ErrInside = errors.New("called from within the handler")
)

// Bus carries events from those who publish to those who subscribe. Its zero value
// is ready, a process may have several, and all of its methods may be called
// concurrently. A nil *Bus takes no subscriber, and publishing on it does nothing.
// A Bus must not be copied.
type Bus struct {
	// wanted is the union of what the subscribers want, written under mu.
	wanted atomic.Uint64
	// Asking Wants must not suffer from the traffic on what follows.
	_ [56]byte

	// mu guards what follows and, of every subscription, what it says there. It
	// is never held for long: an event is copied, a chain of them changes hands.
	mu      sync.Mutex
	seq     uint64
	subs    []*Subscription // live, in the order of Subscribe
	leaving []*Subscription // closed, but not yet at their end
	closed  bool
	past    map[string]Stats // of subscriptions that are over, by name
}

// Wants reports whether anyone subscribes to k. It costs one atomic load, and who
// asks it first need not build an event that nobody wants.
func (b *Bus) Wants(k Kind) bool {
	return b != nil && kindSet(b.wanted.Load())&setOf(k) != 0
}

// Publish gives e its place in the order of the bus and puts it into the queue of
// every subscriber that wants its kind. An event that nobody wants is forgotten
// and takes no place. EventsLost cannot be published.
//
// Publish never waits for a subscriber and allocates nothing but the room that
// events use while they wait.
func (b *Bus) Publish(e Event) { b.Send(&e) }

// Send is Publish for those who make one event after the other in the same place: it
// needs no room for an event on the stack. *e is copied. Its Seq is set, and its At if
// that was zero.
func (b *Bus) Send(e *Event) {
	if b.Wants(e.Kind) {
		b.publish(e, nil)
	}
}

// publish does not give e to the subscription it is about.
func (b *Bus) publish(e *Event, about *Subscription) {
	if e.At.IsZero() {
		e.At = time.Now() // not under the lock: it takes longer than the rest
	}
	kind := setOf(e.Kind)

	b.mu.Lock()
	b.seq++
	e.Seq = b.seq
	for _, s := range b.subs {
		if s.kinds&kind != 0 && s != about {
			s.queue.put(e)
			s.rouse()
		}
	}
	b.mu.Unlock()
}

// Subscribe begins to deliver events to s: everything that is published after
// Subscribe has returned. The error is that of s.Validate, or ErrDuplicate with
// the name, or ErrClosed.
func (b *Bus) Subscribe(s Subscriber) (*Subscription, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if b == nil {
		return nil, ErrClosed
	}
	b.mu.Lock()
	defer b.mu.Unlock()

	if b.closed {
		return nil, ErrClosed
	}
	if slices.ContainsFunc(b.subs, func(have *Subscription) bool { return have.name == s.Name }) {
		return nil, fmt.Errorf("%w: %q", ErrDuplicate, s.Name)
	}
	sub := newSubscription(b, s)
	b.subs = append(b.subs, sub)
	b.reckon()
	sub.start()
	return sub, nil
}

// Stats returns the figures of every live subscriber, sorted by name.
func (b *Bus) Stats() []Stats {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()

	all := make([]Stats, len(b.subs))
	for i, s := range b.subs {
		all[i] = s.stats()
	}
	slices.SortFunc(all, func(x, y Stats) int { return strings.Compare(x.Name, y.Name) })
	return all
}

// reckon updates wanted to the live subscriptions. Hold mu.
func (b *Bus) reckon() {
	var all kindSet
	for _, s := range b.subs {
		all |= s.kinds
	}
	b.wanted.Store(uint64(all))
}

// part ends the live part of s's life: nothing new enters, its name is free, and
// its goroutine ends when the queue is empty. Hold mu.
func (b *Bus) part(s *Subscription) {
	if s.parted {
		return
	}
	s.parted = true
	b.subs = slices.DeleteFunc(b.subs, func(have *Subscription) bool { return have == s })
	b.leaving = append(b.leaving, s)
	b.reckon()
	if s.asleep {
		b.forget(s) // it has nothing left to do but to wake up
	}
	s.rouse()
}

// forget ends the rest of s's life. Hold mu.
func (b *Bus) forget(s *Subscription) {
	if s.over {
		return
	}
	s.over = true
	b.leaving = slices.DeleteFunc(b.leaving, func(have *Subscription) bool { return have == s })
	s.miss()
	s.queue.spare = chunks{}
	b.remember(s.stats())
	close(s.ended)
}
