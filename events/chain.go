package events

const (
	// chunkSize is how many events fit into 8 KiB, which the allocator has in stock.
	chunkSize = 46
	// maxSpare bounds the memory that a queue keeps after a burst: room for some
	// 1,500 events.
	maxSpare = 32
)

// chain is a FIFO of events in chunks. Unlike a slice it grows without copying
// what it holds, and gives back its memory piece by piece.
type chain struct{ first, last *chunk }

type chunk struct {
	next   *chunk
	used   int
	events [chunkSize]Event
}

// chunks are empty chunks for the next use.
type chunks struct {
	first *chunk
	count int
}

// add appends a copy of e.
func (c *chain) add(e *Event, spare *chunks) {
	if c.last == nil || c.last.used == chunkSize {
		c.extend(spare.pop())
	}
	c.last.events[c.last.used] = *e
	c.last.used++
}

func (c *chain) extend(k *chunk) {
	if c.last == nil {
		c.first = k
	} else {
		c.last.next = k
	}
	c.last = k
}

// pop returns an empty chunk.
func (s *chunks) pop() *chunk {
	k := s.first
	if k == nil {
		return new(chunk)
	}
	s.first, k.next = k.next, nil
	s.count--
	return k
}

// push takes a chunk that was emptied, or leaves it to the garbage collector.
func (s *chunks) push(k *chunk) {
	if s.count < maxSpare {
		k.next, s.first = s.first, k
		s.count++
	}
}

// pour moves the chunks of other.
func (s *chunks) pour(other *chunks) {
	for other.first != nil {
		s.push(other.pop())
	}
}

// empty forgets the events, so that nothing they point to is kept alive, and
// returns the chunk behind.
func (k *chunk) empty() (next *chunk) {
	next = k.next
	clear(k.events[:k.used])
	k.used, k.next = 0, nil
	return next
}
