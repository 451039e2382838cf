package supervisor

import (
	"runtime"
	"sync"
	"testing"
)

func TestOneAtATimeHasIt(t *testing.T) {
	const goroutines, times = 64, 2000
	var mu mutex
	var wg sync.WaitGroup
	n := 0
	for g := range goroutines {
		wg.Go(func() {
			for i := range times {
				mu.Lock()
				n++
				if i%(100+g) == 0 {
					runtime.Gosched() // others find it taken for longer than they look
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if n != goroutines*times {
		t.Errorf("%d of %d additions were made", n, goroutines*times)
	}
}

// Who looks does not do so for ever, nor does it take anything else from who has the lock.
func TestItIsWaitedForAsleep(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // nobody else runs while somebody looks
	var mu mutex
	mu.Lock()
	got := make(chan struct{})
	go func() {
		mu.Lock()
		mu.Unlock() //nolint:staticcheck // it was to be had
		close(got)
	}()
	runtime.Gosched()
	select {
	case <-got:
		t.Fatal("two have the lock")
	default:
	}
	mu.Unlock()
	<-got
}
