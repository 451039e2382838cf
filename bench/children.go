package main

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

// everyone are the competitors that run children.
var everyone = []string{bare, ours, suturePeer, protoPeer, errgroupOf, otp}

const supervision = "Supervision"

func childrenWorks() []work {
	return []work{
		{
			name: "children", family: supervision, by: everyone,
			how: "An empty, running family is given 100k children one by one (proto.actor: in one message; Erlang: declared). Start ends when the last of them has been entered; " +
				"allocations are those of the same time. Then the family is stopped; stop ends when all have returned.",
			lines: []line{
				{figure: "start", title: "start 100k idle permanent children, per child", unit: "ns", targets: []target{times(2.4, bare)}},
				{figure: "stop", title: "supervised stop of 100k, per child", unit: "ns", targets: []target{times(2, bare)}},
				{figure: "allocs", title: "start one child", unit: "allocs", targets: []target{atMost(12)}},
			},
			measure: measureChildren,
		},
		{
			name: "memory", family: supervision, by: everyone,
			how: "Heap and stacks in use after three collections, with the children minus without; everything that is kept for a child, " +
				"its name included. Erlang: `erlang:memory(total)` after a collection of every process.",
			lines: []line{
				{figure: "bytes", title: "memory per idle child at 100k", unit: "bytes", targets: []target{times(1.25, bare)}},
			},
			measure: measureMemory,
		},
	}
}

func stillWorks() []work {
	return []work{{
		name: "still", family: supervision, by: everyone, rounds: 3,
		how: "CPU time of the whole process, system time included, in 5 s in which 100k idle children have nothing to do, a second after the " +
			"last of them was entered. Erlang: `statistics(runtime)`, which counts whole milliseconds.",
		lines: []line{
			{figure: "cpu", title: "100k idle children, CPU in 5 s", unit: "ms", targets: []target{atMost(1)}},
		},
		measure: measureStill,
	}}
}

// crowd starts n idle children and returns when all have been entered.
func crowd(f family, n int) error {
	up := make(chan struct{})
	var left atomic.Int64
	left.Store(int64(n))
	if err := f.idle(n, func() {
		if left.Add(-1) == 0 {
			close(up)
		}
	}); err != nil {
		return err
	}
	<-up
	return nil
}

func measureChildren(p peer, size scale) (figures, error) {
	f, err := p.open(false)
	if err != nil {
		return nil, err
	}
	n := float64(size.many)
	before := mallocs()
	begin := time.Now()
	if err := crowd(f, size.many); err != nil {
		return nil, err
	}
	start := time.Since(begin)
	allocs := mallocs() - before
	begin = time.Now()
	if err := f.stop(); err != nil {
		return nil, err
	}
	stop := time.Since(begin)
	return figures{
		"start": float64(start.Nanoseconds()) / n, "stop": float64(stop.Nanoseconds()) / n, "allocs": whole(allocs, size.many),
	}, nil
}

func measureMemory(p peer, size scale) (figures, error) {
	f, err := p.open(false)
	if err != nil {
		return nil, err
	}
	before := inUse()
	if err := crowd(f, size.many); err != nil {
		return nil, err
	}
	held := inUse() - before
	return figures{"bytes": float64(held) / float64(size.many)}, f.stop()
}

func measureStill(p peer, size scale) (figures, error) {
	f, err := p.open(false)
	if err != nil {
		return nil, err
	}
	if err := crowd(f, size.many); err != nil {
		return nil, err
	}
	inUse()                    // so that no collection falls into the time that is watched
	time.Sleep(size.still / 5) // what the start has left to do is done in it
	before, err := cpu()
	if err != nil {
		return nil, err
	}
	time.Sleep(size.still) // this is what is measured: nobody has anything to do
	after, err := cpu()
	if err != nil {
		return nil, err
	}
	return figures{"cpu": (after - before).Seconds() * 1000}, f.stop()
}

// mallocs returns how often this process has allocated.
func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// inUse returns how many bytes the heap and the stacks take up after a collection.
func inUse() int64 {
	// What has a finalizer or lies in a pool takes more than one.
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// cpu returns the time that this process has spent on a processor.
func cpu() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// live returns how many bytes of the heap are reachable.
func live() int64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
