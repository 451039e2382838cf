package persist

import (
	"errors"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

// Events about jobs are published with the book locked: Publish never blocks, and so they are
// in the order of what is decided. What an attempt does is told by its child.

// publish makes and publishes an event about the queue.
func (b *book) publish(k events.Kind, say func(e *events.Event)) {
	if !b.watch.Wants(k) {
		return
	}
	e := events.Event{Kind: k, At: time.Now(), Path: b.path, Pattern: b.path}
	say(&e)
	b.watch.Send(&e)
}

// tell publishes an event about a job.
func (b *book) tell(k events.Kind, e *entry, say func(e *events.Event)) {
	if !b.watch.Wants(k) {
		return
	}
	b.publish(k, func(x *events.Event) {
		x.Job = b.describe(e)
		say(x)
	})
}

// describe says of a job what the book knows, or the claim that has read it.
func (b *book) describe(e *entry) *events.Job {
	if c := e.claim; c != nil && c.known.Load() {
		return c.about.Load()
	}
	if j := b.introduced(e); j != nil {
		return j
	}
	j := &events.Job{
		ID: uint64(e.id), Type: e.kind.name, Domain: e.kind.domain.name, Priority: uint8(e.priority), Attempt: int(e.attempts),
	}
	if e.group != nil {
		j.Group = e.group.name
	}
	return j
}

// tellSubmitted tells of a new job.
func (b *book) tellSubmitted(e *entry, r *Record, now time.Time) {
	if !b.watch.Wants(events.JobSubmitted) {
		return
	}
	b.publish(events.JobSubmitted, func(x *events.Event) {
		x.Job = aboutRecord(r, e.kind.domain.name, e.priority, 0)
		x.Job.Type = e.kind.name
		if !r.RunAt.IsZero() {
			x.Delay = max(r.RunAt.Sub(now), 0)
		}
	})
}

func aboutRecord(r *Record, domain string, p Priority, attempt int) *events.Job {
	return &events.Job{
		ID: uint64(r.ID), Type: r.Type, Domain: domain, Key: r.Key, Label: r.Label, Group: r.Group, Priority: uint8(p), Attempt: attempt, Tags: r.Tags,
	}
}

// tellUnknown tells, once, that jobs wait for a handler.
func (b *book) tellUnknown(k *kind) {
	if k.told || b.phase != inService {
		return
	}
	k.told = true
	b.publish(events.JobTypeUnknown, func(x *events.Event) {
		x.Job, x.Count = &events.Job{Type: k.name, Domain: k.domain.name}, uint64(k.count[Ready])
	})
}

// tellBatch tells of the new jobs of a batch, if there are any.
func (b *book) tellBatch(plans []insertion, now time.Time) {
	if !b.watch.Wants(events.BatchSubmitted) {
		return
	}
	n := 0
	var k *kind // that of all of them, or nil
	for i := range plans {
		e := plans[i].job
		if e == nil {
			continue
		}
		if n++; n == 1 {
			k = e.kind
		} else if e.kind != k {
			k = nil
		}
	}
	if n == 0 {
		return
	}
	b.publish(events.BatchSubmitted, func(x *events.Event) {
		x.At, x.Count = now, uint64(n)
		if k != nil {
			x.Job = &events.Job{Type: k.name, Domain: k.domain.name}
		}
	})
}

// tellEnd tells of the end of a job.
func (b *book) tellEnd(k events.Kind, e *entry, v *verdict, now time.Time) {
	b.tell(k, e, func(x *events.Event) {
		x.At, x.Elapsed, x.Exit = now, v.elapsed, v.exit
		if k == events.JobFailed || k == events.JobDeadLettered || k == events.JobCancelled {
			x.Err = v.error()
		}
		if k == events.JobDeadLettered {
			x.Count = uint64(e.failures)
		}
	})
}

// tellAgain tells of an attempt that is followed by another.
func (b *book) tellAgain(o *settleOp, now time.Time) {
	switch o.move {
	case again:
		b.tell(events.JobRetryScheduled, o.job, func(x *events.Event) {
			x.At, x.Delay, x.Exit, x.Elapsed, x.Err, x.Count = now, o.wait, o.v.exit, o.v.elapsed, o.v.error(), uint64(o.job.failures)
		})
	case putOff:
		b.tell(events.JobSnoozed, o.job, func(x *events.Event) { x.At, x.Delay, x.Err = now, o.wait, o.v.error() })
	case setAside:
		b.tell(events.JobParked, o.job, func(x *events.Event) { x.At, x.Err = now, o.v.error() })
	case putBack:
		b.tell(events.JobReleased, o.job, func(x *events.Event) { x.At, x.Reason = now, o.v.reason })
	}
}

// error returns what went wrong, as it is told.
func (v *verdict) error() error {
	switch {
	case v.err != nil:
		return v.err
	case v.text != "":
		return errors.New(v.text)
	}
	return nil
}
