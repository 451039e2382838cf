package boltstore

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"

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
	return len(a.jobs)
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

	far := filled(t, 2000)
	job(t, far, 1000)
	job(t, far, 500)
	if n := far.ahead.size(); n != 0 {
		t.Errorf("%d were read for who asks for this and that", n)
	}
	job(t, far, 510)
	if n := far.ahead.size(); n != aheadMost {
		t.Errorf("%d were read ahead", n)
	}
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
