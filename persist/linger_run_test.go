package persist_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

const slowDisk = 10 * time.Millisecond

// slowly runs a queue whose commits take long, and notes how many jobs each inserts.
func slowly(t *testing.T) (r *rig, inserted func() []int) {
	t.Helper()
	m := memstore.New()
	var mu sync.Mutex
	var sizes []int
	m.BeforeCommit(func(_ context.Context, steps []persist.Step) error {
		n := 0
		for i := range steps {
			if steps[i].Verb == persist.Insert {
				n++
			}
		}
		mu.Lock()
		sizes = append(sizes, n)
		mu.Unlock()
		time.Sleep(slowDisk)
		return nil
	})
	r = hang(t, persist.Config{Store: m, Workers: persist.NoWorkers})
	return r, func() []int {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(sizes)
	}
}

// On a slow disk those who were just answered do not miss the next commit.
func TestOnASlowDiskCallersShareEachCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, inserted := slowly(t)
		const callers, each = 8, 5
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				for j := range each {
					r.submit(fmt.Sprint(i, ".", j))
					time.Sleep(time.Millisecond) // it has something else to do
				}
			})
		}
		wg.Wait()
		got := inserted()
		// The first finds an idle queue, the others wait for it, and from then on all go together.
		for _, n := range got[2 : len(got)-2] {
			if n != callers {
				t.Errorf("inserted by each commit: %v", got)
				break
			}
		}
		if limit := each + 2; len(got) > limit {
			t.Errorf("%d commits, which is more than %d: %v", len(got), limit, got)
		}
	})
}

func TestWhoComesAloneIsNotHeldUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := slowly(t)
		for i := range 5 {
			began := time.Now()
			r.submit(fmt.Sprint(i))
			if took := time.Since(began); took != slowDisk {
				t.Errorf("submission %d took %v, and a commit %v", i, took, slowDisk)
			}
		}
	})
}

// Those who do not come again cost the next a quarter of a commit, once in a while.
func TestWhoDoesNotComeAgainIsNotWaitedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := slowly(t)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { r.submit(fmt.Sprint("once ", i)) })
		}
		wg.Wait()
		began := time.Now()
		r.submit("next")
		if took, most := time.Since(began), slowDisk+slowDisk/4; took > most {
			t.Errorf("took %v, more than %v", took, most)
		}
		for i := range 5 {
			began := time.Now()
			r.submit(fmt.Sprint("later ", i))
			if took := time.Since(began); took != slowDisk {
				t.Errorf("took %v", took)
			}
		}
	})
}
