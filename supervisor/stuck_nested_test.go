package supervisor_test

import (
	"context"
	"errors"
	"fmt"
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

// lateStops are trees of which a group is being restarted that waits for a deaf task.
var lateStops = []struct {
	name  string
	cfg   supervisor.Config // of the member above the deaf task
	grace time.Duration
	at    time.Duration // when the whole tree is stopped
	took  time.Duration
}{
	{"soon, the first grace counts", supervisor.Config{}, 0, 5 * time.Second, 5 * time.Second},
	{"whatever time the member has of its own", supervisor.Config{StopTimeout: 50 * time.Second}, 0, 5 * time.Second, 5 * time.Second},
	{"or whatever grace", supervisor.Config{}, 50 * time.Second, 5 * time.Second, 5 * time.Second},
	{"late, there is another", supervisor.Config{}, 0, 141 * time.Second, 10 * time.Second},
	{"also if it could have waited for longer", supervisor.Config{StopTimeout: 10 * time.Minute}, 0, 141 * time.Second, 10 * time.Second},
}

func TestAStopOfTheWholeTreeEndsThePatienceOfAGroupRestart(t *testing.T) {
	for _, row := range lateStops {
		for _, deeper := range []bool{false, true} {
			t.Run(fmt.Sprint(row.name, ", deeper: ", deeper), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { stopLate(t, row.cfg, row.grace, deeper, row.at, row.took) })
			})
		}
	}
}

func stopLate(t *testing.T, cfg supervisor.Config, grace time.Duration, deeper bool, at, took time.Duration) {
	hear, fail := make(chan struct{}), make(chan struct{})
	defer close(hear)
	deaf := actor.Spec{Name: "deaf", Task: actor.Func(func(context.Context) error { <-hear; return nil })}
	path := "/app/member/deaf"
	if deeper {
		deaf = supervisor.New(supervisor.Config{Children: []actor.Spec{deaf}}).Spec("below")
		path = "/app/member/below/deaf"
	}
	cfg.Children = []actor.Spec{deaf}
	member := supervisor.New(cfg).Spec("member")
	if grace != 0 {
		member.Grace = grace
	}
	h := open(t, supervisor.Config{
		Name: "app", Strategy: supervisor.OneForAll,
		Children: []actor.Spec{member, {Name: "bad", Task: actor.Func(func(ctx context.Context) error {
			select {
			case <-fail:
				return errBoom
			case <-ctx.Done():
				return nil
			}
		})}},
	})
	fail <- struct{}{}
	time.Sleep(at)
	began := time.Now()
	var left *supervisor.StopError
	if err := h.close(); !errors.As(err, &left) || len(left.Stuck) != 1 || left.Stuck[0].Path != path {
		t.Errorf("Run returned %v", err)
	}
	if is := time.Since(began); is != took {
		t.Errorf("the stop took %v, want %v", is, took)
	}
}
