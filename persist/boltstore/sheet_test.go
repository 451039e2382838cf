package boltstore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

// sheets commits sheets and records alone, of which some are forgotten.
func sheets(t testing.TB, s *Store) {
	t.Helper()
	commit(t, s, inserts(100, 130, 300)...)
	commit(t, s, insert(140, 10), insert(142, 20), insert(145, 9000), insert(300, 30))
	for id := persist.ID(301); id <= 304; id++ {
		commit(t, s, insert(id, 40))
	}
	commit(t, s, amend(109, 3), amend(303, 3), resolve(130, persist.Failed), resolve(304, persist.Failed))
	// The first of a sheet, some in the middle and the last; a whole one; one alone.
	var steps []persist.Step
	for _, id := range []persist.ID{100, 107, 108, 110, 112, 113, 114, 115, 116, 117, 123, 140, 145, 302} {
		steps = append(steps, resolve(id, persist.Expired))
	}
	commit(t, s, append(steps, prune(persist.Expired, len(steps)))...)
}

func inserts(first, last persist.ID, payload int) (steps []persist.Step) {
	for id := first; id <= last; id++ {
		steps = append(steps, insert(id, payload))
	}
	return steps
}

// layout returns the jobs on each sheet.
func layout(t testing.TB, s *Store) (ids [][]persist.ID) {
	t.Helper()
	err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketNames[jobs]).ForEach(func(k, v []byte) error {
			sh, _, err := openSheet(k, v)
			var on []persist.ID
			for id, _ := sh.take(); id != 0; id, _ = sh.take() {
				on = append(on, id)
			}
			ids = append(ids, on)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// rewrite changes the value of jobs that has a job.
func rewrite(t *testing.T, s *Store, id persist.ID, how func(key, value []byte) []byte) {
	t.Helper()
	if err := s.db.Update(func(tx *bbolt.Tx) error {
		k, v := tx.Bucket(bucketNames[jobs]).Cursor().Seek((&idKey{}).set(id))
		return tx.Bucket(bucketNames[jobs]).Put(k, how(bytes.Clone(k), bytes.Clone(v)))
	}); err != nil {
		t.Fatal(err)
	}
	s.ahead.forget()
}

// spoil changes bytes of the sheet of a job, and of its record.
func spoil(t *testing.T, s *Store, id persist.ID, how func(sheet, record []byte)) {
	t.Helper()
	rewrite(t, s, id, func(k, v []byte) []byte {
		sh, _, err := openSheet(k, v)
		if err != nil {
			t.Fatal(err)
		}
		for {
			switch at, record := sh.take(); at {
			case id:
				how(v, record)
				return v
			case 0:
				t.Fatalf("job %d is not there", id)
			}
		}
	})
}

func isDamage(err error) bool {
	var corrupt *persist.CorruptError
	return errors.As(err, &corrupt)
}

// value makes a sheet of records as they are, nil for none, that ends with a job.
func value(last persist.ID, records ...[]byte) []byte {
	var places []byte
	for _, r := range records {
		places = appendPlace(places, len(r))
	}
	return slices.Concat(append(records, sealIndex(places, 0, (&idKey{}).set(last)))...)
}

func sealed(id persist.ID) []byte {
	return seal(appendRecord(nil, benchRecord(id), DefaultInlinePayload), 0, jobs, (&idKey{}).set(id))
}

func TestJobsOfOneCommitShareSheets(t *testing.T) {
	s := open(t, newPath(t), Options{})
	commit(t, s, inserts(1, 1000, 256)...)
	if n := len(layout(t, s)); n > 1000/6+1 {
		t.Errorf("%d values for 1000 jobs", n)
	}
	if err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketNames[jobs]).ForEach(func(k, v []byte) error {
			if len(v) > sheetSize {
				t.Errorf("sheet %s has %d bytes", keyText(k), len(v))
			}
			return nil
		})
	}); err != nil {
		t.Fatal(err)
	}
	for id := persist.ID(1); id <= 1000; id += 13 {
		s.ahead.forget()
		if j := job(t, s, id); !reflect.DeepEqual(j.Record, *insert(id, 256).Record) {
			t.Errorf("%+v", j.Record)
		}
	}
	check(t, s)
}

func resolves(first, last persist.ID) (steps []persist.Step) {
	for id := first; id <= last; id++ {
		steps = append(steps, resolve(id, persist.Completed))
	}
	return steps
}

// Few that come together have values of their own, for their sheets would leave much of the pages empty.
func TestOnlyManyJobsShareSheets(t *testing.T) {
	for name, row := range map[string]struct {
		steps []persist.Step
		want  int // how large the largest value may be, and has to be nearly
	}{
		"few":                    {inserts(1, defaultSheets-1, 256), 350},
		"many":                   {inserts(1, defaultSheets, 256), sheetSize},
		"few, and other changes": {append(inserts(1, 40, 256), resolves(1, 40)...), 350},
	} {
		s, err := Open(ctx, newPath(t), Options{})
		if err != nil {
			t.Fatal(err)
		}
		commit(t, s, row.steps...)
		largest := 0
		if err := s.db.View(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketNames[jobs]).ForEach(func(_, v []byte) error { largest = max(largest, len(v)); return nil })
		}); err != nil {
			t.Fatal(err)
		}
		if largest > row.want || largest < row.want-350 {
			t.Errorf("%s: a value has %d bytes, want %d", name, largest, row.want)
		}
		check(t, s)
		s.Close()
	}
}

// Who submits one at a time has what he always had.
func TestAJobThatComesAloneIsARecordAsItWas(t *testing.T) {
	s := open(t, newPath(t), Options{})
	commit(t, s, insert(1, 256))
	commit(t, s, insert(2, 256), amend(1, 1))
	commit(t, s, insert(3, 4000), insert(4, 4000), insert(5, 100_000), insert(6, 4000)) // too large to share
	if err := s.db.View(func(tx *bbolt.Tx) error {
		for id, size := range map[persist.ID]int{1: 256, 2: 256, 3: 4000, 4: 4000, 6: 4000} {
			key := (&idKey{}).set(id)
			want := seal(appendRecord(nil, insert(id, size).Record, DefaultInlinePayload), 0, jobs, key)
			if v := tx.Bucket(bucketNames[jobs]).Get(key); id != 6 && !bytes.Equal(v, want) {
				t.Errorf("job %d: %x", id, v)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for id := persist.ID(1); id <= 6; id++ {
		job(t, s, id)
	}
	check(t, s)
}

// IDs have gaps, records have all sizes, and commits begin and end anywhere.
func TestEachJobIsFoundOnItsSheetAndNothingBetween(t *testing.T) {
	rnd := rand.New(rand.NewPCG(20260101, 1))
	s := open(t, newPath(t), Options{NoSync: true, InlinePayload: 100_000})
	want := map[persist.ID]int{}
	last := persist.ID(0)
	for range 60 {
		var steps []persist.Step
		for range rnd.IntN(40) + 1 {
			last++
			switch rnd.IntN(6) {
			case 0:
				last += persist.ID(rnd.IntN(5))
			case 1:
				last += persist.ID(rnd.IntN(2*sheetPlaces) >> rnd.IntN(4))
			}
			want[last] = rnd.IntN(300)
			if rnd.IntN(10) == 0 {
				want[last] = rnd.IntN(80_000) >> rnd.IntN(9)
			}
			steps = append(steps, insert(last, want[last]))
		}
		commit(t, s, steps...)
	}
	check(t, s)
	for id := persist.ID(1); id <= last; id++ {
		s.ahead.forget()
		j, err := s.Job(ctx, id)
		payload, err2 := s.Payload(ctx, id)
		size, there := want[id]
		switch {
		case !there && (!errors.Is(err, persist.ErrPruned) || !errors.Is(err2, persist.ErrPruned)):
			t.Errorf("job %d: %v, %v", id, err, err2)
		case there && (err != nil || err2 != nil || j.ID != id || !bytes.Equal(j.Payload, insert(id, size).Record.Payload) || !bytes.Equal(payload, j.Payload)):
			t.Errorf("job %d: %+v, %v, %v", id, j, err, err2)
		}
	}
	if _, err := s.Job(ctx, last+1); !errors.Is(err, persist.ErrNotFound) {
		t.Error(err)
	}
	// Also in pieces, from wherever the last one has ended.
	var found []persist.ID
	if _, err := s.Recover(ctx, func(j *persist.Job) error { found = append(found, j.ID); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(found) != len(want) || !slices.IsSorted(found) {
		t.Errorf("%d of %d are found", len(found), len(want))
	}
	if len(layout(t, s)) > len(want)/2 {
		t.Error("few share a sheet")
	}
}

// Who looks for a job does not look through a whole page of places for it.
func TestASheetHasSoManyPlacesAndNoMore(t *testing.T) {
	const highest = ^persist.ID(0)
	s := open(t, newPath(t), Options{})
	commit(t, s, insert(1, 1), insert(sheetPlaces, 1), insert(sheetPlaces+1, 1))
	commit(t, s, insert(101, 1), insert(101+sheetPlaces, 1))
	steps := inserts(300, 300, 1)
	for id := persist.ID(320); id < 1000; id += 20 {
		steps = append(steps, insert(id, 1))
	}
	commit(t, s, append(steps, insert(1<<40, 1), insert(highest-sheetPlaces, 1), insert(highest-1, 1), insert(highest, 1))...)
	check(t, s)
	got := layout(t, s)
	for _, ids := range [][]persist.ID{{1, sheetPlaces}, {sheetPlaces + 1}, {101}, {101 + sheetPlaces}, {300, 320, 340, 360}, {1 << 40}, {highest - sheetPlaces, highest - 1}, {highest}} {
		if !slices.ContainsFunc(got, func(on []persist.ID) bool { return slices.Equal(on, ids) }) {
			t.Errorf("%v do not share a sheet: %v", ids, got)
		}
	}
	mustRead(t, s)
}

// To store many jobs is to copy them into few values.
func TestACommitOfManyJobsAllocatesAboutOncePerJob(t *testing.T) {
	s := open(t, newPath(t), Options{NoSync: true})
	next := persist.ID(1)
	records := make([]persist.Record, 1000)
	steps := make([]persist.Step, len(records))
	n := testing.AllocsPerRun(20, func() {
		for i := range steps {
			records[i] = persist.Record{ID: next, Type: "media/thumbnail", Submitted: benchTime, Payload: benchPayload}
			steps[i] = persist.Step{Verb: persist.Insert, Record: &records[i]}
			next++
		}
		commit(t, s, steps...)
	})
	if n > 1.2*float64(len(records)) {
		t.Errorf("%v times for %d jobs", n, len(records))
	}
}

// What is forgotten is on its sheet no more, and all others are.
func TestWhatIsForgottenIsTakenOutOfItsSheet(t *testing.T) {
	// Sheets of six: 1 to 6, 7 to 12 and so on.
	for name, row := range map[string]struct {
		gone [][]persist.ID // by one commit each
		left [][]persist.ID // of the first two sheets
	}{
		"the first":          {[][]persist.ID{{1}}, [][]persist.ID{{2, 3, 4, 5, 6}, {7, 8, 9, 10, 11, 12}}},
		"in the middle":      {[][]persist.ID{{3, 4}}, [][]persist.ID{{1, 2, 5, 6}, {7, 8, 9, 10, 11, 12}}},
		"the last":           {[][]persist.ID{{6}}, [][]persist.ID{{1, 2, 3, 4, 5}, {7, 8, 9, 10, 11, 12}}},
		"all but the last":   {[][]persist.ID{{1, 2, 3, 4, 5}}, [][]persist.ID{{6}, {7, 8, 9, 10, 11, 12}}},
		"one after another":  {[][]persist.ID{{2}, {6}, {1}, {4}}, [][]persist.ID{{3, 5}, {7, 8, 9, 10, 11, 12}}},
		"all":                {[][]persist.ID{{5, 1, 6, 3, 2, 4}}, [][]persist.ID{{7, 8, 9, 10, 11, 12}}},
		"all, in the end":    {[][]persist.ID{{5, 1, 6}, {3}, {2, 4}}, [][]persist.ID{{7, 8, 9, 10, 11, 12}}},
		"of two, by turns":   {[][]persist.ID{{6, 12, 5, 11, 1, 7}}, [][]persist.ID{{2, 3, 4}, {8, 9, 10}}},
		"two, the late last": {[][]persist.ID{{7, 8, 9, 10, 11, 12, 1}}, [][]persist.ID{{2, 3, 4, 5, 6}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, newPath(t), Options{})
			commit(t, s, inserts(1, 600, 256)...)
			before := layout(t, s)
			forgotten := map[persist.ID]bool{}
			for _, gone := range row.gone {
				var steps []persist.Step
				for i, id := range gone {
					kind := persist.Endings()[i%2]
					steps = append(steps, resolve(id, kind))
					forgotten[id] = true
				}
				commit(t, s, steps...)
				commit(t, s, prune(persist.Endings()[0], 10), prune(persist.Endings()[1], 10))
				check(t, s)
			}
			if after := layout(t, s); !reflect.DeepEqual(after, slices.Concat(row.left, before[2:])) {
				t.Errorf("left: %v", after[:3])
			}
			for id := persist.ID(1); id <= 13; id++ {
				s.ahead.forget()
				if _, err := s.Job(ctx, id); forgotten[id] != errors.Is(err, persist.ErrPruned) || !forgotten[id] && err != nil {
					t.Errorf("job %d: %v", id, err)
				}
			}
			mustRead(t, s)
		})
	}
}

// However its jobs are forgotten in a commit, a sheet is written once in it.
func TestASheetIsWrittenOncePerCommit(t *testing.T) {
	s := open(t, newPath(t), Options{})
	commit(t, s, inserts(1, 120, 256)...)
	var steps []persist.Step
	size := 0
	for place := range persist.ID(3) { // of each sheet one, and then the next
		for id := place + 1; id <= 120; id += 6 {
			steps = append(steps, resolve(id, persist.Endings()[int(id/6+place)%2]))
		}
	}
	commit(t, s, steps...)
	steps = steps[:0]
	for range 60 {
		steps = append(steps, prune(persist.Endings()[0], 1), prune(persist.Endings()[1], 1))
	}
	commit(t, s, steps...)
	check(t, s)
	if err := s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketNames[jobs]).ForEach(func(_, v []byte) error { size += len(v); return nil })
	}); err != nil {
		t.Fatal(err)
	}
	if n := len(s.batch.sheets); len(layout(t, s)) != 20 || n != size {
		t.Errorf("%d bytes were put, and %d are there", n, size)
	}
}

// Whatever else the commit is about, a job can be used as soon as its step is made.
func TestAJobIsUsedByTheCommitThatInsertsIt(t *testing.T) {
	revive := persist.Step{Verb: persist.Revive, ID: 4, State: persist.State{Fence: 2}}
	ids := func(ids ...persist.ID) []persist.ID { return ids }
	for name, row := range map[string]struct {
		steps []persist.Step
		stale []int
		left  [][]persist.ID
	}{
		"ends and states between": {[]persist.Step{
			insert(1, 10), amend(1, 1), insert(2, 10), resolve(2, persist.Failed), insert(3, 10),
		}, nil, [][]persist.ID{{1, 2, 3}}},
		"forgotten": {[]persist.Step{
			insert(1, 10), insert(2, 10), insert(3, 10), resolve(2, persist.Failed), prune(persist.Failed, 1), insert(4, 10),
		}, nil, [][]persist.ID{{1, 3, 4}}},
		"all forgotten": {[]persist.Step{
			insert(1, 10), insert(2, 10_000), resolve(2, persist.Failed), resolve(1, persist.Failed), prune(persist.Failed, 2),
		}, nil, nil},
		"alone and forgotten": {[]persist.Step{insert(7, 10), resolve(7, persist.Failed), prune(persist.Failed, 1)}, nil, nil},
		"looked for when forgotten": {[]persist.Step{
			insert(1, 10), insert(2, 10), resolve(1, persist.Failed), prune(persist.Failed, 1),
			amend(1, 5), resolve(1, persist.Completed), insert(3, 10), amend(3, 1), amend(2, 1),
		}, []int{4, 5}, [][]persist.ID{{2}, {3}}},
		"looked for where nobody is": {[]persist.Step{insert(1, 10), insert(5, 10), amend(3, 1), insert(6, 10)}, []int{2}, [][]persist.ID{{1, 5}, {6}}},
		"revived": {[]persist.Step{
			insert(3, 10), insert(4, 10), resolve(4, persist.Failed), resolve(3, persist.Failed), revive, insert(5, 10), prune(persist.Failed, 5),
		}, nil, [][]persist.ID{{4, 5}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, newPath(t), Options{})
			stale, err := s.Commit(ctx, row.steps)
			if err != nil || !slices.Equal(stale, row.stale) {
				t.Fatal(stale, err)
			}
			check(t, s)
			if got := layout(t, s); !reflect.DeepEqual(got, row.left) {
				t.Errorf("%v, want %v", got, row.left)
			}
			last := persist.ID(7)
			for id := range last {
				want := slices.Contains(slices.Concat(row.left...), id+1)
				if _, err := s.Job(ctx, id+1); want != (err == nil) {
					t.Errorf("job %d: %v", id+1, err)
				}
			}
			mustRead(t, s)

			// A step that cannot be made takes all others with it, and the next commit knows nothing of them.
			before := mustRead(t, s)
			failing := append(inserts(10, 40, 300), resolve(12, persist.Failed), prune(persist.Failed, 3), insert(11, 10))
			var bad *StepError
			if _, err := s.Commit(ctx, failing); !errors.As(err, &bad) || bad.Index != len(failing)-1 {
				t.Fatal(err)
			}
			if after := mustRead(t, s); !reflect.DeepEqual(after.All, before.All) {
				t.Error("something was stored")
			}
			commit(t, s, insert(11, 10))
			check(t, s)
			if got := layout(t, s); !reflect.DeepEqual(got, append(row.left, ids(11))) {
				t.Errorf("then %v", got)
			}
		})
	}
}

// Commits of many steps, in any order, do what the reference does.
func TestSheetsAreThoseOfTheirModel(t *testing.T) {
	t.Parallel()
	rounds := persist.ID(12)
	if testing.Short() {
		rounds = 3
	}
	for seed := range rounds {
		rnd := rand.New(rand.NewPCG(20260101, uint64(seed)))
		s := open(t, newPath(t), Options{NoSync: true, InlinePayload: 1000})
		m, err := memstore.New().Open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		next := persist.ID(1)
		for n := range 60 {
			var steps []persist.Step
			for range rnd.IntN(120) {
				id := next - persist.ID(rnd.IntN(150))
				if id > next {
					id = 0
				}
				kind := persist.Endings()[rnd.IntN(3)]
				switch rnd.IntN(8) {
				case 0:
					steps = append(steps, amend(id, uint64(rnd.IntN(3))))
				case 1, 2:
					steps = append(steps, resolve(id, kind))
				case 3:
					steps = append(steps, persist.Step{Verb: persist.Revive, ID: id, State: persist.State{Fence: 2}})
				case 4:
					steps = append(steps, prune(kind, rnd.IntN(10)))
				default:
					steps = append(steps, insert(next, rnd.IntN(4000)>>rnd.IntN(9)))
					next += 1 + persist.ID(rnd.IntN(40)>>(2+rnd.IntN(4)))
				}
			}
			stale, err := s.Commit(ctx, steps)
			want, err2 := m.Commit(ctx, steps)
			if err != nil || err2 != nil || !slices.Equal(stale, want) {
				t.Fatalf("seed %d, commit %d: %v, %v; %v, %v", seed, n, stale, err, want, err2)
			}
		}
		check(t, s)
		for id := range next {
			s.ahead.forget()
			got, err := s.Job(ctx, id)
			want, err2 := m.Job(ctx, id)
			if reason(err) != reason(err2) {
				t.Fatalf("seed %d, job %d: %v, want %v", seed, id, err, err2)
			}
			if err == nil && (!bytes.Equal(got.Payload, want.Payload) || got.Fence != want.Fence || !reflect.DeepEqual(got.End, want.End)) {
				t.Fatalf("seed %d, job %d: %+v, want %+v", seed, id, got, want)
			}
		}
		mustRead(t, s)
	}
}

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

// Few that stay do not keep the pages of all that were with them.
func TestSheetsThatBecomeSmallGiveTheirRoomBack(t *testing.T) {
	t.Parallel()
	s := open(t, newPath(t), Options{NoSync: true})
	const n, stays = 20_000, 30
	var steps []persist.Step
	for id := persist.ID(1); id <= n; id++ {
		steps = append(steps, insert(id, 5))
	}
	commit(t, s, steps...)
	steps = steps[:0]
	for id := persist.ID(1); id <= n; id++ {
		if id%stays != 0 {
			steps = append(steps, resolve(id, persist.Completed))
		}
	}
	commit(t, s, steps...)
	for range 100 {
		commit(t, s, prune(persist.Completed, n/100))
	}
	check(t, s)
	var b bbolt.BucketStats
	if err := s.db.View(func(tx *bbolt.Tx) error { b = tx.Bucket(bucketNames[jobs]).Stats(); return nil }); err != nil {
		t.Fatal(err)
	}
	if b.LeafInuse < b.LeafAlloc/4 {
		t.Errorf("of %d bytes %d are used", b.LeafAlloc, b.LeafInuse)
	}
}

// Jobs that came together do not make the commits of one of them long.
func TestACommitOfOneJobOfManyWritesLittle(t *testing.T) {
	s := open(t, newPath(t), Options{NoSync: true})
	mustRead(t, s)
	commit(t, s, inserts(1, 10_000, 256)...)
	written := func(steps ...persist.Step) {
		t.Helper()
		before := s.Stats().Written
		commit(t, s, steps...)
		if n := s.Stats().Written - before; n > 32<<10 {
			t.Errorf("%d bytes", n)
		}
	}
	rnd := rand.New(rand.NewPCG(20260101, 2))
	for i, id := range rnd.Perm(10_000)[:300] {
		id := persist.ID(id + 1)
		written(insert(persist.ID(10_001+i), 256))
		written(amend(id, 1))
		written(resolve(id, persist.Completed))
		written(prune(persist.Completed, 1))
	}
	check(t, s)
}

// Sheets do not depend on what was recovered: a file in which nobody has looked for jobs yet is changed as well.
func TestSheetsAreChangedInAFileThatWasJustOpened(t *testing.T) {
	path := newPath(t)
	s := open(t, path, Options{})
	sample(t, s)
	sheets(t, s)
	want := mustRead(t, s)
	s.Close()
	s = open(t, path, Options{})
	commit(t, s, insert(400, 10), insert(401, 10), amend(401, 7), resolve(110+9, persist.Superseded), amend(20, 2), prune(persist.Superseded, 1))
	check(t, s)
	if stale, err := s.Commit(ctx, []persist.Step{amend(119, 9), amend(100, 9), amend(141, 9), insert(402, 1)}); err != nil || !slices.Equal(stale, []int{0, 1, 2}) {
		t.Error(stale, err)
	}
	got := mustRead(t, s)
	if len(got.All) != len(want.All)+2 {
		t.Errorf("%d jobs, and there were %d", len(got.All), len(want.All))
	}
}

func TestSheetsAreBackedUpAndCompacted(t *testing.T) {
	path, backup := newPath(t), newPath(t)
	s := open(t, path, Options{})
	sample(t, s)
	sheets(t, s)
	want, sheets := mustRead(t, s), layout(t, s)
	if err := s.BackupFile(ctx, backup); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := Compact(ctx, path, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, backup} {
		s := open(t, path, Options{CheckOnOpen: true})
		if got := mustRead(t, s); !reflect.DeepEqual(got.All, want.All) || !reflect.DeepEqual(layout(t, s), sheets) {
			t.Errorf("%s: jobs have changed", path)
		}
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
