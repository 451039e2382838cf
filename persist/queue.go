package persist

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// Queue stores jobs and runs them. It is a task, to be hung in a tree by its Spec, and a
// [supervisor.Family]: below it are the ledger, which owns the store, the workers, whose
// children are the jobs that run, by their numbers, and the clock. All methods may be called
// by any goroutine, a job's included.
type Queue struct {
	cfg     Config // with its defaults
	invalid error  // what is wrong with it, or nil
	book    *book
	store   atomic.Pointer[Store] // while it is open
	head    *supervisor.Supervisor
	workers *supervisor.Supervisor
	opened  chan struct{} // guarded by book.mu; closed when the run's phase changes

	runs atomic.Bool               // until Run is done with the book
	lost atomic.Pointer[LostError] // what the last run could not store
}

// New returns a queue that does not run. A configuration that cannot be used is refused by
// Validate, and by Run before anything happens.
func New(cfg Config) *Queue {
	q := &Queue{cfg: cfg.resolved(), book: newBook(), opened: make(chan struct{})}
	q.book.room = max(q.cfg.Cache, 0)
	if q.invalid = q.cfg.check(); q.invalid == nil {
		q.invalid = q.learn()
	}
	q.workers = supervisor.NewGuarded(supervisor.Config{LameDuck: q.cfg.Drain}, (*keeper)(q))
	of := &q.cfg.Supervisor
	q.head = supervisor.New(supervisor.Config{
		Name: q.cfg.Name, Strategy: supervisor.RestForOne,
		Bus: of.Bus, Subscribers: of.Subscribers, Around: of.Around, Logger: of.Logger, Intensity: of.Intensity,
		StopTimeout: of.StopTimeout, Concurrency: of.Concurrency,
		Children: []actor.Spec{
			{Name: "ledger", Task: (*ledger)(q), AwaitReady: true, StartTimeout: policy.Forever, OnGiveUp: policy.GiveUpEscalate, NoPermit: true},
			q.workers.Spec("workers"),
			{Name: "clock", Task: (*sweeper)(q), NoPermit: true}, // the last: the first that it does is to have the workers begin
		},
	})
	return q
}

// Spec returns a spec that hangs the queue in a tree. An empty name means the one of its
// Config. It is ready when the store is open and jobs run: younger siblings wait for that.
func (q *Queue) Spec(name string) actor.Spec {
	if q.head == nil {
		return actor.Spec{Name: name, Task: q} // is refused for that
	}
	spec := q.head.Spec(name)
	spec.Task = q
	return spec
}

// Head returns the supervisor of the queue.
func (q *Queue) Head() *supervisor.Supervisor { return q.head }

// Validate returns what is wrong with the configuration, or nil.
func (q *Queue) Validate() error {
	if q == nil || q.head == nil {
		return &supervisor.ConfigError{Err: errNotNew}
	}
	if q.invalid != nil {
		return &supervisor.ConfigError{Name: q.cfg.Name, Err: q.invalid}
	}
	return q.head.Validate()
}

// errNotNew means: it is a zero Queue, or none.
var errNotNew = errors.New("the queue was not made by New")

// known is the book of the queue, and an empty one of a zero Queue.
func (q *Queue) known() *book {
	if q.book == nil {
		return newBook()
	}
	return q.book
}

// Run opens the store and runs jobs until ctx ends, and closes it then. What was begun is
// given the time of Config.Drain to finish, and is told to stop then; what has not finished
// is as if it had not been begun.
//
// A store that cannot be opened is an error that says why: a *LockedError, *FormatError or
// *CorruptError, *policy.FieldError, or ErrReadOnly, which no supervisor retries, or another. A *LostError says that
// ends of attempts could not be stored, or submissions that were Relaxed.
func (q *Queue) Run(ctx context.Context) error {
	if err := q.Validate(); err != nil {
		return actor.Fatal(err)
	}
	if !q.runs.CompareAndSwap(false, true) {
		return actor.Fatal(fmt.Errorf("run %s: %w", q.cfg.Name, supervisor.ErrRunning))
	}
	defer q.runs.Store(false)
	q.lost.Store(nil)
	err := q.head.Run(ctx)
	q.leaveBehind()
	if lost := q.lost.Load(); lost != nil {
		err = errors.Join(err, lost)
	}
	if hopeless(err) {
		return actor.Fatal(err)
	}
	return err
}

// hopeless says of an error of the store that trying again does not help.
func hopeless(err error) bool {
	var locked *LockedError
	var format *FormatError
	var corrupt *CorruptError
	var setting *policy.FieldError
	return errors.As(err, &locked) || errors.As(err, &format) || errors.As(err, &corrupt) || errors.As(err, &setting) || errors.Is(err, ErrReadOnly)
}

// WaitReady returns nil when the queue runs, as Supervisor.WaitReady does: the present run, or the
// next one, counts. Who runs it by hand lets ctx end when Run has returned.
func (q *Queue) WaitReady(ctx context.Context) error {
	if err := q.Validate(); err != nil {
		return err
	}
	return q.head.WaitReady(ctx)
}

// leaveBehind ends the run of the book, should the ledger hang in its store and not have done so:
// nobody shall wait for it, and what it does at last concerns nobody.
func (q *Queue) leaveBehind() {
	b := q.book
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.phase == notRunning {
		return
	}
	b.run++
	q.store.Store(nil)
	q.enterPhase(notRunning)
}

// enterPhase says how far a run has come. It is called with the book locked.
func (q *Queue) enterPhase(p runPhase) {
	q.book.phase = p
	close(q.opened)
	q.opened = make(chan struct{})
}

// awaitService returns when the queue takes something in, or why it does not.
func (q *Queue) awaitService(ctx context.Context) error {
	if q.head == nil {
		return q.Validate()
	}
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		q.book.mu.Lock()
		phase, changed := q.book.phase, q.opened
		q.book.mu.Unlock()
		switch phase {
		case inService:
			return nil
		case closing:
			return ErrClosing
		case notRunning:
			return ErrNotRunning
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// dispatch has the workers take what they can.
func (q *Queue) dispatch() {
	g, _ := q.workers.Guard().(*gate)
	if g == nil {
		return
	}
	b := q.book
	b.mu.Lock()
	anything := b.pick() != nil
	b.mu.Unlock()
	if anything {
		g.door.Lock()
		g.Next()
		g.door.Unlock()
	}
}

var (
	_ supervisor.Family = (*Queue)(nil)
	_ supervisor.Keeper = (*keeper)(nil)
)
