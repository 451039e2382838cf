package controller

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
)

// Snapshot is a controller at one moment. The JSON names are stable.
type Snapshot struct {
	// Path is where the controller is in its tree.
	Path  string `json:"path"`
	Slots []Slot `json:"slots"` // those in which something runs, by key
	// Owners and Queued count those that have a place, also while they are stopping,
	// and those that wait, in all slots.
	Owners int `json:"owners"`
	Queued int `json:"queued"`
	// Parked is how many of those that wait do so above the Capacity, so that their
	// callers wait too.
	Parked int `json:"parked,omitempty"`
}

// Slot is what runs and waits for a key.
type Slot struct {
	Key   string `json:"key"`
	Width int    `json:"width"`
	// Owners are those that run, the oldest first. Their states say what holds up the
	// others: one that is stopping, or stuck, keeps its place.
	Owners []supervisor.Node `json:"owners"`
	Queue  []Waiting         `json:"queue,omitempty"` // the next first
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
// milliseconds. It is empty while the controller does not run.
func (c *Controller) Snapshot() Snapshot {
	d := c.desk()
	if d == nil {
		return Snapshot{Slots: []Slot{}}
	}
	snap := d.snapshot()
	for i := range snap.Slots {
		snap.Slots[i].spellOut()
	}
	slices.SortFunc(snap.Slots, func(a, b Slot) int { return cmp.Compare(a.Key, b.Key) })
	return snap
}

// Slot returns what runs and waits for one key; ok is false when nothing does.
func (c *Controller) Slot(key string) (slot Slot, ok bool) {
	d := c.desk()
	if d == nil {
		return Slot{}, false
	}
	slot, ok = d.list(key)
	slot.spellOut()
	return slot, ok
}

// spellOut makes the texts of errors, which are the users' own and may call anything.
func (s *Slot) spellOut() {
	for i := range s.Owners {
		if err := s.Owners[i].Err; err != nil {
			s.Owners[i].Error = fmt.Sprint(err)
		}
	}
}

func (d *desk) list(key string) (slot Slot, ok bool) {
	d.door.Lock()
	defer d.door.Unlock()
	if s := d.slots[key]; s != nil {
		return s.list(), true
	}
	return Slot{}, false
}

func (d *desk) snapshot() Snapshot {
	d.door.Lock()
	defer d.door.Unlock()
	snap := Snapshot{
		Path: d.door.Path(), Slots: make([]Slot, 0, len(d.slots)),
		Owners: d.entries.Len() - d.queued, Queued: d.queued, Parked: d.room.parked.Len(),
	}
	for _, s := range d.slots {
		snap.Slots = append(snap.Slots, s.list())
	}
	return snap
}

func (s *slot) list() Slot {
	list := Slot{Key: s.key, Width: s.width, Owners: make([]supervisor.Node, 0, s.owners.n)}
	for e := s.owners.first; e != nil; e = e.next {
		list.Owners = append(list.Owners, e.task.Node())
	}
	for e := s.queue.first; e != nil; e = e.next {
		t := e.ticket
		w := Waiting{ID: t.ID(), Path: t.Handle().Path(), Admission: t.admission, Since: t.since, Parked: e.room == parked}
		if e.timed {
			w.Expires = t.since.Add(t.ttl)
		}
		list.Queue = append(list.Queue, w)
	}
	return list
}
