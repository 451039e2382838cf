// Package register finds things by their numbers, which were given one after the other.
package register

import "iter"

// Of is a register of values with numbers. Those whose numbers follow each other stand on one
// page: of very many, whoever is looked for next is at hand then, and none needs more than a
// place. The zero Of is empty. It needs a lock.
type Of[ID ~uint64, T any] struct {
	pages map[ID]*page[T]
	n     int
	spare *page[T] // an empty one
}

// pageSize is how many numbers are on a page: few enough that a value may have one for itself,
// where most numbers are those of others.
const pageSize = 16

type page[T any] struct {
	places [pageSize]*T
	n      int
}

// Len returns how many there are.
func (r *Of[ID, T]) Len() int { return r.n }

// Find returns the value of a number, or nil.
func (r *Of[ID, T]) Find(id ID) *T {
	if p := r.pages[id/pageSize]; p != nil {
		return p.places[id%pageSize]
	}
	return nil
}

// Add takes in a value under a number that nobody has.
func (r *Of[ID, T]) Add(id ID, value *T) {
	p := r.pages[id/pageSize]
	if p == nil {
		if p, r.spare = r.spare, nil; p == nil {
			p = &page[T]{}
		}
		if r.pages == nil {
			r.pages = map[ID]*page[T]{}
		}
		r.pages[id/pageSize] = p
	}
	p.places[id%pageSize] = value
	p.n++
	r.n++
}

// Remove forgets a number, if it is there.
func (r *Of[ID, T]) Remove(id ID) {
	p := r.pages[id/pageSize]
	if p == nil || p.places[id%pageSize] == nil {
		return
	}
	p.places[id%pageSize] = nil
	r.n--
	if p.n--; p.n == 0 {
		delete(r.pages, id/pageSize)
		r.spare = p
	}
}

// All returns all values, in no order. It must not be changed meanwhile.
func (r *Of[ID, T]) All() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for _, p := range r.pages {
			for _, value := range p.places {
				if value != nil && !yield(value) {
					return
				}
			}
		}
	}
}
