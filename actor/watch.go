package actor

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

// watch ends the context of an attempt that runs too long or stops beating. Its
// timers call back on goroutines of the time package, which only end a context
// and tell the parent.
type watch struct {
	timeout, stall time.Duration
	deadline       time.Time

	beat       atomic.Int64 // since the attempt began, in nanoseconds
	timer      *time.Timer
	stallTimer *time.Timer
}

func newWatch(began time.Time, timeout, stall time.Duration) *watch {
	if timeout == 0 && stall == 0 {
		return nil
	}
	w := &watch{timeout: timeout, stall: stall}
	if timeout > 0 {
		w.deadline = began.Add(timeout)
	}
	return w
}

func (w *watch) start(a *Attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w.timeout > 0 {
		w.timer = time.AfterFunc(time.Until(w.deadline), func() { a.timeOut() })
	}
	if w.stall > 0 {
		w.beat.Store(int64(time.Since(a.began)))
		w.stallTimer = time.AfterFunc(w.stall, func() { a.checkBeat() })
	}
}

func (w *watch) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
	if w.stallTimer != nil {
		w.stallTimer.Stop()
	}
}

func (a *Attempt) timeOut() {
	err := &TimeoutError{Path: a.actor.Path(), Timeout: a.watch.timeout}
	if a.finish(&ending{err: context.DeadlineExceeded, cause: err, reason: events.ReasonTimeout}) {
		a.actor.parent.Overdue(a, events.ReasonTimeout)
	}
}

func (a *Attempt) checkBeat() {
	w := a.watch
	silent := time.Since(a.began) - time.Duration(w.beat.Load())
	if silent < w.stall {
		a.mu.Lock()
		w.stallTimer.Reset(w.stall - silent)
		a.mu.Unlock()
		return
	}
	err := &StallError{Path: a.actor.Path(), Stall: w.stall}
	if a.finish(&ending{err: context.Canceled, cause: err, reason: events.ReasonStalled}) {
		a.actor.parent.Overdue(a, events.ReasonStalled)
	}
}
