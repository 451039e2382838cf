package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// idle waits until it is told to stop.
var idle = actor.Func(func(ctx context.Context) error {
	<-ctx.Done()
	return nil
})

// runBench runs a supervisor for the length of a benchmark.
func runBench(b *testing.B, cfg supervisor.Config) (s *supervisor.Supervisor, stop func()) {
	b.Helper()
	s = supervisor.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	for s.Tree().State != supervisor.StateRunning {
		runtime.Gosched()
	}
	return s, func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkStartStop starts n idle children and stops them all; the bare form
// does the same with a goroutine and a context each.
func BenchmarkStartStop(b *testing.B) {
	const n = 100_000
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("child-%d", i)
	}
	b.Run("bare", func(b *testing.B) {
		var start, stop time.Duration
		for b.Loop() {
			t := time.Now()
			cancels := make([]context.CancelFunc, n)
			var wg, up sync.WaitGroup
			up.Add(n)
			for i := range n {
				ctx, cancel := context.WithCancel(context.Background())
				cancels[i] = cancel
				wg.Go(func() { up.Done(); <-ctx.Done() })
			}
			up.Wait()
			start += time.Since(t)
			t = time.Now()
			for _, c := range cancels {
				c()
			}
			wg.Wait()
			stop += time.Since(t)
		}
		b.ReportMetric(float64(start.Nanoseconds())/float64(b.N*n), "start-ns/child")
		b.ReportMetric(float64(stop.Nanoseconds())/float64(b.N*n), "stop-ns/child")
	})
	b.Run("supervised", func(b *testing.B) {
		var start, stop time.Duration
		for b.Loop() {
			s, end := runBench(b, supervisor.Config{Name: "app"})
			var up sync.WaitGroup
			up.Add(n)
			task := actor.Func(func(ctx context.Context) error { up.Done(); <-ctx.Done(); return nil })
			t := time.Now()
			for i := range n {
				if _, err := s.Start(context.Background(), actor.Spec{Name: names[i], Task: task, Restart: policy.Always}); err != nil {
					b.Fatal(err)
				}
			}
			up.Wait()
			start += time.Since(t)
			t = time.Now()
			end()
			stop += time.Since(t)
		}
		b.ReportMetric(float64(start.Nanoseconds())/float64(b.N*n), "start-ns/child")
		b.ReportMetric(float64(stop.Nanoseconds())/float64(b.N*n), "stop-ns/child")
	})
}

// BenchmarkMemory reports the bytes that an idle child holds.
func BenchmarkMemory(b *testing.B) {
	const n = 100_000
	inUse := func() uint64 {
		for range 3 {
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			before := inUse()
			ctx, cancel := context.WithCancel(context.Background())
			var wg, up sync.WaitGroup
			up.Add(n)
			for range n {
				wg.Go(func() { up.Done(); <-ctx.Done() })
			}
			up.Wait()
			b.ReportMetric(float64(inUse()-before)/n, "B/child")
			cancel()
			wg.Wait()
		}
	})
	b.Run("supervised", func(b *testing.B) {
		for b.Loop() {
			before := inUse()
			s, stop := runBench(b, supervisor.Config{Name: "app"})
			var up sync.WaitGroup
			up.Add(n)
			task := actor.Func(func(ctx context.Context) error { up.Done(); <-ctx.Done(); return nil })
			for i := range n {
				if _, err := s.Start(context.Background(), actor.Spec{Name: fmt.Sprintf("child-%d", i), Task: task}); err != nil {
					b.Fatal(err)
				}
			}
			up.Wait()
			b.ReportMetric(float64(inUse()-before)/n, "B/child")
			stop()
		}
	})
}

var errBench = errors.New("bench")

// BenchmarkRestart is one restart after a failure without a pause, among n
// children, with and without somebody who listens.
func BenchmarkRestart(b *testing.B) {
	restart := func(b *testing.B, n int, cfg supervisor.Config) {
		s, stop := runBench(b, cfg)
		defer stop()
		for i := range n - 1 {
			if _, err := s.Start(context.Background(), actor.Spec{Name: fmt.Sprint("idle-", i), Task: idle}); err != nil {
				b.Fatal(err)
			}
		}
		var left atomic.Int64
		left.Store(1 << 62)
		begin, done := make(chan int64), make(chan struct{})
		task := actor.Func(func(ctx context.Context) error {
			if left.Add(-1) <= 0 {
				done <- struct{}{}
				select {
				case k := <-begin:
					left.Store(k)
				case <-ctx.Done():
					return nil
				}
			}
			return errBench
		})
		left.Store(0)
		if _, err := s.Start(context.Background(), actor.Spec{Name: "failing", Task: task, Backoff: policy.NoBackoff()}); err != nil {
			b.Fatal(err)
		}
		<-done
		const batch = 10_000 // so that beginning and end of a batch do not count
		b.ReportAllocs()
		for b.Loop() {
			begin <- batch
			<-done
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/restart")
	}
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("children=%d", n), func(b *testing.B) { restart(b, n, supervisor.Config{}) })
	}
	b.Run("idle-bus", func(b *testing.B) { restart(b, 100, supervisor.Config{Bus: &events.Bus{}}) })
	b.Run("subscriber", func(b *testing.B) {
		restart(b, 100, supervisor.Config{Subscribers: []events.Subscriber{{
			Name: "nothing", Handler: events.HandlerFunc(func(events.Event) {}),
		}}})
	})
}

// BenchmarkOneShot adds a task that does nothing and waits for its outcome.
func BenchmarkOneShot(b *testing.B) {
	task := actor.Func(func(context.Context) error { return nil })
	one := func(b *testing.B, s *supervisor.Supervisor, name string) {
		h, err := s.Start(context.Background(), actor.Spec{Name: name, Task: task})
		if err != nil {
			b.Fatal(err)
		}
		<-h.Done()
	}
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- task.Run(ctx) }()
			<-done
			cancel()
		}
	})
	b.Run("sequential", func(b *testing.B) {
		s, stop := runBench(b, supervisor.Config{})
		defer stop()
		b.ReportAllocs()
		for b.Loop() {
			one(b, s, "shot")
		}
	})
	b.Run("parallel=64", func(b *testing.B) {
		s, stop := runBench(b, supervisor.Config{})
		defer stop()
		var id atomic.Int64
		b.SetParallelism(64 / runtime.GOMAXPROCS(0))
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			name := fmt.Sprint("shot-", id.Add(1))
			for pb.Next() {
				one(b, s, name)
			}
		})
	})
}

// BenchmarkOneForAll is one failure that restarts a family of 1,000.
func BenchmarkOneForAll(b *testing.B) {
	const n = 1000
	var up atomic.Int64
	all := make(chan struct{}, 1)
	fail := make(chan struct{})
	member := actor.Func(func(ctx context.Context) error {
		if up.Add(1)%n == 0 {
			all <- struct{}{}
		}
		<-ctx.Done()
		return nil
	})
	offender := actor.Func(func(ctx context.Context) error {
		if up.Add(1)%n == 0 {
			all <- struct{}{}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-fail:
			return errBench
		}
	})
	specs := []actor.Spec{{Name: "offender", Task: offender, Backoff: policy.NoBackoff()}}
	for i := range n - 1 {
		specs = append(specs, actor.Spec{Name: fmt.Sprint("member-", i), Task: member})
	}
	_, stop := runBench(b, supervisor.Config{Strategy: supervisor.OneForAll, Children: specs})
	defer stop()
	<-all
	b.ReportAllocs()
	for b.Loop() {
		fail <- struct{}{}
		<-all
	}
}

// BenchmarkList lists n running children.
func BenchmarkList(b *testing.B) {
	for _, n := range []int{10, 100, 500} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, stop := runBench(b, supervisor.Config{})
			defer stop()
			for i := range n {
				if _, err := s.Start(context.Background(), actor.Spec{Name: fmt.Sprint("idle-", i), Task: idle}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				if len(s.Children()) != n {
					b.Fatal("children are missing")
				}
			}
		})
	}
}

// BenchmarkAddStop adds an idle child and stops it.
func BenchmarkAddStop(b *testing.B) {
	s, stop := runBench(b, supervisor.Config{})
	defer stop()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Start(context.Background(), actor.Spec{Name: "child", Task: idle}); err != nil {
			b.Fatal(err)
		}
		if err := s.Stop(context.Background(), "child"); err != nil {
			b.Fatal(err)
		}
	}
}
