package events

import (
	"context"
	"math"
	"sync/atomic"
)

// Subscription is a live subscriber, from Subscribe to Close. All of its methods
// may be called concurrently.
type Subscription struct {
	// Fixed.
	bus     *Bus
	name    string
	kinds   kindSet
	handler Handler
	wake    chan struct{} // holds at most one token, sent only to a sleeper
	ended   chan struct{} // closed when nothing will be handled any more

	// Guarded by bus.mu.
	queue     queue
	asleep    bool // the goroutine waits, or will wait, for a token
	parted    bool // closed: nothing new enters
	dropping  bool // what has not been handled is to be discarded
	over      bool // ended is closed
	goals     []*goal
	panics    uint64
	lastPanic error
	_         [64]byte // publishers write above, the goroutine writes below

	// Written by the subscription's goroutine.
	delivered atomic.Uint64 // events handled
	told      atomic.Uint64 // notices of losses handled
	goroutine atomic.Uint64 // its id, see inside

	// next is how many handled entries make the goroutine look under the lock;
	// guarded by bus.mu for writing.
	next atomic.Uint64

	work delivery // the goroutine's own
}

func newSubscription(b *Bus, s Subscriber) *Subscription {
	limit := s.Queue
	if limit == 0 {
		limit = DefaultQueue
	}
	sub := &Subscription{
		bus:     b,
		name:    s.Name,
		kinds:   interests(s.Kinds),
		handler: s.Handler,
		wake:    make(chan struct{}, 1),
		ended:   make(chan struct{}),
	}
	sub.queue = queue{name: s.Name, limit: uint64(limit), need: 1, delivered: &sub.delivered}
	sub.next.Store(math.MaxUint64)
	return sub
}

// start runs the subscription's goroutine. It is called again when a handler has
// ended the goroutine with runtime.Goexit.
func (s *Subscription) start() { go s.run() }

// Name returns the subscriber's name.
func (s *Subscription) Name() string { return s.name }

// Stats returns the figures of the subscription, also after its end.
func (s *Subscription) Stats() Stats {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	return s.stats()
}

// Close unsubscribes at once: nothing new enters, and the name is free. What is
// queued is still handled, and then the subscription's goroutine ends. Close waits
// for that, though not longer than ctx; its error then wraps ctx's. The events are
// handled all the same. Calling it again waits again.
//
// Called from within the subscription's own handler it does not wait, and returns
// ErrInside.
func (s *Subscription) Close(ctx context.Context) error {
	s.bus.mu.Lock()
	s.bus.part(s)
	s.bus.mu.Unlock()
	return await(ctx, []*goal{{sub: s, done: s.ended}})
}

// stats needs bus.mu.
func (s *Subscription) stats() Stats {
	delivered := s.delivered.Load()
	return Stats{
		Name:      s.name,
		Queued:    s.queue.entered - delivered,
		Delivered: delivered,
		Lost:      s.queue.lost,
		Panics:    s.panics,
		LastPanic: s.lastPanic,
	}
}

// rouse wakes the goroutine if it sleeps. Hold bus.mu.
func (s *Subscription) rouse() {
	if s.asleep {
		s.asleep = false
		s.wake <- struct{}{} // has room: a sleeper has taken the last token
	}
}
