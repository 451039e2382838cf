package supervisor_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// bMeter counts how many attempts run at a time.
type bMeter struct {
	mu        sync.Mutex
	now, most int // guarded by mu
	order     []string
}

func (m *bMeter) enter(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now++
	m.most = max(m.most, m.now)
	m.order = append(m.order, name)
}

func (m *bMeter) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now--
}

func (m *bMeter) read() (now, most int, order []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now, m.most, slices.Clone(m.order)
}

// spec is a task that works for d, also when it is told to stop.
func (m *bMeter) spec(name string, d time.Duration) actor.Spec {
	return actor.Spec{Name: name, Task: actor.Func(func(context.Context) error {
		m.enter(name)
		defer m.leave()
		rest(d)
		return nil
	})}
}

func bStart(t *testing.T, s *supervisor.Supervisor, specs ...actor.Spec) {
	t.Helper()
	for _, spec := range specs {
		if _, err := s.Start(t.Context(), spec); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // so that it has its place in the queue
	}
}

func TestNeverMoreAttemptsRunThanTheLimit(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		var m bMeter
		b := bRun(t, supervisor.Config{Concurrency: 3})
		for i := range 20 {
			bStart(t, b.Supervisor, m.spec(fmt.Sprint(i), time.Second))
		}
		if n := b.Tree(); n.PermitsUsed != 3 || n.PermitsWaiting != 17 {
			t.Errorf("%d used, %d waiting", n.PermitsUsed, n.PermitsWaiting)
		}
		b.mustState("/app/2", supervisor.StateRunning)
		b.mustState("/app/3", supervisor.StateWaiting)
		rest(time.Minute)
		if _, most, order := m.read(); most != 3 || len(order) != 20 {
			t.Errorf("%d at a time, in the order %v", most, order)
		}
		if n := b.Tree(); n.PermitsUsed != 0 || n.PermitsWaiting != 0 {
			t.Errorf("%d used, %d waiting", n.PermitsUsed, n.PermitsWaiting)
		}
		b.mustStop()
	})
}

func TestNoPermitIsHeldDuringAPause(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{Concurrency: 1})
		bStart(t, b.Supervisor,
			actor.Spec{Name: "fails", Backoff: policy.Constant(10 * time.Second), Task: bFailAfter(time.Second)},
			actor.Spec{Name: "repeats", Restart: policy.Always, Every: 10 * time.Second, Task: actor.Func(func(context.Context) error {
				rest(time.Second)
				return nil
			})},
			actor.Spec{Name: "third", Task: actor.Func(bIdle)})
		rest(2500 * time.Millisecond)
		b.mustState("/app/fails", supervisor.StateBackingOff)
		b.mustState("/app/repeats", supervisor.StateBackingOff)
		b.mustState("/app/third", supervisor.StateRunning)
		rest(10 * time.Second) // their pauses are over, and they wait again
		b.mustState("/app/fails", supervisor.StateWaiting)
		b.mustState("/app/repeats", supervisor.StateWaiting)
		b.mustStop()
	})
}

func TestTheLimitMayBeChangedAtRunTime(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		var m bMeter
		b := bRun(t, supervisor.Config{Concurrency: 2})
		for i := range 30 {
			bStart(t, b.Supervisor, m.spec(fmt.Sprint(i), 10*time.Second))
		}
		running := func(want int) {
			t.Helper()
			synctest.Wait()
			if now, _, _ := m.read(); now != want || b.Tree().PermitsUsed != want {
				t.Errorf("%d run and %d permits are used, want %d", now, b.Tree().PermitsUsed, want)
			}
		}
		running(2)
		bMustBe(t, "up", b.SetConcurrency(5), nil)
		running(5)
		rest(time.Second)
		bMustBe(t, "down", b.SetConcurrency(1), nil)
		running(5) // they finish
		rest(9 * time.Second)
		running(1)
		rest(10 * time.Second)
		running(1)
		bMustBe(t, "open", b.SetConcurrency(policy.Unlimited), nil)
		running(24)
		for _, n := range []int{0, -1, policy.NoRetry} {
			bMustBe(t, fmt.Sprint(n), b.SetConcurrency(n), policy.ErrInvalid)
		}
		rest(10 * time.Second)
		b.mustStop()
		bMustBe(t, "after the run", b.SetConcurrency(3), supervisor.ErrNotRunning)
		bMustBe(t, "without a limit", supervisor.New(supervisor.Config{}).SetConcurrency(3), policy.ErrInvalid)
	})
}

func TestLimitsNestAndSupervisorsTakeNoPermit(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		var all, left, right bMeter
		side := func(m *bMeter, limit int) *supervisor.Supervisor {
			var specs []actor.Spec
			for i := range 8 {
				specs = append(specs, actor.Spec{Name: fmt.Sprint(i), Task: actor.Func(func(context.Context) error {
					all.enter("")
					m.enter("")
					defer all.leave()
					defer m.leave()
					rest(time.Second)
					return nil
				})})
			}
			deep := supervisor.New(supervisor.Config{Children: specs})
			return supervisor.New(supervisor.Config{Concurrency: limit, Children: []actor.Spec{deep.Spec("deep")}})
		}
		b := bRun(t, supervisor.Config{Concurrency: 4, Children: []actor.Spec{
			side(&left, 1).Spec("left"), side(&right, 100).Spec("right"),
			{Name: "exempt", NoPermit: true, Task: actor.Func(bIdle)},
		}})
		rest(100 * time.Millisecond)
		if n := b.Tree(); n.PermitsUsed != 4 {
			t.Errorf("%d permits used", n.PermitsUsed)
		}
		if n := b.node("/app/left"); n.PermitsUsed != 1 || n.PermitsWaiting != 7 {
			t.Errorf("left: %d used, %d waiting", n.PermitsUsed, n.PermitsWaiting)
		}
		rest(time.Minute)
		for name, row := range map[string]struct {
			m    *bMeter
			want int
		}{"all": {&all, 4}, "left": {&left, 1}} {
			if now, most, order := row.m.read(); now != 0 || most != row.want || len(order) < 8 {
				t.Errorf("%s: at most %d at a time, %d in all", name, most, len(order))
			}
		}
		if _, _, order := right.read(); len(order) != 8 {
			t.Errorf("right: %d in all", len(order))
		}
		b.mustState("/app/exempt", supervisor.StateRunning)
		b.mustStop()
	})
}

func TestWhatWaitsForAPermitCanBeStoppedAndLeavesItsPlace(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		var m bMeter
		b := bRun(t, supervisor.Config{Concurrency: 1})
		for _, name := range []string{"first", "second", "third", "fourth", "fifth"} {
			bStart(t, b.Supervisor, m.spec(name, 10*time.Second))
		}
		h, _ := b.Handle("second")
		bMustBe(t, "stop", b.Stop(t.Context(), "second"), nil)
		if o, _ := h.Outcome(); o.Attempts != 0 || b.at() != 0 {
			t.Errorf("%+v at %v", o, b.at())
		}
		bMustBe(t, "remove", b.Remove(t.Context(), "third"), nil)
		if n := b.Tree(); n.PermitsUsed != 1 || n.PermitsWaiting != 2 || len(n.Children) != 3 {
			t.Errorf("%d used, %d waiting", n.PermitsUsed, n.PermitsWaiting)
		}
		// A running one that is restarted goes to the end of the queue.
		go b.Restart(t.Context(), "first")
		rest(15 * time.Second)
		if _, _, order := m.read(); !slices.Equal(order, []string{"first", "fourth"}) {
			t.Errorf("%v", order)
		}
		rest(time.Minute)
		if _, most, order := m.read(); most != 1 || !slices.Equal(order, []string{"first", "fourth", "fifth", "first"}) {
			t.Errorf("%v", order)
		}
		b.mustStop()
	})
}

func TestTheStopOfATreeDoesNotWaitForPermits(t *testing.T) {
	for _, strategy := range []supervisor.Strategy{supervisor.OneForOne, supervisor.OneForAll} {
		bBubble(t, func(t *testing.T, _ chan struct{}) {
			b := bRun(t, supervisor.Config{Strategy: strategy, Concurrency: 1})
			for i := range 50 {
				bStart(t, b.Supervisor, actor.Spec{Name: fmt.Sprint(i), Task: bSlow(time.Second)})
			}
			rest(time.Second)
			if err, took := b.stop(); err != nil || took != time.Second {
				t.Errorf("%v after %v", err, took)
			}
		})
	}
}
