package controller_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// inTree hangs a controller below a supervisor, and tests the two as one.
func inTree(t *testing.T, root supervisor.Config, cfg controller.Config, test func(t *testing.T, app *supervisor.Supervisor, s *stand)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stand{t: t, Controller: controller.New(cfg)}
		root.Name = "app"
		root.Subscribers = append(root.Subscribers, s.seen.Subscriber())
		root.Children = append(root.Children, s.Spec("desk"))
		app := supervisor.New(root)
		ctx, cancel := context.WithCancel(context.Background())
		s.cancel, s.ended = cancel, make(chan struct{})
		go func() {
			defer close(s.ended)
			s.err = app.Run(ctx)
		}()
		synctest.Wait()
		test(t, app, s)
		s.close()
		s.audit()
	})
}

func TestAControllerIsASupervisorInItsTree(t *testing.T) {
	inTree(t, supervisor.Config{}, controller.Config{}, func(t *testing.T, app *supervisor.Supervisor, s *stand) {
		h := s.queue("k", "job", serve)
		equal(t, "path", h.Path(), "/app/desk/job")
		equal(t, "path of the snapshot", s.Snapshot().Path, "/app/desk")
		tree := app.Tree()
		if n := tree.Children[0]; !n.IsSupervisor || !n.Ready || len(n.Children) != 1 || n.Children[0].ID != h.ID() {
			t.Errorf("the tree is %+v", tree)
		}
		found, err := app.Handle("/app/desk/job")
		if err != nil || found.ID() != h.ID() {
			t.Errorf("%v, %v", found, err)
		}

		// What a verb of the tree does to an owner is what it does to any task.
		if err := app.Stop(context.Background(), "desk/job"); err != nil {
			t.Error(err)
		}
		wantFate(t, h, "stopped stopped")
		again := s.queue("k", "job", serve)
		s.queue("k", "next", serve)
		if _, err := app.Restart(context.Background(), "desk/job"); err != nil {
			t.Error(err)
		}
		s.wantSlot("k", "job | next")
		slot, _ := s.Slot("k")
		equal(t, "attempt", slot.Owners[0].Attempt, 2)
		if err := app.Remove(context.Background(), "desk/job"); err != nil {
			t.Error(err)
		}
		wantFate(t, again, "stopped removed")
		s.wantSlot("k", "next |")
	})
}

func TestAControllerWhoseOwnersFailTooOftenIsRestartedAfresh(t *testing.T) {
	cfg := controller.Config{Workers: supervisor.Config{Intensity: policy.Intensity{Restarts: 2, Within: time.Minute}}}
	root := supervisor.Config{Defaults: supervisor.Defaults{Backoff: policy.Constant(time.Second)}}
	inTree(t, root, cfg, func(t *testing.T, app *supervisor.Supervisor, s *stand) {
		s.setWidth("k", 2)
		bad := submission(controller.Queue, "k", "bad", func(context.Context) error { return errBoom })
		bad.Spec.Restart, bad.Spec.Backoff = policy.OnFailure, policy.Constant(time.Millisecond)
		good := s.queue("k", "good", slow(2*time.Second))
		failed := s.put(bad)
		w := s.queue("k", "w", serve)
		lateTicket := prepare(t, s, submission(controller.Queue, "k", "late", serve))
		pass(2 * time.Millisecond)

		// What waits is rejected at once, and what runs is stopped.
		wantFate(t, failed, "failed")
		wantFate(t, w, "rejected closing")
		wantFate(t, good, "")
		wantFate(t, s.queue("k", "meanwhile", serve), "rejected closing")
		pass(2 * time.Second)
		wantFate(t, good, "stopped shutdown")
		if _, err := s.Submit(context.Background(), submission(controller.Queue, "k", "between", serve)); !errors.Is(err, supervisor.ErrNotRunning) {
			t.Errorf("between two runs: %v", err)
		}

		// The next run begins with nothing but the widths.
		pass(time.Minute)
		s.wantSlot("k", "")
		s.queue("k", "good", serve)
		s.queue("k", "next", serve)
		s.queue("k", "third", serve)
		s.wantSlot("k", "good next | third")
		if err := lateTicket.Submit(context.Background()); err != nil {
			t.Error(err)
		}
		equal(t, "of the run before", fate(lateTicket.Handle()), "rejected closing")
		equal(t, "exceeded", s.seen.Count(events.IntensityExceeded), 1)
		if n := app.Tree().Children[0]; n.Restarts != 1 || n.State != supervisor.StateRunning {
			t.Errorf("the controller is %+v", n)
		}
	})
}

func TestAnOwnerThatIsRetriedKeepsItsPlace(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		attempts := 0
		sub := submission(controller.Queue, "k", "owner", func(context.Context) error {
			if attempts++; attempts < 4 {
				return errBoom
			}
			return nil
		})
		sub.Spec.Restart, sub.Spec.Backoff = policy.OnFailure, policy.Constant(time.Minute)
		owner := s.put(sub)
		s.queue("k", "next", serve)
		for range 3 {
			s.wantSlot("k", "owner:backing_off | next")
			wantFate(t, s.drop("k", "d", serve), "rejected busy")
			pass(time.Minute)
		}
		equal(t, "attempts", outcome(t, owner).Attempts, 4)
		s.wantSlot("k", "next |")
	})
}

func TestThePlaceOfAnOwnerIsFreeHoweverItEnds(t *testing.T) {
	for name, row := range map[string]struct {
		task actor.Func
		spec actor.Spec
		want string
	}{
		"completes":      {task: during(time.Second), want: "completed"},
		"fails":          {task: func(context.Context) error { time.Sleep(time.Second); return errBoom }, want: "failed"},
		"panics":         {task: func(context.Context) error { time.Sleep(time.Second); panic("oops") }, want: "failed"},
		"is done":        {task: func(context.Context) error { time.Sleep(time.Second); return actor.Done }, want: "completed"},
		"gives up":       {task: func(context.Context) error { return errBoom }, want: "failed", spec: actor.Spec{Restart: policy.OnFailure, MaxRetries: 1, Backoff: policy.Constant(time.Second)}},
		"runs into time": {task: serve, want: "failed", spec: actor.Spec{Restart: policy.Never, Timeout: time.Second}},
		"is never ready": {task: serve, want: "failed", spec: actor.Spec{Restart: policy.Never, AwaitReady: true, StartTimeout: time.Second}},
		"fails for ever": {task: func(context.Context) error { time.Sleep(time.Second); return actor.Fatal(errBoom) }, want: "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
				if row.spec.Restart == 0 && row.spec.MaxRetries == 0 {
					row.spec.Restart = policy.Never
				}
				row.spec.Name, row.spec.Task = "owner", row.task
				owner := s.put(controller.Submission{Key: "k", Spec: row.spec})
				s.queue("k", "next", serve)
				pass(time.Second)
				wantFate(t, owner, row.want)
				s.wantSlot("k", "next |")
			})
		})
	}
}

func TestOwnersWaitInTheirPlacesForAPermit(t *testing.T) {
	for name, cfgs := range map[string][2]supervisor.Config{
		"of the workers": {{}, {Concurrency: 2}},
		"of the tree":    {{Concurrency: 2}, {}},
	} {
		t.Run(name, func(t *testing.T) {
			inTree(t, cfgs[0], controller.Config{Workers: cfgs[1]}, func(t *testing.T, _ *supervisor.Supervisor, s *stand) {
				for _, name := range []string{"a", "b", "c", "d"} {
					s.queue(name, name, serve)
				}
				s.wantSlot("b", "b |")
				s.wantSlot("c", "c:waiting |")
				s.queue("c", "c2", serve)
				wantFate(t, s.drop("c", "c3", serve), "rejected busy")
				s.replace("d", "d2", serve) // goes behind c for its permit
				wantFate(t, s.all[3], "stopped replaced")
				s.wantSlot("d", "d2:waiting |")
				for _, h := range s.all[:2] {
					if err := s.Cancel(context.Background(), h.ID()); err != nil {
						t.Error(err)
					}
				}
				s.wantSlot("c", "c | c2")
				s.wantSlot("d", "d2 |")
			})
		})
	}
}

func TestAnAbandonedOwnerFreesItsPlaceAndItsName(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		gate := make(chan struct{})
		sub := submission(controller.Queue, "k", "job", until(gate))
		sub.Spec.Grace = time.Second
		s.put(sub)
		next := s.replace("k", "job", serve)
		pass(time.Second)
		wantFate(t, s.all[0], "abandoned replaced")
		s.wantSlot("k", "job |")
		close(gate)
		synctest.Wait()
		wantFate(t, next, "")
		s.wantSlot("k", "job |")
	})
}
