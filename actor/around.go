package actor

import (
	"context"
	"errors"
	"runtime/pprof"

	"github.com/taskvisor/taskvisor/policy"
)

// Around is what a supervisor's Config puts around the attempts of its tasks: a
// trace, a value for every task, a measurement. It is called at the beginning of
// each attempt, on the attempt's goroutine. ctx carries what the attempt's context
// does, so that FromContext and Logger know the task, but never ends.
//
// The context that it returns is derived from ctx; its values are the attempt's, its
// cancellation is not. A nil one adds nothing. The function that it returns, which
// may be nil too, is called on the same goroutine when the attempt is over and all of
// its helpers have returned: for one that was abandoned, when it returns after all.
//
// What is around an attempt is part of it: a panic is the attempt's failure.
type Around func(ctx context.Context, at Info) (values context.Context, done func(Result))

// enter calls what is around the attempt, the outermost first.
func (a *Attempt) enter(around []Around) {
	for _, f := range around {
		bare := a.watch == nil || a.watch.values == nil
		values, done := f(within{a.values(), a, bare}, a.info())
		if values != nil {
			if a.watch == nil {
				a.watch = &watch{}
			}
			a.watch.values = context.WithoutCancel(values)
			pprof.SetGoroutineLabels(a.watch.values)
		}
		if done != nil {
			a.mu.Lock()
			m := a.extend()
			m.around = append(m.around, done)
			a.mu.Unlock()
		}
	}
}

// within is the values of an attempt, and whose they are.
type within struct {
	context.Context
	attempt *Attempt
	bare    bool // nobody has put anything around it yet
}

// Value returns the attempt and the labels of its goroutines before all else, since the
// base may be that of a supervisor's attempt.
func (w within) Value(key any) any {
	switch {
	case key == attemptKey{}:
		return w.attempt
	case key == labelsKey && w.bare:
		return w.attempt.actor.labelled(w.attempt.Generation()).Value(key)
	}
	return w.Context.Value(key)
}

// leave tells how the attempt ended to the task, and to those that were around it, the innermost
// first, each once.
func (a *Attempt) leave(res *Result) {
	if a.unseen {
		a.unseen = false
		tell(a.review, res)
	}
	if a.more == nil { // nobody else sets it any more
		return
	}
	for n := len(a.more.around); n > 0; n = len(a.more.around) {
		done := a.more.around[n-1]
		a.more.around = a.more.around[:n-1]
		tell(done, res)
	}
}

func (a *Attempt) review(res Result) { a.actor.task.(Reviewed).Review(a, res) }

// tell calls done, whose panic is the attempt's failure.
func tell(done func(Result), res *Result) {
	defer func() {
		if v := recover(); v != nil {
			res.Err = errors.Join(res.Err, &PanicError{Value: v, Stack: stack()})
			if !res.Exit.IsFailure() && res.Exit != policy.Stopped {
				res.Exit = policy.Panicked
			}
		}
	}()
	done(*res)
}
