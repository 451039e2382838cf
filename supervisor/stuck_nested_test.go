package supervisor_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/supervisor"
)

// deafBelow is a tree whose first child fails on demand and takes a deaf task with it that
// is two supervisors further down.
func deafBelow(t *testing.T) (h *house, fail, hear chan struct{}) {
	fail, hear = make(chan struct{}), make(chan struct{})
	deaf := actor.Func(func(ctx context.Context) error {
		info, _ := actor.FromContext(ctx)
		if info.Attempt == 1 && info.Generation == 1 {
			<-hear
			return nil
		}
		return serve(ctx)
	})
	q := supervisor.New(supervisor.Config{Name: "q", Children: []actor.Spec{{Name: "deaf", Task: deaf, Grace: time.Second}}})
	p := supervisor.New(supervisor.Config{Name: "p", Children: []actor.Spec{q.Spec("")}})
	bad := actor.Func(func(ctx context.Context) error {
		select {
		case <-fail:
			return errBoom
		case <-ctx.Done():
			return nil
		}
	})
	h = open(t, supervisor.Config{
		Name: "app", Strategy: supervisor.OneForAll,
		Children: []actor.Spec{{Name: "bad", Task: bad}, p.Spec("")},
	})
	return h, fail, hear
}

func TestAGroupRestartWaitsForAStuckTaskAtAnyDepth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, fail, hear := deafBelow(t)
		first := h.handle("/app/p/q/deaf")
		fail <- struct{}{}
		time.Sleep(time.Hour)
		if n := h.Tree(); n.State != supervisor.StateRestarting {
			t.Errorf("after an hour the tree is\n%v", n)
		}
		if o, ended := first.Outcome(); ended {
			t.Errorf("the deaf task was given up: %v", o)
		}
		close(hear)
		time.Sleep(time.Minute)
		if n := h.Tree(); !n.Ready {
			t.Errorf("when it has heard, the tree is\n%v", n)
		}
	})
}

func TestAStopOfTheWholeTreeEndsThePatienceOfAGroupRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, fail, hear := deafBelow(t)
		defer close(hear)
		fail <- struct{}{}
		time.Sleep(time.Hour)
		began := time.Now()
		var left *supervisor.StopError
		if err := h.close(); !errors.As(err, &left) || len(left.Stuck) != 1 || left.Stuck[0].Path != "/app/p/q/deaf" {
			t.Errorf("Run returned %v", err)
		}
		if took := time.Since(began); took > 70*time.Second {
			t.Errorf("the stop took %v", took)
		}
	})
}
