package supervisor_test

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
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// bChaos is a tree whose tasks misbehave in every way, and what it must keep.
type bChaos struct {
	t       *testing.T
	root    *supervisor.Supervisor
	doors   []*supervisor.Supervisor // where children can be started
	running sync.Map                 // id and generation of the attempts that run
	active  atomic.Int64
	begun   atomic.Int64
	log     bLog

	mu      sync.Mutex
	handles []*actor.Handle // guarded by mu
}

const (
	bChaosLimit = 48
	bChaosLag   = 15 * time.Millisecond // how long a deaf task is deaf
)

// misbehave is a task that does something else every time.
func (c *bChaos) misbehave(ctx context.Context) error {
	info, _ := actor.FromContext(ctx)
	key := fmt.Sprintf("%d.%d", info.ID, info.Generation)
	if _, twice := c.running.LoadOrStore(key, true); twice {
		c.t.Errorf("two attempts of %s run at a time, in generation %d", info.Path, info.Generation)
	}
	c.active.Add(1)
	c.begun.Add(1)
	defer c.active.Add(-1)
	defer c.running.Delete(key)
	actor.Ready(ctx)
	switch rand.IntN(10) {
	case 0:
		return nil
	case 1:
		return errOfB
	case 2:
		panic("chaos")
	case 3:
		runtime.Goexit()
	case 4:
		linger(bChaosLag) // deaf for longer than its grace
	case 5:
		_ = actor.Go(ctx, func(context.Context) error { linger(time.Millisecond); return errOfB })
	case 6:
		return actor.RetryAfter(errOfB, time.Millisecond)
	case 7:
		_ = c.root.Stop(ctx, info.Path) // ErrSelf
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(rand.IntN(20)) * time.Millisecond):
	}
	return nil
}

func (c *bChaos) spec(name string) actor.Spec {
	return actor.Spec{
		Name: name, Task: actor.Func(c.misbehave), Backoff: policy.Constant(time.Millisecond),
		Restart: policy.Restart(rand.IntN(3)), Grace: 3 * time.Millisecond, //nolint:gosec // 0 to 2
		OnStuck:    []policy.OnStuck{policy.StuckAuto, policy.StuckWait, policy.StuckAbandon}[rand.IntN(3)],
		AwaitReady: rand.IntN(4) == 0,
	}
}

// door is a supervisor with some children, which restarts them by a strategy.
func (c *bChaos) door(strategy supervisor.Strategy, below ...actor.Spec) *supervisor.Supervisor {
	cfg := supervisor.Config{Strategy: strategy, Children: below}
	for i := range 10 {
		cfg.Children = append(cfg.Children, c.spec(fmt.Sprint("d", i)))
	}
	s := supervisor.New(cfg)
	c.doors = append(c.doors, s)
	return s
}

// act does one thing to the tree.
func (c *bChaos) act(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	door := c.doors[rand.IntN(len(c.doors))]
	name := fmt.Sprint([]string{"d", "x"}[rand.IntN(2)], rand.IntN(20))
	var h *actor.Handle
	var err error
	switch rand.IntN(12) {
	case 0, 1, 2, 3:
		h, err = door.Start(ctx, c.spec(name))
	case 4:
		var hs []*actor.Handle
		hs, err = door.StartAll(ctx, c.spec(name), c.spec(name+"twin"))
		c.keep(hs...)
	case 5, 6:
		err = door.Stop(ctx, name)
	case 7, 8:
		err = door.Remove(ctx, name)
	case 9, 10:
		h, err = door.Restart(ctx, name)
	case 11:
		tree := c.root.Tree()
		for n := range tree.All() {
			if n.PermitsUsed > bChaosLimit || (n.Path != tree.Path && n.ID == 0) || n.State == 0 {
				c.t.Errorf("listed: %+v", n)
			}
		}
		err = c.root.SetConcurrency(1 + rand.IntN(bChaosLimit))
	}
	if h != nil {
		c.keep(h)
	}
	var child *supervisor.ChildError
	var stop *supervisor.StopError
	if err != nil && !errors.As(err, &child) && !errors.As(err, &stop) {
		c.t.Errorf("answered with %v", err)
	}
}

func (c *bChaos) keep(hs ...*actor.Handle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handles = append(c.handles, hs...)
}

func TestATreeKeepsItsPromisesWhateverIsDoneToIt(t *testing.T) {
	before := runtime.NumGoroutine()
	c := &bChaos{t: t}
	inner := c.door(supervisor.OneForOne)
	all := c.door(supervisor.OneForAll)
	rest := c.door(supervisor.RestForOne, inner.Spec("inner"))
	var bus events.Bus
	lost, err := bus.Subscribe(events.Subscriber{Name: "log", Handler: &c.log, Queue: events.MaxQueue})
	if err != nil {
		t.Fatal(err)
	}
	c.root = supervisor.New(supervisor.Config{
		Name: "app", Concurrency: bChaosLimit, StopTimeout: 10 * time.Second, Bus: &bus,
		Children: []actor.Spec{all.Spec("all"), rest.Spec("rest")},
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.root.Run(ctx) }()

	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := 0; i < 100 || (c.begun.Load() < 1000 && i < 10_000); i++ {
				c.act(ctx)
				linger(time.Duration(rand.IntN(1000)) * time.Microsecond)
			}
		})
	}
	wg.Wait()
	cancel()
	select {
	case <-done: // a StopError is legal: some were deaf
	case <-time.After(20 * time.Second):
		t.Fatal("Run has not returned")
	}
	if c.begun.Load() < 500 {
		t.Errorf("only %d attempts", c.begun.Load())
	}

	// Whatever was left behind returns soon, and then nothing is left.
	for end := time.Now().Add(5 * time.Second); c.active.Load() > 0 && time.Now().Before(end); {
		linger(time.Millisecond)
	}
	if err := bus.Close(bWithin(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	c.check(lost.Stats().Lost)
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(end); {
		linger(time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines are left, %d of them of tasks:\n%v", n-before, len(c.root.Leaks()), c.root.Leaks())
	}
}

// check compares the handles with what was told.
func (c *bChaos) check(lost uint64) {
	ends := map[events.ID]int{}
	kinds := map[events.ID]events.Outcome{}
	for _, e := range c.log.of(events.TaskFinished, "") {
		ends[e.ID]++
		kinds[e.ID] = e.Outcome
	}
	for id, n := range ends {
		if n != 1 {
			c.t.Errorf("task %d ended %d times", id, n)
		}
	}
	for _, h := range c.handles {
		o, ok := h.Outcome()
		if !ok {
			c.t.Errorf("%s, task %d, has no outcome", h.Path(), h.ID())
		} else if lost == 0 && ends[h.ID()] > 0 && kinds[h.ID()] != o.Kind {
			c.t.Errorf("%s ended as %v, and the event said %v", h.Path(), o.Kind, kinds[h.ID()])
		}
		if lost == 0 && ok && ends[h.ID()] == 0 && o.Attempts > 0 {
			c.t.Errorf("%s ran and no event told of its end", h.Path())
		}
	}
	started, finished := map[events.ID]int{}, map[events.ID]int{}
	for _, e := range c.log.of(events.AttemptStarted, "") {
		started[e.ID]++
		if e.Attempt != started[e.ID] {
			c.t.Errorf("%s: attempt %d began as number %d", e.Path, e.Attempt, started[e.ID])
		}
	}
	for _, e := range c.log.of(events.AttemptEnded, "") {
		finished[e.ID]++
	}
	for id, n := range started {
		if finished[id] > n {
			c.t.Errorf("task %d began %d attempts and ended %d", id, n, finished[id])
		}
	}
}
