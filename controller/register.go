package controller

import "github.com/taskvisor/taskvisor/events"

// register finds tickets by their numbers. Those that were made one after the other stand
// on one page: of very many, whoever is looked for next is at hand then.
type register struct {
	pages map[events.ID]*page
	n     int
	spare *page // an empty one
}

// pageSize is how many numbers are on a page: few enough that a ticket may have one for
// itself, where most numbers are those of other tasks.
const pageSize = 16

type page struct {
	tickets [pageSize]*Ticket
	n       int
}

func (r *register) find(id events.ID) *Ticket {
	if p := r.pages[id/pageSize]; p != nil {
		return p.tickets[id%pageSize]
	}
	return nil
}

func (r *register) add(id events.ID, t *Ticket) {
	p := r.pages[id/pageSize]
	if p == nil {
		if p, r.spare = r.spare, nil; p == nil {
			p = &page{}
		}
		r.pages[id/pageSize] = p
	}
	p.tickets[id%pageSize] = t
	p.n++
	r.n++
}

// remove forgets a ticket that is there.
func (r *register) remove(id events.ID) {
	p := r.pages[id/pageSize]
	p.tickets[id%pageSize] = nil
	r.n--
	if p.n--; p.n == 0 {
		delete(r.pages, id/pageSize)
		r.spare = p
	}
}
