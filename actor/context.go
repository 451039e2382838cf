package actor

import (
	"context"
	"sync"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

// An Attempt is the context that its task runs in. It is a context of its own
// making because a restart should cost hardly an allocation: the channel is made only
// for those who ask for it, and what ended it is shared by all that ended for
// the same reason. Values come from the actor's base, cancellation never does:
// who stops what, and in which order, is for the supervisor to say.

// ending is why a context ended. Immutable but for the tomb.
type ending struct {
	err    error // context.Canceled or context.DeadlineExceeded
	cause  error
	reason events.Reason

	// tomb is a real cancelled context that answers context.Cause, which looks
	// for one with a key that only package context knows.
	once sync.Once
	tomb context.Context
}

// endings holds the one shared ending of each sentinel cause, by reason.
var endings = func() (of [events.ReasonSuperseded + 1]*ending) {
	for _, err := range []error{
		ErrShutdown, ErrStopped, ErrRemoved, ErrRestarted, ErrGroup, ErrReplaced, ErrReturned, ErrCancelled, ErrSuperseded,
	} {
		c := err.(*cause) //nolint:errorlint // the sentinels of this package
		of[c.reason] = &ending{err: context.Canceled, cause: c, reason: c.reason}
	}
	return of
}()

// endingFor returns the ending of a reason that has a sentinel, or that of a
// shutdown.
func endingFor(r events.Reason) *ending {
	if int(r) < len(endings) && endings[r] != nil {
		return endings[r]
	}
	return endings[events.ReasonShutdown]
}

// reason returns why the context has ended, 0 while it has not.
func (a *Attempt) reason() events.Reason { return events.Reason(a.ended.Load()) }

// ending returns how the context has ended, nil while it has not. What is not shared is
// there before the reason is.
func (a *Attempt) ending() *ending {
	r := a.reason()
	if r == 0 || endings[r] != nil {
		return endings[r]
	}
	return a.more.end
}

func (e *ending) context() context.Context {
	e.once.Do(func() {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(e.cause)
		e.tomb = ctx
	})
	return e.tomb
}

// Deadline returns when the attempt runs into its timeout, if it has one.
func (a *Attempt) Deadline() (time.Time, bool) {
	if a.watch == nil || a.watch.deadline.IsZero() {
		return time.Time{}, false
	}
	return a.watch.deadline, true
}

// Done returns a channel that is closed when the attempt should end.
func (a *Attempt) Done() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.done == nil {
		a.done = make(chan struct{})
		if a.ended.Load() != 0 {
			close(a.done)
		}
	}
	return a.done
}

// Err returns nil until the attempt should end, then context.DeadlineExceeded
// after a timeout and context.Canceled otherwise.
func (a *Attempt) Err() error {
	if e := a.ending(); e != nil {
		return e.err
	}
	return nil
}

// Value returns the attempt itself under this package's key, the labels of its
// goroutines under that of package pprof, and under any other what is put around
// it or what the base holds.
func (a *Attempt) Value(key any) any {
	switch key {
	case attemptKey{}:
		return a
	case labelsKey:
		return a.labels()
	}
	if v := a.values().Value(key); v != nil {
		return v
	}
	if e := a.ending(); e != nil {
		return e.context().Value(key)
	}
	return nil
}

// labels returns the labels of the attempt's goroutines, as package pprof keeps them.
// They are made for those who ask: few do.
func (a *Attempt) labels() any {
	if a.watch != nil && a.watch.values != nil {
		return a.watch.values.Value(labelsKey) // what is around may have added some
	}
	return a.actor.labelled(a.Generation()).Value(labelsKey)
}

// values is where the attempt's values come from.
func (a *Attempt) values() context.Context {
	if a.watch != nil && a.watch.values != nil {
		return a.watch.values
	}
	return a.actor.terms.Base
}

// AfterFunc lets package context derive from an attempt without a goroutine.
// f is called once, when the context ends; stop takes it back. If the context has
// ended, f is called on another goroutine: its caller holds a lock that f needs.
func (a *Attempt) AfterFunc(f func()) (stop func() bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.ending(); e != nil {
		return context.AfterFunc(e.context(), f)
	}
	key := new(byte)
	m := a.extend()
	if m.after == nil {
		m.after = map[*byte]func(){}
	}
	m.after[key] = f
	return func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		_, waiting := m.after[key]
		delete(m.after, key)
		return waiting
	}
}

// finish ends the context; only the first call has an effect and returns true.
func (a *Attempt) finish(e *ending) bool {
	if a.ended.Load() != 0 {
		return false
	}
	a.mu.Lock()
	if a.ended.Load() != 0 {
		a.mu.Unlock()
		return false
	}
	if endings[e.reason] != e {
		a.extend().end = e
	}
	a.ended.Store(uint32(e.reason))
	if a.done != nil {
		close(a.done)
	}
	var after map[*byte]func()
	if a.more != nil {
		after, a.more.after = a.more.after, nil
	}
	a.mu.Unlock()
	for _, f := range after {
		f()
	}
	return true
}

// String names the context in the way of package context.
func (a *Attempt) String() string { return "taskvisor.Attempt(" + a.actor.Path() + ")" }
