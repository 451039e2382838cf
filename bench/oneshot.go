package main

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

func shotWorks() []work {
	return []work{
		{
			name: "shot", family: supervision, by: everyone,
			how: "A loop that adds a child which does nothing and waits until it has ended.",
			lines: []line{
				{figure: "shot", title: "one-shot child: add, run, await its outcome, sequential", unit: "ns", targets: []target{times(2, bare)}},
			},
			measure: func(p peer, size scale) (figures, error) { return measureShots(p, size, 1) },
		},
		{
			name: "shot-64", family: supervision, by: everyone,
			how: "64 such loops at a time in one family; time over all children.",
			lines: []line{
				{figure: "shot", title: "the same from 64 goroutines", unit: "ns", targets: []target{times(0.7, suturePeer)}},
			},
			measure: func(p peer, size scale) (figures, error) { return measureShots(p, size, 64) },
		},
	}
}

func measureShots(p peer, size scale, callers int) (figures, error) {
	f, err := p.open(false)
	if err != nil {
		return nil, err
	}
	var wg sync.WaitGroup
	var total atomic.Int64
	failed := make(chan error, callers)
	begin := time.Now()
	for i := range callers {
		wg.Go(func() {
			n, err := shots(f.shot, "shot-"+strconv.Itoa(i), begin.Add(size.spell))
			total.Add(n)
			if err != nil {
				failed <- err
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	select {
	case err := <-failed:
		return nil, err
	default:
	}
	return figures{"shot": float64(took.Nanoseconds()) / float64(total.Load())}, f.stop()
}

// shots adds one-shot children, one after the other, until a time has come.
func shots(shot func(name string) error, name string, until time.Time) (int64, error) {
	const between = 16 // looks at the clock
	var n int64
	for {
		for range between {
			if err := shot(name); err != nil {
				return n, err
			}
		}
		n += between
		if !time.Now().Before(until) {
			return n, nil
		}
	}
}
