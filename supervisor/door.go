package supervisor

import (
	"context"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
)

// Keeper decides when tasks may come in by the [Door] of a supervisor. It is for
// packages that admit tasks by rules of their own, as package controller does.
type Keeper interface {
	// Open returns the guard of a run that is about to begin. It is called for each run,
	// and does nothing else: the run may be refused, since there is one already.
	Open(d *Door) Guard
}

// Guard is what a [Keeper] knows of one run. Its methods are called with the door's lock
// held: they shall not wait, and of the supervisor call only what the Door and its
// Candidates offer.
type Guard interface {
	// Left tells that a dynamic child has ended: its name is free, and its outcome
	// there. It may have come in by Supervisor.Start. The answer is whether somebody may
	// come in now: then Next is called, before the lock is released.
	Left(k Candidate) (more bool)
	// Next lets in who may come in. The goroutine of who has left may be that of the first
	// of them.
	Next()
	// Closing tells, once, that the run lets nobody in any more, and is answered by how
	// many have waited in vain. Those that are in are still to leave.
	Closing() (rejected int)
	// Waiting returns how many wait to be let in.
	Waiting() int
}

// Provider is a [Guard] that finds out under a lock of its own who comes in next. When a child
// leaves its goroutine, it does so without the door's lock: what is done there holds up nobody.
type Provider interface {
	Guard
	// Provide returns who is to come in, if there is somebody, and whether others may come in
	// too. It is called without the door's lock after Left has said that somebody may come in,
	// maybe when the run is over already.
	Provide() (k Candidate, ok, more bool)
	// Receive lets in whom Provide has returned, or sees to who cannot come in. It is called with
	// the door's lock held, and so is Next after it, if others may come in.
	Receive(k Candidate)
}

// NewGuarded returns a supervisor with a door. It is like one made by New in every other
// way but for its LameDuck, which is a time for those inside to finish while nobody is
// let in: it is over as soon as no child is left, since there is nothing to serve then.
func NewGuarded(cfg Config, k Keeper) *Supervisor {
	s := New(cfg)
	s.keeper = k
	return s
}

// Guard returns the guard of the present run, or nil.
func (s *Supervisor) Guard() Guard {
	if r := s.current.Load(); r != nil {
		return r.guard
	}
	return nil
}

// Door is how a [Keeper] lets tasks into one run of its supervisor. The run and all
// that the keeper knows have one lock, which is the Door's: so what is
// decided is decided at one moment, and nothing happens in between.
type Door struct{ run *run }

// Lock takes the lock, for whom it does not call with it held.
func (d *Door) Lock() { d.run.mu.Lock() }

// Unlock releases the lock, and does what was decided under it.
func (d *Door) Unlock() { d.run.unlock() }

// Path returns the path of the supervisor.
func (d *Door) Path() string { return d.run.name() }

// Bus returns the bus that the run publishes on. It may be nil, which is a bus too. It
// needs no lock, but what is published with it held stands in the order of what is
// decided.
func (d *Door) Bus() *events.Bus { return d.run.env.bus }

// Wants reports whether anyone on the run's bus subscribes to k. It needs no lock.
func (d *Door) Wants(k events.Kind) bool { return d.run.wants(k) }

// Prepare gives a task its identity and its handle, and does nothing else. One without a
// name is called by its number. It returns a *SpecError for what the spec says. It needs
// no lock.
func (d *Door) Prepare(spec *actor.Spec) (Candidate, error) {
	named := *spec
	if named.Name == "" {
		named.Name = "0" // will be a number
	}
	set, err := d.run.known(&named)
	if err != nil {
		return Candidate{}, err
	}
	return Candidate{d.run.newChild(spec, set)}, nil
}

// Tell publishes an event about a task, which say completes. It is not called when nobody
// listens. It needs the lock.
func (d *Door) Tell(k Candidate, kind events.Kind, say func(e *events.Event)) {
	if !d.run.wants(kind) {
		return
	}
	e := k.child.event(kind, d.run.now())
	say(e)
	d.run.env.bus.Send(e)
}

// Candidate is a task with an identity, to be let in at most once. All but Handle, Task, Has
// and Await need the door's lock.
type Candidate struct{ child *child }

// Handle returns the handle of the task, which has an outcome when it was rejected,
// or has ended.
func (k Candidate) Handle() *actor.Handle { return &k.child.Handle }

// Task returns what runs.
func (k Candidate) Task() actor.Task { return k.child.Task() }

// Enter starts the task as a dynamic child. It returns a *ChildError with ErrExists,
// ErrLimit, ErrStopping or ErrNotRunning when that cannot be: then it may be tried again,
// or rejected.
func (k Candidate) Enter() error {
	r := k.child.run
	if err := r.admit(k.child.Name(), 1); err != nil {
		return err
	}
	r.add(k.child, r.now())
	return nil
}

// Namesake returns who in the supervisor has the name of the task.
func (k Candidate) Namesake() (id events.ID, taken bool) {
	if c := k.child.run.names[k.child.Name()]; c != nil && c.linked {
		return c.ID(), true
	}
	return 0, false
}

// Reject gives a task that has not been let in its outcome.
func (k Candidate) Reject(key string, why events.Reason) {
	var end struct { // made at once
		actor.Outcome
		err actor.RejectedError
	}
	end.err = actor.RejectedError{Path: k.child.Path(), Key: key, Reason: why}
	end.Outcome = actor.Outcome{Kind: events.Rejected, Reason: why, Err: &end.err}
	k.child.Resolve(&end.Outcome)
}

// Stop tells a task that was let in to end.
func (k Candidate) Stop(why events.Reason) {
	r := k.child.run
	r.tellToEnd(k.child, why, r.now())
}

// Ending says that a task was told to end, by whomever.
func (k Candidate) Ending() bool { return k.child.told == end }

// Node describes a task that was let in, as a listing does. The text of its error is left
// to the caller, since a user's error may call anything.
func (k Candidate) Node() Node { return k.child.node(k.child.run.epoch()) }

// Has says that an attempt, see actor.Current, is one of the task or of one below it.
func (k Candidate) Has(at *actor.Attempt) bool { return isBelow(at, k.child) }

// Await returns when the task has ended that was told to by Stop, as
// Supervisor.Stop does.
func (k Candidate) Await(ctx context.Context, act string) error { return awaitEnd(ctx, act, k.child) }

// openDoor is called before anybody knows the run.
func (r *run) openDoor() {
	if k := r.s.keeper; k != nil {
		r.door.run = r
		r.guard = k.Open(&r.door)
		r.provider, _ = r.guard.(Provider)
	}
}

// closeDoor is called with mu held, once.
func (r *run) closeDoor() {
	if r.guard != nil {
		r.rejected = r.guard.Closing()
	}
}

// admitNext tells the guard who has left, and has it let in who waits for that. It is called with
// mu held, before that is released.
func (r *run) admitNext() {
	for len(r.gone) > 0 {
		if r.tellLeft() {
			r.guard.Next()
		}
	}
}

// letIn has the guard let in who may come in, of whom the first gets the goroutine of who has
// left. Mu is not held while a Provider finds out who that is.
func (r *run) letIn() {
	if r.provider == nil {
		r.vacant = true
		r.guard.Next()
		return
	}
	r.release()
	first, ok, more := r.provider.Provide()
	r.mu.Lock()
	r.vacant = true
	if ok {
		r.provider.Receive(first)
	}
	if more {
		r.guard.Next()
	}
}

// tellLeft tells the guard who has left. It returns whether others may come in.
func (r *run) tellLeft() (more bool) {
	for i := 0; i < len(r.gone); i++ { // what the guard does may end others
		if r.guard.Left(Candidate{r.gone[i]}) {
			more = true
		}
	}
	clear(r.gone)
	r.gone = r.gone[:0]
	return more
}
