package main

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/events"
)

func measureCancels(p peer, size scale) (figures, error) {
	const turns = 6
	size.spell /= turns
	measure := cancels
	if p.name == bare {
		measure = cancelsByHand
	}
	return inTurn(
		turns,
		func() (figures, error) { return measure(size, "shallow", shallow, 1, anywhere) },
		func() (figures, error) { return measure(size, "deep", size.many, 1, oldest()) },
		func() (figures, error) { return measure(size, "random", size.many, 1, anywhere) },
		func() (figures, error) { return measure(size, "wide", size.many, size.many/shallow, anywhere) },
	)
}

// picks says which of n submissions are cancelled next.
type picks func(n int) [handful]int

// anywhere picks at random, none twice.
func anywhere(n int) (at [handful]int) {
	taken := map[int]bool{}
	for i := range at {
		for at[i] = rand.IntN(n); taken[at[i]]; at[i] = rand.IntN(n) {
		}
		taken[at[i]] = true
	}
	return at
}

// oldest picks those that have waited for longest, if new ones take the places of the old.
func oldest() picks {
	next := 0
	return func(n int) (at [handful]int) {
		for i := range at {
			at[i] = next % n
			next++
		}
		return at
	}
}

// cancels measures what it costs to cancel one of so many that wait for so many keys.
func cancels(size scale, figure string, waiting, keys int, pick picks) (figures, error) {
	c, err := boundless()
	if err != nil {
		return nil, err
	}
	// The queues grow side by side, as they do when submissions come in any order.
	releases := make([]func() error, keys)
	subs := make([]controller.Submission, keys)
	for k := range keys {
		key := strconv.Itoa(k)
		subs[k] = oneShot("job", key)
		if releases[k], err = c.occupy(key); err != nil {
			return nil, err
		}
	}
	ids := make([]events.ID, 0, waiting)
	for i := range waiting {
		if ids, err = c.submitted(ids, 1, subs[i%keys]); err != nil {
			return nil, err
		}
	}
	took, err := timed(size.spell, handful, func() (time.Duration, error) {
		return c.cancelSome(ids, subs, pick(len(ids)))
	})
	if err != nil {
		return nil, err
	}
	for k := range keys {
		c.Purge(subs[k].Key)
		if err := releases[k](); err != nil {
			return nil, err
		}
	}
	return figures{figure: took}, c.stop()
}

// handful is how many submissions are cancelled between two looks at the clock.
const handful = 32

// cancelSome cancels some of ids, puts new ones in their place, and returns how long the
// cancelling took.
func (c *controlled) cancelSome(ids []events.ID, subs []controller.Submission, at [handful]int) (time.Duration, error) {
	var some [handful]events.ID
	for i, j := range at {
		some[i] = ids[j]
	}
	begin := time.Now()
	err := c.withdraw(some[:])
	took := time.Since(begin)
	if err != nil {
		return 0, err
	}
	for _, j := range at {
		if _, err := c.submitted(ids[j:j], 1, subs[rand.IntN(len(subs))]); err != nil {
			return 0, err
		}
	}
	return took, nil
}

func measureHandOver(_ peer, size scale) (figures, error) {
	const turns = 4
	size.spell /= turns
	return inTurn(
		turns,
		func() (figures, error) { return handOver(size, "alone") },
		func() (figures, error) {
			idle, quit := sync.WaitGroup{}, make(chan struct{})
			for range 1000 {
				idle.Go(func() { <-quit })
			}
			runtime.GC() // it is then that Go counts
			f, err := handOver(size, "crowded")
			close(quit)
			idle.Wait()
			return f, err
		},
	)
}

func handOver(size scale, figure string) (figures, error) {
	c, err := boundless()
	if err != nil {
		return nil, err
	}
	sub := oneShot("job", "slot")
	var allocs, drained uint64
	took, err := timed(size.spell, burst, func() (time.Duration, error) {
		release, err := c.occupy("slot")
		if err != nil {
			return 0, err
		}
		if _, err := c.submitted(nil, burst-1, sub); err != nil {
			return 0, err
		}
		last, err := c.Submit(context.Background(), sub)
		if err != nil {
			return 0, err
		}
		before, begin := mallocs(), time.Now()
		if err := release(); err != nil {
			return 0, err
		}
		err = awaitShot(last)
		took := time.Since(begin)
		allocs += mallocs() - before
		drained += burst
		return took, err
	})
	if err != nil {
		return nil, err
	}
	return figures{figure: took, "allocs": whole(allocs, int(drained))}, c.stop()
}
