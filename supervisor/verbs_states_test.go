package supervisor_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// bStates brings a declared child "c" into each state. Whatever it waits for
// comes when its gate is opened.
var bStates = map[string]func(t *testing.T, gate chan struct{}) *bTree{
	"running": func(t *testing.T, _ chan struct{}) *bTree {
		return bRun(t, supervisor.Config{Children: []actor.Spec{{Name: "c", Task: actor.Func(bIdle)}}})
	},
	"backing_off": func(t *testing.T, _ chan struct{}) *bTree {
		return bRun(t, supervisor.Config{Children: []actor.Spec{{
			Name: "c", Backoff: policy.Constant(time.Hour), Task: bEach(func(ctx context.Context, attempt int) error {
				if attempt == 1 {
					return errOfB
				}
				return bIdle(ctx)
			}),
		}}})
	},
	"waiting": func(t *testing.T, gate chan struct{}) *bTree {
		b := bRun(t, supervisor.Config{Concurrency: 1, Children: []actor.Spec{{Name: "holder", Task: bDeafUnlessTold(gate)}}})
		b.stop()
		return bRun(t, supervisor.Config{Concurrency: 1, Children: []actor.Spec{
			{Name: "holder", AwaitReady: true, Task: actor.Func(func(ctx context.Context) error {
				actor.Ready(ctx)
				return bDeafUnlessTold(gate)(ctx)
			})},
			{Name: "c", Task: actor.Func(bIdle)},
		}})
	},
	"starting": func(t *testing.T, gate chan struct{}) *bTree {
		return bRun(t, supervisor.Config{Children: []actor.Spec{
			{Name: "elder", AwaitReady: true, StartTimeout: policy.Forever, Task: actor.Func(func(ctx context.Context) error {
				_ = bDeafUnlessTold(gate)(ctx)
				actor.Ready(ctx)
				return bIdle(ctx)
			})},
			{Name: "c", Task: actor.Func(bIdle)},
		}})
	},
	"not ready": func(t *testing.T, _ chan struct{}) *bTree {
		return bRun(t, supervisor.Config{Children: []actor.Spec{
			{Name: "c", AwaitReady: true, StartTimeout: policy.Forever, Task: actor.Func(bIdle)},
			{Name: "younger", Task: actor.Func(bIdle)},
		}})
	},
	"restarting": func(t *testing.T, gate chan struct{}) *bTree {
		b := bRun(t, supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{
			{Name: "holder", Grace: policy.Forever, Task: bEach(func(ctx context.Context, attempt int) error {
				if attempt == 1 {
					<-gate
				}
				return bIdle(ctx)
			})},
			{Name: "fails", Backoff: policy.Constant(time.Second), Task: bEach(func(ctx context.Context, attempt int) error {
				if attempt == 1 {
					rest(time.Second)
					return errOfB
				}
				return bIdle(ctx)
			})},
			{Name: "c", Task: actor.Func(bIdle)},
		}})
		rest(2 * time.Second)
		return b
	},
	"completed": func(t *testing.T, _ chan struct{}) *bTree {
		return bRun(t, supervisor.Config{Children: []actor.Spec{{Name: "c", Task: bEach(func(context.Context, int) error { return nil })}}})
	},
	"failed": func(t *testing.T, _ chan struct{}) *bTree {
		return bRun(t, supervisor.Config{Children: []actor.Spec{{
			Name: "c", MaxRetries: policy.NoRetry, Task: actor.Func(func(context.Context) error { return errOfB }),
		}}})
	},
	"stopped": func(t *testing.T, _ chan struct{}) *bTree {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{Name: "c", Task: actor.Func(bIdle)}}})
		bMustBe(t, "stop", b.Stop(t.Context(), "c"), nil)
		return b
	},
}

// bDeafUnlessTold waits for the gate or for the end of its context.
func bDeafUnlessTold(gate <-chan struct{}) actor.Func {
	return func(ctx context.Context) error {
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return nil
	}
}

// bInEach runs a test with a child in each state, but for the skipped ones.
func bInEach(t *testing.T, fn func(t *testing.T, b *bTree, h *actor.Handle, state string, open func())) {
	for state, bring := range bStates {
		t.Run(state, func(t *testing.T) {
			bBubble(t, func(t *testing.T, _ chan struct{}) {
				gate, opened := bGate()
				b := bring(t, gate)
				if want := state; state != "not ready" {
					if got := b.node("/app/c").State.String(); got != want {
						t.Fatalf("the child is %v", got)
					}
				}
				h, err := b.Handle("c")
				if err != nil {
					t.Fatal(err)
				}
				fn(t, b, h, state, opened)
				opened()
				b.mustStop()
			})
		})
	}
}

func bGate() (gate chan struct{}, open func()) {
	gate = make(chan struct{})
	opened := false
	return gate, func() {
		if !opened {
			close(gate)
			opened = true
		}
	}
}

func bEnded(state string) bool {
	return state == "completed" || state == "failed" || state == "stopped"
}

func TestStopKeepsADeclaredChildWhateverItDoes(t *testing.T) {
	bInEach(t, func(t *testing.T, b *bTree, h *actor.Handle, state string, _ func()) {
		from := time.Now()
		for range 2 { // the second finds it ended
			bMustBe(t, "stop", b.Stop(t.Context(), "c"), nil)
		}
		if took := time.Since(from); took != 0 {
			t.Errorf("it took %v", took)
		}
		want := state
		if !bEnded(state) {
			want = "stopped"
		}
		if n := b.node("/app/c"); n.State.String() != want || n.ID != h.ID() {
			t.Errorf("it is %v, want %v", n.State, want)
		}
		if o, ok := h.Outcome(); !ok || o.Kind.String() != want || (want == "stopped" && o.Reason != events.ReasonStopped) {
			t.Errorf("%+v, %v", o, ok)
		}
		bMustBe(t, "start of the same name", bErrOf(b.Start(t.Context(), actor.Spec{Name: "c", Task: actor.Func(bIdle)})), supervisor.ErrExists)
		if now, err := b.Handle("c"); err != nil || now != h {
			t.Errorf("its handle is %v, %v", now, err)
		}
	})
}

func TestRemoveForgetsADeclaredChildWhateverItDoes(t *testing.T) {
	bInEach(t, func(t *testing.T, b *bTree, h *actor.Handle, state string, open func()) {
		from := time.Now()
		bMustBe(t, "remove", b.Remove(t.Context(), "c"), nil)
		bMustBe(t, "second remove", b.Remove(t.Context(), "c"), supervisor.ErrNotFound)
		if took := time.Since(from); took != 0 {
			t.Errorf("it took %v", took)
		}
		if o, ok := h.Outcome(); !ok || (!bEnded(state) && o.Reason != events.ReasonRemoved) {
			t.Errorf("%+v, %v", o, ok)
		}
		bMustBe(t, "stop", b.Stop(t.Context(), "c"), supervisor.ErrNotFound)
		bMustBe(t, "restart", bErrOf(b.Restart(t.Context(), "c")), supervisor.ErrNotFound)
		bMustBe(t, "handle", bErrOf(b.Handle("c")), supervisor.ErrNotFound)
		again, err := b.Start(t.Context(), actor.Spec{Name: "c", Task: actor.Func(bIdle)})
		if err != nil || again.ID() == h.ID() || again.Path() != "/app/c" {
			t.Errorf("start of the same name: %v", err)
		}
		open()
		rest(time.Minute)
		b.mustState("/app/c", supervisor.StateRunning)
		if len(b.log.of(events.TaskRemoved, "/app/c")) != 1 {
			t.Errorf("%v", b.log.of(events.TaskRemoved, "/app/c"))
		}
	})
}

func TestRestartMakesANewAttemptWhateverTheChildDoes(t *testing.T) {
	bInEach(t, func(t *testing.T, b *bTree, h *actor.Handle, state string, open func()) {
		before := b.node("/app/c")
		waits := state == "starting" || state == "waiting" || state == "restarting"
		if waits {
			go func() { rest(time.Second); open() }()
		}
		from := time.Now()
		life, err := b.Restart(t.Context(), "c")
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(from); (took != 0) != waits {
			t.Errorf("it took %v", took)
		}
		if (life != h) != bEnded(state) {
			t.Errorf("the handle is another: %v", life != h)
		}
		synctest.Wait()
		n := b.node("/app/c")
		if n.ID != life.ID() || n.Restarts != before.Restarts && n.Restarts > 1 || n.Failures > 1 {
			t.Errorf("%+v", n)
		}
		want := map[string]int{"running": 2, "backing_off": 2, "not ready": 2, "restarting": 2, "failed": 1, "completed": 1, "stopped": 1, "starting": 1, "waiting": 1}[state]
		if n.Attempt != want {
			t.Errorf("it is in attempt %d, want %d", n.Attempt, want)
		}
	})
}

func TestAChildThatIsStoppingCannotBeRestartedAndItsNameIsTaken(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{{Name: "c", Task: bSlow(5 * time.Second)}}})
		go b.Remove(t.Context(), "c") // the other verbs are looked at
		rest(time.Second)
		bMustBe(t, "restart", bErrOf(b.Restart(t.Context(), "c")), supervisor.ErrStopping)
		bMustBe(t, "start", bErrOf(b.Start(t.Context(), actor.Spec{Name: "c", Task: actor.Func(bIdle)})), supervisor.ErrExists)
		bMustBe(t, "stop", b.Stop(t.Context(), "c"), nil)
		if b.at() != 5*time.Second {
			t.Errorf("the stop that joined returned at %v", b.at())
		}
		bMustBe(t, "stop afterwards", b.Stop(t.Context(), "c"), supervisor.ErrNotFound)
		b.mustStop()
	})
}
