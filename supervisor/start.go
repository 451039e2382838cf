package supervisor

import (
	"context"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// stepStart goes on with the start order: it launches what waits to be started,
// each child after its elders are ready, and returns when the one it waits for
// has taken too long.
func (r *run) stepStart(now time.Time) (until time.Time) {
	for {
		if c := r.unready; c != nil {
			switch {
			case !r.elderDone(c, now):
				if now.Before(r.readyBy) {
					return r.readyBy
				}
				r.tooLate(c, now)
				if r.stop != nil || r.group != nil {
					return time.Time{}
				}
				return r.readyBy
			case r.stop != nil:
				return time.Time{}
			}
			r.unready = nil
		}
		c := r.starting
		if c == nil {
			r.allStarted(now)
			return time.Time{}
		}
		r.starting = c.next
		if c.alive || c.state.Ended() {
			continue
		}
		r.launch(c, now)
		if c.set.spec.AwaitReady {
			r.unready, r.readyBy = c, after(now, c.set.spec.StartTimeout)
		}
	}
}

// elderDone says that the younger siblings of c need not wait for it any more.
// A child that gave up before it was ever ready fails the first start.
func (r *run) elderDone(c *child, now time.Time) bool {
	if c.state == StateFailed && !r.started {
		r.failStart(c, c.lastErr(), now)
		return true
	}
	return c.ready || c.state.Ended() || !c.linked
}

// tooLate is called when c was not ready in time. The first start fails; a
// later one counts it as a failure of the attempt.
func (r *run) tooLate(c *child, now time.Time) {
	err := &actor.NotReadyError{Path: c.Path(), Timeout: c.set.spec.StartTimeout, Err: c.lastErr()}
	if !r.started {
		r.failStart(c, err, now)
		return
	}
	r.readyBy = after(now, c.set.spec.StartTimeout)
	if c.attempt != nil && c.attempt.Fail(events.ReasonTimeout, err) {
		r.awaitReturn(c, events.ReasonTimeout, now)
	}
}

func (r *run) failStart(c *child, err error, now time.Time) {
	r.beginStop(&StartError{Path: r.name(), Child: c.Path(), Err: actor.Contain(err)}, true, now)
}

// allStarted is called whenever the start order has been walked to its end.
func (r *run) allStarted(now time.Time) {
	switch {
	case !r.started:
		r.started = true
		r.tellSelf(events.SupervisorStarted, now, now.Sub(r.began), nil)
		r.announce = r.self != nil && r.isSelf()
	case r.state == StateRestarting:
		r.tellSelf(events.GroupRestarted, now, now.Sub(r.since), nil)
	}
	if r.state == StateStarting || r.state == StateRestarting {
		r.state, r.since = StateRunning, now
	}
}

// isSelf says that the attempt in r.self is this supervisor's own, and not that
// of a task that runs it by hand.
func (r *run) isSelf() bool {
	fam, ok := r.self.Actor().Task().(Family)
	return ok && fam.Supervisor() == r.s
}

// Start adds a dynamic child: it is admitted or refused at once, and runs as
// soon as the family's order allows. It returns a *SpecError for what the spec
// says, and a *ChildError with ErrNotRunning, ErrStopping, ErrExists or
// ErrLimit. ctx is only asked whether it has ended already; the child does not
// depend on it. When the child ends it is forgotten, and its name is free.
func (s *Supervisor) Start(ctx context.Context, spec actor.Spec) (*actor.Handle, error) {
	if err := s.cfg.admissible(&spec); err != nil {
		return nil, err
	}
	r, err := s.running(ctx, "start", spec.Name)
	if err != nil {
		return nil, err
	}
	c := r.newChild(&spec)
	r.mu.Lock()
	defer r.unlock()
	if err := r.admit(spec.Name, 1); err != nil {
		return nil, err
	}
	r.add(c, time.Now())
	return &c.Handle, nil
}

// StartAll adds several dynamic children, all or none. The error names the
// first that cannot be added. The children are started in order; the handles
// are in the order of the specs.
func (s *Supervisor) StartAll(ctx context.Context, specs ...actor.Spec) ([]*actor.Handle, error) {
	names := make(map[string]bool, len(specs))
	for i := range specs {
		spec := &specs[i]
		if err := s.cfg.admissible(spec); err != nil {
			return nil, err
		}
		if names[spec.Name] {
			return nil, &actor.SpecError{Name: spec.Name, Err: &policy.FieldError{Field: "Name", Value: spec.Name, Reason: "is there twice"}}
		}
		names[spec.Name] = true
	}
	if len(specs) == 0 {
		return nil, nil
	}
	r, err := s.running(ctx, "start", specs[0].Name)
	if err != nil {
		return nil, err
	}
	children := make([]*child, len(specs))
	for i := range specs {
		children[i] = r.newChild(&specs[i])
	}
	r.mu.Lock()
	defer r.unlock()
	for i := range specs {
		if err := r.admit(specs[i].Name, len(specs)); err != nil {
			return nil, err
		}
	}
	now := time.Now()
	handles := make([]*actor.Handle, len(specs))
	for i, c := range children {
		r.add(c, now)
		handles[i] = &c.Handle
	}
	return handles, nil
}

// running returns the present run, for an act on the named child.
func (s *Supervisor) running(ctx context.Context, act, name string) (*run, error) {
	r := s.current.Load()
	if r == nil {
		return nil, &ChildError{Act: act, Path: s.cfg.rootPath() + ": " + name, Err: ErrNotRunning}
	}
	if ctx.Err() != nil {
		return nil, &ChildError{Act: act, Path: r.path + "/" + name, Err: context.Cause(ctx)}
	}
	return r, nil
}

// admit says whether a name may be added, with n new children in all.
func (r *run) admit(name string, n int) error {
	refuse := func(err error) error { return &ChildError{Act: "start", Path: r.path + "/" + name, Err: err} }
	switch {
	case r.state == StateStopped:
		return refuse(ErrNotRunning)
	case r.stop != nil || !r.lame.IsZero():
		return refuse(ErrStopping)
	case r.names[name] != nil:
		return refuse(ErrExists)
	case r.cfg.Limit > 0 && r.dynamic+n > r.cfg.Limit:
		return refuse(ErrLimit)
	}
	return nil
}

// add links a new child and starts it, or leaves it to the conductor when the
// family's order says that others come first.
func (r *run) add(c *child, now time.Time) {
	r.link(c)
	if c.set.spec.Significant {
		r.significant++
	}
	r.begin(c, now)
}

// begin starts a linked child that has no goroutine.
func (r *run) begin(c *child, now time.Time) {
	if r.ordered() && (r.group != nil || r.starting != nil || r.unready != nil) {
		c.enterState(StateStarting, now)
		r.tellAdded(c, now)
		if r.starting == nil || c.position < r.starting.position {
			r.starting = c
		}
		r.poke()
		return
	}
	r.launch(c, now)
}
