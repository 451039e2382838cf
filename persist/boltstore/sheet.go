package boltstore

import (
	"encoding/binary"
	"errors"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
)

// A sheet is a value of jobs. It is the record of one job, or those of several that were inserted
// in one commit, if that had many: a put takes longer than the bytes of a small record. Their IDs follow each other,
// and the key is the last of them. Behind the records there is an index then:
//
//	for each place, how many bytes its record has  2 bytes each, zero if there is none
//	how many places there are                      1 byte
//	sheetTag                                       1 byte
//	checksum of the bucket, the key and the index  4 bytes
//
// Numbers have their lowest byte first. A place without a record is that of a job that has been
// forgotten, or of an ID that nobody got.
//
// Each record has a checksum of its own, which is also of its bucket and the ID of its job. So what
// has changed in one concerns no other, and none can pass for that of another job. The checksum of
// the index is for the places: without them nobody knows which job is where, and then all that may
// be on the sheet are damaged.
const (
	placeSize = 2
	// indexRest is what an index has besides the places.
	indexRest = 1 + sumSize
	// sheetTag stands where a record alone has sumTag. No bit is the same.
	sheetTag = ^sumTag
)

const (
	// sheetSize is how large a sheet of several may be: two of them fill a page of 4 KiB, and fewer are on no page. In
	// smaller ones there would be more puts. Of larger ones more is written again when a job is forgotten, and
	// they need free pages that lie side by side.
	sheetSize = (4096-pageHeader)/2 - element - len(idKey{})
	// defaultSheets is how many jobs a commit has to add. The sheets of fewer would leave much of their
	// pages empty.
	defaultSheets = 64
	// sheetPlaces is how many places it may have: who looks for a job goes through them.
	sheetPlaces = 64
)

var (
	errIndex   = errors.New("has an index that does not fit")
	errOverlap = errors.New("has places that the one before has too")
)

// sealIndex appends what an index has behind its places, which begin at start.
func sealIndex(b []byte, start int, key []byte) []byte {
	b = append(b, byte((len(b)-start)/placeSize), sheetTag)
	return binary.LittleEndian.AppendUint32(b, checksum(jobs, key, b[start:]))
}

func appendPlace(b []byte, size int) []byte { return binary.LittleEndian.AppendUint16(b, uint16(size)) }

// sheet is what has not been read yet of one.
type sheet struct {
	next   persist.ID // at the first place
	places []byte
	rest   []byte // the records
	alone  bool   // there is one record, and no index
}

// openSheet says where the records are in a value. It does not look at them.
func openSheet(key, value []byte) (s sheet, last persist.ID, err error) {
	if last, err = readID(key); err != nil {
		return s, 0, err
	}
	tag := len(value) - sumSize
	if tag < 1 || value[tag] != sheetTag {
		s = sheet{next: last, rest: value, alone: true}
		if last == 0 {
			err = errKey
		}
		return s, last, err
	}
	n := int(value[tag-1])
	at := tag - 1 - n*placeSize
	if n == 0 || at < 0 || uint64(n) > uint64(last) ||
		checksum(jobs, key, value[at:tag+1]) != binary.LittleEndian.Uint32(value[tag+1:]) {
		return s, last, errIndex
	}
	s = sheet{next: last - persist.ID(n) + 1, places: value[at : tag-1], rest: value[:at]}
	size := 0
	for i := range n {
		size += int(binary.LittleEndian.Uint16(s.places[i*placeSize:]))
	}
	if size != at {
		return sheet{}, last, errIndex
	}
	return s, last, nil
}

// take returns the next record as it is, with its checksum. The ID is zero if there is none.
func (s *sheet) take() (id persist.ID, record []byte) {
	if s.alone {
		s.alone = false
		return s.next, s.rest
	}
	for len(s.places) > 0 {
		n := binary.LittleEndian.Uint16(s.places)
		id, record = s.next, s.rest[:n:n]
		s.next, s.places, s.rest = s.next+1, s.places[placeSize:], s.rest[n:]
		if n > 0 {
			return id, record
		}
	}
	return 0, nil
}

// reader reads records, one sheet after the other.
type reader struct {
	c     *bbolt.Cursor
	key   []byte // of the sheet, nil when there are no more
	sheet sheet
	last  persist.ID // of the sheet
}

// open opens a sheet behind the last one.
func (r *reader) open(key, value []byte) (err error) {
	if r.key = key; key == nil {
		return nil
	}
	before := r.last
	if r.sheet, r.last, err = openSheet(key, value); err == nil && r.sheet.next <= before {
		err = errOverlap
	}
	return err
}

// seek reads the record of a job, or of the next that there is. The ID is zero if there is none.
func (r *reader) seek(from persist.ID) (id persist.ID, record []byte, err error) {
	var key idKey
	r.last = 0
	if err := r.open(r.c.Seek(key.set(from))); err != nil {
		return 0, nil, err
	}
	for {
		if id, record, err = r.next(); err != nil || id == 0 || id >= from {
			return id, record, err
		}
	}
}

// next reads the next record.
func (r *reader) next() (id persist.ID, record []byte, err error) {
	for r.key != nil {
		if id, record = r.sheet.take(); id != 0 {
			return id, record, nil
		}
		if err := r.open(r.c.Next()); err != nil {
			return 0, nil, err
		}
	}
	return 0, nil, nil
}

// openFor opens the sheet on which there is a place for a job, if there is one. That there is none is
// certain then: a sheet whose index is hidden, since its tag has changed, is not taken for the
// record of its last job.
func (r *reader) openFor(id persist.ID) (found bool, err error) {
	var key idKey
	r.last = 0
	k, v := r.c.Seek(key.set(id))
	if err := r.open(k, v); err != nil || k == nil {
		return false, err
	}
	if r.sheet.alone && r.last != id {
		_, err := unseal(jobs, k, v)
		return false, err
	}
	return r.sheet.next <= id, nil
}

// find returns the record of a job, or nil if there is none.
func (r *reader) find(id persist.ID) ([]byte, error) {
	if found, err := r.openFor(id); err != nil || !found {
		return nil, err
	}
	for {
		if at, record := r.sheet.take(); at == id {
			return record, nil
		} else if at == 0 || at > id {
			return nil, nil
		}
	}
}
