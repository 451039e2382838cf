package boltstore

import (
	"bytes"
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
