package boltstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
)

// bbolt trusts the file that it opens. On a page that is damaged it panics, partly on
// goroutines of its own, where nobody can recover, and beyond the end of a file that was
// cut off the process gets a signal. So pages are looked through before bbolt sees them.

// The layout of a file of bbolt, version 2. Numbers are in the order of the machine.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHeader    = 16 // id (8), flags (2), count (2), overflow (4)
	element       = 16 // of a branch or a leaf
	bucketHeader  = 16 // root (8), sequence (8)
	metaSize      = 64 // behind the header of the page; the last 8 are a checksum
	branchPage    = 0x01
	leafPage      = 0x02
	freelistPage  = 0x10
	bucketElement = 0x01

	noFreelist = ^uint64(0)
	// maxDepth is more than a tree can have, and maxPage more than a page.
	maxDepth = 64
	maxPage  = 1 << 24
)

var ne = binary.NativeEndian

// inspect says what is wrong with the pages of a file. It reads what bbolt will: the
// newest of the two descriptions of the file that is valid, and all that hangs on it.
func inspect(f io.ReaderAt, size int64) error {
	w := walker{f: f}
	m, err := w.newest(size)
	if err != nil {
		return err
	}
	w.page, w.limit = int64(m.pageSize), m.limit
	if w.limit < 3 || w.limit > uint64(size/w.page) {
		return fmt.Errorf("it has %d bytes and should have %d pages of %d", size, w.limit, w.page)
	}
	w.seen = make([]uint64, w.limit/64+1)
	w.mark(0)
	w.mark(1)
	if err := w.tree(m.root, nil, nil, 0); err != nil {
		return err
	}
	if m.freelist != noFreelist {
		return w.freelist(m.freelist)
	}
	return nil
}

// description is one of the two of a file. They take turns.
type description struct {
	pageSize                    uint32
	root, freelist, limit, txid uint64
}

// walker looks at each page once.
type walker struct {
	f     io.ReaderAt
	page  int64
	limit uint64 // pages from here on do not belong to the file
	seen  []uint64
	bufs  [maxDepth][]byte // one for each depth: keys of those above bound those below
}

func (w *walker) newest(size int64) (best description, err error) {
	found := false
	take := func(at int64) bool {
		m, ok := w.describe(at)
		if ok && (!found || m.txid > best.txid) {
			best, found = m, true
		}
		return ok
	}
	// The second is one page behind the first. Without the first, pages may have any size.
	if take(0) {
		take(int64(best.pageSize))
	} else {
		for at := int64(1024); at < size-1024 && at <= maxPage; at *= 2 {
			if take(at) && int64(best.pageSize) == at {
				break
			}
			found, best = false, description{}
		}
	}
	if !found {
		return best, errors.New("it is not a file of bbolt, or both of its descriptions are damaged")
	}
	return best, nil
}

// describedTwice says what is wrong if one of the two descriptions is not valid. The other is enough
// to use the file, but may be the older one.
func describedTwice(f io.ReaderAt) error {
	w := walker{f: f}
	m, err := w.newest(math.MaxInt64)
	for _, at := range []int64{0, int64(m.pageSize)} {
		if _, ok := w.describe(at); err == nil && !ok {
			err = fmt.Errorf("the description at %d is damaged, and what was committed last may be lost", at)
		}
	}
	return err
}

// describe reads the description at an offset, and reports whether it is valid.
func (w *walker) describe(at int64) (m description, ok bool) {
	var b [pageHeader + metaSize]byte
	if n, _ := w.f.ReadAt(b[:], at); n < len(b) {
		return m, false
	}
	d := b[pageHeader:]
	sum := fnv.New64a()
	sum.Write(d[:metaSize-8])
	m = description{
		pageSize: ne.Uint32(d[8:]),
		root:     ne.Uint64(d[16:]),
		freelist: ne.Uint64(d[32:]),
		limit:    ne.Uint64(d[40:]),
		txid:     ne.Uint64(d[48:]),
	}
	p := m.pageSize
	ok = ne.Uint32(d) == boltMagic && ne.Uint32(d[4:]) == boltVersion &&
		ne.Uint64(d[metaSize-8:]) == sum.Sum64() &&
		p >= 512 && p <= maxPage && p&(p-1) == 0
	return m, ok
}

// mark reports whether the page was not seen before.
func (w *walker) mark(id uint64) bool {
	word, bit := &w.seen[id/64], uint64(1)<<(id%64)
	first := *word&bit == 0
	*word |= bit
	return first
}

// tree looks at a page and those below. All keys are at least low, and less than high.
func (w *walker) tree(id uint64, low, high []byte, depth int) error {
	b, err := w.read(id, depth)
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	if ne.Uint16(b[8:]) == leafPage {
		err = w.leaf(b, low, high, depth)
	} else {
		err = w.branch(b, low, high, depth)
	}
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// read returns a page, with those that belong to it.
func (w *walker) read(id uint64, depth int) ([]byte, error) {
	if depth >= maxDepth {
		return nil, errors.New("the tree is too deep")
	}
	if id >= w.limit {
		return nil, errors.New("is beyond the end")
	}
	b := w.buf(depth, w.page)
	if _, err := w.f.ReadAt(b, int64(id)*w.page); err != nil {
		return nil, err
	}
	over := uint64(ne.Uint32(b[12:]))
	switch flags := ne.Uint16(b[8:]); {
	case ne.Uint64(b) != id:
		return nil, fmt.Errorf("says that it is page %d", ne.Uint64(b))
	case flags != branchPage && flags != leafPage && flags != freelistPage:
		return nil, fmt.Errorf("has flags %#x", flags)
	case over >= w.limit-id:
		return nil, errors.New("ends beyond the end")
	}
	for i := id; i <= id+over; i++ {
		if !w.mark(i) {
			return nil, errors.New("is used twice")
		}
	}
	if over > 0 {
		b = w.buf(depth, w.page*int64(over+1))
		if _, err := w.f.ReadAt(b, int64(id)*w.page); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (w *walker) buf(depth int, n int64) []byte {
	if int64(cap(w.bufs[depth])) < n {
		w.bufs[depth] = make([]byte, n)
	}
	return w.bufs[depth][:n]
}

// contents goes through the elements of a page. Nothing is between them: a count that was
// changed shows in where the first one begins.
func (w *walker) contents(b []byte, low, high []byte, each func(i int, e, key, rest []byte) error) error {
	branch := ne.Uint16(b[8:]) == branchPage
	count := int(ne.Uint16(b[10:]))
	at := uint64(pageHeader + element*count)
	if at > uint64(len(b)) {
		return fmt.Errorf("has no room for %d elements", count)
	}
	for i := range count {
		start := pageHeader + element*i
		e := b[start : start+element]
		var pos, ksize, vsize uint64
		if branch {
			pos, ksize = uint64(ne.Uint32(e)), uint64(ne.Uint32(e[4:]))
		} else {
			pos, ksize, vsize = uint64(ne.Uint32(e[4:])), uint64(ne.Uint32(e[8:])), uint64(ne.Uint32(e[12:]))
		}
		end := at + ksize + vsize
		if uint64(start)+pos != at || end > uint64(len(b)) {
			return fmt.Errorf("element %d is out of place", i)
		}
		key := b[at : at+ksize]
		if bytes.Compare(key, low) < 0 || i > 0 && bytes.Equal(key, low) || high != nil && bytes.Compare(key, high) >= 0 {
			return fmt.Errorf("element %d is out of order", i)
		}
		low = key
		if err := each(i, e, key, b[at+ksize:end]); err != nil {
			return err
		}
		at = end
	}
	// A page that is just full may have an empty one behind it.
	over, page := uint64(ne.Uint32(b[12:])), uint64(w.page)
	if numbered := ne.Uint64(b) != 0; numbered && over != (at-1)/page && over != at/page {
		return fmt.Errorf("has %d bytes in %d pages", at, over+1)
	}
	return nil
}

func (w *walker) branch(b []byte, low, high []byte, depth int) error {
	if ne.Uint16(b[8:]) != branchPage || ne.Uint16(b[10:]) == 0 {
		return errors.New("is not a page of a tree")
	}
	// What is below an element ends where the next begins.
	var from []byte
	var below uint64
	err := w.contents(b, low, high, func(i int, e, key, _ []byte) error {
		if i > 0 {
			if err := w.tree(below, from, key, depth+1); err != nil {
				return err
			}
		}
		from, below = key, ne.Uint64(e[8:])
		return nil
	})
	if err != nil {
		return err
	}
	return w.tree(below, from, high, depth+1)
}

func (w *walker) leaf(b []byte, low, high []byte, depth int) error {
	return w.contents(b, low, high, func(i int, e, _, value []byte) error {
		switch flags := ne.Uint32(e); {
		case flags == 0:
			return nil
		case flags != bucketElement:
			return fmt.Errorf("element %d has flags %#x", i, flags)
		case len(value) < bucketHeader:
			return fmt.Errorf("element %d is no bucket", i)
		}
		if root := ne.Uint64(value); root != 0 {
			return w.tree(root, nil, nil, depth+1)
		}
		// A small bucket lies in its element, as a page without a number.
		inline := value[bucketHeader:]
		if depth+1 >= maxDepth || len(inline) < pageHeader || ne.Uint16(inline[8:]) != leafPage ||
			ne.Uint64(inline) != 0 || ne.Uint32(inline[12:]) != 0 {
			return fmt.Errorf("element %d is no bucket", i)
		}
		return w.leaf(inline, nil, nil, depth+1)
	})
}

// freelist looks at the list of free pages, which is there when another program has
// written the file: none of them may be in use.
func (w *walker) freelist(id uint64) error {
	b, err := w.read(id, 0)
	if err == nil && ne.Uint16(b[8:]) != freelistPage {
		err = errors.New("is no list of free pages")
	}
	if err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	list, count := b[pageHeader:], uint64(ne.Uint16(b[10:]))
	if count == 0xFFFF && len(list) >= 8 {
		count, list = ne.Uint64(list), list[8:]
	}
	if count > uint64(len(list)/8) {
		return fmt.Errorf("page %d: has no room for %d pages", id, count)
	}
	for i := range count {
		if free := ne.Uint64(list[8*i:]); free >= w.limit || !w.mark(free) {
			return fmt.Errorf("page %d: page %d cannot be free", id, free)
		}
	}
	return nil
}
