package persist

import (
	"cmp"
	"slices"
	"time"
)

// Active is a job that runs now.
type Active struct {
	ID       ID        `json:"id"`
	Type     string    `json:"type"`
	Key      string    `json:"key,omitempty"`
	Label    string    `json:"label,omitempty"`
	Group    string    `json:"group,omitempty"`
	Priority Priority  `json:"priority"`
	Attempt  int       `json:"attempt"`
	Since    time.Time `json:"since"`
	// Progress is what Progress was called with last, from 0 to 1, and Message too.
	Progress float64 `json:"progress"`
	Message  string  `json:"message,omitempty"`
	// Path is the address of the task that makes the attempt, in the tree.
	Path string `json:"path"`
	// Abandoned says that the attempt did not end when it was told to, and is not waited for.
	Abandoned bool `json:"abandoned,omitempty"`
}

// activate takes note of a claim that runs.
func (b *book) activate(c *claim) {
	c.at = len(b.active)
	b.active = append(b.active, c)
}

// deactivate undoes that, if it is so.
func (b *book) deactivate(c *claim) {
	if c.at < 0 || c.era != b.run {
		return
	}
	last := len(b.active) - 1
	b.active[c.at] = b.active[last]
	b.active[c.at].at = c.at
	b.active[last] = nil
	b.active = b.active[:last]
	c.at = -1
}

// Active returns the jobs that run now, in the order of their IDs.
func (q *Queue) Active() []Active {
	b := q.known()
	b.mu.Lock()
	var claims []*claim
	list := []Active{}
	for _, c := range b.active {
		at := b.describe(c.job)
		claims = append(claims, c)
		list = append(list, Active{
			ID: c.job.id, Type: c.job.kind.name, Key: at.Key, Label: at.Label, Group: at.Group, Priority: c.job.priority,
			Attempt: c.attempt, Since: b.clock.wall(c.since()), Abandoned: c.end.Load() == abandoned,
		})
	}
	b.mu.Unlock()
	for i, c := range claims {
		list[i].Path = c.path()
		if p := c.progress.Load(); p != nil {
			list[i].Progress, list[i].Message = p.Progress, p.Message
		}
	}
	slices.SortFunc(list, func(a, o Active) int { return cmp.Compare(a.ID, o.ID) })
	return list
}
