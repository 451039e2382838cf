package supervisor

import (
	"context"
	"fmt"
	"strings"

	"github.com/taskvisor/taskvisor/actor"
)

// find resolves an address to a child of the present run, or of a supervisor
// below. It takes one lock at a time.
func (s *Supervisor) find(ctx context.Context, act, address string) (*child, error) {
	if ctx.Err() != nil {
		return nil, &ChildError{Act: act, Path: address, Err: context.Cause(ctx)}
	}
	r := s.current.Load()
	if r == nil {
		return nil, &ChildError{Act: act, Path: address, Err: ErrNotRunning}
	}
	if address == r.name() {
		return nil, &ChildError{Act: act, Path: address, Err: fmt.Errorf("%w: it is the supervisor that was asked", ErrNotFound)}
	}
	rest := address
	if strings.HasPrefix(address, "/") {
		var ok bool
		if rest, ok = strings.CutPrefix(address, r.path+"/"); !ok {
			return nil, &ChildError{Act: act, Path: address, Err: ErrNotFound}
		}
	}
	for {
		name, below, deeper := strings.Cut(rest, "/")
		r.mu.Lock()
		c, stopped := r.names[name], r.over
		if c != nil && !c.linked {
			c = nil // forgotten during the stop
		}
		r.mu.Unlock()
		switch {
		case stopped:
			return nil, &ChildError{Act: act, Path: address, Err: ErrNotRunning}
		case c == nil:
			return nil, &ChildError{Act: act, Path: address, Err: ErrNotFound}
		case !deeper:
			return c, nil
		}
		if c.set.head == nil {
			return nil, &ChildError{Act: act, Path: address, Err: ErrNotFound}
		}
		if r = c.set.head.current.Load(); r == nil {
			return nil, &ChildError{Act: act, Path: address, Err: ErrNotRunning}
		}
		rest = below
	}
}

// Handle returns the handle of the present life of a child: the running one, or
// the ended one of a declared child.
func (s *Supervisor) Handle(address string) (*actor.Handle, error) {
	c, err := s.find(context.Background(), "find", address)
	if err != nil {
		return nil, err
	}
	return &c.Handle, nil
}

// Settings returns the spec with which a child runs: its own settings, and what
// it inherits in place of the zeros.
func (s *Supervisor) Settings(address string) (actor.Spec, error) {
	c, err := s.find(context.Background(), "find", address)
	if err != nil {
		return actor.Spec{}, err
	}
	spec := c.set.spec
	spec.Name, spec.Task = c.Name(), c.Task()
	return spec, nil
}
