package events

import (
	"fmt"

	"github.com/taskvisor/taskvisor/policy"
)

const (
	// DefaultQueue is the Queue of a [Subscriber] that does not say one.
	DefaultQueue = 1024
	// MaxQueue is the largest Queue of a [Subscriber].
	MaxQueue = 1 << 20
)

// Handler is given events, one at a time and in their order, on a goroutine that
// the subscription owns. It may take its time and it may panic; see the package
// comment. A Handler that is subscribed more than once is called concurrently.
type Handler interface {
	Handle(Event)
}

// HandlerFunc is a function that is a [Handler].
type HandlerFunc func(Event)

// Handle calls f.
func (f HandlerFunc) Handle(e Event) { f(e) }

// Subscriber describes one reader of the events to [Bus.Subscribe]. It is a plain
// value.
type Subscriber struct {
	// Name is required, and unique among the subscribers of a bus.
	Name string
	// Handler is required.
	Handler Handler
	// Kinds are the kinds that it is given, whatever their order; none means all.
	// Notices of its own losses come in any case.
	Kinds []Kind
	// Queue is how many events may be kept for it, the one in its handler
	// included; what comes on top is lost and counted. Zero means DefaultQueue.
	// Memory is used as events wait, not in advance.
	Queue int
	// Silent says that nobody reads what becomes of the events: they are counted, say.
	// A program that has only such subscribers still has its failures logged, see
	// supervisor.Main.
	Silent bool
}

// Validate returns nil, or a *policy.FieldError for the first field that cannot
// be used.
func (s Subscriber) Validate() error {
	if s.Name == "" {
		return &policy.FieldError{Field: "Name", Value: s.Name, Reason: "must not be empty"}
	}
	if f, isFunc := s.Handler.(HandlerFunc); s.Handler == nil || isFunc && f == nil {
		return &policy.FieldError{Field: "Handler", Value: nil, Reason: "must not be nil"}
	}
	for i, k := range s.Kinds {
		if _, err := k.MarshalText(); err != nil {
			return &policy.FieldError{Field: fmt.Sprintf("Kinds[%d]", i), Value: k, Reason: "is not a known kind"}
		}
	}
	if s.Queue < 0 {
		return &policy.FieldError{Field: "Queue", Value: s.Queue, Reason: "must not be negative"}
	}
	if s.Queue > MaxQueue {
		return &policy.FieldError{Field: "Queue", Value: s.Queue, Reason: fmt.Sprintf("must be at most %d", MaxQueue)}
	}
	return nil
}

// Stats is what happened to one subscriber's events since it subscribed. Delivered,
// Lost and Queued together are the events that were published for it.
type Stats struct {
	// Name is the subscriber's.
	Name string
	// Queued is how many events wait or are in the handler.
	Queued uint64
	// Delivered is how many events its handler has dealt with, panics included
	// and notices of losses apart.
	Delivered uint64
	// Lost is how many events did not fit into its queue, or were discarded
	// when the bus was closed.
	Lost uint64
	// Panics is how often its handler panicked or called runtime.Goexit.
	Panics uint64
	// LastPanic is the *HandlerPanic of the latest, or nil.
	LastPanic error
}
