package persist

import "iter"

// slotRow is slots in the order in which they have come. It grows by pages, so that what is in it does not move.
type slotRow struct {
	head  []slot // the first page, which begins at from
	from  int
	more  [][]slot // the pages behind it, of which all but the last are full
	spare []slot   // an empty page, or nil
	n     int
}

// rowPage is how many slots there are on a page. The first of a row grows up to that: there may be many rows
// of a few.
const rowPage = 128

func (r *slotRow) push(s slot) {
	r.n++
	last := len(r.more) - 1
	switch {
	case last < 0 && len(r.head) < rowPage:
		r.head = append(r.head, s)
	case last < 0 || len(r.more[last]) == rowPage:
		r.more = append(r.more, append(r.page(), s))
	default:
		r.more[last] = append(r.more[last], s)
	}
}

// page returns an empty page.
func (r *slotRow) page() (p []slot) {
	if p, r.spare = r.spare, nil; p == nil {
		p = make([]slot, 0, rowPage)
	}
	return p
}

// first returns the first slot. There has to be one.
func (r *slotRow) first() *slot { return &r.head[r.from] }

// last returns the last slot. There has to be one.
func (r *slotRow) last() *slot {
	page := r.head
	if n := len(r.more); n > 0 {
		page = r.more[n-1]
	}
	return &page[len(page)-1]
}

// pop forgets the first slot. There has to be one.
func (r *slotRow) pop() {
	*r.first() = slot{}
	r.from++
	r.n--
	if r.from < len(r.head) {
		return
	}
	r.from = 0
	if len(r.more) == 0 {
		r.head = r.head[:0]
		return
	}
	r.spare = r.head[:0]
	r.head, r.more[0] = r.more[0], nil
	r.more = r.more[1:]
}

// all returns the slots.
func (r *slotRow) all() iter.Seq[slot] {
	return func(yield func(slot) bool) {
		for _, s := range r.head[r.from:] {
			if !yield(s) {
				return
			}
		}
		for _, page := range r.more {
			for _, s := range page {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// only returns a row of those that count.
func (r *slotRow) only(counts func(slot) bool) (kept slotRow) {
	for s := range r.all() {
		if counts(s) {
			kept.push(s)
		}
	}
	return kept
}
