// Package register finds things by their numbers, which were given one after the other.
package register

import (
	"iter"
	"math/bits"
)

// Of is a register of values with numbers. Those whose numbers follow each other stand on one
// page, side by side: of very many, whoever is looked for next is at hand then, and what is
// looked at is little memory. The zero Of is empty. It needs a lock.
type Of[ID ~uint64, T any] struct {
	pages map[ID]*page[T]
	n     int
	spare *page[T] // an empty one

	// The page on which the last one was put, for so is the next in most cases.
	open   *page[T]
	opened ID
}

// pageSize is how many numbers are on a page: few enough that a value may have one for itself,
// where most numbers are those of others.
const pageSize = 16

type page[T any] struct {
	places [pageSize]T
	taken  uint16 // a bit for each place
}

// Len returns how many there are.
func (r *Of[ID, T]) Len() int { return r.n }

// Find returns the value of a number, which stays where it is until it is removed, or nil.
func (r *Of[ID, T]) Find(id ID) *T {
	if p := r.pages[id/pageSize]; p != nil && p.taken&bit(id) != 0 {
		return &p.places[id%pageSize]
	}
	return nil
}

// Add takes in a value under a number that nobody has, and returns where it stands.
func (r *Of[ID, T]) Add(id ID, value T) *T {
	p := r.open
	if p == nil || r.opened != id/pageSize {
		p = r.turn(id / pageSize)
		r.open, r.opened = p, id/pageSize
	}
	at := &p.places[id%pageSize]
	*at = value
	p.taken |= bit(id)
	r.n++
	return at
}

// turn returns a page, which is made if there is none.
func (r *Of[ID, T]) turn(number ID) *page[T] {
	p := r.pages[number]
	if p != nil {
		return p
	}
	if p, r.spare = r.spare, nil; p == nil {
		p = &page[T]{}
	}
	if r.pages == nil {
		r.pages = map[ID]*page[T]{}
	}
	r.pages[number] = p
	return p
}

// Remove forgets a number, if it is there.
func (r *Of[ID, T]) Remove(id ID) {
	p := r.pages[id/pageSize]
	if p == nil || p.taken&bit(id) == 0 {
		return
	}
	p.places[id%pageSize] = *new(T)
	r.n--
	if p.taken &^= bit(id); p.taken == 0 {
		delete(r.pages, id/pageSize)
		r.spare = p
		if r.open == p {
			r.open = nil
		}
	}
}

// All returns all values, in no order. It must not be changed meanwhile.
func (r *Of[ID, T]) All() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for _, p := range r.pages {
			for left := p.taken; left != 0; left &= left - 1 {
				if !yield(&p.places[bits.TrailingZeros16(left)]) {
					return
				}
			}
		}
	}
}

// bit is that of the place where a number stands.
func bit[ID ~uint64](id ID) uint16 { return 1 << (id % pageSize) }
