package boltstore

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
)

// batch is one commit while it is made. It is used again for the next.
type batch struct {
	s       *Store
	tx      *bbolt.Tx
	opened  [buckets]*bbolt.Bucket // those that were needed so far
	cursors [buckets]*bbolt.Cursor
	tally   tally
	stale   []int
	changed bool  // there is something to commit
	added   int64 // how many bytes of records and payloads
	grows   bool  // there are new states
	prunes  bool  // something is forgotten
	// scattered says that new states are put far from the last.
	scattered bool
	// stateless says of the job that was found last that it has no state yet.
	stateless bool

	// buf holds the values: bbolt refers to them until the commit is over. When it grows,
	// those that were there stay where they are.
	buf  []byte
	id   idKey
	end  persist.End
	gone []end // that are forgotten

	// sheets holds the values of jobs, as buf does the others. The bucket lacks the sheet that grows, and
	// still has the jobs that are forgotten, until fold brings it up to date.
	sheets    []byte
	shares    bool // sheets are for several jobs
	sheetKey  idKey
	growing   growing
	forgotten []persist.ID
}

// maxBuf is how much memory of each kind is kept for the next commit, and maxGone for how many ends.
const (
	maxBuf  = 4 << 20
	maxGone = 4096
)

func (b *batch) reset(s *Store, tx *bbolt.Tx) {
	if cap(b.buf) > maxBuf {
		b.buf = nil
	}
	if cap(b.sheets) > maxBuf {
		b.sheets = nil
	}
	if cap(b.gone) > maxGone {
		b.gone = nil
	}
	if cap(b.forgotten) > maxGone {
		b.forgotten = nil
	}
	places := b.growing.places[:0]
	*b = batch{s: s, tx: tx, tally: s.tally, buf: b.buf[:0], gone: b.gone[:0], sheets: b.sheets[:0], forgotten: b.forgotten[:0]}
	b.growing.places = places
	b.tally.serial = s.serial
}

// release lets go of what bbolt has made for the transaction.
func (b *batch) release() {
	b.tx, b.opened, b.cursors = nil, [buckets]*bbolt.Bucket{}, [buckets]*bbolt.Cursor{}
}

func (b *batch) bucket(i bucket) *bbolt.Bucket {
	if b.opened[i] == nil {
		b.opened[i] = b.tx.Bucket(bucketNames[i])
		b.opened[i].FillPercent = fill
	}
	return b.opened[i]
}

// cursor returns one that is used again and again: bbolt makes one for each key else.
func (b *batch) cursor(in bucket) *bbolt.Cursor {
	if b.cursors[in] == nil {
		b.cursors[in] = b.bucket(in).Cursor()
	}
	return b.cursors[in]
}

// seek finds a key.
func (b *batch) seek(in bucket, key []byte) (c *bbolt.Cursor, value []byte) {
	c = b.cursor(in)
	if k, v := c.Seek(key); bytes.Equal(k, key) {
		return c, v
	}
	return nil, nil
}

// get returns the value of a key, or nil.
func (b *batch) get(from bucket, key []byte) []byte {
	_, v := b.seek(from, key)
	return v
}

// remove removes a key, if it is there.
func (b *batch) remove(from bucket, key []byte) error {
	if c, _ := b.seek(from, key); c != nil {
		return c.Delete()
	}
	return nil
}

// step makes one step.
func (b *batch) step(i int, p *persist.Step) error {
	var fresh bool
	var err error
	switch p.Verb {
	case persist.Insert:
		fresh, err = true, b.insert(p.Record)
	case persist.Amend:
		fresh, err = b.amend(p)
	case persist.Resolve:
		fresh, err = b.resolve(p)
	case persist.Revive:
		fresh, err = b.revive(p)
	case persist.Prune:
		fresh, err = true, b.prune(p.Kind, p.Count)
	default:
		err = fmt.Errorf("%w: verb %d", ErrInvalidStep, p.Verb)
	}
	switch {
	case errors.Is(err, ErrInvalidStep), errors.Is(err, ErrOutOfOrder):
		id := p.ID
		if p.Record != nil {
			id = p.Record.ID
		}
		return &StepError{Index: i, ID: id, Err: err}
	case err != nil:
		return err
	case !fresh:
		b.stale = append(b.stale, i)
	}
	return nil
}

// insert adds a job. Its state is what it follows from the record.
func (b *batch) insert(r *persist.Record) error {
	switch {
	case r == nil:
		return fmt.Errorf("%w: there is no record", ErrInvalidStep)
	case r.ID <= b.tally.last:
		return fmt.Errorf("%w: the last was %d", ErrOutOfOrder, b.tally.last)
	case r.Rules.Backoff.Custom != nil:
		return fmt.Errorf("%w: a function cannot be stored", ErrInvalidStep)
	}
	if err := b.write(r); err != nil {
		return err
	}
	if len(r.Payload) > b.s.opts.InlinePayload {
		// The payload belongs to the store until the commit is over.
		if err := b.bucket(blobs).Put(b.id.set(r.ID), r.Payload); err != nil {
			return err
		}
		b.added += int64(len(r.Payload)) + pageRest
		b.tally.blobs++
	}
	b.tally.last = r.ID
	b.tally.pending++
	b.s.untouched.add(r.ID)
	return nil
}

// put stores the value that begins at start in buf.
func (b *batch) put(in bucket, key []byte, start int) error {
	b.changed = true
	return b.bucket(in).Put(key, b.buf[start:len(b.buf):len(b.buf)])
}

// find says how a job stands, and whether there is one.
func (b *batch) find(id persist.ID) (g gist, there bool, err error) {
	b.stateless = true
	if id == 0 || id > b.tally.last {
		return g, false, nil
	}
	key := b.id.set(id)
	if b.s.untouched.has(id) {
		return g, true, nil
	}
	v := b.get(states, key)
	if v == nil {
		// As it was submitted, or pruned.
		there, err = b.holds(id)
		return g, there, err
	}
	b.stateless = false
	v, err = unseal(states, key, v)
	if err == nil {
		g, err = readGist(v)
	}
	if err != nil {
		return g, false, b.s.damaged(states, key, err)
	}
	return g, true, nil
}

// putState stores the state of a job that was found last.
func (b *batch) putState(id persist.ID, s *persist.State, end *persist.End) error {
	b.s.untouched.remove(id)
	if b.stateless {
		b.tally.states++
		b.grows = true
		b.scattered = b.scattered || id+near < b.s.highest
		b.s.highest = max(b.s.highest, id)
	}
	start := len(b.buf)
	b.buf = seal(appendState(b.buf, s, end), start, states, b.id[:])
	return b.put(states, b.id[:], start)
}

func (b *batch) amend(p *persist.Step) (fresh bool, err error) {
	g, there, err := b.find(p.ID)
	if err != nil || !there || g.ended() || g.fence > p.State.Fence {
		return false, err
	}
	return true, b.putState(p.ID, &p.State, nil)
}

func (b *batch) resolve(p *persist.Step) (fresh bool, err error) {
	if !known(p.End.Kind) {
		return false, fmt.Errorf("%w: ending %d", ErrInvalidStep, p.End.Kind)
	}
	g, there, err := b.find(p.ID)
	if err != nil || !there || g.ended() || g.fence > p.State.Fence {
		return false, err
	}
	b.tally.seq++
	b.tally.pending--
	b.tally.past[p.End.Kind]++
	b.end = p.End
	b.end.Seq = b.tally.seq
	b.s.ends.add(b.end.Kind, end{b.end.Seq, p.ID})
	return true, b.putState(p.ID, &p.State, &b.end)
}

func (b *batch) revive(p *persist.Step) (fresh bool, err error) {
	g, there, err := b.find(p.ID)
	if err != nil || !there || !g.ended() {
		return false, err
	}
	b.tally.pending++
	b.tally.past[g.kind]--
	b.s.ends.revive(g.kind, g.seq)
	return true, b.putState(p.ID, &p.State, nil)
}

// prune forgets the first n that ended as kind.
func (b *batch) prune(kind persist.Ending, n int) error {
	if !known(kind) {
		return fmt.Errorf("%w: ending %d", ErrInvalidStep, kind)
	}
	if n <= 0 || b.tally.past[kind] == 0 {
		return nil
	}
	b.prunes = true
	b.gone = b.s.ends.take(kind, n, b.gone[:0])
	for _, e := range slices.Backward(b.gone) { // the last of a page first, so that none has to move up
		if err := b.forget(kind, e); err != nil {
			return err
		}
	}
	b.tally.past[kind] -= uint64(len(b.gone))
	b.changed = true
	return nil
}

func (b *batch) forget(kind persist.Ending, e end) error {
	g, there, err := b.find(e.id)
	if err != nil {
		return err
	}
	key := b.id.set(e.id)
	if !there || g.kind != kind || g.seq != e.seq { // it must not be one that lives
		return b.s.damaged(states, key, errNoEnd)
	}
	if b.tally.blobs > 0 && b.get(blobs, key) != nil {
		if err := b.remove(blobs, key); err != nil {
			return err
		}
		b.tally.blobs--
	}
	b.tally.states--
	b.forgotten = append(b.forgotten, e.id)
	return b.remove(states, key)
}

// finish puts what is still to be put, and what is said of all.
func (b *batch) finish() error {
	if err := b.fold(); err != nil {
		return err
	}
	if b.scattered {
		b.bucket(states).FillPercent = bbolt.DefaultFillPercent
	}
	if b.tally.last != b.s.tally.last {
		if err := b.bucket(jobs).SetSequence(uint64(b.tally.last)); err != nil {
			return err
		}
	}
	start := len(b.buf)
	b.buf = seal(appendTally(b.buf, &b.tally), start, meta, tallyKey)
	return b.put(meta, tallyKey, start)
}

// Of a limited file this much is kept for ends, amendments and the pages that a commit
// writes before those that they replace are free: a share of the limit within bounds, and
// some for each job that has not ended.
const (
	reserveShare           = 16
	minReserve, maxReserve = 512 << 10, 4 << 20
	endRoom                = 192
	// pruneRoom is kept for commits that forget something: else there might be no room for what
	// makes room.
	pruneRoom = 256 << 10
	// pageRest is what may be left over of the pages of a large payload.
	pageRest = 4096
)

func reserveOf(limit int64) int64 { return min(max(limit/reserveShare, minReserve), maxReserve) }

// fits refuses inserts for which there is no room.
func (b *batch) fits() error {
	limit := b.s.limit
	var reserve, need int64
	switch {
	case limit == 0:
		return nil
	case b.added > 0:
		limit = b.s.opts.MaxSize // by what the file is larger is for ends
		reserve = reserveOf(limit) + int64(b.tally.pending)*endRoom
		// So is its end: what is free before that may lie in pieces.
		b.s.db.MaxSize = int(min(limit-reserveOf(limit), math.MaxInt))
		need = b.added + b.added/8 + reserve // pages are not quite full
	case b.grows && !b.prunes:
		reserve = min(pruneRoom, limit/reserveShare)
		need = reserve
	}
	if need == 0 {
		return nil // if there are no pages for it either, bbolt says so
	}
	room := max(limit-int64(b.s.opts.stride(b.s.high))-b.s.high, 0)
	stats := b.s.db.Stats()
	// Pages that the last commit has freed can be used by this one, unless somebody reads.
	free := int64(stats.FreePageN+stats.PendingPageN) * int64(b.tx.DB().Info().PageSize)
	if room+free < need {
		return fmt.Errorf("store %s: %w: of %d bytes %d are free, and %d are kept for the ends of jobs",
			b.s.path, persist.ErrFull, limit, room+free, reserve)
	}
	return nil
}
