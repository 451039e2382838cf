package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAStormOfVerbsOnOneChildIsAnsweredByEach(t *testing.T) {
	for name, task := range map[string]actor.Func{"obeys": bIdle, "slow": bSlow(time.Millisecond), "fails": bFailAfter(time.Millisecond), "ends": bReturns(nil)} {
		t.Run(name, func(t *testing.T) {
			bBubble(t, func(t *testing.T, _ chan struct{}) {
				b := bRun(t, supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{
					{Name: "elder", Task: actor.Func(bIdle)},
					{Name: "c", Task: task, Backoff: policy.Constant(time.Millisecond)},
				}})
				var wg sync.WaitGroup
				var answers atomic.Int64
				for i := range 8 {
					wg.Go(func() {
						for range 200 {
							var err error
							switch i % 4 {
							case 0:
								err = b.Stop(t.Context(), "c")
							case 1, 2:
								_, err = b.Restart(t.Context(), "c")
							default:
								if _, err = b.Handle("/app/c"); err != nil {
									t.Error(err)
								}
								_ = b.Tree()
							}
							if err != nil && !errors.Is(err, supervisor.ErrStopping) {
								t.Error(err)
							}
							answers.Add(1)
						}
					})
				}
				wg.Wait()
				bMustBe(t, "remove", b.Remove(t.Context(), "c"), nil)
				if n := b.Tree(); len(n.Children) != 1 || answers.Load() != 1600 {
					t.Errorf("%d children, %d answers", len(n.Children), answers.Load())
				}
				b.mustState("/app/elder", supervisor.StateRunning)
				b.mustStop()
			})
		})
	}
}

func TestWhatWasRemovedIsGoneWhoeverRestartedItMeanwhile(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		var specs []actor.Spec
		for i := range 2000 {
			specs = append(specs, actor.Spec{Name: fmt.Sprint(i), Task: actor.Func(bIdle)})
		}
		b := bRun(t, supervisor.Config{Children: specs})
		for _, spec := range specs {
			bMustBe(t, "stop", b.Stop(t.Context(), spec.Name), nil)
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := b.Restart(t.Context(), spec.Name); err != nil && !errors.Is(err, supervisor.ErrNotFound) && !errors.Is(err, supervisor.ErrStopping) {
					t.Error(err)
				}
			})
			wg.Go(func() { bMustBe(t, "remove", b.Remove(t.Context(), spec.Name), nil) })
			wg.Wait()
			if _, err := b.Handle(spec.Name); !errors.Is(err, supervisor.ErrNotFound) {
				t.Fatalf("%s is still there", spec.Name)
			}
		}
		if n := b.Tree(); len(n.Children) != 0 {
			t.Errorf("%d children", len(n.Children))
		}
		b.mustStop()
	})
}

func TestSupervisorsMayBeRestartedWhileTheirChildrenAreStartedAndStopped(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		pool := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "declared", Task: actor.Func(bIdle)}}})
		b := bRun(t, supervisor.Config{Children: []actor.Spec{pool.Spec("pool")}})
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				for j := range 100 {
					ctx := t.Context()
					switch i {
					case 0:
						bMustBe(t, "restart", bErrOf(b.Restart(ctx, "pool")), nil)
					case 1, 2, 3:
						h, err := pool.Start(ctx, actor.Spec{Name: fmt.Sprint(i, j), Task: actor.Func(bIdle)})
						if err != nil && !errors.Is(err, supervisor.ErrNotRunning) && !errors.Is(err, supervisor.ErrStopping) {
							t.Error(err)
						}
						if err == nil {
							_ = b.Stop(ctx, h.Path())
							if o, err := h.Wait(ctx); err != nil || o.Attempts > 1 {
								t.Errorf("%+v, %v", o, err)
							}
						}
					default:
						tree := b.Tree()
						for range tree.All() {
							runtime.Gosched()
						}
					}
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		b.mustState("/app/pool/declared", supervisor.StateRunning)
		if n := b.node("/app/pool"); len(n.Children) != 1 || n.Attempt != 101 {
			t.Errorf("%+v", n)
		}
		b.mustStop()
	})
}

// bLiveHeap is what is in use after a collection.
func bLiveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc) //nolint:gosec // far below
}

func TestTheHeapStaysFlatOverManyRestarts(t *testing.T) {
	rows := map[string]supervisor.Config{
		"one task":   {},
		"in a group": {Strategy: supervisor.OneForAll},
		"permits":    {Concurrency: 1},
		"timeouts":   {Defaults: supervisor.Defaults{Timeout: time.Hour, Stall: time.Hour}},
	}
	for name, cfg := range rows {
		t.Run(name, func(t *testing.T) {
			warm, total := 10_000, 110_000
			if cfg.Strategy == supervisor.OneForAll {
				total = 40_000 // each of them restarts two
				cfg.Children = append(cfg.Children, actor.Spec{Name: "sibling", Task: actor.Func(bIdle)})
			}
			marks := map[int]chan struct{}{warm: make(chan struct{}), total: make(chan struct{})}
			goOn := make(chan struct{})
			cfg.Children = append(cfg.Children, actor.Spec{Name: "fails", Backoff: policy.NoBackoff(), Task: bEach(func(ctx context.Context, attempt int) error {
				if mark := marks[attempt]; mark != nil {
					close(mark)
					select {
					case <-goOn:
					case <-ctx.Done():
						return nil
					}
				}
				return fmt.Errorf("attempt %d: %w", attempt, errOfB)
			})})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			s := supervisor.New(cfg)
			go func() { done <- s.Run(ctx) }()
			<-marks[warm]
			before := bLiveHeap()
			goOn <- struct{}{}
			<-marks[total]
			if grown := bLiveHeap() - before; grown > 200<<10 {
				t.Errorf("the live heap has grown by %d KiB over %d restarts", grown>>10, total-warm)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheHeapStaysFlatOverManyDynamicChildren(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "stays", AwaitReady: true, Task: actor.Func(func(ctx context.Context) error {
		actor.Ready(ctx)
		return bIdle(ctx)
	})}}})
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	for s.Tree().State != supervisor.StateRunning {
		runtime.Gosched()
	}
	churn := func(n int) {
		for i := range n {
			h, err := s.Start(ctx, actor.Spec{Name: fmt.Sprint("t", i), Task: actor.Func(bIdle), Timeout: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				_, err = s.Restart(ctx, h.Path())
			}
			if err = errors.Join(err, s.Stop(ctx, h.Path())); err != nil {
				t.Fatal(err)
			}
		}
	}
	churn(2000)
	before := bLiveHeap()
	churn(20_000)
	if grown := bLiveHeap() - before; grown > 200<<10 {
		t.Errorf("the live heap has grown by %d KiB", grown>>10)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
