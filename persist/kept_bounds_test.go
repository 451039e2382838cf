package persist_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

func heapNow() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// bounded checks that a cache takes no more of the heap than it is told, give or take what its jobs
// are beside their texts. What others have left on the heap may go meanwhile, so it looks again: what
// is held is held each time.
func bounded(t *testing.T, cache int64, measure func(cache int64) int64) {
	t.Helper()
	var more int64
	for range 4 {
		without := measure(persist.NoCache)
		if more = measure(cache) - without; more <= 4*cache {
			return
		}
	}
	t.Errorf("jobs that wait take %d KiB more than without a cache, and Cache is %d KiB", more>>10, cache>>10)
}

func onDisk(t *testing.T) persist.Backend {
	return boltstore.File(filepath.Join(t.TempDir(), "jobs.db"), boltstore.Options{NoSync: true})
}

// Of each batch one small job waits, and the large ones have run and are gone.
func TestTheCacheHoldsNoMoreThanItIsToldWithBatches(t *testing.T) {
	const batches, size, cache = 400, 64 << 10, 1 << 20
	raw := persist.HandleRaw("raw", func(context.Context, []byte) error { return nil })
	measure := func(cache int64) int64 {
		q := persist.New(persist.Config{Store: onDisk(t), Handlers: []persist.Handler{raw}, Cache: cache})
		stop := again(t, q)
		defer stop()
		before := heapNow()
		large := make([]byte, size)
		for i := range batches {
			subs := []persist.Submission{persist.Raw("raw", fmt.Append(nil, i), persist.WithoutKey(), persist.WithDelay(time.Hour))}
			for range 7 {
				subs = append(subs, persist.Raw("raw", large, persist.WithoutKey()))
			}
			results, err := q.SubmitAll(t.Context(), subs)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results[1:] {
				if _, err := q.Await(t.Context(), r.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
		return heapNow() - before
	}
	bounded(t, cache, measure)
}

// Tags are texts too.
func TestTheCacheHoldsNoMoreThanItIsToldWithTags(t *testing.T) {
	const jobs, cache = 3000, 2 << 20
	measure := func(cache int64) int64 {
		q := persist.New(persist.Config{Store: onDisk(t), Workers: persist.NoWorkers, Cache: cache})
		stop := again(t, q)
		defer stop()
		before := heapNow()
		for i := 0; i < jobs; i += 100 {
			var subs []persist.Submission
			for j := i; j < i+100; j++ {
				var opts []persist.Option
				for k := range persist.MaxTags {
					opts = append(opts, persist.WithTag(fmt.Sprint("k", k), strings.Repeat("x", 200)+fmt.Sprint(j)))
				}
				subs = append(subs, persist.Raw("raw", fmt.Append(nil, j), opts...))
			}
			if _, err := q.SubmitAll(t.Context(), subs); err != nil {
				t.Fatal(err)
			}
		}
		return heapNow() - before
	}
	bounded(t, cache, measure)
}

// A handler of raw payloads decodes in place, and is restarted by hand.
func TestARestartedAttemptIsGivenThePayloadAsItIsStored(t *testing.T) {
	for what, opts := range map[string][]persist.Option{
		"kept":    nil,
		"relaxed": {persist.WithDurability(persist.Relaxed)},
	} {
		for _, cache := range []int64{persist.NoCache, 0} {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				var got []string
				r := hang(t, persist.Config{Cache: cache, Store: memstore.New(), Handlers: []persist.Handler{
					persist.HandleRaw("raw", func(ctx context.Context, payload []byte) error {
						mu.Lock()
						got = append(got, string(payload))
						first := len(got) == 1
						mu.Unlock()
						for i := range payload {
							payload[i] ^= 0x20
						}
						if first {
							<-ctx.Done()
							return ctx.Err()
						}
						return nil
					}),
				}})
				res := must(t)(r.Submit(t.Context(), persist.Raw("raw", []byte("hello"), opts...)))
				elapse(time.Second)
				if _, err := r.Head().Restart(t.Context(), fmt.Sprint("workers/", res.ID)); err != nil {
					t.Fatal(err)
				}
				elapse(time.Second)
				mu.Lock()
				defer mu.Unlock()
				same(t, fmt.Sprint(what, ", cache ", cache), fmt.Sprint(got), "[hello hello]")
			})
		}
	}
}

// What a middleware, or a handler, does to its job is seen by no other job.
func TestTagsOfOneJobAreNotThoseOfOthers(t *testing.T) {
	for what, opts := range map[string][]persist.Option{
		"kept":    nil,
		"relaxed": {persist.WithDurability(persist.Relaxed)},
	} {
		for _, cache := range []int64{persist.NoCache, 0} {
			synctest.Test(t, func(t *testing.T) {
				tagged := persist.Define[string]("tagged", persist.WithTag("tenant", "none"), persist.WithoutKey())
				var mu sync.Mutex
				got := map[string]string{}
				r := hang(t, persist.Config{Cache: cache, Handlers: []persist.Handler{
					tagged.Handle(func(context.Context, string) error { return nil }),
				}, Middleware: []persist.Middleware{func(ctx context.Context, job *persist.Job, next func(context.Context) error) error {
					mu.Lock()
					got[string(job.Payload)] = job.Tags[0].Value
					mu.Unlock()
					job.Tags[0].Value = "of " + string(job.Payload) // for those further in
					return next(ctx)
				}}})
				a := must(t)(tagged.Submit(t.Context(), r.Queue, "a", opts...))
				r.wait(a.ID)
				b := must(t)(tagged.Submit(t.Context(), r.Queue, "b", opts...))
				r.wait(b.ID)
				same(t, fmt.Sprint(what, ", cache ", cache, ": tags as the middleware finds them"), fmt.Sprint(got), `map["a":none "b":none]`)
				same(t, fmt.Sprint(what, ", cache ", cache, ": tag of b as stored"), r.look(b.ID).Tags[0].Value, "none")
			})
		}
	}
}
