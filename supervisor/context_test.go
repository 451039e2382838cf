package supervisor_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestATaskFindsTheSupervisorThatRunsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var child, leaf *supervisor.Supervisor
		look := func(name string, found **supervisor.Supervisor) actor.Spec {
			return actor.Spec{Name: name, Task: actor.Func(func(ctx context.Context) error {
				*found = supervisor.FromContext(context.WithValue(ctx, t, 1))
				return nil
			})}
		}
		below := supervisor.New(supervisor.Config{Children: []actor.Spec{look("leaf", &leaf)}})
		app := supervisor.New(supervisor.Config{Children: []actor.Spec{look("child", &child), below.Spec("below")}})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := app.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if child != app || leaf != below {
			t.Errorf("found %p and %p, want %p and %p", child, leaf, app, below)
		}
		if s := supervisor.FromContext(t.Context()); s != nil {
			t.Errorf("found %p outside of a task", s)
		}
	})
}

func TestWaitReadyReturnsWhenTheDeclaredChildrenAreReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := actor.Spec{Name: "slow", AwaitReady: true, Task: actor.Func(func(ctx context.Context) error {
			rest(3 * time.Second)
			actor.Ready(ctx)
			<-ctx.Done()
			return nil
		})}
		app := supervisor.New(supervisor.Config{Children: []actor.Spec{slow}})
		for range 2 { // a second run begins afresh
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			time.AfterFunc(time.Second, func() { done <- app.Run(ctx) })
			began := time.Now()
			short, stop := context.WithTimeoutCause(t.Context(), 2*time.Second, errBoom)
			if err := app.WaitReady(short); !errors.Is(err, errBoom) {
				t.Errorf("got %v when the time was over, want its cause", err)
			}
			stop()
			if err := app.WaitReady(t.Context()); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took != 4*time.Second {
				t.Errorf("ready after %v, want 4s", took)
			}
			if err := app.WaitReady(t.Context()); err != nil {
				t.Error(err)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestARunThatEndsWhenEmptyReturnsWhatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := supervisor.New(supervisor.Config{Name: "app", EndWhenEmpty: true, Children: []actor.Spec{
			{Name: "good", Task: actor.Func(func(context.Context) error { rest(time.Minute); return nil })},
			{Name: "bad", Restart: policy.Never, Task: actor.Func(func(context.Context) error { return errBoom })},
		}})
		began := time.Now()
		err := app.Run(t.Context())
		if !errors.Is(err, errBoom) || err.Error() != "task /app/bad: boom" {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("ended after %v, want 1m0s", took)
		}
		if err := supervisor.New(supervisor.Config{EndWhenEmpty: true}).Run(t.Context()); err != nil {
			t.Errorf("without children: %v", err)
		}
	})
}

func TestASupervisorBelowKnowsWhoItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := supervisor.New(supervisor.Config{})
		app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{below.Spec("below")}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- app.Run(ctx) }()
		synctest.Wait()
		own, listed := below.Tree(), app.Tree().Children[0]
		if own.Path != listed.Path || own.Name != listed.Name || own.ID != listed.ID || own.Attempt != listed.Attempt || own.ID == 0 {
			t.Errorf("it says %+v, and its parent %+v", own, listed)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestASupervisorThatIsRestartedWaitsForItsStuckTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		lives, most := 0, 0
		deaf := actor.Spec{Name: "deaf", Grace: time.Second, Task: actor.Func(func(context.Context) error {
			lives++
			most = max(most, lives)
			<-gate
			lives--
			return nil
		})}
		below := supervisor.New(supervisor.Config{Children: []actor.Spec{deaf}})
		var stuck int
		app := supervisor.New(supervisor.Config{
			Name: "app", Children: []actor.Spec{below.Spec("below")},
			Subscribers: []events.Subscriber{{
				Name: "stuck", Kinds: []events.Kind{events.TaskStuck},
				Handler: events.HandlerFunc(func(events.Event) { stuck++ }),
			}},
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- app.Run(ctx) }()
		synctest.Wait()
		go func() {
			rest(10 * time.Minute)
			close(gate)
		}()
		began := time.Now()
		if _, err := app.Restart(t.Context(), "below"); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 10*time.Minute {
			t.Errorf("the restart took %v, want the 10m0s that its task took", took)
		}
		synctest.Wait()
		if most != 1 || stuck < 2 {
			t.Errorf("%d incarnations at a time, told stuck %d times", most, stuck)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestARunWhoseContextHasEndedStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := false
		app := supervisor.New(supervisor.Config{Children: []actor.Spec{{
			Name: "a", Task: actor.Func(func(context.Context) error { started = true; return nil }),
		}}})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := app.Run(ctx); err != nil || started {
			t.Errorf("got %v; the child was started: %t", err, started)
		}
	})
}

func TestWaitReadyReturnsWhenTheRunItWaitsForHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := supervisor.New(supervisor.Config{Children: []actor.Spec{{
			Name: "a", AwaitReady: true, Task: actor.Func(func(context.Context) error {
				time.Sleep(time.Second)
				return actor.Fatal(errBoom)
			}),
		}}})
		done := make(chan error, 1)
		go func() { done <- app.Run(t.Context()) }()
		synctest.Wait()
		if err := app.WaitReady(t.Context()); !errors.Is(err, supervisor.ErrNotRunning) {
			t.Errorf("got %v, want ErrNotRunning", err)
		}
		if err := <-done; !errors.Is(err, errBoom) {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestReadyAfterTheContextHasEndedStartsNoSibling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := false
		app := supervisor.New(supervisor.Config{Children: []actor.Spec{
			{Name: "elder", AwaitReady: true, Timeout: time.Second, Backoff: policy.Constant(time.Hour), Task: actor.Func(func(ctx context.Context) error {
				<-ctx.Done()
				actor.Ready(ctx)
				return nil
			})},
			{Name: "younger", Task: actor.Func(func(context.Context) error { started = true; return nil })},
		}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- app.Run(ctx) }()
		time.Sleep(30 * time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if started {
			t.Error("the younger was started after an elder that was never ready")
		}
	})
}

func TestADumpIsSilentAboutWhatHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
			{Name: "over", Task: actor.Func(func(context.Context) error { return nil })},
			{Name: "runs", Task: actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })},
		}})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- app.Run(ctx) }()
		synctest.Wait()
		var out strings.Builder
		app.Dump(&out)
		if text := out.String(); strings.Contains(text, "/app/over") || !strings.Contains(text, "/app/runs: running") {
			t.Errorf("the dump is\n%s", text)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
