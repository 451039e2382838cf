package boltstore

import "github.com/taskvisor/taskvisor/persist"

// untouched are jobs that are as they were submitted, as far as that is known: an end need not be
// looked for in the file then. A job that is not here may be so all the same. A bit each, and only
// who commits asks.
type untouched struct {
	pages map[persist.ID]*marks // by their first ID
	undo  []persist.ID          // those that were changed by the commit that is under way
}

// pageOf is how many jobs are on a page.
const pageOf = 4096

// marks are the jobs of a page.
type marks struct {
	bits [pageOf / 64]uint64
	n    int
}

func (u *untouched) has(id persist.ID) bool {
	p := u.pages[id/pageOf]
	return p != nil && p.bits[id%pageOf/64]&(1<<(id%64)) != 0
}

// found takes note of a job that the file has, apart from any commit.
func (u *untouched) found(id persist.ID) {
	if !u.has(id) {
		u.flip(id)
	}
}

func (u *untouched) add(id persist.ID) {
	if !u.has(id) {
		u.flip(id)
		u.undo = append(u.undo, id)
	}
}

func (u *untouched) remove(id persist.ID) {
	if u.has(id) {
		u.flip(id)
		u.undo = append(u.undo, id)
	}
}

func (u *untouched) flip(id persist.ID) {
	p := u.pages[id/pageOf]
	if p == nil {
		p = &marks{}
		if u.pages == nil {
			u.pages = map[persist.ID]*marks{}
		}
		u.pages[id/pageOf] = p
	}
	bit := uint64(1) << (id % 64)
	if p.bits[id%pageOf/64] ^= bit; p.bits[id%pageOf/64]&bit != 0 {
		p.n++
	} else if p.n--; p.n == 0 {
		delete(u.pages, id/pageOf)
	}
}

// keep is called when the commit has come to pass.
func (u *untouched) keep() { u.undo = u.undo[:0] }

// takeBack is called when it has not.
func (u *untouched) takeBack() {
	for _, id := range u.undo {
		u.flip(id)
	}
	u.undo = u.undo[:0]
}
