package supervisor

import (
	"context"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
)

// Stop ends a child for good and returns when it has ended. When ctx ends first,
// Stop returns its cause and the stop goes on; with a ctx that has ended already
// nothing is done. A declared child keeps its record and name and can be
// restarted; a dynamic one is forgotten. Stopping a child that has ended is no
// error. The error is a *StopError if the child, or something below it, had to
// be left behind, and a *ChildError otherwise.
func (s *Supervisor) Stop(ctx context.Context, address string) error {
	return s.endChild(ctx, "stop", address, events.ReasonStopped)
}

// Remove is Stop, and forgets a declared child too: its name is free.
func (s *Supervisor) Remove(ctx context.Context, address string) error {
	return s.endChild(ctx, "remove", address, events.ReasonRemoved)
}

func (s *Supervisor) endChild(ctx context.Context, act, address string, why events.Reason) error {
	for {
		c, err := s.find(ctx, act, address)
		if err != nil {
			return err
		}
		if selfOrBelow(ctx, c) {
			return &ChildError{Act: act, Path: c.Path(), Err: ErrSelf}
		}
		switch c.run.endByHand(c, why) {
		case gone:
			continue // its name has another owner, or none
		case ended:
			return nil
		}
		return awaitEnd(ctx, act, c)
	}
}

// awaitEnd returns when a child has ended that was told to.
func awaitEnd(ctx context.Context, act string, c *child) error {
	o, err := c.Wait(ctx)
	if err != nil {
		return &ChildError{Act: act, Path: c.Path(), Err: context.Cause(ctx)}
	}
	return leftBehind(c, &o)
}

// found is how a verb found a child.
type found uint8

const (
	ending found = iota // it is being stopped now
	ended               // it had ended
	gone                // it had ended and was forgotten or replaced
)

// endByHand has a child end, and forgets it if it is to be removed.
func (r *run) endByHand(c *child, why events.Reason) found {
	r.mu.Lock()
	defer r.unlock()
	now := r.now()
	if !c.linked {
		return gone
	}
	c.forget = c.forget || why == events.ReasonRemoved
	if c.state.Ended() {
		if c.forget {
			r.unlink(c)
			r.tell(c, events.TaskRemoved, now)
		}
		return ended
	}
	r.tellToEnd(c, why, now)
	return ending
}

// leftBehind returns a *StopError if the end of a child left something.
func leftBehind(c *child, o *actor.Outcome) error {
	stuck := stuckIn(o)
	if len(stuck) == 0 {
		return nil
	}
	return &StopError{Path: c.Path(), Took: stuck[0].For, Stuck: stuck}
}

// Restart has a child make a new attempt now and returns its handle when that
// has begun. A running attempt is stopped first, which counts as no failure; a
// pause is cut short; a child that has ended gets a new life with a new handle.
// The child's streak of failures is forgotten. When ctx ends first it returns the
// handle and the cause, and the restart goes on; with a ctx that has ended already
// nothing is done.
func (s *Supervisor) Restart(ctx context.Context, address string) (*actor.Handle, error) {
	var c *child
	var begun <-chan struct{}
	for begun == nil {
		found, err := s.find(ctx, "restart", address)
		if err != nil {
			return nil, err
		}
		if selfOrBelow(ctx, found) {
			return nil, &ChildError{Act: "restart", Path: found.Path(), Err: ErrSelf}
		}
		if c, begun, err = found.run.restart(found); err != nil {
			return nil, err
		}
	}
	select {
	case <-begun:
	case <-ctx.Done():
		return &c.Handle, &ChildError{Act: "restart", Path: c.Path(), Err: context.Cause(ctx)}
	}
	if o, ended := c.Outcome(); ended && (o.Kind == events.Stopped || o.Kind == events.Abandoned) {
		return &c.Handle, &ChildError{Act: "restart", Path: c.Path(), Err: ErrStopping}
	}
	return &c.Handle, nil
}

// restart sets a restart going; begun is closed when the attempt has begun, or
// when there will be none. It is nil when c has been replaced or forgotten.
func (r *run) restart(c *child) (life *child, begun <-chan struct{}, err error) {
	r.mu.Lock()
	defer r.unlock()
	now := r.now()
	switch {
	case r.stop != nil || r.lame != 0 || (c.told == end && !c.state.Ended()):
		return nil, nil, &ChildError{Act: "restart", Path: c.Path(), Err: ErrStopping}
	case !c.linked:
		return nil, nil, nil
	case c.state.Ended():
		c = r.renew(c, now)
		begun = c.begun()
		r.begin(c, now)
		return c, begun, nil
	}
	begun = c.begun()
	switch {
	case c.told == halt || !c.alive: // its group, or the start order, will start it
		if r.group != nil {
			r.group.pause = 0
			if r.group.at != 0 {
				r.group.at = now
			}
			r.poke()
		}
	case c.attempt != nil:
		if !c.again {
			c.again = true
			r.cutShort(c, events.ReasonRestarted, now)
		}
	default:
		c.again = true
		c.trouble.next = 0
		c.rouse()
	}
	return c, begun, nil
}

// selfOrBelow says that ctx belongs to the child's own task or to one below it,
// which would wait for itself.
func selfOrBelow(ctx context.Context, c *child) bool { return isBelow(actor.Current(ctx), c) }

// isBelow says that an attempt is one of c or of a task below.
func isBelow(at *actor.Attempt, c *child) bool {
	for at != nil {
		p, ok := at.Actor().Parent().(*child)
		if !ok {
			return false
		}
		if p == c {
			return true
		}
		at = p.run.self
	}
	return false
}
