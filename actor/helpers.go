package actor

import (
	"context"
	"runtime/pprof"

	"github.com/taskvisor/taskvisor/events"
)

// Go runs fn on a goroutine of its own that belongs to the attempt of ctx: its
// panics and errors become the attempt's failure and end its context (with the
// error as cause), it is found with the attempt's goroutines when something is
// stuck, and the attempt ends only when it has returned.
//
// Helpers are to Run what the members of an errgroup are to each other: when
// Run returns nil the attempt goes on until they have returned; when Run
// returns an error, or one of them does, the others are told to stop by the
// context that they were given.
//
// Go returns ErrNoTask for a context that belongs to no task and ErrEnded when
// its attempt has ended; then fn is not run.
func Go(ctx context.Context, fn func(ctx context.Context) error) error {
	a := Current(ctx)
	if a == nil {
		return ErrNoTask
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sealed {
		return ErrEnded
	}
	a.extend().running++
	a.more.helpers = true
	go a.help(ctx, fn)
	return nil
}

// help runs fn and reports its failure, whichever way it ends.
func (a *Attempt) help(ctx context.Context, fn func(context.Context) error) {
	err := error(nil)
	returned := false
	defer func() {
		if !returned {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: stack()}
			} else {
				err = &GoexitError{Stack: stack()}
			}
		}
		a.helped(err)
	}()
	pprof.SetGoroutineLabels(ctx)
	err = fn(ctx)
	returned = true
}

func (a *Attempt) helped(err error) {
	a.mu.Lock()
	h := a.more
	first := err != nil && h.err == nil && a.ended.Load() == 0
	if first {
		h.err = err
	}
	a.mu.Unlock()
	if first {
		a.cutShort(&ending{err: context.Canceled, cause: err, reason: events.ReasonHelper})
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, panicked := err.(*PanicError); panicked && h.err == nil { //nolint:errorlint // made above
		h.err = err // a panic is never noise, not even after the end
	}
	h.running--
	if h.running == 0 && h.idle != nil {
		close(h.idle)
		h.idle = nil // a helper may still come before join looks again
	}
}

// join waits for the helpers, telling them to stop if the attempt has failed,
// and returns their failure. No helper can be started afterwards.
func (a *Attempt) join(err error) error {
	for {
		a.mu.Lock()
		h := a.more
		if h == nil || h.running == 0 {
			a.sealed = true
			a.mu.Unlock()
			if h == nil {
				return nil
			}
			return h.err
		}
		h.idle = make(chan struct{})
		idle := h.idle
		a.mu.Unlock()
		if err != nil {
			a.cutShort(endingFor(events.ReasonReturned)) // those that do not return are stuck
		}
		<-idle
	}
}
