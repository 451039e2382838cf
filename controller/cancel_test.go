package controller_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// cancelLater is Cancel on a goroutine of its own, which gives its answer.
func (s *stand) cancelLater(ctx context.Context, id events.ID) <-chan error {
	answer := make(chan error, 1)
	go func() { answer <- s.Cancel(ctx, id) }()
	synctest.Wait()
	return answer
}

func wantNotFound(t *testing.T, s *stand, id events.ID) {
	t.Helper()
	err := s.Cancel(context.Background(), id)
	if !errors.Is(err, supervisor.ErrNotFound) || as[*supervisor.ChildError](t, err).Path != fmt.Sprintf("/desk/#%d", id) {
		t.Errorf("cancel of what is not there: %v", err)
	}
}

func TestASubmissionThatWaitsIsWithdrawnAtOnce(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		s.queue("k", "owner", slow(time.Second))
		a, b, c := s.queue("k", "a", serve), s.queue("k", "b", serve), s.queue("k", "c", serve)
		r := s.replace("k", "r", serve)
		for _, h := range []*actor.Handle{b, r} {
			began := time.Now()
			if err := s.Cancel(context.Background(), h.ID()); err != nil {
				t.Error(err)
			}
			equal(t, "took", time.Since(began), 0)
			wantFate(t, h, "rejected withdrawn")
			wantNotFound(t, s, h.ID())
		}
		wantFate(t, a, "rejected superseded")
		s.wantSlot("k", "owner:stopping | c")
		wantFate(t, c, "")
	})
}

func TestATaskThatRunsIsStoppedAndItsPlaceGoesToTheNext(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		var cause error
		owner := s.queue("k", "owner", func(ctx context.Context) error {
			<-ctx.Done()
			cause = context.Cause(ctx)
			time.Sleep(time.Second)
			return nil
		})
		s.queue("k", "next", serve)
		began := time.Now()
		if err := s.Cancel(context.Background(), owner.ID()); err != nil {
			t.Error(err)
		}
		equal(t, "took", time.Since(began), time.Second)
		equal(t, "cause", cause, actor.ErrStopped)
		equal(t, "outcome", fate(owner), "stopped stopped") // known when Cancel returns
		wantNotFound(t, s, owner.ID())
		s.wantSlot("k", "next |") // the queue is not purged
	})
}

func TestATaskThatHasNoAttemptIsCancelledAtOnce(t *testing.T) {
	bubble(t, controller.Config{Workers: supervisor.Config{Concurrency: 1}}, func(t *testing.T, s *stand) {
		failing := submission(controller.Queue, "a", "failing", func(context.Context) error { return errBoom })
		failing.Spec.Restart, failing.Spec.Backoff = policy.OnFailure, policy.Constant(time.Hour)
		backsOff := s.put(failing)
		s.queue("b", "running", serve)
		waits := s.queue("c", "waits", serve)
		s.wantSlot("a", "failing:backing_off |")
		s.wantSlot("c", "waits:waiting |")
		for _, h := range []*actor.Handle{backsOff, waits} {
			began := time.Now()
			if err := s.Cancel(context.Background(), h.ID()); err != nil {
				t.Error(err)
			}
			equal(t, "took", time.Since(began), 0)
			wantFate(t, h, "stopped stopped")
		}
		equal(t, "attempts of one that had no permit", outcome(t, waits).Attempts, 0)
	})
}

func TestATaskThatCannotBeStoppedIsLeftBehindOrWaitedFor(t *testing.T) {
	for _, onStuck := range []policy.OnStuck{policy.StuckAuto, policy.StuckAbandon, policy.StuckWait} {
		t.Run(onStuck.String(), func(t *testing.T) {
			bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
				gate := make(chan struct{})
				sub := submission(controller.Queue, "k", "owner", until(gate))
				sub.Spec.Grace, sub.Spec.OnStuck = time.Second, onStuck
				owner := s.put(sub)
				s.queue("k", "next", serve)
				answer := s.cancelLater(context.Background(), owner.ID())
				pass(time.Second)
				if onStuck == policy.StuckWait {
					pass(time.Hour)
					s.wantSlot("k", "owner:stuck | next")
					wantFate(t, s.drop("k", "dropped", serve), "rejected busy")
					close(gate)
					if err := <-answer; err != nil {
						t.Error(err)
					}
					wantFate(t, owner, "stopped stopped")
					s.wantSlot("k", "next |")
					return
				}
				left := as[*supervisor.StopError](t, <-answer)
				if len(left.Stuck) != 1 || left.Stuck[0].Path != "/desk/owner" {
					t.Errorf("left behind: %v", left)
				}
				wantFate(t, owner, "abandoned stopped")
				s.wantSlot("k", "next |") // its place is free
				close(gate)
				synctest.Wait()
				equal(t, "late returns", s.seen.Count(events.TaskReturned), 1)
				s.wantSlot("k", "next |")
			})
		})
	}
}

func TestAContextThatEndsBeforeTheTaskDoesLetsTheCancelGoOn(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		owner := s.queue("k", "owner", slow(5*time.Second))
		ctx, cancel := context.WithCancelCause(context.Background())
		answer := s.cancelLater(ctx, owner.ID())
		cancel(errBoom)
		err := <-answer
		if !errors.Is(err, errBoom) || as[*supervisor.ChildError](t, err).Act != "cancel" {
			t.Error(err)
		}
		wantFate(t, owner, "")
		pass(5 * time.Second)
		wantFate(t, owner, "stopped stopped")
	})
}

func TestSeveralMayCancelTheSameTask(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		owner := s.queue("k", "owner", slow(time.Second))
		a, b := s.cancelLater(context.Background(), owner.ID()), s.cancelLater(context.Background(), owner.ID())
		stop := make(chan error, 1)
		go func() { stop <- s.Stop(context.Background(), "k") }()
		pass(0)
		s.replace("k", "r", serve) // comes after them, and changes nothing for it
		for _, answer := range []<-chan error{a, b, stop} {
			if err := <-answer; err != nil {
				t.Error(err)
			}
		}
		wantFate(t, owner, "stopped stopped")
		s.wantSlot("k", "r |")

		// Of several that withdraw, one does.
		w := s.queue("k", "w", serve)
		errs := make(chan error, 8)
		for range cap(errs) {
			go func() { errs <- s.Cancel(context.Background(), w.ID()) }()
		}
		withdrawn := 0
		for range cap(errs) {
			if err := <-errs; err == nil {
				withdrawn++
			} else if !errors.Is(err, supervisor.ErrNotFound) {
				t.Error(err)
			}
		}
		equal(t, "withdrawn", withdrawn, 1)
	})
}

func TestACancelledReplacementDoesNotBringTheOwnerBack(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		owner := s.queue("k", "owner", slow(time.Second))
		r := s.replace("k", "r", serve)
		if err := s.Cancel(context.Background(), r.ID()); err != nil {
			t.Error(err)
		}
		s.wantSlot("k", "owner:stopping |")
		pass(time.Second)
		wantFate(t, owner, "stopped replaced")
		s.wantSlot("k", "")
	})
}

func TestATaskCannotWaitForItsOwnEnd(t *testing.T) {
	bubble(t, controller.Config{Width: 2}, func(t *testing.T, s *stand) {
		errs := make(chan error, 3)
		var self *actor.Handle
		ready := make(chan struct{})
		task := func(ctx context.Context) error {
			<-ready
			errs <- s.Cancel(ctx, self.ID())
			errs <- s.Stop(ctx, "k")
			errs <- s.Cancel(context.WithoutCancel(ctx), self.ID())
			<-ctx.Done()
			return nil
		}
		self = s.queue("k", "self", task)
		s.queue("k", "other", serve)
		s.queue("k", "waiting", serve)
		close(ready)
		for range 3 {
			if err := <-errs; !errors.Is(err, supervisor.ErrSelf) {
				t.Error(err)
			}
		}
		s.wantSlot("k", "self other | waiting") // nothing was done
	})
}

func TestATaskBelowAnOwnerCannotWaitForItsEnd(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		errs := make(chan error, 2)
		ready := make(chan struct{})
		var family *actor.Handle
		below := supervisor.New(supervisor.Config{Name: "family", Children: []actor.Spec{{
			Name: "below",
			Task: actor.Func(func(ctx context.Context) error {
				<-ready
				errs <- s.Cancel(ctx, family.ID())
				errs <- s.Stop(ctx, "k")
				<-ctx.Done()
				return nil
			}),
		}}})
		family = s.put(controller.Submission{Key: "k", Spec: below.Spec("")})
		close(ready)
		for range 2 {
			if err := <-errs; !errors.Is(err, supervisor.ErrSelf) {
				t.Error(err)
			}
		}

		// A task of another key may.
		s.queue("k2", "other", func(ctx context.Context) error { return s.Cancel(ctx, family.ID()) })
		wantFate(t, family, "stopped stopped")
		wantFate(t, s.all[1], "completed")
	})
}

func TestATaskMayWithdrawWhatWaitsBehindIt(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		gate := make(chan struct{})
		var next *actor.Handle
		var err error
		s.queue("k", "owner", func(ctx context.Context) error {
			<-gate
			err = s.Cancel(ctx, next.ID())
			return err
		})
		next = s.queue("k", "next", serve)
		close(gate)
		wantFate(t, s.all[0], "completed")
		wantFate(t, next, "rejected withdrawn")
		wantNotFound(t, s, 1<<60)
	})
}
