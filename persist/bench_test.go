package persist_test

import (
	"context"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
)

// benchQueue runs a queue on a file.
func benchQueue(b *testing.B, cfg persist.Config) *persist.Queue {
	cfg.Store = boltstore.File(filepath.Join(b.TempDir(), "jobs.db"), boltstore.Options{})
	q := persist.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	if err := q.WaitReady(ctx); err != nil {
		b.Fatal(err)
	}
	return q
}

var payload = make([]byte, 256)

func BenchmarkSubmit(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(map[int]string{1: "one", 64: "many"}[callers], func(b *testing.B) {
			q := benchQueue(b, persist.Config{})
			b.ReportAllocs()
			b.ResetTimer()
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						if _, err := q.Submit(context.Background(), persist.Raw("blob", payload, persist.WithoutKey())); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}

func BenchmarkSubmitAll(b *testing.B) {
	q := benchQueue(b, persist.Config{})
	subs := make([]persist.Submission, 1000)
	for i := range subs {
		subs[i] = persist.Raw("blob", payload, persist.WithoutKey())
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if _, err := q.SubmitAll(context.Background(), subs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "jobs/s")
}

func BenchmarkDrain(b *testing.B) {
	q := benchQueue(b, persist.Config{Workers: 16})
	subs := make([]persist.Submission, 20000)
	for i := range subs {
		subs[i] = persist.Raw("blob", payload, persist.WithoutKey())
	}
	var left atomic.Int64
	for i := range b.N {
		b.StopTimer()
		name := "blob" + string(rune('a'+i%26)) + string(rune('a'+i/26))
		for i := range subs {
			subs[i] = persist.Raw(name, payload, persist.WithoutKey())
		}
		left.Store(int64(len(subs)))
		done := make(chan struct{})
		rs, err := q.SubmitAll(context.Background(), subs)
		if err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		b.StartTimer()
		_ = q.Handle(persist.HandleRaw(name, func(context.Context, []byte) error {
			if left.Add(-1) == 0 {
				close(done)
			}
			return nil
		}))
		<-done
		if _, err := q.Await(context.Background(), rs[len(rs)-1].ID); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*20000/b.Elapsed().Seconds(), "jobs/s")
}

func BenchmarkSubmitAndRun(b *testing.B) {
	q := benchQueue(b, persist.Config{Workers: 16})
	var wg sync.WaitGroup
	_ = q.Handle(persist.HandleRaw("blob", func(context.Context, []byte) error { wg.Done(); return nil }))
	b.ReportAllocs()
	b.ResetTimer()
	wg.Add(b.N)
	var left atomic.Int64
	left.Store(int64(b.N))
	for range 64 {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := q.Submit(context.Background(), persist.Raw("blob", payload, persist.WithoutKey())); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
}
