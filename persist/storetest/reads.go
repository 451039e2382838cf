package storetest

import (
	"fmt"
	"sync"

	"github.com/taskvisor/taskvisor/persist"
)

var reads = []scenario{
	{"what was committed can be read", func(g *game) {
		for id := range persist.ID(20) {
			g.commit(insert(id + 1))
			if d := diff(expect(0, insert(id+1)), g.job(id+1)); d != "" {
				g.Fatalf("job %d: %s", id+1, d)
			}
		}
	}},

	{"a store knows how large it is, or says nothing", func(g *game) {
		g.commit(insert(1))
		if u := g.store.Usage(); u.Bytes < 0 || u.Free < 0 || u.Limit < 0 || u.Free > u.Bytes {
			g.Errorf("usage %+v", u)
		}
	}},

	{"who reads during a commit sees all of it or nothing", func(g *game) {
		g.commit(insert(1), insert(2), resolve(1, 0, persist.Failed), resolve(2, 0, persist.Failed))
		done := make(chan struct{})
		wrong := make(chan error, 4)
		var readers sync.WaitGroup
		for range cap(wrong) {
			readers.Go(func() {
				if err := g.watch(done); err != nil {
					wrong <- err
				}
			})
		}

		// Both are alive, or both have ended, as often as the other.
		for fence := range uint64(100) {
			id := persist.ID(fence + 3)
			g.commit(revive(1, fence), insert(id), revive(2, fence))
			g.commit(resolve(1, fence, persist.Failed), amend(id, fence), resolve(2, fence, persist.Failed))
		}
		close(done)
		readers.Wait()
		close(wrong)
		for err := range wrong {
			g.Error(err)
		}
	}},

	{"who reads jobs that nothing was said of yet, during a commit, sees all of it or nothing", func(g *game) {
		const crowd, rounds = 10, 50
		for round := range persist.ID(rounds) {
			first := round*crowd*10 + 1 // far from those before
			var steps []persist.Step
			for i := range persist.ID(crowd) {
				steps = append(steps, insert(first+i))
			}
			g.commit(steps...)
			g.job(first)
			g.job(first + 1) // who asks for one after the other may be given the next from memory

			one, other := first+2, first+crowd-2
			var reader sync.WaitGroup
			var wrong error
			reader.Go(func() { wrong = g.pair(one, other) })
			g.commit(amend(one, 1), amend(other, 1))
			if reader.Wait(); wrong != nil {
				g.Fatal(wrong)
			}
		}
	}},

	{"a commit may be as large as a submission", func(g *game) {
		steps := make([]persist.Step, persist.MaxBatch)
		for i := range steps {
			steps[i] = insert(persist.ID(i + 1))
		}
		g.commit(steps...)
		g.refused(insert(persist.MaxBatch+1), insert(1))
		if n := len(g.live); n != persist.MaxBatch {
			g.Errorf("%d jobs, want %d", n, persist.MaxBatch)
		}
		for i := range steps {
			steps[i] = resolve(persist.ID(i+1), 0, persist.Completed)
		}
		g.commit(steps...)
		g.commit(prune(persist.Completed, persist.MaxBatch-2))
		g.wantPast(persist.PastQuery{}, persist.MaxBatch, persist.MaxBatch-1)
	}},
}

// watch reads until done, and returns what it should not have seen.
func (g *game) watch(done <-chan struct{}) error {
	for {
		select {
		case <-done:
			return nil
		default:
		}
		past, err := g.store.Past(g.ctx, persist.PastQuery{})
		switch {
		case err != nil:
			return err
		case len(past) == 0:
		case len(past) != 2 || past[0].ID != 2 || past[1].ID != 1 || past[0].End.Seq != past[1].End.Seq+1:
			return fmt.Errorf("half of a commit was seen: jobs %v have ended", ids(past))
		}
		if err := g.glimpse(); err != nil {
			return err
		}
	}
}

// glimpse reads one job after the other: the later cannot be older.
func (g *game) glimpse() error {
	first, err := g.store.Job(g.ctx, 1)
	if err != nil {
		return err
	}
	second, err := g.store.Job(g.ctx, 2)
	if err != nil {
		return err
	}
	if second.Fence < first.Fence {
		return fmt.Errorf("half of a commit was seen: fences %d and %d", first.Fence, second.Fence)
	}
	_, err = g.store.Payload(g.ctx, 2)
	_ = g.store.Usage()
	return err
}

// pair waits for one job to be amended, and looks at another that is amended with it.
func (g *game) pair(one, other persist.ID) error {
	for {
		j, err := g.store.Job(g.ctx, one)
		switch {
		case err != nil:
			return err
		case j.Fence == 0:
			continue
		}
		if j, err = g.store.Job(g.ctx, other); err == nil && j.Fence == 0 {
			err = fmt.Errorf("half of a commit was seen: job %d is amended, and %d is not", one, other)
		}
		return err
	}
}
