package controller_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

func TestThoseThatWaitRunInTheOrderInWhichTheyCame(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		var j journal
		var want []string
		for i := range 50 {
			name := fmt.Sprintf("n%d", i)
			want = append(want, name)
			s.queue("k", name, j.note(during(time.Second)))
		}
		for i := range 50 {
			equal(t, "began", j.lines(), strings.Join(want[:i+1], " "))
			pass(time.Second)
		}
		for _, h := range s.all {
			wantFate(t, h, "completed")
		}
	})
}

func TestAReplacementIsNextAndOnlyTheHeadMakesWay(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		var j journal
		var cause error
		owner := s.queue("k", "owner", func(ctx context.Context) error {
			<-ctx.Done()
			cause = context.Cause(ctx)
			time.Sleep(time.Second)
			return nil
		})
		tail := []*actor.Handle{s.queue("k", "head", j.note(once)), s.queue("k", "a", j.note(once)), s.queue("k", "b", j.note(once))}
		for i := range 100 {
			s.replace("k", fmt.Sprintf("r%d", i), j.note(during(time.Second)))
		}
		s.wantSlot("k", "owner:stopping | r99 a b")
		wantFate(t, tail[0], "rejected superseded")
		for _, h := range s.all[len(s.all)-100 : len(s.all)-1] {
			wantFate(t, h, "rejected superseded")
		}

		pass(time.Second)
		wantFate(t, owner, "stopped replaced")
		if !errors.Is(cause, actor.ErrReplaced) {
			t.Errorf("the owner was told to end because of: %v", cause)
		}
		s.wantSlot("k", "r99 | a b")
		pass(time.Second)
		equal(t, "began", j.lines(), "r99 a b")
		equal(t, "told to stop", s.seen.Count(events.TaskStopping), 1)
	})
}

// Each of them is alone when it comes, so each runs, and takes nobody from the queue
// before it is an owner itself.
func TestReplacementsThatFollowEachOtherTakeOneFromTheQueueEach(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		s.queue("k", "owner", serve)
		a, b, c := s.queue("k", "a", serve), s.queue("k", "b", serve), s.queue("k", "c", serve)
		s.replace("k", "r1", serve)
		s.wantSlot("k", "r1 | b c")
		s.replace("k", "r2", serve)
		s.wantSlot("k", "r2 | c")
		wantFate(t, a, "rejected superseded")
		wantFate(t, b, "rejected superseded")
		wantFate(t, c, "")
	})
}

func TestWhatIsQueuedGoesBehindAReplacementThatWaits(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		s.queue("k", "owner", slow(time.Second))
		s.replace("k", "r", serve)
		s.queue("k", "q", serve)
		s.wantSlot("k", "owner:stopping | r q")
		pass(time.Second)
		s.wantSlot("k", "r | q")
	})
}

func TestTheDepthCountsAReplacementThatWaitsAndNoOwner(t *testing.T) {
	bubble(t, controller.Config{Depth: 2}, func(t *testing.T, s *stand) {
		s.queue("k", "owner", slow(time.Second))
		s.replace("k", "r", serve)
		s.queue("k", "q1", serve)
		wantFate(t, s.queue("k", "q2", serve), "rejected full")
		s.wantSlot("k", "owner:stopping | r q1")
		pass(time.Second)
		s.queue("k", "q3", serve)
		wantFate(t, s.queue("k", "q4", serve), "rejected full")
		s.wantSlot("k", "r | q1 q3")
	})
}

func TestAReplacementNeedsNoDepthAndNoRoom(t *testing.T) {
	for name, cfg := range map[string]controller.Config{
		"no queue": {Depth: controller.NoQueue, Capacity: 1},
		"full":     {Depth: 1, Capacity: 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, cfg, func(t *testing.T, s *stand) {
				s.queue("full", "o", serve)
				s.queue("full", "w", serve) // takes the only room, or is rejected
				s.queue("k", "owner", slow(time.Second))
				r := s.replace("k", "r1", serve)
				wantFate(t, r, "")
				s.replace("k", "r2", serve)
				wantFate(t, r, "rejected superseded")
				s.wantSlot("k", "owner:stopping | r2")
				pass(time.Second)
				s.wantSlot("k", "r2 |")
				equal(t, "parked", s.Snapshot().Parked, 0)
			})
		})
	}
}

// A replacement that makes way for another gives back what was taken from the queue's
// head: its room, if it had any.
func TestAHeadThatIsSupersededGivesItsRoomBack(t *testing.T) {
	bubble(t, controller.Config{Capacity: 1}, func(t *testing.T, s *stand) {
		s.queue("k", "owner", slow(time.Second))
		s.queue("k", "q", serve)
		s.replace("k", "r1", serve)
		s.replace("k", "r2", serve)
		s.queue("k", "q2", serve) // would wait for ever
		s.wantSlot("k", "owner:stopping | r2 q2")
		equal(t, "parked", s.Snapshot().Parked, 0)
	})
}

// What it returned when it had been told to end is no outcome of its own.
func TestWhatAReplacedOwnerReturnsIsInItsOutcomeAsNoise(t *testing.T) {
	for _, err := range []error{nil, errBoom} {
		bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
			gate := make(chan struct{})
			owner := s.queue("k", "owner", func(context.Context) error { <-gate; return err })
			s.replace("k", "r", serve)
			wantFate(t, owner, "")
			close(gate)
			o := outcome(t, owner)
			if o.Kind != events.Stopped || o.Reason != events.ReasonReplaced || o.Err != nil || !errors.Is(o.StopErr, err) {
				t.Errorf("the owner was %+v", o)
			}
			s.wantSlot("k", "r |")
		})
	}
}

func TestAnOwnerMayReplaceItself(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		var err error
		var next *actor.Handle
		s.queue("k", "first", func(ctx context.Context) error {
			next, err = s.Submit(ctx, submission(controller.Replace, "k", "second", serve))
			<-ctx.Done()
			return nil
		})
		synctest.Wait()
		if err != nil {
			t.Fatal(err)
		}
		s.all = append(s.all, next)
		wantFate(t, s.all[0], "stopped replaced")
		s.wantSlot("k", "second |")
	})
}

func TestAReplacementOfOneThatBacksOffDoesNotWaitForItsPause(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		sub := submission(controller.Queue, "k", "owner", func(context.Context) error { return errBoom })
		sub.Spec.Restart, sub.Spec.Backoff = policy.OnFailure, policy.Constant(time.Hour)
		owner := s.put(sub)
		s.wantSlot("k", "owner:backing_off |")
		s.replace("k", "r", serve)
		wantFate(t, owner, "stopped replaced")
		s.wantSlot("k", "r |")
	})
}
