package events

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/taskvisor/taskvisor/internal/origin"
)

// HandlerPanic is the error of a handler that panicked or called runtime.Goexit.
type HandlerPanic struct {
	// Subscriber is the name of the handler's subscriber.
	Subscriber string
	// Value is what panic was called with, or an error that says Goexit.
	Value any
	// Stack is the stack of the handler, as runtime/debug.Stack formats it.
	Stack []byte
}

// Error returns the subscriber and the value, without the stack.
func (e *HandlerPanic) Error() string {
	return fmt.Sprintf("subscriber %q panicked: %v", e.Subscriber, e.Value)
}

// Traces returns the stack from where it panicked on, without what caught it.
func (e *HandlerPanic) Traces() string { return origin.Of(string(e.Stack)) }

// Unwrap returns the value if it is an error.
func (e *HandlerPanic) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

var errGoexit = errors.New("runtime.Goexit was called")

// panics is what the other subscribers are still to be told about one batch.
type panics struct {
	last  *HandlerPanic
	told  bool // of the first in this batch
	count uint64
}

// caught is deferred around the handler. Panic and Goexit come here, and so does
// the ordinary end of a batch.
func (s *Subscription) caught() {
	w := &s.work
	if !w.handling {
		return
	}
	value := recover()
	if value == nil {
		value = errGoexit // panic(nil) would be a *runtime.PanicNilError
	}
	w.handling = false
	p := &HandlerPanic{Subscriber: s.name, Value: value, Stack: debug.Stack()}

	s.bus.mu.Lock()
	s.panics++
	s.lastPanic = p
	s.bus.mu.Unlock()

	kind := w.batch.events[w.done].Kind
	s.handled(kind)
	// Silence about a panic over a notice: it would answer itself for ever.
	if kind == EventsLost || kind == SubscriberPanicked {
		return
	}
	w.panicked.last = p
	w.panicked.count++
	if !w.panicked.told {
		s.tellPanic()
		w.panicked.told = true
	}
}

// tellPanics tells of what the batch still owes, and begins the next one. So a
// handler that always panics costs the others two events per batch.
func (s *Subscription) tellPanics() {
	s.tellPanic()
	s.work.panicked = panics{}
}

func (s *Subscription) tellPanic() {
	p := &s.work.panicked
	if p.count == 0 || !s.bus.Wants(SubscriberPanicked) {
		return
	}
	e := Event{Kind: SubscriberPanicked, Subscriber: s.name, Count: p.count, Err: p.last}
	p.count = 0
	s.bus.publish(&e, s)
}
