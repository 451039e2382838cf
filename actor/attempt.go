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

	upSince atomic.Int64  // nanoseconds from began to Ready, never 0 afterwards
	ended   atomic.Uint32 // the events.Reason for which the context has ended, 0 before; see ending
	claimed atomic.Bool   // see Claim
	sealed  bool          // guarded by mu: no helper may be started any more
	unseen  bool          // the task is still to review it
	watch   *watch        // nil when there is nothing to say; set before Run, then read only

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
	helpers bool             // there were some
	idle    chan struct{}    // closed when running is 0, made by join
	err     error            // the first failure of a helper
	around  []func(Result)   // to call when the attempt is over, the last first
	end     *ending          // why the context has ended, if its reason has no sentinel; then read only
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
	// Lost says that the attempt took its goroutine with it.
	Lost bool
	// After is the delay that the error asked for, if HasAfter.
	HasAfter bool
	After    time.Duration
	// Err is what the task returned, wrapped by what the runtime knows.
	Err error
	// Elapsed is how long the attempt lasted: from when it was made, before it had a
	// processor, until Run had returned and its helpers had too. It may be zero.
	Elapsed time.Duration
}

// Actor returns the actor whose attempt this is.
func (a *Attempt) Actor() *Actor { return a.actor }

// Number returns 1 for the first attempt of a handle, then 2, and so on.
func (a *Attempt) Number() int { return int(a.number) }

// Generation returns how many goroutines had to be used so far: 1 unless an
// attempt was abandoned, or left by runtime.Goexit.
func (a *Attempt) Generation() int { return int(a.generation) }

// Began returns when the attempt was made: how long after the epoch of its terms.
func (a *Attempt) Began() time.Duration { return a.began }

// Age returns how long ago the attempt was made.
func (a *Attempt) Age() time.Duration { return time.Since(a.actor.terms.Epoch) - a.began }

// Up returns how much of the elapsed time the attempt has been healthy: since it was
// made, or since it was ready if it has to say so and did.
func (a *Attempt) Up(elapsed time.Duration) time.Duration {
	after, up := a.UpAfter()
	if !up {
		return 0
	}
	return elapsed - after
}

// UpAfter returns how long after it was made the attempt was up, as Up reckons, and
// whether it is.
func (a *Attempt) UpAfter() (after time.Duration, up bool) {
	if !a.actor.terms.AwaitReady {
		return 0, true
	}
	after = time.Duration(a.upSince.Load())
	return after, after != 0
}

// Claim makes the caller the owner of an attempt that is over: the goroutine
// that has returned from it, or the supervisor that gives it up. Only the first
// call returns true.
func (a *Attempt) Claim() bool { return a.claimed.CompareAndSwap(false, true) }

// Stop ends the attempt's context for a reason that has a sentinel cause. It
// does not wait and reports whether it was the first to end it.
func (a *Attempt) Stop(r events.Reason) bool { return a.finish(endingFor(r)) }

// run makes the attempt and fills in its result. It returns unless the task calls
// runtime.Goexit; then a new goroutine goes on with the actor's life from here.
func (a *Attempt) run(res *Result) {
	settled := false
	defer func() {
		if !settled {
			a.broke(recover(), res)
		}
	}()
	if a.watch != nil {
		a.watch.begin(a)
	}
	a.unseen = a.actor.terms.Reviewed
	if around := a.actor.terms.Around; len(around) > 0 {
		a.enter(around)
	}
	a.settle(a.actor.task.Run(a), res)
	a.leave(res)
	settled = true
}

// broke is called when the attempt has panicked with v, or, if that is nil, has called
// runtime.Goexit.
func (a *Attempt) broke(v any, res *Result) {
	lost := true // so too if what is around the attempt calls runtime.Goexit
	defer func() {
		if lost {
			res.Lost = true
			a.actor.Resume(a, *res, a.Generation())
		}
	}()
	if v != nil {
		a.settleLost(&PanicError{Value: v, Stack: stack()}, policy.Panicked, res)
		a.leave(res)
		lost = false
		return
	}
	a.settleLost(&GoexitError{Stack: stack()}, policy.Exited, res)
	a.leave(res)
}

// settle is called when Run has returned err: it waits for the helpers and says
// how the attempt ended. It calls methods of the user's errors, so it runs
// where a panic is caught.
func (a *Attempt) settle(err error, res *Result) {
	if !a.seal() {
		if herr := a.join(err); herr != nil {
			err = herr
		}
		a.close()
	}
	res.Elapsed = a.Age()
	if r := a.reason(); r != events.ReasonReturned && r != events.ReasonHelper {
		res.Exit, res.Err = a.interrupted(err)
		return
	}
	res.Err = err
	switch {
	case err == nil:
		res.Exit = policy.Succeeded
	case neutral(err):
		res.Exit = policy.Failed
	default:
		s := steer(err)
		res.Exit, res.After, res.HasAfter = s.exit, s.after, s.hasAfter
		if s.exit == policy.Finished && err == Done { //nolint:errorlint // the bare sentinel says nothing more
			res.Err = nil
		}
	}
}

// seal is join and close for an attempt that has no helpers and is not watched, as
// most. Otherwise it returns false.
func (a *Attempt) seal() bool {
	a.mu.Lock()
	if a.more != nil || a.watch != nil {
		a.mu.Unlock()
		return false
	}
	a.sealed = true
	if a.ended.Load() == 0 {
		a.ended.Store(uint32(events.ReasonReturned))
		if a.done != nil {
			close(a.done)
		}
	}
	a.mu.Unlock()
	return true
}

// settleLost is settle for an attempt that did not return.
func (a *Attempt) settleLost(err error, exit policy.Exit, res *Result) {
	_ = a.join(err)
	a.close()
	*res = Result{Exit: exit, Err: err, Elapsed: a.Age()}
	switch a.reason() {
	case events.ReasonReturned, events.ReasonHelper:
	case events.ReasonTimeout, events.ReasonStalled:
		if exit == policy.Exited {
			res.Exit, res.Err = a.interrupted(err)
		}
	default:
		res.Exit, res.Err = a.interrupted(err)
	}
}

// close stops the timers and ends the context, whoever still holds it.
func (a *Attempt) close() {
	if a.watch != nil {
		a.watch.end(a)
	}
	a.finish(endingFor(events.ReasonReturned))
}

// Helped reports whether helpers were started, see Go.
func (a *Attempt) Helped() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.more != nil && a.more.helpers
}

// interrupted says how an attempt ended whose context was ended by the runtime. What
// the task returned then is detail: also a nil does not make a timeout a
// success, since "return nil when ctx ends" is how most loops are written.
func (a *Attempt) interrupted(err error) (policy.Exit, error) {
	e := a.ending()
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
func (a *Attempt) Lost(stuck *StuckError, elapsed time.Duration) Result {
	res := Result{Exit: policy.Failed, Err: stuck, Elapsed: elapsed}
	switch e := a.ending(); {
	case e == nil || e.reason == events.ReasonReturned:
	case e.reason == events.ReasonHelper:
		res.Err = errors.Join(e.cause, stuck)
	default:
		res.Exit, res.Err = a.interrupted(stuck)
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
