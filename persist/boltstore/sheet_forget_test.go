package boltstore

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
)

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
