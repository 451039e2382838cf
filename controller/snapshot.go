package controller

import (
	"cmp"
	"slices"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// Snapshot is a controller at one moment. The JSON names are stable.
type Snapshot struct {
	// Path is where the controller is in its tree.
	Path  string `json:"path"`
	Slots []Slot `json:"slots"` // those in which something runs, by key
	// Owners and Queued count those that run and those that wait, in all slots.
	Owners int `json:"owners"`
	Queued int `json:"queued"`
	// Parked is how many of those that wait do so above the Capacity, so that their
	// callers wait too.
	Parked int `json:"parked,omitempty"`
}

// Slot is what runs and waits for a key.
type Slot struct {
	Key    string    `json:"key"`
	Width  int       `json:"width"`
	Owners []Owner   `json:"owners"`          // the oldest first
	Queue  []Waiting `json:"queue,omitempty"` // the next first
}

// Owner is a task that has a place.
type Owner struct {
	ID   events.ID `json:"id"`
	Path string    `json:"path"`
	// State says what it is doing: stopping or stuck when another waits for its place
	// in vain.
	State   supervisor.State `json:"state"`
	Since   time.Time        `json:"since"` // when it came into its state
	Attempt int              `json:"attempt,omitempty"`
}

// Waiting is a submission that waits for its turn.
type Waiting struct {
	ID        events.ID `json:"id"`
	Path      string    `json:"path"`
	Admission Admission `json:"admission"`
	Since     time.Time `json:"since"`
	// Expires is when it will be rejected; zero is never.
	Expires time.Time `json:"expires,omitzero"`
	// Parked says that its caller waits for room.
	Parked bool `json:"parked,omitempty"`
}

// Snapshot returns what runs and what waits, all as it was at one moment. It copies
// everything while nobody can submit, which with 100,000 submissions takes some ten
// milliseconds. It is zero while the controller does not run.
func (c *Controller) Snapshot() Snapshot {
	d := c.desk()
	if d == nil {
		return Snapshot{}
	}
	snap := d.snapshot()
	slices.SortFunc(snap.Slots, func(a, b Slot) int { return cmp.Compare(a.Key, b.Key) })
	return snap
}

// Slot returns what runs and waits for one key; ok is false when nothing does.
func (c *Controller) Slot(key string) (slot Slot, ok bool) {
	d := c.desk()
	if d == nil {
		return Slot{}, false
	}
	d.door.Lock()
	defer d.door.Unlock()
	s := d.slots[key]
	if s == nil {
		return Slot{}, false
	}
	return s.list(), true
}

func (d *desk) snapshot() Snapshot {
	d.door.Lock()
	defer d.door.Unlock()
	snap := Snapshot{
		Path: d.door.Path(), Slots: make([]Slot, 0, len(d.slots)),
		Owners: len(d.tickets) - d.queued, Queued: d.queued, Parked: d.room.parked.Len(),
	}
	for _, s := range d.slots {
		snap.Slots = append(snap.Slots, s.list())
	}
	return snap
}

func (s *slot) list() Slot {
	list := Slot{Key: s.key, Width: s.width, Owners: make([]Owner, 0, len(s.owners))}
	for _, t := range s.owners {
		o := Owner{ID: t.ID(), Path: t.Handle().Path()}
		o.State, o.Since, o.Attempt = t.task.State()
		list.Owners = append(list.Owners, o)
	}
	for e := s.queue.Front(); e != nil; e = e.Next() {
		t := e.Value.(*Ticket)
		w := Waiting{ID: t.ID(), Path: t.Handle().Path(), Admission: t.admission, Since: t.since, Parked: t.parked != nil}
		if t.ttl != policy.Forever {
			w.Expires = t.since.Add(t.ttl)
		}
		list.Queue = append(list.Queue, w)
	}
	return list
}
