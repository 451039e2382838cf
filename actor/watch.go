package actor

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

// watch is what is around some attempts: limits that end the context when it runs
// too long or stops beating, and values. The timers call back on goroutines of the
// time package, which only end a context and tell the parent.
type watch struct {
	values                context.Context // nil when nobody has put any there
	timeout, stall, start time.Duration
	deadline              time.Time

	beat                                 atomic.Int64 // since the attempt began, in nanoseconds
	timeoutTimer, stallTimer, readyTimer *time.Timer  // guarded by the attempt's mu
}

func newWatch(a *Attempt, start time.Duration) *watch {
	w := &watch{timeout: a.actor.terms.Timeout, stall: a.actor.terms.Stall, start: start}
	if w.timeout > 0 {
		now := time.Now()
		w.deadline = now.Add(w.timeout - (now.Sub(a.actor.terms.Epoch) - a.began))
	}
	return w
}

func (w *watch) begin(a *Attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w.timeout > 0 {
		w.timeoutTimer = time.AfterFunc(time.Until(w.deadline), a.timeOut)
	}
	if w.stall > 0 {
		w.beat.Store(int64(a.Age()))
		w.stallTimer = time.AfterFunc(w.stall, a.checkBeat)
	}
	if w.start > 0 {
		w.readyTimer = time.AfterFunc(w.start, a.checkReady)
	}
}

func (w *watch) end(a *Attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range []*time.Timer{w.timeoutTimer, w.stallTimer, w.readyTimer} {
		if t != nil {
			t.Stop()
		}
	}
}

func (a *Attempt) timeOut() {
	err := &TimeoutError{Path: a.actor.Path(), Timeout: a.watch.timeout}
	a.cutShort(&ending{err: context.DeadlineExceeded, cause: err, reason: events.ReasonTimeout})
}

func (a *Attempt) checkBeat() {
	w := a.watch
	silent := a.Age() - time.Duration(w.beat.Load())
	if silent < w.stall {
		a.mu.Lock()
		w.stallTimer.Reset(w.stall - silent)
		a.mu.Unlock()
		return
	}
	err := &StallError{Path: a.actor.Path(), Stall: w.stall}
	a.cutShort(&ending{err: context.Canceled, cause: err, reason: events.ReasonStalled})
}

func (a *Attempt) checkReady() {
	if a.upSince.Load() != 0 {
		return
	}
	err := &NotReadyError{Path: a.actor.Path(), Timeout: a.watch.start}
	a.cutShort(&ending{err: context.Canceled, cause: err, reason: events.ReasonTimeout})
}

// cutShort ends the context of an attempt that should then return, and has the
// parent see to it.
//
// The parent is told first, so that what it tells of the stop comes before what
// it tells of the end.
func (a *Attempt) cutShort(e *ending) {
	if a.ended.Load() == 0 {
		a.actor.parent.Overdue(a, e.reason)
		a.finish(e)
	}
}
