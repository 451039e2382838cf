package boltstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
)

// filled returns a store with jobs 1 to n.
func filled(t *testing.T, n persist.ID) *Store {
	t.Helper()
	s := open(t, newPath(t), Options{})
	var steps []persist.Step
	for id := persist.ID(1); id <= n; id++ {
		steps = append(steps, insert(id, 50))
	}
	commit(t, s, steps...)
	return s
}

func job(t *testing.T, s *Store, id persist.ID) *persist.Job {
	t.Helper()
	j, err := s.Job(ctx, id)
	if err != nil {
		t.Fatalf("job %d: %v", id, err)
	}
	if j.ID != id {
		t.Fatalf("asked for %d, and got %d", id, j.ID)
	}
	return j
}

func (a *ahead) size() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.jobs) + len(a.older)
}

func (a *ahead) has(id persist.ID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.jobs[id] != nil || a.older[id] != nil
}

// unheard commits a step, and nobody knows: as when the last sync has failed.
func unheard(t *testing.T, s *Store, step persist.Step) {
	t.Helper()
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.update(1, func(b *batch) error { return b.step(0, &step) }); err != nil {
		t.Fatal(err)
	}
	s.doubtful.Store(s.serial)
}

func settle(t *testing.T, s *Store, want bool) {
	t.Helper()
	if committed, err := s.Settle(ctx); err != nil || committed != want {
		t.Fatal(committed, err)
	}
}

// What was read ahead is what would be read now, whatever was committed in between.
func TestWhatWasReadAheadIsNotOld(t *testing.T) {
	for _, row := range []struct {
		sentence string
		step     persist.Step
		is       func(j *persist.Job, err error) bool
	}{
		{"amended", amend(2, 7), func(j *persist.Job, err error) bool { return err == nil && j.Fence == 7 && j.Attempts == 1 }},
		{"ended", resolve(2, persist.Failed), func(j *persist.Job, err error) bool {
			return err == nil && j.End != nil && j.End.Kind == persist.Failed
		}},
		{"another was amended", amend(3, 7), func(j *persist.Job, err error) bool { return err == nil && j.Fence == 0 }},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			s := filled(t, 10)
			job(t, s, 1)
			if n := s.ahead.size(); n != 9 {
				t.Fatalf("%d were read ahead", n)
			}
			commit(t, s, row.step)
			if j, err := s.Job(ctx, 2); !row.is(j, err) {
				t.Errorf("%+v, %v", j, err)
			}
		})
	}
	t.Run("passed over once", func(t *testing.T) {
		s := filled(t, 100)
		job(t, s, 1)
		job(t, s, 50)
		if !s.ahead.has(2) || !s.ahead.has(51) {
			t.Fatal("it is not kept")
		}
		commit(t, s, amend(2, 7), amend(51, 8))
		if a, b := job(t, s, 2), job(t, s, 51); a.Fence != 7 || b.Fence != 8 {
			t.Errorf("%+v, %+v", a.State, b.State)
		}
	})
	t.Run("passed over once, and nothing was read since", func(t *testing.T) {
		s := filled(t, 50)
		job(t, s, 1)
		job(t, s, 50)
		if n := s.ahead.size(); n != aheadMost {
			t.Fatalf("%d are kept", n)
		}
		commit(t, s, amend(2, 7))
		if j := job(t, s, 2); j.Fence != 7 {
			t.Errorf("%+v", j.State)
		}
	})
	t.Run("pruned", func(t *testing.T) {
		s := filled(t, 10)
		job(t, s, 1)
		commit(t, s, resolve(2, persist.Completed), prune(persist.Completed, 1))
		if _, err := s.Job(ctx, 2); !errors.Is(err, persist.ErrPruned) {
			t.Error(err)
		}
	})
	t.Run("the store is closed", func(t *testing.T) {
		s := filled(t, 10)
		job(t, s, 1)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Job(ctx, 2); !errors.Is(err, persist.ErrClosed) {
			t.Error(err)
		}
	})
	t.Run("committed while it was read", func(t *testing.T) {
		s := filled(t, 10)
		turn, more := s.ahead.begin(1)
		old := []*persist.Job{job(t, s, 2)}
		commit(t, s, amend(2, 7))
		s.ahead.end(turn, old)
		if j := job(t, s, 2); !more || j.Fence != 7 {
			t.Errorf("%v, %+v", more, j.State)
		}
	})
	t.Run("settled", func(t *testing.T) {
		s := filled(t, 100)
		job(t, s, 1)
		job(t, s, 50)
		unheard(t, s, amend(2, 7))
		settle(t, s, true)
		unheard(t, s, amend(51, 8))
		settle(t, s, true)
		if a, b := job(t, s, 2), job(t, s, 51); a.Fence != 7 || b.Fence != 8 {
			t.Errorf("%+v, %+v", a.State, b.State)
		}
	})
	t.Run("settled while it was read", func(t *testing.T) {
		s := filled(t, 10)
		turn, more := s.ahead.begin(1)
		old := []*persist.Job{job(t, s, 2)}
		unheard(t, s, amend(2, 7))
		settle(t, s, true)
		s.ahead.end(turn, old)
		if j := job(t, s, 2); !more || j.Fence != 7 {
			t.Errorf("%v, %+v", more, j.State)
		}
	})
}

// What was read ahead is no way around what Job says to others.
func TestWhatWasReadAheadIsNotAnsweredInDoubtOrTooLate(t *testing.T) {
	s := filled(t, 10)
	job(t, s, 1)
	enough := errors.New("enough")
	late, cancel := context.WithCancelCause(ctx)
	cancel(enough)
	if j, err := s.Job(late, 2); !errors.Is(err, enough) {
		t.Errorf("%+v, %v", j, err)
	}
	doubt(t, s)
	if !s.ahead.has(2) {
		t.Fatal("it is not kept")
	}
	if j, err := s.Job(ctx, 2); !errors.Is(err, persist.ErrUnknown) {
		t.Errorf("%+v, %v", j, err)
	}
	settle(t, s, false)
	job(t, s, 2)
}

// What is read ahead are the jobs as they were submitted; the others are read when somebody asks.
func TestWhatIsReadAhead(t *testing.T) {
	s := open(t, newPath(t), Options{})
	sample(t, s)
	want := map[persist.ID]*persist.Job{}
	for id := persist.ID(63); id > 0; id-- { // from the end nothing is ahead
		if j, err := s.Job(ctx, id); err == nil {
			want[id] = j
		}
	}
	s.ahead.last = 0
	before := s.db.Stats().TxN
	for id := persist.ID(1); id <= 63; id++ {
		j, err := s.Job(ctx, id)
		if want[id] == nil {
			if !errors.Is(err, persist.ErrPruned) {
				t.Errorf("job %d: %v", id, err)
			}
		} else if !reflect.DeepEqual(j, want[id]) {
			t.Errorf("job %d:\ngot  %+v\nwant %+v", id, j, want[id])
		}
	}
	if n := s.db.Stats().TxN - before; n > 20 {
		t.Errorf("it took %d transactions", n)
	}
}

// Who comes after the last that was asked for, and near it, reads ahead: not who looks at one
// job again and again, or here and there.
func TestWhoReadsAhead(t *testing.T) {
	var a ahead
	for _, row := range []struct {
		sentence string
		id       persist.ID
		more     bool
	}{
		{"the first of all", 1, true},
		{"the same again", 1, false},
		{"the next", 2, true},
		{"a little on", 2 + aheadNear - 1, true},
		{"the next", 66, true},
		{"passed over a little", 60, false},
		{"passed over a little, and after such a one", 61, false},
		{"passed over by the most", 66 - aheadNear + 1, false},
		{"the next in spite of those", 67, true},
		{"far on", 67 + aheadNear, false},
		{"the next there", 68 + aheadNear, true},
		{"far back", 68, false},
		{"the same again", 68, false},
		{"the next there", 69, true},
		{"the highest", math.MaxUint64, false},
		{"the highest again", math.MaxUint64, false},
		{"none", 0, false},
		{"the first", 1, true},
	} {
		turn, more := a.begin(row.id)
		if more != row.more {
			t.Errorf("%s, %d: %v", row.sentence, row.id, more)
		}
		if more {
			a.end(turn, nil)
		}
	}
}

// What is answered without reading counts too.
func TestWhatWasReadAheadMovesTheLast(t *testing.T) {
	s := filled(t, 100)
	for _, id := range []persist.ID{1, 20, 5} {
		job(t, s, id)
	}
	s.ahead.forget()
	if job(t, s, 10); s.ahead.size() != 0 {
		t.Error("10 came after 20")
	}
	if job(t, s, 21); s.ahead.size() != aheadMost {
		t.Error("21 did not")
	}
}

// One reads ahead at a time, whatever becomes of it.
func TestOneReadsAheadAtATime(t *testing.T) {
	var a ahead
	turn, more := a.begin(1)
	if _, second := a.begin(2); !more || second {
		t.Fatal(more, second)
	}
	a.forget()
	if _, third := a.begin(3); third {
		t.Error("the first has not ended")
	}
	a.end(turn, nil)
	if _, more = a.begin(4); !more {
		t.Error("the first has ended")
	}
}

// There is a limit to what is kept, in jobs and in bytes, wherever one asks.
func TestWhatIsKeptHasALimit(t *testing.T) {
	s := filled(t, 2000)
	for _, row := range []struct {
		ask  persist.ID
		kept int
	}{
		{1, aheadMost}, {1000, aheadMost}, {1001, 2 * aheadMost}, {500, 2 * aheadMost}, {501, 2 * aheadMost},
	} {
		if job(t, s, row.ask); s.ahead.size() != row.kept {
			t.Errorf("after %d: %d are kept", row.ask, s.ahead.size())
		}
	}
	if s.ahead.has(2) || !s.ahead.has(1002) || !s.ahead.has(502) {
		t.Error("they are others")
	}

	for size, kept := range map[int]int{MaxInlinePayload: 0, aheadBytes: 0, aheadBytes/2 - 1000: 2, aheadBytes / 4: 3, 100: aheadMost} {
		s := open(t, newPath(t), Options{InlinePayload: MaxInlinePayload, NoSync: true})
		var steps []persist.Step
		for id := persist.ID(1); id <= 40; id++ {
			steps = append(steps, insert(id, size))
		}
		commit(t, s, steps...)
		if job(t, s, 1); s.ahead.size() != kept {
			t.Errorf("%d bytes each: %d are kept", size, s.ahead.size())
		}
	}
}

// Sixteen workers take the next ID each, and are not equally fast.
func TestWorkersFindMostOfTheirJobsReadAhead(t *testing.T) {
	const n, workers = 2000, 16
	s := filled(t, n)
	rnd := rand.New(rand.NewPCG(20260101, 0))
	var asks [workers]persist.ID
	for i := range asks {
		asks[i] = persist.ID(i + 1)
	}
	before := s.db.Stats().TxN
	for next := persist.ID(workers + 1); next <= n; next++ {
		w := rnd.IntN(workers)
		job(t, s, asks[w])
		asks[w] = next
	}
	// Each that is not found takes a transaction.
	if reads := s.db.Stats().TxN - before; reads > n/5 {
		t.Errorf("%d of %d were not", reads, n)
	}
}

// A job that is whole can be read, whatever is damaged after it.
func TestWhatIsDamagedConcernsWhoAsksForIt(t *testing.T) {
	damaged := func(t *testing.T, s *Store, id persist.ID) {
		t.Helper()
		var corrupt *persist.CorruptError
		if _, err := s.Job(ctx, id); !errors.As(err, &corrupt) {
			t.Errorf("job %d: %v", id, err)
		}
	}
	t.Run("a page", func(t *testing.T) {
		s := filled(t, 200)
		first, page := secondLeaf(t, s)
		if _, err := s.file.WriteAt(make([]byte, s.db.Info().PageSize), page); err != nil {
			t.Fatal(err)
		}
		s.ahead.last = first - 4
		for id := first - 3; id < first; id++ {
			job(t, s, id)
			if id+1 < first && !s.ahead.has(id+1) {
				t.Errorf("job %d was not read ahead", id+1)
			}
			s.ahead.forget()
		}
		damaged(t, s, first)
		s.crash()
	})
	t.Run("a value", func(t *testing.T) {
		s := filled(t, 10)
		spoil(t, s, 4, func(_, record []byte) { record[1] ^= 1 })
		if job(t, s, 1); s.ahead.size() != 2 {
			t.Errorf("%d were read ahead", s.ahead.size())
		}
		damaged(t, s, 4)
		job(t, s, 5)
	})
}

// secondLeaf returns the first job of the second page of jobs, and where in the file that is.
func secondLeaf(t *testing.T, s *Store) (first persist.ID, at int64) {
	t.Helper()
	size := int64(s.db.Info().PageSize)
	root := make([]byte, size)
	err := s.db.View(func(tx *bbolt.Tx) error {
		_, err := s.file.ReadAt(root, int64(tx.Bucket(bucketNames[jobs]).RootPage())*size)
		return err
	})
	if err != nil || ne.Uint16(root[8:]) != branchPage {
		t.Fatal(err, root[:pageHeader])
	}
	branch := root[pageHeader+element:]
	key := branch[ne.Uint32(branch):][:len(idKey{})]
	err = s.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket(bucketNames[jobs]).Cursor()
		sheet, _, err := openSheet(c.Seek(key))
		first = sheet.next
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return first, int64(ne.Uint64(branch[8:])) * size
}

// Who gets a job may do with it what he likes.
func TestAJobThatWasReadAheadIsGivenOnce(t *testing.T) {
	s := filled(t, 10)
	job(t, s, 1)
	j := job(t, s, 2)
	j.Payload[0], j.Type, j.Attempts = 'x', "x", 99
	if again := job(t, s, 2); again.Payload[0] == 'x' || again.Type == "x" || again.Attempts == 99 {
		t.Errorf("%+v", again)
	}
}

// Readers and a writer: nobody ever sees a job as it was before a commit that has returned.
func TestWhoReadsAheadSeesWhatWasCommitted(t *testing.T) {
	const n, rounds = 200, 40
	s := filled(t, n)
	var mu sync.Mutex
	var fences [n + 1]uint64
	var wg sync.WaitGroup
	failed := make(chan error, 8)
	for range 4 {
		wg.Go(func() {
			for range rounds {
				for id := persist.ID(1); id <= n; id++ {
					mu.Lock()
					least := fences[id]
					mu.Unlock()
					if j, err := s.Job(ctx, id); err != nil || j.Fence < least {
						failed <- fmt.Errorf("job %d: %w, %+v, and %d was committed", id, err, j, least)
						return
					}
				}
			}
		})
	}
	for i := range persist.ID(rounds * 4) {
		id := i*37%n + 1
		fence := fences[id] + 1
		commit(t, s, amend(id, fence))
		mu.Lock()
		fences[id] = fence
		mu.Unlock()
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
}

// A commit can be seen before its last sync has ended, and then all of it.
func TestWhoReadsAheadDuringACommitSeesAllOfIt(t *testing.T) {
	const rounds = 40
	s := filled(t, 100*rounds)
	for n := range persist.ID(rounds) {
		first := 100*n + 1
		job(t, s, first)
		job(t, s, first+1) // reads ahead
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				j, err := s.Job(ctx, first+2)
				if err == nil && j.Fence == 0 {
					continue
				}
				if k, other := s.Job(ctx, first+8); err != nil || other != nil || k.Fence == 0 {
					t.Errorf("job %d is amended, and %d is not: %v, %v", first+2, first+8, err, other)
				}
				return
			}
		})
		commit(t, s, amend(first+2, 1), amend(first+8, 1))
		wg.Wait()
	}
}

// What is read while a commit is under way is kept, but for what that is about.
func TestWhatIsReadDuringACommitIsKeptUnlessThatIsAboutIt(t *testing.T) {
	var a ahead
	found := func() (jobs []*persist.Job) {
		for id := range persist.ID(4) {
			jobs = append(jobs, &persist.Job{Record: persist.Record{ID: id}})
		}
		return jobs
	}
	a.changing([]persist.Step{amend(2, 7)})
	turn, _ := a.begin(1)
	a.end(turn, found())
	if a.has(2) || !a.has(3) {
		t.Error("during a commit")
	}
	turn, _ = a.begin(2)
	a.changed()
	a.take(3)
	if a.end(turn, found()); a.has(3) {
		t.Error("when that was over first")
	}
}
