package controller

// slot is a key's lane: those that run, and those that wait. It is guarded by the
// desk's door.
type slot struct {
	key    string
	width  int
	owners line // the oldest first
	queue  line // the next first
	vacant bool // somebody has left, and those that wait have not been looked at since
	// fresh is an owner before which all have been told to end, or nil if all have: who
	// was told once stays so.
	fresh *entry
}

func (s *slot) own(e *entry) {
	s.owners.append(e)
	if s.fresh == nil {
		s.fresh = e
	}
}

func (s *slot) disown(e *entry) {
	if s.fresh == e {
		s.fresh = e.next
	}
	s.owners.remove(e)
}

// oldest is the owner that has been there for longest and was not told to end, or nil.
func (s *slot) oldest() *entry {
	for s.fresh != nil && s.fresh.task.Ending() {
		s.fresh = s.fresh.next
	}
	return s.fresh
}

func (s *slot) isEmpty() bool { return s.owners.n == 0 && s.queue.n == 0 }
