package main

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func measureKeys(_ peer, size scale) (figures, error) {
	names := make([]string, size.many)
	for i := range names {
		names[i] = "job-" + strconv.Itoa(i)
	}
	start := func(figure string, f flood) way {
		return func() (figures, error) {
			s, err := supervise(supervisor.Config{Name: "app"})
			if err != nil {
				return nil, err
			}
			took, err := f(size.many, func(i int) (*actor.Handle, error) {
				return s.Start(context.Background(), actor.Spec{Name: names[i], Task: doNothing, Restart: policy.Never})
			})
			if err != nil {
				return nil, err
			}
			return figures{figure: took}, s.stop()
		}
	}
	ways := []way{start("start", oneByOne), start("start-all", atOnce)}
	random := rand.New(rand.NewPCG(1, 2))
	for _, t := range throughputs {
		keys := make([]string, size.many)
		for i := range keys {
			keys[i] = "key-" + strconv.Itoa(random.IntN(min(t.keys, size.many)))
		}
		submit := func(figure string, f flood) way {
			return func() (figures, error) {
				c, err := boundless()
				if err != nil {
					return nil, err
				}
				took, err := f(size.many, func(i int) (*actor.Handle, error) {
					return c.Submit(context.Background(), oneShot(names[i], keys[i]))
				})
				if err != nil {
					return nil, err
				}
				return figures{figure: took}, c.stop()
			}
		}
		ways = append(ways, submit(t.name, oneByOne))
		if t.name == "10k" {
			ways = append(ways, submit("10k-all", atOnce))
		}
	}
	const turns = 3
	return inTurn(turns, ways...)
}

// flood has n tasks made by many goroutines, which await them, and returns the nanoseconds
// for each task.
type flood func(n int, submit func(i int) (*actor.Handle, error)) (float64, error)

// oneByOne awaits each task before it makes the next.
func oneByOne(n int, submit func(i int) (*actor.Handle, error)) (float64, error) {
	return pour(n, 1, submit)
}

// atOnce makes all tasks before it awaits the first.
func atOnce(n int, submit func(i int) (*actor.Handle, error)) (float64, error) {
	return pour(n, n, submit)
}

// pour awaits the tasks of each goroutine whenever there are so many.
func pour(n, many int, submit func(i int) (*actor.Handle, error)) (float64, error) {
	var wg sync.WaitGroup
	failed := make(chan error, submitters)
	begin := time.Now()
	for g := range submitters {
		wg.Go(func() {
			handles := make([]*actor.Handle, 0, n/submitters+1)
			for i := g; i < n; i += submitters {
				h, err := submit(i)
				if err != nil {
					failed <- err
					return
				}
				handles = append(handles, h)
				if len(handles) < many && i+submitters < n {
					continue
				}
				for _, h := range handles {
					if err := awaitShot(h); err != nil {
						failed <- err
						return
					}
				}
				handles = handles[:0]
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	select {
	case err := <-failed:
		return 0, err
	default:
		return float64(took.Nanoseconds()) / float64(n), nil
	}
}
