package tasks

import (
	"context"

	"github.com/taskvisor/taskvisor/actor"
)

// Interruptible makes a task of the pair that oklog/run knows: execute blocks
// until its work is over, interrupt makes it return. It is for code that cannot
// be given a context.
//
// Interrupt is called exactly once per attempt, whichever comes first: with the
// cause of the context when that ends, or, after execute has returned by itself,
// with what it returned. A panic of execute is followed by interrupt with
// actor.ErrReturned. It runs on a helper goroutine of the attempt, which ends
// only when both have returned, and a panic in it is the attempt's failure. An
// interrupt that does not make execute return leaves the task stuck.
//
// A nil function is refused by the spec's Validate.
func Interruptible(execute func() error, interrupt func(error)) actor.Task {
	return interruptible{execute, interrupt}
}

type interruptible struct {
	execute   func() error
	interrupt func(error)
}

// Run calls execute, and interrupt beside it.
func (t interruptible) Run(ctx context.Context) error {
	returned := make(chan error, 1)
	interrupted := make(chan struct{})
	err := actor.Go(ctx, func(ctx context.Context) error {
		defer close(interrupted)
		select {
		case err := <-returned:
			t.interrupt(err)
		case <-ctx.Done():
			t.interrupt(context.Cause(ctx))
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = t.execute()
	returned <- err
	<-interrupted // also for a task that makes this only a part of its attempt
	return err
}

// Validate refuses what Run could not use.
func (t interruptible) Validate() error {
	switch {
	case t.execute == nil:
		return refuse("Execute", nil, "must not be nil")
	case t.interrupt == nil:
		return refuse("Interrupt", nil, "must not be nil")
	}
	return nil
}
