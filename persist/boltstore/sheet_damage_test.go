package boltstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
)

// reason is in which way there is no job.
func reason(err error) string {
	switch {
	case errors.Is(err, persist.ErrPruned):
		return "pruned"
	case errors.Is(err, persist.ErrNotFound):
		return "not found"
	case err != nil:
		return err.Error()
	}
	return ""
}

// Each bit of a sheet is flipped, and each job on it asked for.
func TestADamagedSheetConcernsTheJobsOnItAndADamagedRecordOne(t *testing.T) {
	s := open(t, newPath(t), Options{NoSync: true})
	commit(t, s, inserts(1, 3, 20)...)
	commit(t, s, insert(4, 20), insert(5, 21), insert(6, 22), insert(9, 23))
	commit(t, s, inserts(10, 12, 20)...)
	commit(t, s, resolve(5, persist.Failed), prune(persist.Failed, 1))
	on := []persist.ID{4, 6, 9}
	owner := map[int]persist.ID{} // of each byte, but those of the index
	var whole []byte
	rewrite(t, s, 9, func(k, v []byte) []byte {
		whole = bytes.Clone(v)
		sh, _, _ := openSheet(k, v)
		at := 0
		for id, record := sh.take(); id != 0; id, record = sh.take() {
			for range record {
				owner[at] = id
				at++
			}
		}
		return v
	})
	if want := len(whole) - len(owner); want != 6*placeSize+indexRest {
		t.Fatalf("the index has %d bytes", want)
	}
	for i := range whole {
		bit := byte(1) << (i % 8)
		if owner[i] == 0 {
			bit = 0
		}
		for _, flip := range []byte{1, 2, 4, 8, 16, 32, 64, 128} {
			if bit != 0 && flip != bit { // one of a record's is enough
				continue
			}
			rewrite(t, s, 9, func(_, _ []byte) []byte {
				b := bytes.Clone(whole)
				b[i] ^= flip
				return b
			})
			for id := persist.ID(1); id <= 12; id++ {
				s.ahead.forget()
				_, err := s.Job(ctx, id)
				inside := id >= 4 && id <= 9
				switch damaged := isDamage(err); {
				case !inside && err != nil, // of another sheet
					owner[i] != 0 && damaged != (id == owner[i]), // of a record
					owner[i] == 0 && inside && !damaged:          // of the index: nobody knows who is there
					t.Fatalf("byte %d, bit %#x: job %d: %v", i, flip, id, err)
				}
			}
			err := s.Check(ctx)
			_, recovered := s.Recover(ctx, func(*persist.Job) error { return nil })
			if !isDamage(err) || !isDamage(recovered) {
				t.Fatalf("byte %d, bit %#x: Check %v, Recover %v", i, flip, err, recovered)
			}
			if owner[i] == 0 {
				if _, err := s.Commit(ctx, []persist.Step{amend(8, 1)}); !isDamage(err) {
					t.Fatalf("byte %d, bit %#x: Commit %v", i, flip, err)
				}
			}
		}
	}
	// Nothing of that was said of the sheet itself.
	rewrite(t, s, 9, func(_, _ []byte) []byte { return whole })
	for _, id := range on {
		job(t, s, id)
	}
	check(t, s)
}

// Also when the index is right, a record is not given for another.
func TestARecordAtAnotherPlaceIsNobodys(t *testing.T) {
	s := open(t, newPath(t), Options{})
	commit(t, s, inserts(1, 4, 256)...)
	for name, records := range map[string][][]byte{
		"exchanged":         {sealed(1), sealed(3), sealed(2), sealed(4)},
		"moved up":          {sealed(2), sealed(3), sealed(4), nil},
		"shared":            {sealed(1), sealed(1), sealed(1), sealed(1)},
		"shorter than none": {sealed(1), {1}, {sumTag, 0, 0, 0}, sealed(4)},
	} {
		rewrite(t, s, 4, func(_, _ []byte) []byte { return value(4, records...) })
		for i, r := range records {
			id := persist.ID(i + 1)
			s.ahead.forget()
			switch j, err := s.Job(ctx, id); {
			case bytes.Equal(r, sealed(id)):
				if err != nil || j.ID != id {
					t.Errorf("%s: job %d: %v", name, id, err)
				}
			case r == nil && !errors.Is(err, persist.ErrPruned), r != nil && !isDamage(err):
				t.Errorf("%s: job %d: %+v, %v", name, id, j, err)
			}
		}
		if err := s.Check(ctx); !isDamage(err) {
			t.Errorf("%s: Check %v", name, err)
		}
	}
}

// Sheets can be right one by one, and wrong together.
func TestSheetsThatCannotBeAreFound(t *testing.T) {
	for name, row := range map[string]struct {
		change func(t *testing.T, s *Store)
		says   string
	}{
		"they overlap": {func(t *testing.T, s *Store) {
			rewrite(t, s, 8, func(_, _ []byte) []byte { return value(8, sealed(4), sealed(5), sealed(6), sealed(7), sealed(8)) })
		}, errOverlap.Error()},
		"one has nothing": {func(t *testing.T, s *Store) {
			rewrite(t, s, 4, func(_, _ []byte) []byte { return value(4, nil, nil, nil, nil) })
		}, "has no job"},
		"one is of the future": {func(t *testing.T, s *Store) {
			putValue(t, s, 12, value(12, sealed(11), sealed(12)))
		}, "higher than the last ID"},
		"one begins before all IDs": {func(t *testing.T, s *Store) {
			rewrite(t, s, 4, func(_, _ []byte) []byte { return value(4, nil, sealed(1), sealed(2), sealed(3), sealed(4)) })
		}, errIndex.Error()},
		"one has no place": {func(t *testing.T, s *Store) {
			putValue(t, s, 9, value(9))
		}, errIndex.Error()},
		"one has a job more": {func(t *testing.T, s *Store) {
			rewrite(t, s, 8, func(_, _ []byte) []byte {
				return append([]byte{0}, value(8, sealed(5), sealed(6), sealed(7), sealed(8))...)
			})
		}, errIndex.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, newPath(t), Options{})
			commit(t, s, inserts(1, 4, 256)...)
			commit(t, s, inserts(5, 8, 256)...)
			commit(t, s, insert(10, 256), resolve(10, persist.Failed), prune(persist.Failed, 1))
			check(t, s)
			row.change(t, s)
			if err := s.Check(ctx); !isDamage(err) || !bytes.Contains([]byte(err.Error()), []byte(row.says)) {
				t.Errorf("Check: %v", err)
			}
			if _, err := s.Recover(ctx, func(*persist.Job) error { return nil }); !isDamage(err) {
				t.Errorf("Recover: %v", err)
			}
		})
	}
}

func putValue(t *testing.T, s *Store, id persist.ID, value []byte) {
	t.Helper()
	if err := s.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketNames[jobs]).Put((&idKey{}).set(id), value)
	}); err != nil {
		t.Fatal(err)
	}
}

// A reader of sheets that overlap comes to an end, however many there are.
func TestRecoverEndsOnSheetsThatOverlap(t *testing.T) {
	s := open(t, newPath(t), Options{NoSync: true})
	commit(t, s, inserts(1, 3*slice, 100)...)
	for id := persist.ID(2); id <= 3*slice; id += 2 {
		putValue(t, s, id, value(id, make([][]byte, min(60, id))...))
		putValue(t, s, id-1, sealed(id-1))
	}
	if _, err := s.Recover(ctx, func(*persist.Job) error { return nil }); !isDamage(err) {
		t.Error(err)
	}
}

// Whatever stands in a value, it is a sheet or an error.
func FuzzOpenSheet(f *testing.F) {
	f.Add(uint64(4), value(4, sealed(1), nil, sealed(3), sealed(4)), false)
	f.Add(uint64(4), sealed(4), false)
	f.Add(uint64(2), []byte{5, 0, 0, 0}, true)
	f.Add(uint64(9), []byte{255, 255, 255, 255}, true)
	f.Add(uint64(1000), []byte{200, sheetTag, 0, 0, 0, 0}, false)
	f.Add(uint64(1), []byte{sheetTag, 0, 0, 0, 0}, false)
	f.Add(uint64(0), []byte{0, sheetTag, 0, 0, 0, 0}, false)
	f.Add(^uint64(0), bytes.Repeat([]byte{1, 0}, 200), true)
	f.Fuzz(func(t *testing.T, last uint64, b []byte, index bool) {
		key := (&idKey{}).set(persist.ID(last))
		if index { // what follows the checksum is looked at too
			size := 0
			b = b[:min(len(b)/2, 255)*2]
			for i := 0; i < len(b); i += 2 {
				size += int(binary.LittleEndian.Uint16(b[i:]))
			}
			if len(b) > 0 && b[0]%2 == 0 {
				size++ // and does not fit
			}
			b = append(make([]byte, size), sealIndex(bytes.Clone(b), 0, key)...)
		}
		s, end, err := openSheet(key, b)
		if err != nil {
			return
		}
		first, before, size := s.next, persist.ID(0), 0
		for n := 0; ; n++ {
			id, record := s.take()
			if id == 0 {
				break
			}
			if n > 255 || id < first || id > end || id <= before || end != persist.ID(last) {
				t.Fatalf("job %d after %d, from %d to %d", id, before, first, end)
			}
			before = id
			size += len(record)
		}
		if size > len(b) {
			t.Fatalf("records of %d bytes in %d", size, len(b))
		}
	})
}
