package supervisor

import (
	"context"
	"fmt"
	"path"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
)

// stepStart goes on with the start order: it launches what waits to be started,
// each child after its elders are ready, and returns when the one it waits for
// has taken too long.
func (r *run) stepStart(now instant) (until instant) {
	for {
		if c := r.unready; c != nil {
			switch {
			case r.elderDone(c):
			case r.started:
				return 0 // its attempts keep the time
			case c.state == StateFailed:
				r.failStart(c, c.lastErr(), now)
				return 0
			case now < r.readyBy:
				return r.readyBy
			default:
				r.failStart(c, &actor.NotReadyError{Path: c.Path(), Timeout: c.set.spec.StartTimeout, Err: c.lastErr()}, now)
				return 0
			}
			r.unready = nil
		}
		c := r.starting
		if c == nil || !c.declared {
			r.allStarted(now, c == nil)
		}
		if c == nil {
			return 0
		}
		r.starting = c.next
		if !c.alive && !c.state.Ended() {
			r.launchInOrder(c, now)
		}
	}
}

// launchInOrder launches a child for which its younger siblings wait.
func (r *run) launchInOrder(c *child, now instant) {
	if c.set.spec.AwaitReady && !c.set.spec.Optional {
		r.unready, r.readyBy = c, after(now, c.set.spec.StartTimeout)
	}
	r.launch(c, now)
}

// elderDone says that the younger siblings of c need not wait for it any more.
// One that gave up before it was ever ready holds up the first start.
func (r *run) elderDone(c *child) bool {
	if c.state == StateFailed && c.declared && !c.wasReady && !r.started {
		return false
	}
	return c.ready || c.state.Ended() || !c.linked
}

func (r *run) failStart(c *child, err error, now instant) {
	r.beginStop(&StartError{Path: r.name(), Child: c.Path(), Err: actor.Contain(err)}, true, now)
}

// allStarted is called when the start order has been walked to the end of the
// declared children, and to the end of all.
func (r *run) allStarted(now instant, toEnd bool) {
	switch {
	case !r.started:
		r.started = true
		r.tellSelf(events.SupervisorStarted, now, now.elapsed(), nil)
		r.announce = r.isSelf()
		r.s.setUp(true)
	case !toEnd:
		return
	case r.regroup != 0:
		r.tellSelf(events.GroupRestarted, now, now.since(r.regroup), nil)
	}
	if toEnd {
		r.regroup = 0
	}
}

// Start adds a dynamic child: it is admitted or refused at once, and runs as
// soon as the family's order allows. It returns a *SpecError for what the spec
// says, and a *ChildError with ErrNotRunning, ErrStopping, ErrExists or
// ErrLimit. ctx is only asked whether it has ended already; the child does not
// depend on it. When the child ends it is forgotten, and its name is free.
func (s *Supervisor) Start(ctx context.Context, spec actor.Spec) (*actor.Handle, error) {
	r, err := s.running(ctx, "start", spec.Name)
	if err != nil {
		return nil, err
	}
	set, err := r.known(&spec)
	if err != nil {
		return nil, err
	}
	c := r.newChild(&spec, set)
	r.mu.Lock()
	defer r.unlock()
	if err := r.admit(spec.Name, 1); err != nil {
		return nil, err
	}
	r.add(c, r.now())
	return &c.Handle, nil
}

// StartAll adds several dynamic children, all or none. The error names the
// first that cannot be added. The children are started in order; the handles
// are in the order of the specs.
func (s *Supervisor) StartAll(ctx context.Context, specs ...actor.Spec) ([]*actor.Handle, error) {
	if len(specs) == 0 {
		return nil, nil
	}
	r, err := s.running(ctx, "start", specs[0].Name)
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool, len(specs))
	children := make([]*child, len(specs))
	for i := range specs {
		spec := &specs[i]
		set, err := r.known(spec)
		if err != nil {
			return nil, err
		}
		if names[spec.Name] {
			return nil, twice(spec.Name)
		}
		names[spec.Name] = true
		children[i] = r.newChild(spec, set)
	}
	r.mu.Lock()
	defer r.unlock()
	for i := range specs {
		if err := r.admit(specs[i].Name, len(specs)); err != nil {
			return nil, err
		}
	}
	now := r.now()
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
		return nil, &ChildError{Act: act, Path: path.Join(s.cfg.rootPath(), name), Err: ErrNotRunning}
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
	case r.over:
		return refuse(ErrNotRunning)
	case r.stop != nil || r.lame != 0:
		return refuse(ErrStopping)
	}
	if c := r.names[name]; c != nil {
		if c.state.Ended() {
			return refuse(fmt.Errorf("%w by a declared child that has ended as %v: restart or remove it", ErrExists, c.state))
		}
		return refuse(ErrExists)
	}
	if r.cfg.Limit > 0 && r.dynamic+n > r.cfg.Limit {
		return refuse(ErrLimit)
	}
	return nil
}

// add links a new child and starts it, or leaves it to the conductor when the
// family's order says that others come first.
func (r *run) add(c *child, now instant) {
	r.link(c)
	if c.set.spec.Significant {
		r.significant++
	}
	r.begin(c, now)
}

// begin starts a linked child that has no goroutine.
func (r *run) begin(c *child, now instant) {
	if r.ordered() && (!r.started || r.group != nil || r.starting != nil || r.unready != nil) {
		c.enterState(StateStarting, now)
		r.tellAdded(c, now)
		if r.starting == nil || c.position < r.starting.position {
			r.starting = c
		}
		r.poke()
		return
	}
	if r.ordered() {
		r.launchInOrder(c, now)
	} else {
		r.launch(c, now)
	}
}
