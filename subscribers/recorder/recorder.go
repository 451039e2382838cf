// Package recorder keeps events in memory, for tests.
//
//	var seen recorder.Recorder
//	app := supervisor.New(supervisor.Config{
//		Subscribers: []events.Subscriber{seen.Subscriber()},
//	})
//
// A test reads the list when the supervisor has run, or waits for an event while it
// does. Both work in a testing/synctest bubble. The events are those that were
// delivered: what a task has come to is surest told by its handle.
package recorder

import (
	"slices"
	"sync"

	"github.com/taskvisor/taskvisor/events"
)

// DefaultLimit is the Limit of a Recorder that does not say one.
const DefaultLimit = 100_000

// Recorder is an [events.Handler] that keeps what it is given. Its zero value is
// ready. All of its methods may be called concurrently, and it may be subscribed to
// several buses. A Recorder must not be copied.
type Recorder struct {
	// Limit is how many events are kept; then the oldest are dropped and counted.
	// Zero means DefaultLimit. It is set before the first event.
	Limit int

	mu sync.Mutex
	// All below is guarded by mu, save that who has copied events may read what
	// was in it: nothing is written there again.
	events  []events.Event
	before  uint64        // how many came before events[0] since the beginning
	dropped uint64        // since the last Reset
	news    chan struct{} // closed by the next event; nil when nobody waits
}

// Subscriber returns a subscriber named "recorder" that is given all events and
// has the largest queue there is.
func (r *Recorder) Subscriber() events.Subscriber {
	return events.Subscriber{Name: "recorder", Handler: r, Queue: events.MaxQueue}
}

// Handle keeps e.
func (r *Recorder) Handle(e events.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) >= r.limit() {
		r.events = r.events[1:]
		r.before++
		r.dropped++
	}
	r.events = append(r.events, e)
	if r.news != nil {
		close(r.news)
		r.news = nil
	}
}

func (r *Recorder) limit() int {
	if r.Limit <= 0 {
		return DefaultLimit
	}
	return r.Limit
}

// Events returns what was recorded, in order. The slice is the caller's own.
func (r *Recorder) Events() []events.Event { return slices.Clone(r.kept()) }

// Kinds returns the kinds of what was recorded, in order.
func (r *Recorder) Kinds() []events.Kind {
	kept := r.kept()
	kinds := make([]events.Kind, len(kept))
	for i := range kept {
		kinds[i] = kept[i].Kind
	}
	return kinds
}

// Of returns what was recorded about the task or supervisor at path, in order.
func (r *Recorder) Of(path string) []events.Event {
	var of []events.Event
	for _, e := range r.kept() {
		if e.Path == path {
			of = append(of, e)
		}
	}
	return of
}

// Count returns how many events of that kind were recorded.
func (r *Recorder) Count(kind events.Kind) int {
	n := 0
	for _, e := range r.kept() {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// Dropped returns how many events had to make room for newer ones since the last
// Reset.
func (r *Recorder) Dropped() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped
}

// Reset forgets what was recorded. Who waits goes on waiting for what comes.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before += uint64(len(r.events))
	r.events, r.dropped = nil, 0
}

// kept returns the events, to be read only.
func (r *Recorder) kept() []events.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events
}
