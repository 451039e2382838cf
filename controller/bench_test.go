package controller_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/policy"
)

// benchmarked runs f with a controller that admits whatever comes.
func benchmarked(b *testing.B, f func(c *controller.Controller)) {
	b.Helper()
	c := controller.New(controller.Config{Depth: policy.Unlimited, Capacity: policy.Unlimited})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	if err := c.WaitReady(ctx); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	f(c)
	b.StopTimer()
	stop()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}

func benchmarkedSubmit(b *testing.B, c *controller.Controller, a controller.Admission, task actor.Func) *actor.Handle {
	b.Helper()
	h, err := c.Submit(context.Background(), controller.Submission{
		Key: "k", Admission: a, Spec: actor.Spec{Name: "job", Task: task, Restart: policy.Never},
	})
	if err != nil {
		b.Fatal(err)
	}
	return h
}

func instant(context.Context) error { return nil }

func untilTold(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// An idle slot: in, run, out.
func BenchmarkSubmitAndWait(b *testing.B) {
	benchmarked(b, func(c *controller.Controller) {
		for b.Loop() {
			if _, err := benchmarkedSubmit(b, c, controller.Queue, instant).Wait(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A busy slot, of which each submission makes the queue longer, or replaces its head, or
// is turned away.
func BenchmarkDecision(b *testing.B) {
	for _, a := range []controller.Admission{controller.Queue, controller.Replace, controller.DropIfRunning} {
		b.Run(a.String(), func(b *testing.B) {
			benchmarked(b, func(c *controller.Controller) {
				benchmarkedSubmit(b, c, controller.Queue, untilTold)
				for b.Loop() {
					benchmarkedSubmit(b, c, a, untilTold)
				}
			})
		})
	}
}

// Each owner is followed by the next of the queue.
func BenchmarkHandOver(b *testing.B) {
	benchmarked(b, func(c *controller.Controller) {
		gate := make(chan struct{})
		benchmarkedSubmit(b, c, controller.Queue, func(context.Context) error {
			<-gate
			return nil
		})
		var last *actor.Handle
		for range b.N {
			last = benchmarkedSubmit(b, c, controller.Queue, instant)
		}
		b.ResetTimer()
		close(gate)
		if _, err := last.Wait(context.Background()); err != nil {
			b.Fatal(err)
		}
	})
}

// Many callers, and so many keys that they hardly ever meet.
func BenchmarkManyKeys(b *testing.B) {
	const keys, callers = 10_000, 32 // for each processor
	names := make([]string, keys)
	for i := range names {
		names[i] = "key-" + strconv.Itoa(i)
	}
	run := func(b *testing.B, do func(s *controller.Controller, name string) (*actor.Handle, error)) {
		b.Helper()
		benchmarked(b, func(c *controller.Controller) {
			b.SetParallelism(callers)
			b.RunParallel(func(pb *testing.PB) {
				random := rand.New(rand.NewPCG(1, rand.Uint64()))
				for pb.Next() {
					h, err := do(c, names[random.IntN(keys)])
					if err == nil {
						_, err = h.Wait(context.Background())
					}
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
	var n atomic.Int64
	b.Run("start", func(b *testing.B) {
		run(b, func(c *controller.Controller, _ string) (*actor.Handle, error) {
			name := strconv.FormatInt(n.Add(1), 10)
			return c.Head().Start(context.Background(), actor.Spec{Name: name, Task: actor.Func(instant), Restart: policy.Never})
		})
	})
	b.Run("submit", func(b *testing.B) {
		run(b, func(c *controller.Controller, key string) (*actor.Handle, error) {
			name := strconv.FormatInt(n.Add(1), 10)
			return c.Submit(context.Background(), controller.Submission{
				Key: key, Spec: actor.Spec{Name: name, Task: actor.Func(instant), Restart: policy.Never},
			})
		})
	})
}
