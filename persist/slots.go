package persist

import "iter"

// slotRow is slots in the order in which they have come. It grows by pages, so that what is in it does not move.
type slotRow struct {
	pages [][]slot // all but the last are full
	from  int      // where it begins on the first
	n     int
}

// rowPage is how many slots there are on a page. The first of a row grows up to that: there may be many rows
// of a few.
const rowPage = 128

func (r *slotRow) push(s slot) {
	last := len(r.pages) - 1
	switch {
	case last < 0:
		r.pages, last = append(r.pages, nil), 0
	case len(r.pages[last]) == rowPage:
		r.pages, last = append(r.pages, make([]slot, 0, rowPage)), last+1
	}
	r.pages[last] = append(r.pages[last], s)
	r.n++
}

// first returns the first slot. There has to be one.
func (r *slotRow) first() *slot { return &r.pages[0][r.from] }

// last returns the last slot. There has to be one.
func (r *slotRow) last() *slot {
	page := r.pages[len(r.pages)-1]
	return &page[len(page)-1]
}

// pop forgets the first slot. There has to be one.
func (r *slotRow) pop() {
	*r.first() = slot{}
	r.from++
	r.n--
	switch {
	case r.n == 0: // there is only one page
		r.pages[0], r.from = r.pages[0][:0], 0
	case r.from == len(r.pages[0]):
		r.pages[0] = nil
		r.pages, r.from = r.pages[1:], 0
	}
}

// all returns the slots.
func (r *slotRow) all() iter.Seq[slot] {
	return func(yield func(slot) bool) {
		from := r.from
		for _, page := range r.pages {
			for _, s := range page[from:] {
				if !yield(s) {
					return
				}
			}
			from = 0
		}
	}
}
