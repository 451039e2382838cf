package persist

import (
	"context"
	"slices"

	"github.com/taskvisor/taskvisor/events"
)

// Events say of a job what its record says, its key, label and tags too. The book has none of
// that, for there may be millions. So before a commit that events about jobs follow from which do
// not run, the writer reads their records, unless nobody listens.

// aboutOthers are the events that may be about jobs that do not run.
var aboutOthers = [...]events.Kind{
	events.JobCancelled, events.JobExpired, events.JobSuperseded, events.JobUpgraded, events.JobRevived,
}

// notice finds out of which jobs that is true. It is called with the book locked.
func (w *writer) notice(c *commit) {
	b := w.q.book
	if !slices.ContainsFunc(aboutOthers[:], b.watch.Wants) {
		return
	}
	for i := range c.steps {
		s := &c.steps[i]
		if s.Verb != Amend && s.Verb != Resolve {
			continue
		}
		e := b.find(s.ID)
		switch {
		case e == nil, e.claim != nil && e.claim.known.Load():
		case e.kept != nil: // and may not be any more when the event is told
			c.introduce(&e.kept.Record)
		case c.first != 0 && s.ID >= c.first: // it has come with this commit
			at := slices.IndexFunc(c.steps, func(o Step) bool { return o.Verb == Insert && o.ID == s.ID })
			c.introduce(c.steps[at].Record)
		default:
			c.strangers = append(c.strangers, s.ID)
		}
	}
}

// acquaint reads the records of the others.
func (w *writer) acquaint(ctx context.Context, c *commit) {
	for _, id := range c.strangers {
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
	if e.kept != nil {
		return e.stand(aboutRecord(&e.kept.Record, "", 0, 0))
	}
	return nil
}

// stand puts into what is told of a job what the book knows better than its record.
func (e *entry) stand(j *events.Job) *events.Job {
	j.Type, j.Domain, j.Priority, j.Attempt = e.kind.name, e.kind.domain.name, uint8(e.priority), int(e.attempts)
	return j
}
