package supervisor_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestATaskThatHasJustEndedIsNoLeak(t *testing.T) {
	var specs []actor.Spec
	for i := range 50 {
		specs = append(specs, actor.Spec{Name: fmt.Sprint(i), Task: actor.Func(bIdle)})
	}
	s := supervisor.New(supervisor.Config{Children: specs})
	for range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
		err := s.Run(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if leaks := s.Leaks(); len(leaks) > 0 {
			t.Fatalf("Run has returned nil, and this is said to be left:\n%s\n%s", leaks[0].Path, leaks[0].Stack)
		}
	}
}
