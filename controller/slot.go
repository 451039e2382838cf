package controller

// slot is a key's lane: those that run, and those that wait. It is guarded by the
// desk's door.
type slot struct {
	key    string
	width  int
	owners line // the oldest first
	queue  line // the next first
	vacant bool // somebody has left, and those that wait have not been looked at since
}

// oldest is the owner that has been there for longest and was not told to end, or nil.
func (s *slot) oldest() *Ticket {
	for t := s.owners.first; t != nil; t = t.next {
		if !t.task.Ending() {
			return t
		}
	}
	return nil
}

func (s *slot) isEmpty() bool { return s.owners.n == 0 && s.queue.n == 0 }
