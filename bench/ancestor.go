package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
	"golang.org/x/sync/errgroup"
)

const ancestorFamily = "The ancestor's workloads"

// wideQueue is the queue that the ancestor gives its subscribers.
const wideQueue = 16384

// ancestorWorks are the workloads of the Rust library that this one descends from, with
// the same parameters. Run means a supervisor with its tasks until the last has ended.
func ancestorWorks() []work {
	batchers := []string{bare, ours, errgroupOf}
	return []work{
		ancestor("lifecycle-instant", batchers,
			"A supervisor with one task that does nothing: its whole run, its making not counted.",
			[]int{1}, "run one instant task", func(p peer, size scale, _ int) (float64, error) {
				return batchTime(p, size, 1, nothing, nil)
			}),
		ancestor("lifecycle-work", batchers,
			"The same; the task adds up n numbers.",
			[]int{100, 1000, 10_000}, "run one task that adds up %d numbers", func(p peer, size scale, n int) (float64, error) {
				return batchTime(p, size, 1, adding(n), nil)
			}),
		ancestor("throughput-batch", batchers,
			"A supervisor with n tasks that do nothing, and a subscriber that counts the events. The others publish no events.",
			[]int{50, 200, 500}, "run %d instant tasks, one subscriber, per task", func(p peer, size scale, n int) (float64, error) {
				return batchTime(p, size, n, nothing, counters(1))
			}),
		ancestor("throughput-work", batchers,
			"A supervisor with n tasks that add up 1,000 numbers, without a subscriber.",
			[]int{10, 100, 500}, "run %d working tasks, per task", func(p peer, size scale, n int) (float64, error) {
				return batchTime(p, size, n, adding(1000), nil)
			}),
		ancestor("fanout", []string{ours},
			"A supervisor with 100 tasks that do nothing and n subscribers that do nothing, per task; the run ends when they have caught up.",
			[]int{0, 1, 4, 8}, "run 100 instant tasks, per task; subscribers: %d", func(p peer, size scale, n int) (float64, error) {
				return batchTime(p, size, 100, nothing, ignorers(n))
			}),
		ancestor("dynamic-add", batchers,
			"`Start` of a task that does nothing, which ends meanwhile; the call alone.",
			[]int{1}, "add an instant task", measureAdd),
		ancestor("dynamic-add-cancel", batchers,
			"`Start` of a task that waits, then `Stop`. Bare and errgroup: a context and a goroutine, cancelled and awaited.",
			[]int{1}, "add a waiting task and stop it", measureAddCancel),
		ancestor("dynamic-list", []string{ours},
			"`Children` of a supervisor with n waiting tasks.",
			[]int{10, 100, 500}, "list %d children", measureList),
		ancestor("dynamic-churn", batchers,
			"n tasks that wait are added to an empty family, which is then stopped; per task.",
			[]int{10, 100, 500}, "add %d waiting tasks and stop all, per task", measureChurn),
	}
}

// ancestor makes a work with a line for each parameter, on one core and on all.
func ancestor(name string, by []string, how string, params []int, title string,
	measure func(p peer, size scale, n int) (float64, error),
) work {
	w := work{name: name, family: ancestorFamily, by: by, how: how, procs: []int{1, 0}}
	for _, n := range params {
		t := title
		if len(params) > 1 {
			t = fmt.Sprintf(title, n)
		}
		w.lines = append(w.lines, line{figure: strconv.Itoa(n), title: t, unit: "ns"})
	}
	w.measure = func(p peer, size scale) (figures, error) {
		size.spell /= time.Duration(len(params))
		got := figures{}
		for _, n := range params {
			v, err := measure(p, size, n)
			if err != nil {
				return nil, err
			}
			got[strconv.Itoa(n)] = v
		}
		return got, nil
	}
	return w
}

// adding is a task that adds up n numbers.
func adding(n int) body {
	return func(context.Context) error {
		var sum uint64
		for i := range n {
			sum += uint64(i)
		}
		sink.Store(sum)
		return nil
	}
}

// sink keeps the compiler from leaving out what nobody reads.
var sink atomic.Uint64

func counters(n int) []events.Subscriber {
	return subscribersOf(n, func(events.Event) { counted.Add(1) })
}

var counted atomic.Uint64

func ignorers(n int) []events.Subscriber { return subscribersOf(n, ignore) }

func subscribersOf(n int, h events.HandlerFunc) []events.Subscriber {
	var all []events.Subscriber
	for i := range n {
		all = append(all, events.Subscriber{Name: strconv.Itoa(i), Handler: h, Queue: wideQueue})
	}
	return all
}

// batchTime returns the time that a task of a batch of n takes, in nanoseconds.
func batchTime(p peer, size scale, n int, b body, subscribers []events.Subscriber) (float64, error) {
	prepare := map[string]func() func() error{
		ours:       func() func() error { return superviseBatch(n, b, subscribers) },
		bare:       func() func() error { return func() error { return bareBatch(n, b) } },
		errgroupOf: func() func() error { return func() error { return errgroupBatch(n, b) } },
	}[p.name]
	if prepare == nil {
		return 0, errNoNotion
	}
	return timed(size.spell, n, func() (time.Duration, error) {
		batch := prepare()
		begin := time.Now()
		err := batch()
		return time.Since(begin), err
	})
}

// timed calls f until what it has timed adds up to a spell, and returns the
// nanoseconds for each of the n things that one call does.
func timed(spell time.Duration, n int, f func() (time.Duration, error)) (float64, error) {
	var spent time.Duration
	var calls int
	for begin := time.Now(); spent < spell && time.Since(begin) < 2*spell; calls++ {
		d, err := f()
		if err != nil {
			return 0, err
		}
		spent += d
	}
	return float64(spent.Nanoseconds()) / float64(calls*n), nil
}

func superviseBatch(n int, b body, subscribers []events.Subscriber) func() error {
	specs := make([]actor.Spec, n)
	for i := range specs {
		specs[i] = actor.Spec{Name: strconv.Itoa(i), Task: actor.Func(b), Restart: policy.Never}
	}
	s := supervisor.New(supervisor.Config{Name: "app", Children: specs, EndWhenEmpty: true, Subscribers: subscribers})
	return func() error { return s.Run(context.Background()) }
}

func bareBatch(n int, b body) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	failed := make(chan error, n)
	for range n {
		wg.Go(func() {
			if err := b(ctx); err != nil {
				failed <- err
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func errgroupBatch(n int, b body) error {
	group, ctx := errgroup.WithContext(context.Background())
	for range n {
		group.Go(func() error { return b(ctx) })
	}
	return group.Wait()
}

// measureAdd measures the adding of a child that ends at once, but not its end.
func measureAdd(p peer, size scale, _ int) (float64, error) {
	f, err := p.open(false)
	if err != nil {
		return 0, err
	}
	var add func(i int) error
	switch h := f.(*hosted).host.(type) {
	case *supervised:
		add = func(i int) error {
			_, err := h.Start(context.Background(), actor.Spec{Name: strconv.Itoa(i), Task: doNothing, Restart: policy.Never})
			return err
		}
	default:
		add = func(i int) error { return h.add(i, nothing) }
	}
	var i int
	took, err := timed(size.spell, 1, func() (time.Duration, error) {
		i++
		begin := time.Now()
		err := add(i)
		return time.Since(begin), err
	})
	if err != nil {
		return 0, err
	}
	return took, f.stop()
}

func waiting(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func measureAddCancel(p peer, size scale, _ int) (float64, error) {
	if p.name != ours {
		return timed(size.spell, 1, func() (time.Duration, error) {
			begin := time.Now()
			err := cancelled(p)
			return time.Since(begin), err
		})
	}
	s, err := supervise(supervisor.Config{Name: "app"})
	if err != nil {
		return 0, err
	}
	ctx := context.Background()
	took, err := timed(size.spell, 1, func() (time.Duration, error) {
		begin := time.Now()
		if _, err := s.Start(ctx, actor.Spec{Name: "child", Task: actor.Func(waiting), Restart: policy.Never}); err != nil {
			return 0, err
		}
		err := s.Stop(ctx, "child")
		return time.Since(begin), err
	})
	if err != nil {
		return 0, err
	}
	return took, s.stop()
}

// cancelled starts one goroutine, cancels it and waits for its end.
func cancelled(p peer) error {
	ctx, cancel := context.WithCancel(context.Background())
	if p.name == errgroupOf {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return waiting(ctx) })
		cancel()
		return group.Wait()
	}
	done := make(chan error, 1)
	go func() { done <- waiting(ctx) }()
	cancel()
	return <-done
}

func measureList(p peer, size scale, n int) (float64, error) {
	s, err := supervise(supervisor.Config{Name: "app"})
	if err != nil {
		return 0, err
	}
	if err := crowd(&hosted{host: s}, n); err != nil {
		return 0, err
	}
	took, err := timed(size.spell, 1, func() (time.Duration, error) {
		begin := time.Now()
		listed := len(s.Children())
		took := time.Since(begin)
		if listed != n {
			return 0, fmt.Errorf("%s lists %d children of %d", p.name, listed, n)
		}
		return took, nil
	})
	if err != nil {
		return 0, err
	}
	return took, s.stop()
}

func measureChurn(p peer, size scale, n int) (float64, error) {
	return timed(size.spell, n, func() (time.Duration, error) {
		f, err := p.open(false)
		if err != nil {
			return 0, err
		}
		begin := time.Now()
		if err := f.idle(n, func() {}); err != nil {
			return 0, err
		}
		err = f.stop()
		return time.Since(begin), err
	})
}
