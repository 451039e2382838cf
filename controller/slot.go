package controller

import (
	"container/list"
	"slices"
)

// slot is a key's lane: those that run, and those that wait. It is guarded by the
// desk's door.
type slot struct {
	key    string
	width  int
	owners []*Ticket // the oldest first
	queue  list.List // of *Ticket, the next first
}

// head is the next to have a place, or nil.
func (s *slot) head() *Ticket {
	if e := s.queue.Front(); e != nil {
		return e.Value.(*Ticket)
	}
	return nil
}

// oldest is the owner that has been there for longest and was not told to end, or nil.
func (s *slot) oldest() *Ticket {
	for _, t := range s.owners {
		if !t.leaving {
			return t
		}
	}
	return nil
}

func (s *slot) disown(t *Ticket) {
	if i := slices.Index(s.owners, t); i >= 0 {
		s.owners = slices.Delete(s.owners, i, i+1)
	}
}

func (s *slot) isEmpty() bool { return len(s.owners) == 0 && s.queue.Len() == 0 }
