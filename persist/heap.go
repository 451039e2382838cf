package persist

// heap holds jobs by a number, the lowest first: those that have come in the order of their
// numbers, as most do, in a row, and the others in a binary heap. Who leaves it otherwise than by
// being first is left in place and not counted any more: a heap of jobs that know their places
// would cost a cache miss for each that moves.
type heap struct {
	row   slotRow
	slots []slot
	stale int // how many count no more
}

type slot struct {
	key int64
	job *entry
}

// size is how many there are, those included that count no more.
func (h *heap) size() int { return h.row.n + len(h.slots) }

func (h *heap) push(key int64, e *entry) {
	if h.row.n == 0 || h.row.last().key <= key {
		h.row.push(slot{key, e})
		return
	}
	h.slots = append(h.slots, slot{key, e})
	i := len(h.slots) - 1
	for i > 0 {
		up := (i - 1) / 2
		if h.slots[up].key <= h.slots[i].key {
			break
		}
		h.slots[up], h.slots[i] = h.slots[i], h.slots[up]
		i = up
	}
}

// head returns the first slot, and whether it is that of the row. There has to be one.
func (h *heap) head() (first *slot, inRow bool) {
	if h.row.n == 0 || len(h.slots) > 0 && h.slots[0].key < h.row.first().key {
		return &h.slots[0], false
	}
	return h.row.first(), true
}

// pop forgets the first slot. There has to be one.
func (h *heap) pop() {
	if _, inRow := h.head(); inRow {
		h.row.pop()
		return
	}
	last := len(h.slots) - 1
	moved := h.slots[last]
	h.slots[last] = slot{}
	h.slots = h.slots[:last]
	if last > 0 {
		h.sink(0, moved)
	}
}

// sink puts s where it belongs, from i on downwards.
func (h *heap) sink(i int, s slot) {
	n := len(h.slots)
	for {
		child := 2*i + 1
		if child >= n {
			break
		}
		if child+1 < n && h.slots[child+1].key < h.slots[child].key {
			child++
		}
		if s.key <= h.slots[child].key {
			break
		}
		h.slots[i] = h.slots[child]
		i = child
	}
	h.slots[i] = s
}

// below calls each for the slots whose keys are below limit, in no order, until it returns false.
func (h *heap) below(limit int64, each func(slot) bool) {
	for s := range h.row.all() {
		if s.key >= limit {
			break
		}
		if !each(s) {
			return
		}
	}
	next := []int{0}
	for len(next) > 0 {
		i := next[len(next)-1]
		next = next[:len(next)-1]
		if i >= len(h.slots) || h.slots[i].key >= limit {
			continue
		}
		if !each(h.slots[i]) {
			return
		}
		next = append(next, 2*i+1, 2*i+2)
	}
}

// first returns the first slot that counts, and forgets those before it.
func (h *heap) first(counts func(slot) bool) (slot, bool) {
	for h.size() > 0 {
		if s, _ := h.head(); counts(*s) {
			return *s, true
		}
		h.pop()
		h.stale = max(h.stale-1, 0)
	}
	h.stale = 0
	return slot{}, false
}

// drop says that one slot does not count any more, and makes room when that is worth it.
func (h *heap) drop(counts func(slot) bool) {
	h.stale++
	if h.stale < 1024 || h.stale < h.size()/2 {
		return
	}
	h.row = h.row.only(counts)
	h.slots = keepCounting(h.slots, counts)
	h.stale = 0
	for i := len(h.slots)/2 - 1; i >= 0; i-- {
		h.sink(i, h.slots[i])
	}
}

// keepCounting returns the slots that count, in their order.
func keepCounting(slots []slot, counts func(slot) bool) []slot {
	kept := slots[:0]
	for _, s := range slots {
		if counts(s) {
			kept = append(kept, s)
		}
	}
	clear(slots[len(kept):])
	if cap(kept) > 4*len(kept) {
		kept = append(make([]slot, 0, 2*len(kept)), kept...)
	}
	return kept
}
