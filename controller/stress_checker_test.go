package controller_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
)

// maxWidth is how wide a key may become in the storm; one whose width is left alone
// has one place.
const maxWidth = 3

// checker watches over what runs for each key.
type checker struct {
	keys []keyCheck
	deaf sync.WaitGroup // those that ignore their context
	gate chan struct{}  // closed when they may return
}

// keyCheck is what is known about a key.
type keyCheck struct {
	isQueue bool // nothing but Queue comes, and its width is one
	live    atomic.Int64
	order   sync.Mutex
	last    map[int]int // of each caller, which of its submissions ran last
}

func newChecker(n int) *checker {
	k := &checker{keys: make([]keyCheck, n), gate: make(chan struct{})}
	for i := range k.keys {
		k.keys[i].isQueue = i%4 == 0
		k.keys[i].last = map[int]int{}
	}
	return k
}

// tracked is one submission.
type tracked struct {
	h           *actor.Handle
	on          *keyCheck
	caller, seq int
	runs        atomic.Int64
	broken      atomic.Pointer[string]
}

func (s *tracked) breaks(what string) { s.broken.CompareAndSwap(nil, &what) }

// body is what a task does; it calls left when it counts no more, which is at its
// return at the latest.
type body func(ctx context.Context, run int64, left func()) error

// task runs a body under the eyes of the checker.
func (s *tracked) task(do body) actor.Func {
	return func(ctx context.Context) error {
		run := s.runs.Add(1)
		width := int64(maxWidth)
		if s.on.isQueue {
			width = 1
			s.inOrder()
		}
		if n := s.on.live.Add(1); n > width {
			s.breaks("more run than there are places")
		}
		left := sync.OnceFunc(func() { s.on.live.Add(-1) })
		defer left()
		return do(ctx, run, left)
	}
}

// inOrder notes that s runs, after whatever its caller had submitted before.
func (s *tracked) inOrder() {
	s.on.order.Lock()
	defer s.on.order.Unlock()
	if last, ok := s.on.last[s.caller]; ok && last > s.seq {
		s.breaks("it runs after one that came later")
	}
	s.on.last[s.caller] = s.seq
}

// quick are bodies that end by themselves.
var quick = []body{
	func(context.Context, int64, func()) error { return nil },
	func(_ context.Context, run int64, _ func()) error {
		if run < 3 {
			return errBoom
		}
		return nil
	},
	func(context.Context, int64, func()) error { return errBoom },
	func(context.Context, int64, func()) error { panic("oops") },
	func(ctx context.Context, _ int64, _ func()) error {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
		}
		return nil
	},
}

func hangs(ctx context.Context, _ int64, _ func()) error {
	<-ctx.Done()
	return nil
}

// abandoned is for one that does not end before all is over. Another may have its
// place as soon as it was told to.
func (k *checker) abandoned(ctx context.Context, _ int64, left func()) error {
	k.deaf.Add(1)
	defer k.deaf.Done()
	<-ctx.Done()
	left()
	<-k.gate
	return nil
}

// stuck is for one that takes far longer than its grace, and is waited for.
func stuck(ctx context.Context, _ int64, _ func()) error {
	<-ctx.Done()
	<-time.After(20 * time.Millisecond)
	return nil
}

// check returns what became of s, which has to fit to what it did.
func (s *tracked) check(t *testing.T) string {
	t.Helper()
	o, ok := s.h.Outcome()
	if !ok {
		t.Errorf("%s has no outcome", s.h.Name())
		return ""
	}
	if what := s.broken.Load(); what != nil {
		t.Errorf("%s: %s", s.h.Name(), *what)
	}
	runs := int(s.runs.Load())
	switch o.Kind {
	case events.Rejected:
		if runs != 0 {
			t.Errorf("%s was %v, and ran", s.h.Name(), o)
		}
	case events.Completed, events.Failed:
		if runs != o.Attempts || runs == 0 {
			t.Errorf("%s was %v, and ran %d times", s.h.Name(), o, runs)
		}
	case events.Stopped, events.Abandoned:
		if runs != o.Attempts || (o.Reason != events.ReasonReplaced && o.Reason != events.ReasonStopped) {
			t.Errorf("%s was %v, and ran %d times", s.h.Name(), o, runs)
		}
	default:
		t.Errorf("%s was %v", s.h.Name(), o)
	}
	return fate(s.h)
}
