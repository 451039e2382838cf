package controller

import (
	"container/list"
	"context"
	"errors"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
)

// ErrSubmitted means: the ticket has been submitted before.
var ErrSubmitted = errors.New("submitted already")

// Ticket is a submission that has its identity, made by Controller.Prepare. It is submitted at most once. While it waits or
// runs it has an entry.
type Ticket struct {
	task      supervisor.Candidate
	key       string
	admission Admission
	ttl       time.Duration
	desk      *desk

	// What follows is guarded by the desk's door.
	given    bool          // it has been submitted
	since    time.Time     // when it was, if it had to wait
	timer    *time.Timer   // of its time to live, while it waits
	parked   *list.Element // among those that wait for room
	admitted chan struct{} // closed when it waits for room no more; nil if it never had to
}

// ID returns the number of the submission, and of the task that it becomes.
func (t *Ticket) ID() events.ID { return t.Handle().ID() }

// Key returns the key for which it is to run.
func (t *Ticket) Key() string { return t.key }

// Handle returns the handle by which to follow it. The handle of a ticket that is never
// submitted never resolves.
func (t *Ticket) Handle() *actor.Handle { return t.task.Handle() }

// Submit is Controller.Submit. A second call returns a *supervisor.ChildError with
// ErrSubmitted. A ticket from an
// earlier run of the controller is rejected as closing. If ctx had ended before, nothing
// is done, and the ticket can still be submitted.
func (t *Ticket) Submit(ctx context.Context) error {
	_, err := t.submit(ctx)
	return err
}

// errNoTicket means: it is a zero Ticket, or none.
var errNoTicket = errors.New("the ticket was not made by Prepare")

func (t *Ticket) submit(ctx context.Context) (*actor.Handle, error) {
	if t == nil || t.desk == nil {
		return nil, &supervisor.ChildError{Act: "submit", Err: errNoTicket}
	}
	refuse := func(err error) error {
		return &supervisor.ChildError{Act: "submit", Path: t.Handle().Path(), Err: err}
	}
	if ctx.Err() != nil {
		return nil, refuse(context.Cause(ctx))
	}
	admitted, err := t.desk.submit(t)
	if err != nil {
		return nil, refuse(err)
	}
	if admitted == nil {
		return t.Handle(), nil
	}
	select {
	case <-admitted:
	case <-ctx.Done():
		if t.desk.giveUp(t) {
			return t.Handle(), refuse(context.Cause(ctx))
		}
	}
	return t.Handle(), nil
}
