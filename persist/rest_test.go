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

// flood is a queue in which many jobs end every millisecond.
type flood struct {
	*rig
	ids []persist.ID

	mu      sync.Mutex
	commits []time.Duration // since it was let go
	began   time.Time
}

const (
	floodWidth  = 200 // of which one of the first two commits has enough to rest after it
	floodLength = 20  // milliseconds
	floodCommit = 100 * time.Microsecond
)

func newFlood(t *testing.T) *flood {
	t.Helper()
	f := &flood{}
	m := memstore.New()
	m.BeforeCommit(func(context.Context, []persist.Step) error {
		f.mu.Lock()
		f.commits = append(f.commits, time.Since(f.began))
		f.mu.Unlock()
		time.Sleep(floodCommit)
		return nil
	})
	f.rig = hang(t, persist.Config{Store: m, Workers: persist.NoWorkers, Handlers: []persist.Handler{
		chore.Handle(func(context.Context, string) error { time.Sleep(time.Millisecond); return nil }),
	}})
	for i := range floodWidth * floodLength {
		f.ids = append(f.ids, f.submit(fmt.Sprint(i)))
	}
	f.mu.Lock()
	f.commits, f.began = nil, time.Now()
	f.mu.Unlock()
	if err := f.SetWorkers(floodWidth); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *flood) at() []time.Duration {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.commits)
}

func TestEndsThatComeQuicklyShareCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFlood(t)
		elapse(time.Second)
		same(t, "ended", f.Counts()[persist.Ended], len(f.ids))
		// The first ends find an idle writer, and the others of their millisecond may wait for that. From then
		// on those of five milliseconds go together, and the last when nothing runs any more.
		commits := f.at()
		if n := len(commits); n < 5 || n > 6 || commits[n-1] != floodLength*time.Millisecond {
			t.Errorf("commits at %v", commits)
		}
		for i, at := range commits[:len(commits)-1] {
			if i > 1 && at-commits[i-1] < 5*time.Millisecond {
				t.Errorf("commits at %v", commits)
			}
		}
	})
}

func TestWhatSomebodyWaitsForIsNotHeldUpByEndsThatFollow(t *testing.T) {
	const inRest = 2*time.Millisecond + 500*time.Microsecond
	for what, ask := range map[string]func(*flood) error{
		"a submission":                  func(f *flood) error { f.submit("late"); return nil },
		"a cancellation":                func(f *flood) error { return f.Cancel(f.t.Context(), f.ids[len(f.ids)-1]) },
		"who awaits one that has ended": func(f *flood) error { f.wait(f.ids[floodWidth]); return nil },
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFlood(t)
			elapse(inRest)
			if err := ask(f); err != nil {
				t.Fatal(what, err)
			}
			same(t, what+" was held up for", time.Since(f.began)-inRest, floodCommit)
			if now := f.at(); !slices.Contains(now, inRest) {
				t.Errorf("%s: commits at %v", what, now)
			}
			elapse(time.Second)
		})
	}
}

func TestTheEndOfAJobThatEndsAloneIsStoredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Handlers: s.handlers(), Workers: 2})
		r.submit("long")
		id := r.submit("short")
		s.letGo(nil, "short")
		same(t, "phase", r.look(id).Ended(), true)
		s.letAllGo()
	})
}
