package persist_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

// The memory of a batch is used for the next one. Each job here has its text as its payload and as its label, and all
// texts are of one length, so that whoever is given another's memory is given its text.
func TestNoJobOfABatchIsGivenTheMemoryOfAnother(t *testing.T) {
	relaxed := persist.WithDurability(persist.Relaxed)
	for _, row := range []struct {
		name    string
		cache   int64
		opts    []persist.Option // of the first batch
		held    bool             // it is being stored while the others are made ready
		givenUp bool             // and nobody waits for it
	}{
		{name: "kept"},
		{name: "read from the store", cache: persist.NoCache},
		{name: "being stored", held: true},
		{name: "given up while it is stored", held: true, givenUp: true},
		{name: "stored later", opts: []persist.Option{relaxed}},
		{name: "stored later, and read from there", opts: []persist.Option{relaxed}, cache: persist.NoCache},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				ran := map[string]int{}
				run := func(ctx context.Context, in string) error {
					a, _ := persist.FromContext(ctx)
					if label := a.Job().Label; in != label {
						t.Errorf("job %d has %q, and not %q", a.Job().ID, in, label)
					}
					mu.Lock()
					defer mu.Unlock()
					ran[in]++
					return nil
				}
				m := memstore.New()
				h := start(t, persist.Config{
					Store: m, Cache: row.cache, Workers: persist.NoWorkers, Handlers: []persist.Handler{
						chore.Handle(run),
						persist.HandleRaw("raw", func(ctx context.Context, text []byte) error { return run(ctx, string(text)) }),
					},
				})
				const n = 100
				submit := func(ctx context.Context, name rune, opts ...persist.Option) error {
					subs := make([]persist.Submission, n)
					for i := range subs {
						text := fmt.Sprintf("%c%02d", name, i)
						if subs[i] = chore.New(text, persist.WithLabel(text)); i%2 != 0 {
							subs[i] = persist.Raw("raw", []byte(text), persist.WithLabel(text))
						}
					}
					_, err := h.SubmitAll(ctx, subs, opts...)
					return err
				}

				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				first := make(chan error, 1)
				release := func() {}
				if row.held {
					g := hold(m)
					release = func() { g.end(nil) }
					go func() { first <- submit(ctx, 'a', row.opts...) }()
					g.arrive()
				} else {
					first <- submit(ctx, 'a', row.opts...)
				}
				var want error
				if row.givenUp {
					cancel()
					synctest.Wait()
					want = persist.ErrUnknown
				}
				const others = "bcdefg"
				var all sync.WaitGroup
				for _, name := range others {
					all.Go(func() { isError(t, "the others", submit(t.Context(), name), nil) })
					synctest.Wait()
				}
				release()
				all.Wait()
				isError(t, "the first", <-first, want)

				if err := h.SetWorkers(8); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				mu.Lock()
				defer mu.Unlock()
				for _, name := range "a" + others {
					for i := range n {
						if text := fmt.Sprintf("%c%02d", name, i); ran[text] != 1 {
							t.Errorf("%s has run %d times", text, ran[text])
						}
					}
				}
				told := map[string]int{}
				for _, e := range h.rec.Events() {
					if e.Kind == events.JobSubmitted {
						told[e.Job.Label]++
					}
				}
				same(t, "jobs that were told of", len(told), n*(1+len(others)))
			})
		})
	}
}
