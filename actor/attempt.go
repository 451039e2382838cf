package actor

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// Attempt is one call of Run, and the context given to it. Supervisors make
// attempts; tasks only see a context.
type Attempt struct {
	actor      *Actor
	number     int32
	generation int32
	began      time.Duration // since the epoch of the actor's terms

	upSince atomic.Int64           // nanoseconds from began to Ready, never 0 afterwards
	end     atomic.Pointer[ending] // why the context has ended
	claimed atomic.Bool            // see Claim
	sealed  bool                   // guarded by mu: no helper may be started any more
	watch   *watch                 // nil when there is nothing to say; set before Run, then read only

	mu   sync.Mutex
	done chan struct{} // guarded by mu, closed by finish
	more *more         // guarded by mu; nil while there is neither

	// Keep is for the parent: what it wants to find again at the attempt's end.
	// It belongs to whoever has claimed the attempt.
	Keep any
}

// more is what only some attempts have. It is guarded by the attempt's mu.
type more struct {
	after   map[*byte]func() // to call when the context ends, taken by finish
	running int              // helpers that have not returned
	idle    chan struct{}    // closed when running is 0, made by join
	err     error            // the first failure of a helper
	around  []func(Result)   // to call when the attempt is over, the last first
}

// extend returns what is guarded by mu and not there for every attempt.
func (a *Attempt) extend() *more {
	if a.more == nil {
		a.more = &more{}
	}
	return a.more
}

// Result is what became of an attempt.
type Result struct {
	Exit policy.Exit
	// Err is what the task returned, wrapped by what the runtime knows.
	Err error
	// After is the delay that the error asked for, if HasAfter.
	After    time.Duration
	HasAfter bool
	// Ended is when Run had returned and its helpers had too.
	Ended time.Time
	// Lost says that the attempt took its goroutine with it.
	Lost bool
}

// Actor returns the actor whose attempt this is.
func (a *Attempt) Actor() *Actor { return a.actor }

// Number returns 1 for the first attempt of a handle, then 2, and so on.
func (a *Attempt) Number() int { return int(a.number) }

// Generation returns how many goroutines had to be used so far: 1 unless an
// attempt was abandoned, or left by runtime.Goexit.
func (a *Attempt) Generation() int { return int(a.generation) }

// Began returns when the attempt was made. It is a time on the clock of its
// supervisor's start: good for differences, whatever the wall clock has done since.
func (a *Attempt) Began() time.Time { return a.actor.terms.Epoch.Add(a.began) }

// since returns how long ago the attempt was made.
func (a *Attempt) since() time.Duration { return time.Since(a.actor.terms.Epoch) - a.began }

// Up returns how long the attempt has been healthy at now: since it was made,
// or since it was ready if it has to say so and did.
func (a *Attempt) Up(now time.Time) time.Duration {
	up := now.Sub(a.actor.terms.Epoch) - a.began
	if a.actor.terms.Spec.AwaitReady {
		since := time.Duration(a.upSince.Load())
		if since == 0 {
			return 0
		}
		up -= since
	}
	return up
}

// UpSince returns since when the attempt is up, as Up reckons; zero if it is not.
func (a *Attempt) UpSince() time.Time {
	since := a.began
	if a.actor.terms.Spec.AwaitReady {
		ready := time.Duration(a.upSince.Load())
		if ready == 0 {
			return time.Time{}
		}
		since += ready
	}
	return a.actor.terms.Epoch.Add(since)
}

// Claim makes the caller the owner of an attempt that is over: the goroutine
// that has returned from it, or the supervisor that gives it up. Only the first
// call returns true.
func (a *Attempt) Claim() bool { return a.claimed.CompareAndSwap(false, true) }

// Stop ends the attempt's context for a reason that has a sentinel cause. It
// does not wait and reports whether it was the first to end it.
func (a *Attempt) Stop(r events.Reason) bool { return a.finish(endingFor(r)) }

// run makes the attempt. It returns unless the task calls runtime.Goexit; then
// a new goroutine goes on with the actor's life from here.
func (a *Attempt) run() (res Result) {
	settled := false
	defer func() {
		if settled {
			return
		}
		lost := true // so too if what is around the attempt calls runtime.Goexit
		v := recover()
		defer func() {
			if lost {
				res.Lost = true
				a.actor.Resume(a, res, a.Generation())
			}
		}()
		if v != nil {
			res = a.settleLost(&PanicError{Value: v, Stack: stack()}, policy.Panicked)
			a.leave(&res)
			lost = false
			return
		}
		res = a.settleLost(&GoexitError{Stack: stack()}, policy.Exited)
		a.leave(&res)
	}()
	if a.watch != nil {
		a.watch.begin(a)
	}
	if around := a.actor.terms.Around; len(around) > 0 {
		a.enter(around)
	}
	err := a.actor.task.Run(a)
	res = a.settle(err)
	if a.more != nil { // nobody else sets it any more
		a.leave(&res)
	}
	settled = true
	return res
}

// settle is called when Run has returned err: it waits for the helpers and says
// how the attempt ended. It calls methods of the user's errors, so it runs
// where a panic is caught.
func (a *Attempt) settle(err error) Result {
	e := a.seal()
	if e == nil {
		if herr := a.join(err); herr != nil {
			err = herr
		}
		e = a.close()
	}
	res := Result{Err: err, Ended: time.Now()}
	switch e.reason {
	case events.ReasonReturned, events.ReasonHelper:
		if err == nil {
			res.Exit = policy.Succeeded
			break
		}
		s := steer(err)
		res.Exit, res.After, res.HasAfter = s.exit, s.after, s.hasAfter
		if s.exit == policy.Finished && err == Done { //nolint:errorlint // the bare sentinel says nothing more
			res.Err = nil
		}
	default:
		res.Exit, res.Err = a.ended(e, err)
	}
	return res
}

// seal is join and close for an attempt that has no helpers and is not watched, as
// most. Otherwise it returns nil.
func (a *Attempt) seal() *ending {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.more != nil || a.watch != nil {
		return nil
	}
	a.sealed = true
	if a.end.Load() == nil {
		a.end.Store(endingFor(events.ReasonReturned))
		if a.done != nil {
			close(a.done)
		}
	}
	return a.end.Load()
}

// settleLost is settle for an attempt that did not return.
func (a *Attempt) settleLost(err error, exit policy.Exit) Result {
	_ = a.join(err)
	e := a.close()
	res := Result{Exit: exit, Err: err, Ended: time.Now()}
	if a.stopped(e) || (exit == policy.Exited && e.reason != events.ReasonReturned && e.reason != events.ReasonHelper) {
		res.Exit, res.Err = a.ended(e, err)
	}
	return res
}

// close stops the timers and ends the context, whoever still holds it, and
// returns what ended it first.
func (a *Attempt) close() *ending {
	if a.watch != nil {
		a.watch.end(a)
	}
	a.finish(endingFor(events.ReasonReturned))
	return a.end.Load()
}

// stopped says that the attempt was told to stop, as opposed to having failed.
func (a *Attempt) stopped(e *ending) bool {
	switch e.reason {
	case events.ReasonTimeout, events.ReasonStalled, events.ReasonHelper, events.ReasonReturned:
		return false
	}
	return true
}

// ended says how an attempt ended whose context was ended by the runtime. What
// the task returned then is detail: also a nil does not make a timeout a
// success, since "return nil when ctx ends" is how most loops are written.
func (a *Attempt) ended(e *ending, err error) (policy.Exit, error) {
	if says(err, e.err) || says(err, e.cause) {
		err = nil // it only says that its context has ended
	}
	switch c := e.cause.(type) { //nolint:errorlint // set by this package
	case *TimeoutError:
		return policy.TimedOut, &TimeoutError{Path: c.Path, Timeout: c.Timeout, Err: err}
	case *StallError:
		return policy.Stalled, &StallError{Path: c.Path, Stall: c.Stall, Err: err}
	case *NotReadyError:
		return policy.TimedOut, &NotReadyError{Path: c.Path, Timeout: c.Timeout, Err: err}
	}
	return policy.Stopped, err
}

// StandIn returns an attempt that takes the place of one that is given up, so
// that the late return of that one is told apart. Its goroutine is of the next
// generation.
func (a *Attempt) StandIn() *Attempt {
	in := &Attempt{actor: a.actor, number: a.number, generation: a.generation, began: a.began}
	in.upSince.Store(a.upSince.Load())
	return in
}

// Lost returns the result of an attempt that is given up while it still runs.
func (a *Attempt) Lost(stuck *StuckError, now time.Time) Result {
	res := Result{Exit: policy.Failed, Err: stuck, Ended: now}
	switch e := a.end.Load(); {
	case e == nil || e.reason == events.ReasonReturned:
	case e.reason == events.ReasonHelper:
		res.Err = errors.Join(e.cause, stuck)
	default:
		res.Exit, res.Err = a.ended(e, stuck)
	}
	return res
}

// says reports whether err is target with words around it, and nothing else. A
// panic is more than the error that it was called with.
func says(err, target error) bool {
	for err != nil {
		if _, panicked := err.(*PanicError); panicked { //nolint:errorlint // the chain is walked here
			return false
		}
		if err == target { //nolint:errorlint // errors.Is would also look into joined errors
			return true
		}
		err = errors.Unwrap(err)
	}
	return false
}

// stacks holds buffers for stacks, so that a panic copies its stack once.
var stacks = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// stack returns the stack of the calling goroutine, at most 64 KiB of it.
func stack() []byte {
	buf := stacks.Get().(*[]byte)
	defer stacks.Put(buf)
	n := runtime.Stack(*buf, false)
	return append([]byte(nil), (*buf)[:n]...)
}
