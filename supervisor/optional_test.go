package supervisor_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestASupervisorIsReadyWithoutItsOptionalChildren(t *testing.T) {
	never := actor.Func(func(context.Context) error { return errBench })
	for _, row := range []struct {
		name string
		spec actor.Spec
		want bool
	}{
		{"a child that failed", actor.Spec{Name: "bad", Task: never, Restart: policy.Never}, false},
		{"an optional one", actor.Spec{Name: "bad", Task: never, Restart: policy.Never, Optional: true}, true},
		{"a child that backs off", actor.Spec{Name: "bad", Task: never}, false},
		{"an optional one", actor.Spec{Name: "bad", Task: never, Optional: true}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{row.spec, {Name: "good", Task: idle}}})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx) }()
			synctest.Wait()

			tree := s.Tree()
			if tree.Ready != row.want {
				t.Errorf("%s: ready is %v, want %v", row.name, tree.Ready, row.want)
			}
			if tree.Children[0].Ready || tree.Children[0].Optional != row.spec.Optional {
				t.Errorf("%s: listed as ready %v, optional %v", row.name, tree.Children[0].Ready, tree.Children[0].Optional)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestADynamicChildIsOptional(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := supervisor.New(supervisor.Config{Name: "app"})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		synctest.Wait()
		if _, err := s.Start(ctx, actor.Spec{Name: "bad", Task: actor.Func(func(context.Context) error { return errBench })}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := s.Tree(); !n.Ready || !n.Children[0].Optional || n.Children[0].Ready {
			t.Errorf("the supervisor is ready: %v, the child %+v", n.Ready, n.Children[0])
		}
		cancel()
		<-done
	})
}
