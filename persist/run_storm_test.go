package persist_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
)

// tally counts the ends that were stored, and has some commits fail.
type tally struct {
	persist.Backend
	calm atomic.Bool
	mu   sync.Mutex
	ends map[persist.ID]int
}

func (c *tally) Open(ctx context.Context) (persist.Store, error) {
	s, err := c.Backend.Open(ctx)
	return &tallyStore{s, c}, err
}

type tallyStore struct {
	persist.Store
	c *tally
}

func (s *tallyStore) Commit(ctx context.Context, steps []persist.Step) ([]int, error) {
	if !s.c.calm.Load() && rand.IntN(50) == 0 {
		return nil, errOops
	}
	stale, err := s.Store.Commit(ctx, steps)
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for i := range steps {
		if err == nil && steps[i].Verb == persist.Resolve {
			s.c.ends[steps[i].ID]++
		}
	}
	for _, i := range stale {
		if steps[i].Verb == persist.Resolve {
			s.c.ends[steps[i].ID]--
		}
	}
	return stale, err
}

// storm is a queue on which many act at once.
type storm struct {
	t     *testing.T
	q     *persist.Queue
	crowd *crowd
	mu    sync.Mutex
	ids   map[persist.ID]bool // acknowledged
}

// act does what a job may do.
func (s *storm) act(ctx context.Context, where ...string) error {
	for _, w := range append(where, "all") {
		s.crowd.enter(w)
		defer s.crowd.leave(w)
	}
	switch n := rand.IntN(20); {
	case n < 9:
		return nil
	case n < 12:
		return errOops
	case n < 13:
		panic("aargh")
	case n < 14:
		runtime.Goexit()
	case n < 15:
		return persist.Snooze(time.Duration(rand.IntN(int(time.Millisecond))))
	case n < 16:
		return actor.Fatal(errOops)
	case n < 17:
		return actor.Go(ctx, func(context.Context) error { return nil })
	}
	select {
	case <-time.After(time.Duration(rand.IntN(int(5 * time.Millisecond)))):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// submit has one job stored, whatever that takes.
func (s *storm) submit(ctx context.Context, sub persist.Submission) {
	for ctx.Err() == nil {
		res, err := s.q.Submit(ctx, sub)
		if err == nil {
			if res.New() {
				s.mu.Lock()
				s.ids[res.ID] = true
				s.mu.Unlock()
			}
			return
		}
		if !errors.Is(err, persist.ErrNotRunning) && !errors.Is(err, persist.ErrClosing) && !errors.Is(err, errOops) {
			s.t.Errorf("submit: %v", err)
			return
		}
		s.again(ctx)
	}
}

// again returns when it is worth trying again.
func (s *storm) again(ctx context.Context) {
	_ = s.q.WaitReady(ctx) // or it has ended again
	runtime.Gosched()
}

// some is one of the jobs.
func (s *storm) some() (id persist.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id = range s.ids {
		break
	}
	return id
}

func TestAStorm(t *testing.T) {
	before := runtime.NumGoroutine()
	const workers, groupLimit, domainLimit = 16, 3, 5
	s := &storm{t: t, crowd: newCrowd(), ids: map[persist.ID]bool{}}
	d := &persist.Domain{Name: "d", Limit: domainLimit}
	inDomain := persist.DefineIn[string](d, "in", persist.WithoutKey())
	inGroup := persist.Define[string]("grouped", persist.WithoutKey())
	keyed := persist.Define[string]("keyed")
	store := &tally{Backend: memstore.New(), ends: map[persist.ID]int{}}
	s.q = persist.New(persist.Config{
		Store: store, Workers: workers, GroupLimit: groupLimit, Handlers: []persist.Handler{
			inDomain.Handle(func(ctx context.Context, _ string) error { return s.act(ctx, "domain") }),
			inGroup.Handle(func(ctx context.Context, g string) error { return s.act(ctx, "group "+g) }),
			keyed.Handle(func(ctx context.Context, k string) error { return s.act(ctx, "key "+k) }),
		}, Defaults: []persist.Option{persist.WithBackoff(policy.Constant(time.Millisecond)), persist.WithMaxRetries(2), persist.WithTimeout(50 * time.Millisecond)},
	})

	// The queue runs, and is stopped now and then.
	calm, stop := context.WithCancel(context.Background())
	var runner, others sync.WaitGroup
	runner.Go(func() {
		for runs := 0; ; runs++ {
			ctx, cancel := calm, context.CancelFunc(func() {})
			if runs < 8 {
				ctx, cancel = context.WithTimeout(calm, time.Duration(50+rand.IntN(100))*time.Millisecond)
			}
			if err := s.q.Run(ctx); err != nil {
				t.Errorf("run: %v", err)
			}
			cancel()
			if calm.Err() != nil {
				return
			}
		}
	})

	// Others cancel jobs and change limits.
	quiet, hush := context.WithCancel(context.Background())
	for range 4 {
		others.Go(func() {
			for quiet.Err() == nil {
				<-time.After(time.Duration(rand.IntN(int(2 * time.Millisecond))))
				switch rand.IntN(5) {
				case 0:
					isError(t, "workers", s.q.SetWorkers(1+rand.IntN(workers)), nil)
				case 1:
					isError(t, "group", s.q.SetGroupLimit("other", rand.IntN(3)), nil)
				case 2:
					_, _ = s.q.Why(quiet, s.some())
					_ = s.q.Active()
					_ = s.q.Counts()
				default:
					ctx, cancel := context.WithTimeout(quiet, time.Second)
					_ = s.q.Cancel(ctx, s.some())
					cancel()
				}
			}
		})
	}

	// Many submit.
	var submitters sync.WaitGroup
	for i := range 64 {
		submitters.Go(func() {
			for j := range 30 {
				p := persist.WithPriority(persist.Priority(rand.IntN(256)))
				switch rand.IntN(4) {
				case 0:
					s.submit(calm, inDomain.New(fmt.Sprint(i, "-", j), p))
				case 1:
					g := fmt.Sprint("g", rand.IntN(6))
					s.submit(calm, inGroup.New(g, p, persist.WithGroup(g)))
				case 2:
					s.submit(calm, inGroup.New("other", p, persist.WithGroup("other"), persist.WithDelay(time.Duration(rand.IntN(int(20*time.Millisecond))))))
				default:
					s.submit(calm, keyed.New(fmt.Sprint(rand.IntN(20)), p, persist.WithDuplicates(persist.Duplicates(rand.IntN(3)))))
				}
			}
		})
	}
	submitters.Wait()
	hush()
	others.Wait()
	isError(t, "workers", s.q.SetWorkers(workers), nil)
	store.calm.Store(true)

	// All that was acknowledged ends, each job once.
	ctx, cancel := context.WithTimeout(calm, 8*time.Second)
	defer cancel()
	for id := range s.ids {
		for {
			j, err := s.q.Await(ctx, id)
			if err == nil {
				if !j.Ended() {
					t.Errorf("job %d: %+v", id, j.State)
				}
				break
			}
			if !errors.Is(err, persist.ErrNotRunning) && !errors.Is(err, persist.ErrClosing) {
				for w, _ := s.q.Why(calm, id); w.ID != 0; w, _ = s.q.Why(calm, w.Job) {
					j, err := s.q.Job(calm, w.ID)
					t.Errorf("job %d, %s: %+v %v", w.ID, w, j, err)
				}
				t.Fatalf("await: %v", err)
			}
			s.again(ctx)
		}
	}
	same(t, "figures", fmt.Sprint(s.q.Counts()[persist.Ready], s.q.Counts()[persist.Running], len(s.q.Active())), "0 0 0")
	stop()
	runner.Wait()
	for id := range s.ids {
		if n := store.ends[id]; n != 1 {
			t.Errorf("job %d has ended %d times", id, n)
		}
	}
	same(t, "jobs that have ended", len(store.ends), len(s.ids))

	// Nobody has ever run beside too many others.
	for where, most := range s.crowd.most {
		limit := 1 // of a key
		switch where[:2] {
		case "al":
			limit = workers
		case "do":
			limit = domainLimit
		case "gr":
			limit = groupLimit
		}
		if most > limit {
			t.Errorf("%s: %d at a time, and not %d", where, most, limit)
		}
	}
	for late := time.After(10 * time.Second); len(late) == 0; runtime.Gosched() {
		if runtime.NumGoroutine() <= before {
			return
		}
	}
	t.Errorf("%d goroutines are left", runtime.NumGoroutine()-before)
}
