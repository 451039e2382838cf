package persist_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

func TestOfSeveralWithOneKeyInABatchTheLastCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t)
		h := start(t, persist.Config{})
		later := persist.WithDelay(time.Hour)
		held := p.submit(h, part{Name: "held"}, later).ID
		results, err := h.SubmitAll(t.Context(), []persist.Submission{
			p.kind.New(part{Name: "a", Fails: 1}),                                                  // 0
			p.kind.New(part{Name: "b"}),                                                            // 1
			p.kind.New(part{Name: "a", Fails: 2}, persist.WithPriority(persist.High)),              // 2
			p.kind.New(part{Name: "a"}, persist.WithoutKey()),                                      // 3
			p.kind.New(part{Name: "held"}, persist.WithDuplicates(persist.Supersede)),              // 4
			p.kind.New(part{Name: "held"}, persist.WithDuplicates(persist.Reject)),                 // 5
			p.kind.New(part{Name: "a", Fails: 3}, persist.WithPriority(persist.Idle)),              // 6
			p.kind.New(part{Name: "again"}, persist.WithDuplicates(persist.Reject)),                // 7
			p.kind.New(part{Name: "again"}, persist.WithDuplicates(persist.Reject)),                // 8
			p.kind.New(part{Name: "a", Fails: 4}, persist.WithKey("b"), persist.WithTag("x", "y")), // 9
		}, later)
		if err != nil {
			t.Fatal(err)
		}
		// Nobody is inserted who is no longer the last, so the numbers go on without a gap.
		want := []persist.Result{
			{Kind: persist.Duplicate, ID: held + 2}, // of 6
			{Kind: persist.Duplicate, ID: held + 4}, // of 9
			{Kind: persist.Duplicate, ID: held + 2},
			{Kind: persist.Inserted, ID: held + 1},
			{Kind: persist.Duplicate, ID: held}, // which 5 is not to be
			{Kind: persist.Rejected, Other: held},
			{Kind: persist.Inserted, ID: held + 2},
			{Kind: persist.Duplicate, ID: held + 3},
			{Kind: persist.Inserted, ID: held + 3},
			{Kind: persist.Inserted, ID: held + 4},
		}
		for i, r := range results {
			if r != want[i] {
				t.Errorf("%d: %+v, want %+v", i, r, want[i])
			}
		}
		if j, err := h.Job(t.Context(), held+2); err != nil || string(j.Payload) != `{"Name":"a","Fails":3}` || j.State.Priority != persist.Idle {
			t.Errorf("%+v, %v", j, err)
		}
		if n, m := h.count(events.BatchSubmitted), h.count(events.JobSubmitted); n != 1 || m != 5 {
			t.Errorf("%d events of batches, %d of jobs", n, m)
		}
		for _, e := range h.rec.Events() {
			if e.Kind == events.BatchSubmitted && e.Count != 4 {
				t.Errorf("the batch has %d new jobs, want 4", e.Count)
			}
		}
	})
}

func TestALargeBatchIsStoredInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 2*persist.MaxBatch + 500
		m := memstore.New()
		h := start(t, persist.Config{Store: m})
		var parts []int
		m.BeforeCommit(func(_ context.Context, steps []persist.Step) error {
			parts = append(parts, len(steps))
			return nil
		})
		ins := make([]note, n)
		for i := range ins {
			ins[i].N = i
		}
		// The same key in the first part and in the last, and twice in the second.
		ins[n-1].N = 5
		ins[persist.MaxBatch+1].N = persist.MaxBatch
		results, err := noteType.SubmitAll(t.Context(), h.Queue, ins, persist.WithDelay(time.Hour))
		if err != nil || len(results) != n {
			t.Fatal(len(results), err)
		}
		if fmt.Sprint(parts) != fmt.Sprint([]int{persist.MaxBatch - 1, persist.MaxBatch - 1, 500}) {
			t.Errorf("parts of %v", parts)
		}
		id := persist.ID(0)
		for i, r := range results {
			want := persist.Result{Kind: persist.Duplicate, ID: n - 2}
			switch i {
			case 5:
			case persist.MaxBatch:
				want.ID = persist.MaxBatch
			default:
				id++
				want = persist.Result{Kind: persist.Inserted, ID: id}
			}
			if r != want {
				t.Fatalf("%d: %+v, want %+v", i, r, want)
			}
		}
		if n := h.count(events.BatchSubmitted); n != 3 {
			t.Errorf("%d events", n)
		}
	})
}

func TestWhatWasStoredOfALargeBatchBeforeAnErrorIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = persist.MaxBatch + 10
		m := memstore.New()
		h := start(t, persist.Config{Store: m})
		commits := 0
		m.BeforeCommit(func(context.Context, []persist.Step) error {
			if commits++; commits == 2 {
				return errDisk
			}
			return nil
		})
		ins := make([]note, n)
		for i := range ins {
			ins[i].N = i
		}
		ins[n-1].N = 7 // of which nothing is stored, then
		ins[6].N = 8
		results, err := noteType.SubmitAll(t.Context(), h.Queue, ins, persist.WithDelay(time.Hour))
		if !errors.Is(err, errDisk) || len(results) != n {
			t.Fatal(len(results), err)
		}
		for i, r := range results {
			switch want := i < persist.MaxBatch && i != 7; {
			case want != (r.ID != 0):
				t.Fatalf("%d: %+v", i, r)
			case i == 6 && (r.Kind != persist.Duplicate || r.ID != results[8].ID):
				t.Errorf("%d: %+v", i, r)
			}
		}
	})
}

var errDisk = errors.New("the disk is on fire")

func TestWhatIsRelaxedIsAcknowledgedBeforeItIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		h := start(t, persist.Config{Store: m, RelaxedDelay: time.Second})
		began := time.Now()
		var stored time.Duration
		n := 0
		m.BeforeCommit(func(_ context.Context, steps []persist.Step) error {
			stored, n = time.Since(began), n+len(steps)
			return nil
		})
		relaxed := persist.WithDurability(persist.Relaxed)
		later := persist.WithDelay(time.Hour)
		a := must(t)(noteType.Submit(t.Context(), h.Queue, note{1}, relaxed, later))
		if a.ID != 1 || time.Since(began) != 0 || n != 0 {
			t.Errorf("%+v after %v and %d steps", a, time.Since(began), n)
		}
		if j, err := h.Job(t.Context(), a.ID); err != nil || string(j.Payload) != `{"N":1}` {
			t.Errorf("it is not known: %v, %v", j, err)
		}
		if r := must(t)(noteType.Submit(t.Context(), h.Queue, note{1}, relaxed, persist.WithPriority(persist.High))); r.Kind != persist.Upgraded || r.ID != a.ID {
			t.Errorf("the same key: %+v", r)
		}
		results, err := noteType.SubmitAll(t.Context(), h.Queue, []note{{2}, {3}, {2}}, relaxed, later)
		if err != nil || fmt.Sprint(results) != "[{duplicate 3 0} {inserted 2 0} {inserted 3 0}]" {
			t.Errorf("%v, %v", results, err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if stored != time.Second || n != 4 {
			t.Errorf("%d steps are stored after %v", n, stored)
		}
		// One that is not makes all of a batch strict.
		results, err = h.SubmitAll(t.Context(), []persist.Submission{noteType.New(note{4}, later, relaxed), noteType.New(note{5}, later)})
		if err != nil || n != 6 {
			t.Errorf("%v, %v after %d steps", results, err, n)
		}
		if j, err := h.Job(t.Context(), a.ID); err != nil || j.State.Priority != persist.High {
			t.Errorf("%+v, %v", j, err)
		}
	})
}

func TestWhatIsRelaxedRunsAtOnceAndIsStoredAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		var got []int
		var at []time.Duration
		began := time.Now()
		h := start(t, persist.Config{
			Store: m, RelaxedDelay: time.Second, Workers: 1, Defaults: []persist.Option{persist.WithDurability(persist.Relaxed)},
			Handlers: []persist.Handler{noteType.Handle(func(ctx context.Context, n note) error {
				got, at = append(got, n.N), append(at, time.Since(began))
				a, _ := persist.FromContext(ctx)
				if j := a.Job(); int(j.ID) != n.N || j.State.Priority != persist.Normal || j.Tags[0].Key != "k" {
					t.Errorf("%+v", j)
				}
				return nil
			})},
		})
		for i := range 3 {
			must(t)(noteType.Submit(t.Context(), h.Queue, note{i + 1}, persist.WithTag("k", "v")))
		}
		synctest.Wait()
		if fmt.Sprint(got, at) != "[1 2 3] [0s 0s 0s]" {
			t.Error(got, at)
		}
		r := must(t)(noteType.Submit(t.Context(), h.Queue, note{4}, persist.WithTag("k", "v"), persist.WithDelay(time.Minute)))
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		h = start(t, persist.Config{Store: m})
		if j, err := h.Job(t.Context(), r.ID); err != nil || j.Ended() {
			t.Errorf("%+v, %v", j, err)
		}
		for id := range persist.ID(3) {
			h.ended(id+1, persist.Completed)
		}
	})
}

func TestWhoSupersedesIsNeverTakenForStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t, persist.WithDurability(persist.Relaxed))
		h := start(t, persist.Config{RelaxedDelay: time.Hour, Workers: 1, Handlers: []persist.Handler{p.handler()}})
		old := p.submit(h, part{Name: "k"}, persist.WithDelay(time.Hour)).ID
		fresh := p.submit(h, part{Name: "k"}, persist.WithDuplicates(persist.Supersede)).ID
		h.ended(old, persist.Superseded)
		h.ended(fresh, persist.Completed)
	})
}

// The numbers of those that are accepted are given before those of others that came earlier.
func TestStrictAndRelaxedAreStoredInTheOrderOfTheirNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		h := start(t, persist.Config{Store: m})
		g := hold(m)
		later := persist.WithDelay(time.Hour)
		submit := func(n int, opts ...persist.Option) chan error {
			c := make(chan error, 1)
			go func() {
				ins := make([]note, n)
				_, err := noteType.SubmitAll(t.Context(), h.Queue, ins, append(opts, later, persist.WithoutKey())...)
				c <- err
			}()
			synctest.Wait()
			return c
		}
		first := submit(1)
		g.arrive()
		large := submit(5000) // more than one commit is for
		small := submit(5)
		relaxed := submit(10, persist.WithDurability(persist.Relaxed))
		if err := <-relaxed; err != nil {
			t.Fatal(err)
		}
		g.end(nil)
		for _, c := range []chan error{first, large, small} {
			if err := <-c; err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Minute)
		if n := h.count(events.StoreFailed); n != 0 {
			t.Errorf("%d commits failed", n)
		}
		if c := h.Counts(); c[persist.Delayed] != 5016 {
			t.Errorf("%v", c)
		}
	})
}
