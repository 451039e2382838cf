package supervisor

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// Supervisor owns children: it starts them in order, restarts those that fail,
// and stops them. It is a task like any other, so trees need no extra concept.
// The zero Supervisor is that of the zero Config. All methods may be called by
// any goroutine, a supervised one included.
//
// Children are addressed by path: by name ("db"), by a path below this
// supervisor ("pool/db"), or by their full path ("/app/pool/db").
type Supervisor struct {
	cfg    Config
	keeper Keeper // of its door, or nil

	once sync.Once
	tree uint64 // tells the trees of a process apart; set once

	upMu sync.Mutex
	isUp bool          // guarded by upMu: the present run has started
	up   chan struct{} // guarded by upMu: made for those that wait, closed when it has, or has ended before

	booksOnce sync.Once
	books     *books // of the tree whose root it is; set once, see ownBooks

	current  atomic.Pointer[run]
	lastStop atomic.Pointer[stopLog] // of the last run that is over

	// wish is what the parent has said about the stop of the present run, nil if nothing.
	wish atomic.Pointer[wish]
}

// New returns a supervisor that is not running. A configuration that cannot be
// used is refused by Validate, and by Run and Start before anything happens.
func New(cfg Config) *Supervisor {
	cfg.Children = append([]actor.Spec(nil), cfg.Children...)
	return &Supervisor{cfg: cfg}
}

// Spec returns a spec that hangs the supervisor in a tree. An empty name means
// the one of its Config. The spec may be changed: without a Grace of its own,
// the supervisor may take as long for its stop as the tree's deadline allows.
//
// A type that embeds a Supervisor and has a Run of its own needs a Spec of its own
// too: this one's task is the embedded supervisor.
func (s *Supervisor) Spec(name string) actor.Spec {
	if name == "" {
		name = s.cfg.Name
	}
	return actor.Spec{Name: name, Task: s, AwaitReady: true, NoPermit: true, Grace: policy.Forever}
}

// Head returns s: a supervisor is a Family, and so is what embeds one.
func (s *Supervisor) Head() *Supervisor { return s }

// FromContext returns the supervisor that runs the task whose context ctx is or
// derives from, or nil: so a task can start, list and stop its siblings.
func FromContext(ctx context.Context) *Supervisor {
	if at := actor.Current(ctx); at != nil {
		if c, ok := at.Actor().Parent().(*child); ok {
			return c.run.s
		}
	}
	return nil
}

// Run starts the children, keeps them running, and returns when they have all
// stopped: nil when ctx ended and everything returned in time, a *StopError
// that names what did not, a *StartError, *IntensityError, *EscalatedError or
// *EndedError when the supervisor ended by itself. It returns ErrRunning when
// it runs already, a *ConfigError at once for what Validate refuses, marked as fatal for
// a supervisor above, and the error of a subscription that the bus refuses. With EndWhenEmpty it joins the
// errors of the children that failed for good. After it has returned it may be
// called again, and begins with fresh state.
//
// Inside a task, hang the supervisor by its Spec instead of calling Run: run by
// hand it is a tree of its own, which the one around it cannot address or list.
func (s *Supervisor) Run(ctx context.Context) error { return s.run(ctx, s.cfg.Subscribers) }

func (s *Supervisor) run(ctx context.Context, subs []events.Subscriber) error {
	if err := s.Validate(); err != nil {
		return actor.Fatal(err)
	}
	r, err := s.begin(ctx, subs)
	if err != nil {
		return err
	}
	defer s.current.Store(nil)
	defer r.env.books.settle(r)
	defer s.setUp(false)
	defer r.drain()
	if err := r.subscribe(subs); err != nil {
		r.mu.Lock()
		r.beginStop(err, false, r.now())
		r.unlock()
	}
	return r.conduct(ctx)
}

// WaitReady returns nil when the present run, or the next one, has started all
// its declared children and they were ready. It returns ErrNotRunning when that
// run has ended before, the cause of ctx when ctx has, and a *ConfigError for a supervisor
// that cannot run. It is for programs that run a supervisor on a goroutine of their own. There a
// run may have failed before anybody waits for it, and who waits then waits for the next: so let
// ctx end with the run, as
//
//	ctx, ended := context.WithCancelCause(ctx)
//	go func() { ended(s.Run(ctx)) }()
//	err := s.WaitReady(ctx)
func (s *Supervisor) WaitReady(ctx context.Context) error {
	s.upMu.Lock()
	if s.isUp {
		s.upMu.Unlock()
		return nil
	}
	if s.up == nil {
		s.up = make(chan struct{})
	}
	up := s.up
	s.upMu.Unlock()
	if err := s.Validate(); err != nil {
		return err // it will never run
	}
	select {
	case <-up:
	case <-ctx.Done():
		return &ChildError{Act: "wait for", Path: s.cfg.rootPath(), Err: context.Cause(ctx)}
	}
	s.upMu.Lock()
	defer s.upMu.Unlock()
	if !s.isUp {
		return &ChildError{Act: "wait for", Path: s.cfg.rootPath(), Err: ErrNotRunning}
	}
	return nil
}

// setUp tells those that wait that the run has started, or has ended.
func (s *Supervisor) setUp(up bool) {
	s.upMu.Lock()
	defer s.upMu.Unlock()
	s.isUp = up
	if s.up != nil {
		close(s.up)
		s.up = nil
	}
}

// Bus returns the bus that the present run publishes on. It is nil, which is a bus too,
// when there is no run or nobody listens to it.
func (s *Supervisor) Bus() *events.Bus {
	if r := s.current.Load(); r != nil {
		return r.env.bus
	}
	return nil
}

// SetConcurrency changes the limit of attempts that may run at a time in this
// tree, from now on and for the present run. Attempts above a lowered limit
// finish. It needs a Config with a Concurrency, and changes only that: the limits
// of supervisors below and above count in addition.
func (s *Supervisor) SetConcurrency(n int) error {
	if n < 1 {
		return &policy.FieldError{Field: "Concurrency", Value: n, Reason: "must be at least 1"}
	}
	if s.cfg.Concurrency == 0 {
		return &policy.FieldError{Field: "Concurrency", Value: n, Reason: "needs a Config.Concurrency, for which policy.Unlimited will do"}
	}
	r := s.current.Load()
	if r == nil {
		return &ChildError{Act: "set concurrency of", Path: s.cfg.rootPath(), Err: ErrNotRunning}
	}
	r.env.permits.resize(n)
	return nil
}

func (c *Config) rootPath() string {
	if c.Name == "" {
		return "/"
	}
	return "/" + c.Name
}

// ownBooks are used when the supervisor is a root.
func (s *Supervisor) ownBooks() *books {
	s.booksOnce.Do(func() { s.books = &books{} })
	return s.books
}

// lastTree numbers the supervisors of the process that were roots.
var lastTree atomic.Uint64

func (s *Supervisor) treeNumber() uint64 {
	s.once.Do(func() { s.tree = lastTree.Add(1) })
	return s.tree
}

// stopTimeout is how long a stop may take when nobody above says less.
func (s *Supervisor) stopTimeout() time.Duration {
	return cmp.Or(s.cfg.StopTimeout, policy.DefaultStopTimeout)
}

func nothing(context.Context) error { return nil }

func (s *Supervisor) begin(ctx context.Context, subs []events.Subscriber) (*run, error) {
	r := newRun(s, ctx, subs)
	r.openDoor()
	if !s.current.CompareAndSwap(nil, r) {
		return nil, actor.Fatal(fmt.Errorf("run %s: %w", r.name(), ErrRunning))
	}
	r.env.books.begin(r)
	if !r.isSelf() {
		s.wish.Store(nil) // of a tree that it was in
	}
	return r, nil
}
