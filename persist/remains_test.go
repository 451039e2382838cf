package persist_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

// isAmendment reports steps that say more than what an amendment does.
func isAmendment(t *testing.T, steps []persist.Step) {
	t.Helper()
	for i := range steps {
		if s := &steps[i]; s.Record != nil || s.End != (persist.End{}) || s.Kind != 0 || s.Count != 0 {
			t.Errorf("%v of job %d: %+v", s.Verb, s.ID, s)
		}
	}
}

// Steps are made in memory that was used before, be it that the last commit has outgrown it.
func TestAStepSaysNothingOfOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		h := start(t, persist.Config{Store: m})
		steps := 0
		m.BeforeCommit(func(_ context.Context, all []persist.Step) error {
			steps = len(all)
			return nil
		})
		ins := make([]note, persist.MaxBatch)
		for i := range ins {
			ins[i].N = i
		}
		for _, want := range []int{len(ins), 2 * len(ins)} { // the second time all of the first are superseded
			_, err := noteType.SubmitAll(t.Context(), h.Queue, ins, persist.WithDelay(time.Hour), persist.WithDuplicates(persist.Supersede))
			if err != nil || steps < want {
				t.Fatalf("%d steps, %v", steps, err)
			}
		}
		m.BeforeCommit(func(_ context.Context, all []persist.Step) error {
			isAmendment(t, all)
			return nil
		})
		if r := h.submit(noteType, 5, persist.WithPriority(persist.High)); r.Kind != persist.Upgraded {
			t.Errorf("%+v", r)
		}
		m.BeforeCommit(nil)
	})
}

// Nor of one that was not even tried, since there is no room for it.
func TestAStepSaysNothingOfOneForWhichThereIsNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		h := start(t, persist.Config{Store: m})
		later := persist.WithDelay(time.Hour)
		h.submit(noteType, 1, later)
		g := hold(m)
		go h.submit(noteType, 2, later)
		g.arrive()
		m.Limit(2)
		full := func(n int) {
			_, err := noteType.Submit(t.Context(), h.Queue, note{n}, later)
			isError(t, "no room", err, persist.ErrFull)
		}
		go full(3)
		synctest.Wait()
		go full(4)
		synctest.Wait()
		go h.submit(noteType, 1, persist.WithPriority(persist.High))
		synctest.Wait()
		amended := 0
		m.BeforeCommit(func(_ context.Context, steps []persist.Step) error {
			if len(steps) == 1 && steps[0].Verb == persist.Amend {
				isAmendment(t, steps)
				amended++
			}
			return nil
		})
		g.pass(nil)
		synctest.Wait()
		same(t, "commits of amendments", amended, 1)
	})
}
