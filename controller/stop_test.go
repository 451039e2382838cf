package controller_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAPurgeWithdrawsAllThatWaitForAKeyAndNobodyElse(t *testing.T) {
	bubble(t, controller.Config{Width: 2}, func(t *testing.T, s *stand) {
		for _, key := range []string{"k", "l"} {
			for _, name := range []string{"o1", "o2", "w1", "w2"} {
				s.queue(key, key+name, slow(time.Second))
			}
		}
		s.replace("k", "kr", serve)
		equal(t, "purged", s.Purge("k"), 2) // the first was superseded
		s.wantSlot("k", "ko1:stopping ko2 |")
		s.wantSlot("l", "lo1 lo2 | lw1 lw2")
		equal(t, "purged again", s.Purge("k"), 0)
		equal(t, "purged of nothing", s.Purge("m"), 0)
		s.queue("k", "later", serve)
		pass(time.Second)
		s.wantSlot("k", "ko2 later |")
		wantFate(t, s.all[3], "rejected withdrawn")
		wantFate(t, s.all[8], "rejected withdrawn")
	})
}

func TestAStopEndsAllOfAKeyAndWhatComesMeanwhileComesAfter(t *testing.T) {
	bubble(t, controller.Config{Width: 2}, func(t *testing.T, s *stand) {
		s.queue("k", "o1", slow(time.Second))
		s.queue("k", "o2", slow(2*time.Second))
		w := s.queue("k", "w", serve)
		stop := make(chan error, 1)
		began := time.Now()
		go func() { stop <- s.Stop(context.Background(), "k") }()
		synctest.Wait()
		wantFate(t, w, "rejected withdrawn")
		s.queue("k", "q", serve)
		s.replace("k", "r", serve) // nobody is left to be told
		s.queue("k", "q2", serve)
		wantFate(t, s.drop("k", "d", serve), "rejected busy")
		s.wantSlot("k", "o1:stopping o2:stopping | r q2")
		if err := <-stop; err != nil {
			t.Error(err)
		}
		equal(t, "took", time.Since(began), 2*time.Second)
		wantFate(t, s.all[0], "stopped stopped")
		wantFate(t, s.all[1], "stopped stopped")
		s.wantSlot("k", "r q2 |")
	})
}

func TestAStopOfAKeyForWhichNothingRunsIsNoError(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		if err := s.Stop(context.Background(), "nobody"); err != nil {
			t.Error(err)
		}
		s.queue("k", "x", once)
		if err := s.Stop(context.Background(), "k"); err != nil {
			t.Error(err)
		}
		wantFate(t, s.all[0], "completed")
	})
}

func TestAStopSaysWhatItLeftBehindOrThatItsContextEnded(t *testing.T) {
	bubble(t, controller.Config{Width: 2}, func(t *testing.T, s *stand) {
		gate := make(chan struct{})
		defer close(gate)
		s.queue("k", "good", slow(2*time.Second))
		sub := submission(controller.Queue, "k", "deaf", until(gate))
		sub.Spec.Grace = time.Second
		s.put(sub)

		ctx, cancel := context.WithTimeoutCause(context.Background(), time.Millisecond, errBoom)
		defer cancel()
		err := s.Stop(ctx, "k")
		if !errors.Is(err, errBoom) || as[*supervisor.ChildError](t, err).Act != "stop" {
			t.Error(err)
		}
		s.wantSlot("k", "good:stopping deaf:stopping |")

		as[*supervisor.StopError](t, s.Stop(context.Background(), "k"))
		s.wantSlot("k", "")
		wantFate(t, s.all[1], "abandoned stopped")
	})
}

func TestAnOwnerMayStopAnotherKeyAndPurgeItsOwn(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		gate := make(chan struct{})
		purged := 0
		s.queue("k", "owner", func(ctx context.Context) error {
			<-gate
			purged = s.Purge("k")
			return s.Stop(ctx, "other")
		})
		s.queue("k", "w", serve)
		s.queue("other", "o", slow(time.Second))
		s.queue("other", "w2", serve)
		close(gate)
		pass(time.Second)
		equal(t, "purged", purged, 1)
		wantFate(t, s.all[0], "completed")
		wantFate(t, s.all[1], "rejected withdrawn")
		wantFate(t, s.all[2], "stopped stopped")
		wantFate(t, s.all[3], "rejected withdrawn")
	})
}

func TestAStoppedSlotHasNoPlaceUntilItsStuckOwnerEnds(t *testing.T) {
	bubble(t, controller.Config{Depth: 1}, func(t *testing.T, s *stand) {
		gate := make(chan struct{})
		sub := submission(controller.Queue, "k", "owner", until(gate))
		sub.Spec.Grace, sub.Spec.OnStuck = time.Second, policy.StuckWait
		s.put(sub)
		go func() { _ = s.Stop(context.Background(), "k") }()
		pass(time.Hour)
		s.wantSlot("k", "owner:stuck |")
		s.queue("k", "q", serve)
		wantFate(t, s.queue("k", "q2", serve), "rejected full")
		r := s.replace("k", "r", serve)
		wantFate(t, s.drop("k", "d", serve), "rejected busy")
		s.wantSlot("k", "owner:stuck | r")
		wantFate(t, r, "")
		close(gate)
		s.wantSlot("k", "r |")
	})
}

func TestNothingRunsForAKeyWhenItsStopReturnsAndNobodySubmitted(t *testing.T) {
	bubble(t, controller.Config{Width: 3}, func(t *testing.T, s *stand) {
		for round := range 20 {
			for i := range 20 {
				s.queue("k", fmt.Sprintf("n%d", i), slow(time.Duration(i%4)*time.Second))
			}
			if err := s.Stop(context.Background(), "k"); err != nil {
				t.Error(err)
			}
			if got := s.slot("k"); got != "" {
				t.Fatalf("round %d: %s", round, got)
			}
		}
	})
}
