package actor

import (
	"context"
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
	base       context.Context // the actor's, of this generation
	number     int32
	generation int32
	began      time.Time

	ready atomic.Bool
	end   atomic.Pointer[ending]
	watch *watch // nil without Timeout and Stall; set before Run, then read only

	mu      sync.Mutex
	done    chan struct{}    // guarded by mu, closed by finish
	after   map[*byte]func() // guarded by mu, taken by finish
	helpers *helpers         // guarded by mu

	// Keep is for the parent: what it wants to find again at the attempt's end.
	// It belongs to the goroutine that makes the attempt.
	Keep any
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
}

// Actor returns the actor whose attempt this is.
func (a *Attempt) Actor() *Actor { return a.actor }

// Number returns 1 for the first attempt of a handle, then 2, and so on.
func (a *Attempt) Number() int { return int(a.number) }

// Generation returns how many goroutines had to be used so far: 1 unless an
// attempt was abandoned.
func (a *Attempt) Generation() int { return int(a.generation) }

// Began returns when the attempt was made.
func (a *Attempt) Began() time.Time { return a.began }

// Up returns how long the attempt has been healthy at now: since it was made,
// or since it was ready if it has to say so and did.
func (a *Attempt) Up(now time.Time) time.Duration {
	if a.actor.spec.AwaitReady && !a.ready.Load() {
		return 0
	}
	return now.Sub(a.began)
}

// Stop ends the attempt's context for a reason that has a sentinel cause. It
// does not wait and reports whether it was the first to end it.
func (a *Attempt) Stop(r events.Reason) bool { return a.finish(endingFor(r)) }

// Fail ends the attempt's context with an error that will be its failure: a
// *NotReadyError from the supervisor.
func (a *Attempt) Fail(r events.Reason, err error) bool {
	return a.finish(&ending{err: context.Canceled, cause: err, reason: r})
}

// run makes the attempt. It returns unless the task calls runtime.Goexit; then
// a new goroutine goes on with the actor's life from here.
func (a *Attempt) run() (res Result) {
	settled := false
	defer func() {
		if settled {
			return
		}
		if v := recover(); v != nil {
			res = a.settleLost(&PanicError{Value: v, Stack: stack()}, policy.Panicked)
			return
		}
		a.actor.proceed(a, a.settleLost(&GoexitError{Stack: stack()}, policy.Exited))
	}()
	if a.watch != nil {
		a.watch.start(a)
	}
	err := a.actor.task.Run(a)
	res = a.settle(err)
	settled = true
	return res
}

// settle is called when Run has returned err: it waits for the helpers and says
// how the attempt ended. It calls methods of the user's errors, so it runs
// where a panic is caught.
func (a *Attempt) settle(err error) Result {
	if herr := a.join(err); herr != nil {
		err = herr
	}
	e := a.close()
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

// settleLost is settle for an attempt that did not return.
func (a *Attempt) settleLost(err error, exit policy.Exit) Result {
	_ = a.join(err)
	e := a.close()
	res := Result{Exit: exit, Err: err, Ended: time.Now()}
	if e.reason != events.ReasonReturned && e.reason != events.ReasonHelper {
		if exit == policy.Exited || a.stopped(e) {
			res.Exit, res.Err = a.ended(e, err)
		}
	}
	return res
}

// close stops the timers and ends the context, whoever still holds it, and
// returns what ended it first.
func (a *Attempt) close() *ending {
	if a.watch != nil {
		a.watch.stop()
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
	if err != nil && (errors.Is(err, e.err) || errors.Is(err, e.cause)) {
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

// Lost returns the result of an attempt that is given up while it still runs.
func (a *Attempt) Lost(stuck *StuckError, now time.Time) Result {
	res := Result{Exit: policy.Failed, Err: stuck, Ended: now}
	if e := a.end.Load(); e != nil {
		res.Exit, res.Err = a.ended(e, stuck)
	}
	return res
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
