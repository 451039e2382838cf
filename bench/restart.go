package main

import (
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
)

// restarters are the competitors that run a child again by themselves.
var restarters = []string{ours, suturePeer, protoPeer, otp}

func restartWorks() []work {
	loop := "One child among idle ones fails whenever it is entered. Time from its first entry to the last, over the entries between. " +
		"Erlang is given a second before, for its time per restart grows until its window of one second is full."
	return []work{
		{
			name: "restart-100", family: supervision, by: restarters, how: loop,
			lines: []line{
				{figure: "restart", title: "restart after failure, zero backoff, 100 children", unit: "ns", targets: []target{atMost(500), times(0.125, suturePeer)}},
				{figure: "allocs", title: "one restart", unit: "allocs", targets: []target{atMost(2)}},
			},
			measure: func(p peer, size scale) (figures, error) { return measureRestart(p, size, min(100, size.crowd)) },
		},
		{
			name: "restart-10k", family: supervision, by: restarters, how: loop,
			lines: []line{
				{figure: "restart", title: "the same with 10k children", unit: "ns", targets: []target{times(0.125, suturePeer)}},
			},
			measure: func(p peer, size scale) (figures, error) { return measureRestart(p, size, size.crowd) },
		},
		{
			name: "reentry", family: supervision, by: []string{bare, ours, suturePeer, protoPeer, otp},
			how: "One of 1,000 children waits, is told to fail, and takes the time before it does so and when it is entered again; median. " +
				"The next failure is ordered a millisecond after that, when processor and caches have turned to something else, as they have when something fails in earnest; " +
				"or, for the line below it, at once. Bare is a loop around the function.",
			lines: []line{
				{figure: "latency", title: "failure → re-entry of one of 1,000, median", unit: "µs", targets: []target{atMost(2)}},
				{figure: "warm", title: "the same without a pause before", unit: "µs"},
			},
			measure: measureReentry,
		},
	}
}

// groupWorks are the works about children that are restarted together.
func groupWorks() []work {
	return []work{
		{
			name: "one-for-all", family: supervision, by: []string{bare, ours, protoPeer, otp},
			how: "The oldest of 1,000 children fails; time from there until all have been entered again; median. We, bare and Erlang stop the others one after the other, " +
				"the youngest first, and start none before all have stopped. proto.actor restarts each by itself, in no order and without such a moment.",
			lines: []line{
				{figure: "group", title: "one_for_all of 1,000: one fails → all re-entered", unit: "µs", targets: []target{times(2, bare)}},
			},
			measure: func(p peer, size scale) (figures, error) {
				f, err := p.open(true)
				if err != nil {
					return nil, err
				}
				return measureGroup(f, size)
			},
		},
		{
			name: "all-at-once", family: supervision, by: []string{bare},
			how: "The line before, where all are told to stop at once and then awaited: what the order costs.",
			lines: []line{
				{figure: "group", title: "the same by hand, all told to stop at once", unit: "µs"},
			},
			measure: func(_ peer, size scale) (figures, error) {
				return measureGroup(&hosted{host: newBareGroup(false)}, size)
			},
		},
	}
}

// costWorks are about what restarts leave behind, and what it costs to tell of them.
func costWorks() []work {
	return []work{
		{
			name: "heap", family: busFamily, by: []string{ours},
			how: "One child among 100 fails 10⁶ times. Live heap after that minus live heap after the first 1,000 restarts.",
			lines: []line{
				{figure: "growth", title: "growth of the live heap over 10⁶ restarts", unit: "KiB", targets: []target{atMost(64)}},
			},
			measure: measureHeap,
		},
		{
			name: "restart-bus", family: busFamily, by: []string{ours},
			how: "The loop of the restart lines with 100 children: without a bus, with a bus that nobody subscribes to, and with one subscriber that does nothing, in turn in " +
				"one process, so that a small difference shows. The loop is faster than a subscriber can follow: what does not fit into its queue is lost.",
			lines: []line{
				{figure: "none", title: "restart, no bus", unit: "ns"},
				{figure: "idle", title: "restart, bus without subscriber", unit: "ns", targets: []target{timesLine(1.1, "restart-bus", "none", "no bus")}},
				{figure: "one", title: "restart, one subscriber", unit: "ns"},
			},
			measure: measureRestartBus,
		},
	}
}

func measureRestart(p peer, size scale, n int) (figures, error) {
	f, err := p.open(false)
	if err != nil {
		return nil, err
	}
	return restartLoop(f, size, n)
}

// restartLoop measures the restarts of one child among n.
func restartLoop(f family, size scale, n int) (figures, error) {
	if err := crowd(f, n-1); err != nil {
		return nil, err
	}
	// Only one run of the child exists at a time, so these need no lock.
	var begin, end time.Time
	var count int
	before := mallocs()
	done := make(chan struct{})
	if err := f.failing(func() bool {
		if begin.IsZero() {
			begin = time.Now()
			return true
		}
		count++
		if count%128 != 0 { // reading the clock costs as much as a tenth of a restart
			return true
		}
		if end = time.Now(); end.Sub(begin) < size.spell {
			return true
		}
		close(done)
		return false
	}); err != nil {
		return nil, err
	}
	<-done
	allocs := mallocs() - before
	return figures{
		"restart": float64(end.Sub(begin).Nanoseconds()) / float64(count),
		"allocs":  whole(allocs, count),
	}, f.stop()
}

func measureRestartBus(_ peer, size scale) (figures, error) {
	const turns = 9
	size.spell /= turns
	way := func(figure string, configure func() supervisor.Config) way {
		return func() (figures, error) {
			s, err := supervise(configure())
			if err != nil {
				return nil, err
			}
			f, err := restartLoop(&hosted{host: s}, size, min(100, size.crowd))
			return figures{figure: f["restart"]}, err
		}
	}
	return inTurn(
		turns,
		way("none", func() supervisor.Config { return supervisor.Config{} }),
		way("idle", func() supervisor.Config { return supervisor.Config{Bus: new(events.Bus)} }),
		way("one", func() supervisor.Config {
			return supervisor.Config{Subscribers: []events.Subscriber{{Name: "nothing", Handler: ignore}}}
		}),
	)
}

func measureReentry(p peer, size scale) (figures, error) {
	f, err := p.open(false)
	if err != nil {
		return nil, err
	}
	if err := crowd(f, size.group-1); err != nil {
		return nil, err
	}
	var left time.Time
	reentered := make(chan time.Duration, 1)
	fail, err := f.victim(
		func() { reentered <- time.Since(left) },
		func() { left = time.Now() },
	)
	if err != nil {
		return nil, err
	}
	<-reentered // the first entry, which follows no failure
	once := func() float64 {
		fail()
		return float64(<-reentered)
	}
	rested := repeat(size.spell, func() float64 {
		time.Sleep(time.Millisecond)
		return once()
	})
	warm := repeat(size.spell/8, once)
	return figures{"latency": micros(median(rested)), "warm": micros(median(warm))}, f.stop()
}

func measureGroup(f family, size scale) (figures, error) {
	n := int64(size.group)
	var entries atomic.Int64
	all := make(chan time.Time, 1)
	entered := func() {
		if entries.Add(1)%n == 0 {
			all <- time.Now()
		}
	}
	var left time.Time
	fail, err := f.victim(entered, func() { left = time.Now() })
	if err != nil {
		return nil, err
	}
	if err := f.idle(size.group-1, entered); err != nil {
		return nil, err
	}
	<-all
	return figures{"group": micros(median(repeat(size.spell, func() float64 {
		fail()
		return float64((<-all).Sub(left))
	})))}, f.stop()
}

func measureHeap(p peer, size scale) (figures, error) {
	f, err := p.open(false)
	if err != nil {
		return nil, err
	}
	if err := crowd(f, min(100, size.crowd)-1); err != nil {
		return nil, err
	}
	const warm = 1000
	var count int
	var before, after int64
	done := make(chan struct{})
	// The child looks at the heap itself: nothing else runs meanwhile.
	if err := f.failing(func() bool {
		count++
		switch count {
		case warm:
			before = live()
		case warm + size.restarts:
			after = live()
			close(done)
			return false
		}
		return true
	}); err != nil {
		return nil, err
	}
	<-done
	return figures{"growth": float64(after-before) / 1024}, f.stop()
}

// repeat calls f for the length of a spell, at least three times.
func repeat(spell time.Duration, f func() float64) []float64 {
	var all []float64
	for begin := time.Now(); len(all) < 3 || time.Since(begin) < spell; {
		all = append(all, f())
	}
	return all
}

// whole returns how many allocations one of n takes, rounded down as package testing
// does, so that what was allocated once for all of them does not count.
func whole(allocs uint64, n int) float64 { return float64(allocs / uint64(n)) }

func micros(nanos float64) float64 { return nanos / 1000 }
