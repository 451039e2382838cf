package persist

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/taskvisor/taskvisor/actor"
)

// commitSteps returns nil when the steps are durable, and an error when they are not. In
// between it does not return.
func (w *writer) commitSteps(ctx context.Context, c *commit) error {
	if w.unsettled {
		committed, err := w.settle(ctx)
		if err != nil {
			return err
		}
		if committed && w.shedding.Verb != 0 {
			w.locked(func() { w.q.book.pruned(&w.shedding) })
		}
		w.unsettled, w.shedding = false, Step{}
	}
	began := time.Now()
	err := unharmed(func() (err error) {
		c.stale, err = w.store.Commit(ctx, c.steps)
		return err
	})
	c.stored = time.Since(began)
	if !errors.Is(err, ErrUnknown) {
		return err
	}
	w.failed(c, err)
	told := false
	for {
		committed, settleErr := w.settle(ctx)
		switch {
		case settleErr == nil && committed:
			c.stored = 0 // it says nothing of the next
			return nil
		case settleErr == nil:
			return settled(err)
		case errors.Is(settleErr, ErrClosed): // it will never be known
			return errors.Join(err, settleErr)
		}
		if !told {
			told = true
			w.tellUnknown(c, err)
		}
		w.sleep(ctx)
		if ctx.Err() != nil {
			w.unsettled = true
			return err
		}
	}
}

// settled is why a commit failed of which it is known by now that it did.
func settled(err error) error {
	if err = without(err); err == nil {
		return errNotStored
	}
	return err
}

// errNotStored means: the store gave no reason.
var errNotStored = errors.New("the store has not taken it")

// without takes ErrUnknown out of an error. It is nil if that was all.
func without(err error) error {
	if err == ErrUnknown { //nolint:errorlint // it is looked for at each place
		return nil
	}
	if !errors.Is(err, ErrUnknown) {
		return err
	}
	switch e := err.(type) { //nolint:errorlint // likewise
	case interface{ Unwrap() error }:
		return without(e.Unwrap())
	case interface{ Unwrap() []error }:
		var rest []error
		for _, err := range e.Unwrap() {
			rest = append(rest, without(err))
		}
		return errors.Join(rest...)
	}
	return nil
}

// settle asks the store what has become of the last commit.
func (w *writer) settle(ctx context.Context) (committed bool, err error) {
	err = unharmed(func() (err error) {
		committed, err = w.store.Settle(context.WithoutCancel(ctx))
		return err
	})
	return committed, err
}

// unharmed makes a panic of the store an error: what has become of the commit is not known then.
func unharmed(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errors.Join(ErrUnknown, &actor.PanicError{Value: v, Stack: debug.Stack()})
		}
	}()
	return f()
}
