package persist

// heap is a binary heap of jobs by a number. Who leaves it otherwise than by pop is left in
// place and not counted any more: a heap of jobs that know their places would cost a cache
// miss for each that moves.
type heap struct {
	slots []slot
	stale int // how many slots count no more
}

type slot struct {
	key int64
	job *entry
}

func (h *heap) push(key int64, e *entry) {
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

// pop takes the first slot out. There has to be one.
func (h *heap) pop() slot {
	first := h.slots[0]
	last := len(h.slots) - 1
	moved := h.slots[last]
	h.slots[last] = slot{}
	h.slots = h.slots[:last]
	if last > 0 {
		h.sink(0, moved)
	}
	return first
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
	for len(h.slots) > 0 {
		if s := h.slots[0]; counts(s) {
			return s, true
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
	if h.stale < 1024 || h.stale < len(h.slots)/2 {
		return
	}
	kept := h.slots[:0]
	for _, s := range h.slots {
		if counts(s) {
			kept = append(kept, s)
		}
	}
	clear(h.slots[len(kept):])
	h.slots, h.stale = kept, 0
	if cap(kept) > 4*len(kept) {
		h.slots = append(make([]slot, 0, 2*len(kept)), kept...)
	}
	for i := len(h.slots)/2 - 1; i >= 0; i-- {
		h.sink(i, h.slots[i])
	}
}
