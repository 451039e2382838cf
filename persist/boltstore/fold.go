package boltstore

import (
	"slices"

	"github.com/taskvisor/taskvisor/persist"
)

// growing is the sheet that a batch is filling, at the end of batch.sheets. It is in the bucket when
// bind has put it there.
type growing struct {
	start  int
	last   persist.ID // on it, zero when there is no sheet
	places []byte
}

// shares reports whether the jobs of a commit share sheets.
func (o *Options) shares(steps []persist.Step) bool {
	n := 0
	for i := range steps {
		if steps[i].Verb == persist.Insert {
			n++
		}
	}
	return n >= o.sheets
}

// write puts a record on the sheet that grows, or on the next.
func (b *batch) write(r *persist.Record) error {
	start := len(b.sheets)
	b.sheets = seal(appendRecord(b.sheets, r, b.s.opts.InlinePayload), start, jobs, b.id.set(r.ID))
	size := len(b.sheets) - start
	b.added += int64(size) + placeSize
	b.changed = true

	g := &b.growing
	if !b.shares || !g.takes(r.ID, len(b.sheets)) {
		next, err := b.bindUntil(start)
		if err != nil {
			return err
		}
		g.start, g.last = next, r.ID-1
	}
	for range r.ID - g.last - 1 {
		g.places = appendPlace(g.places, 0)
	}
	g.places = appendPlace(g.places, size)
	g.last = r.ID
	return nil
}

// takes reports whether there is a place for a job, with whose record the buffer ends at end.
func (g *growing) takes(id persist.ID, end int) bool {
	if g.last == 0 || id-g.last > sheetPlaces { // the difference may be as large as an ID
		return false
	}
	places := len(g.places)/placeSize + int(id-g.last)
	return places <= sheetPlaces && end-g.start+places*placeSize+indexRest <= sheetSize
}

// bind puts the sheet that grows into the bucket, if there is one.
func (b *batch) bind() error {
	_, err := b.bindUntil(len(b.sheets))
	return err
}

// bindUntil is bind for a sheet that ends before the buffer does. What is behind it moves to where
// next says.
func (b *batch) bindUntil(end int) (next int, err error) {
	g := &b.growing
	if g.last == 0 {
		return end, nil
	}
	start, key := g.start, b.sheetKey.set(g.last)
	if len(g.places) > placeSize {
		g.places = sealIndex(g.places, 0, key)
		b.sheets = slices.Insert(b.sheets, end, g.places...)
		end += len(g.places)
	}
	g.last, g.places = 0, g.places[:0]
	return end, b.bucket(jobs).Put(key, b.sheets[start:end:end])
}

// holds reports whether there is a record of a job.
func (b *batch) holds(id persist.ID) (bool, error) {
	if err := b.fold(); err != nil {
		return false, err
	}
	r := reader{c: b.cursor(jobs)}
	record, err := r.find(id)
	if err != nil {
		return false, b.s.damaged(jobs, r.key, err)
	}
	return record != nil, nil
}

// fold brings the bucket up to date: with the sheet that grows, and without the records of those
// that are forgotten.
func (b *batch) fold() error {
	if err := b.bind(); err != nil {
		return err
	}
	slices.Sort(b.forgotten)
	for rest := b.forgotten; len(rest) > 0; { // the last of a page first, so that none has to move up
		n, err := b.tear(rest)
		if err != nil {
			return err
		}
		rest = rest[:len(rest)-n]
	}
	b.forgotten = b.forgotten[:0]
	return nil
}

// tear takes those out that are on one sheet with the last of them, and says how many they are. They
// are in the order of their IDs.
func (b *batch) tear(gone []persist.ID) (n int, err error) {
	r := reader{c: b.cursor(jobs)}
	found, err := r.openFor(gone[len(gone)-1])
	switch {
	case err != nil:
		return 0, b.s.damaged(jobs, r.key, err)
	case !found:
		return 1, nil
	}
	first, start := r.sheet.next, len(b.sheets)
	from, _ := slices.BinarySearch(gone, first)
	n, gone = len(gone)-from, gone[from:]
	if r.sheet.alone {
		return n, r.c.Delete()
	}

	// The places stay, as long as there is a record at any of them.
	places := append(b.growing.places[:0], r.sheet.places...)
	b.growing.places = places[:0]
	for id, record := r.sheet.take(); id != 0; id, record = r.sheet.take() {
		for len(gone) > 0 && gone[0] < id {
			gone = gone[1:]
		}
		if len(gone) > 0 && gone[0] == id {
			clear(places[int(id-first)*placeSize:][:placeSize])
			continue
		}
		b.sheets = append(b.sheets, record...)
	}

	// It is deleted in any case: bbolt joins pages that have become small only then.
	if err := r.c.Delete(); err != nil || len(b.sheets) == start {
		return n, err
	}
	key, index := b.sheetKey.set(r.last), len(b.sheets)
	b.sheets = sealIndex(append(b.sheets, places...), index, key)
	return n, b.bucket(jobs).Put(key, b.sheets[start:len(b.sheets):len(b.sheets)])
}
