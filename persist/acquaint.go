package persist

import (
	"context"

	"github.com/taskvisor/taskvisor/events"
)

// Events say of a job what its record says, its key, label and tags too. The book has none of
// that, for there may be millions. So before a commit that events about jobs follow from which do
// not run, the writer reads their records, unless nobody listens.

// notice finds out of which jobs that is true. It is called with the book locked.
func (w *writer) notice(c *commit) {
	b := w.q.book
	wanted := b.watch.Wants(events.JobCancelled) || b.watch.Wants(events.JobExpired) || b.watch.Wants(events.JobSuperseded) ||
		b.watch.Wants(events.JobUpgraded) || b.watch.Wants(events.JobRevived)
	if !wanted {
		return
	}
	for i := range c.steps {
		s := &c.steps[i]
		if s.Verb != Amend && s.Verb != Resolve {
			continue
		}
		e := b.jobs[s.ID]
		switch {
		case e == nil || e.claim != nil || c.about[s.ID] != nil:
		case b.fresh[s.ID] != nil:
			c.introduce(b.fresh[s.ID])
		default:
			c.strangers = append(c.strangers, s.ID)
		}
	}
	for i := range c.steps { // some of them may have come with this commit
		if r := c.steps[i].Record; r != nil && len(c.strangers) > 0 {
			c.introduce(r)
		}
	}
}

// acquaint reads the records of the others.
func (w *writer) acquaint(ctx context.Context, c *commit) {
	for _, id := range c.strangers {
		if c.about[id] != nil {
			continue
		}
		_ = unharmed(func() error {
			j, err := w.store.Job(ctx, id)
			if err == nil {
				c.introduce(&j.Record)
			}
			return err // then the event says what the book knows
		})
	}
}

func (c *commit) introduce(r *Record) {
	if c.about == nil {
		c.about = map[ID]*events.Job{}
	}
	c.about[r.ID] = aboutRecord(r, "", 0, 0)
}

// introduced returns what is known of a job by acquaint, as it stands now, or nil.
func (b *book) introduced(e *entry) *events.Job {
	if known := b.about[e.id]; known != nil {
		j := *known
		return e.stand(&j)
	}
	if r := b.fresh[e.id]; r != nil {
		return e.stand(aboutRecord(r, "", 0, 0))
	}
	return nil
}

// stand puts into what is told of a job what the book knows better than its record.
func (e *entry) stand(j *events.Job) *events.Job {
	j.Type, j.Domain, j.Priority, j.Attempt = e.kind.name, e.kind.domain.name, uint8(e.priority), int(e.attempts)
	return j
}
