package inspect_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/inspect"
)

// A supervisor that has been up for longer than its ResetAfter, inside of which a group was restarted a moment ago.
func TestAGroupRestartBelowDoesNotMakeASupervisorYoung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := make(chan error)
		idle := func(ctx context.Context) error {
			select {
			case err := <-fail:
				return err
			case <-ctx.Done():
				return nil
			}
		}
		s := supervisor.New(supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{
			{Name: "a", Task: actor.Func(idle)},
			{Name: "b", Task: actor.Func(func(ctx context.Context) error { <-ctx.Done(); return nil })},
		}})
		spec := s.Spec("s")
		spec.MaxRetries, spec.ResetAfter, spec.Backoff = 1, time.Minute, policy.Constant(time.Second)
		root := supervisor.New(supervisor.Config{Children: []actor.Spec{spec}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- root.Run(ctx) }()
		synctest.Wait()
		fail <- actor.Escalate(errors.New("first"))
		time.Sleep(3 * time.Minute)
		fail <- errors.New("a group restart")
		time.Sleep(10 * time.Second)
		synctest.Wait()

		said, err := inspect.Explain(root, "s")
		if err != nil {
			t.Fatal(err)
		}
		fail <- actor.Escalate(errors.New("second"))
		time.Sleep(2 * time.Second)
		synctest.Wait()
		got := root.Tree()
		if said.Answer != inspect.AnswerRetry && got.Children[0].State == supervisor.StateRunning {
			t.Errorf("it was said to %v, and was run again", said.Answer)
		}
		cancel()
		<-ended
	})
}

func TestPeriodicTasksKeepNoPermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tick := func(name string) actor.Spec {
			return actor.Spec{Name: name, AwaitReady: true, Restart: policy.Always, Every: time.Minute, Task: actor.Func(func(ctx context.Context) error {
				actor.Ready(ctx)
				return nil
			})}
		}
		root := supervisor.New(supervisor.Config{Concurrency: 1, Children: []actor.Spec{tick("a"), tick("b"), tick("c")}})
		found := inspect.Vet(root)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- root.Run(ctx) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if root.Tree().Ready && len(found) > 0 {
			t.Errorf("the tree is ready, and yet: %v", found)
		}
		cancel()
		<-ended
	})
}

func TestAnAttemptThatIsLateWasHealthyBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		root := supervisor.New(supervisor.Config{Children: []actor.Spec{{
			Name: "a", MaxRetries: 1, ResetAfter: time.Minute, Timeout: 5 * time.Minute, Backoff: policy.Constant(time.Second),
			Task: actor.Func(func(ctx context.Context) error {
				if n++; n == 1 {
					return errors.New("boom")
				}
				<-ctx.Done()
				time.Sleep(5 * time.Second)
				return nil
			}),
		}}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- root.Run(ctx) }()
		time.Sleep(5*time.Minute + 3*time.Second)
		synctest.Wait()
		said, err := inspect.Explain(root, "a")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if said.Answer != inspect.AnswerRetry && root.Tree().Children[0].State == supervisor.StateRunning {
			t.Errorf("it was said to %v, and was run again", said.Answer)
		}
		cancel()
		<-ended
	})
}
