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
		if _, err := w.settle(ctx); err != nil {
			return err
		}
		w.unsettled = false
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
			return err
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
