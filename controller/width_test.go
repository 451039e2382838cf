package controller_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/policy"
)

func (s *stand) setWidth(key string, n int) {
	s.t.Helper()
	if err := s.SetWidth(key, n); err != nil {
		s.t.Fatal(err)
	}
}

func TestAKeyHasTheWidthOfTheConfigUnlessItWasGivenItsOwn(t *testing.T) {
	bubble(t, controller.Config{Width: 2}, func(t *testing.T, s *stand) {
		s.setWidth("wide", 3)
		s.setWidth("narrow", 1)
		s.setWidth("endless", policy.Unlimited)
		for _, key := range []string{"plain", "wide", "narrow", "endless"} {
			for i := range 4 {
				s.queue(key, fmt.Sprint(key, i), serve)
			}
		}
		s.wantSlot("plain", "plain0 plain1 | plain2 plain3")
		s.wantSlot("wide", "wide0 wide1 wide2 | wide3")
		s.wantSlot("narrow", "narrow0 | narrow1 narrow2 narrow3")
		s.wantSlot("endless", "endless0 endless1 endless2 endless3 |")

		// Zero goes back to that of the config, at once.
		s.setWidth("narrow", 0)
		s.wantSlot("narrow", "narrow0 narrow1 | narrow2 narrow3")
		slot, _ := s.Slot("endless")
		equal(t, "width", slot.Width, policy.Unlimited)
	})
}

func TestMorePlacesAreTakenAtOnceByThoseThatWait(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		var j journal
		for i := range 6 {
			s.queue("k", fmt.Sprint(i), j.note(serve))
		}
		s.setWidth("k", 4)
		s.wantSlot("k", "0 1 2 3 | 4 5")
		equal(t, "began", len(strings.Fields(j.lines())), 4)
		s.setWidth("other", 10)
		s.wantSlot("k", "0 1 2 3 | 4 5")
		s.setWidth("k", policy.Unlimited)
		s.wantSlot("k", "0 1 2 3 4 5 |")
		s.queue("k", "6", serve)
		s.wantSlot("k", "0 1 2 3 4 5 6 |")
	})
}

func TestFewerPlacesStopNobodyAndAreNotGivenToTheNext(t *testing.T) {
	bubble(t, controller.Config{Width: 3}, func(t *testing.T, s *stand) {
		for i := range 5 {
			s.queue("k", fmt.Sprint(i), serve)
		}
		s.setWidth("k", 2)
		s.wantSlot("k", "0 1 2 | 3 4")
		for i, want := range []string{"1 2 | 3 4", "2 3 | 4", "3 4 |"} {
			if err := s.Cancel(context.Background(), s.all[i].ID()); err != nil {
				t.Error(err)
			}
			s.wantSlot("k", want)
		}
		s.setWidth("k", 1)
		wantFate(t, s.drop("k", "d", serve), "rejected busy")
		s.queue("k", "q", serve)
		s.wantSlot("k", "3 4 | q")
	})
}

func TestAWidthIsKnownBeforeTheFirstRunAndInLaterOnes(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		check := func(want string) {
			t.Helper()
			for i := range 3 {
				s.queue("k", fmt.Sprint(i), serve)
			}
			s.wantSlot("k", want)
			s.close()
		}
		s.close()
		s.setWidth("k", 2) // while it does not run
		s.run()
		check("0 1 | 2")
		s.run()
		check("0 1 | 2")
		s.setWidth("k", 0)
		s.run()
		check("0 | 1 2")
	})
}

func TestAWidthOutlivesTheSlot(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		s.setWidth("k", 2)
		for range 2 {
			s.queue("k", "a", serve)
			s.queue("k", "b", serve)
			s.wantSlot("k", "a b |")
			if err := s.Stop(context.Background(), "k"); err != nil {
				t.Error(err)
			}
			s.wantSlot("k", "")
			s.queue("l", "c", serve) // may be given what was the slot of k
			s.queue("l", "d", serve)
			s.wantSlot("l", "c | d")
			if err := s.Stop(context.Background(), "l"); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestAReplacementTakesAFreePlaceOrElseThatOfTheOldestNotToldYet(t *testing.T) {
	bubble(t, controller.Config{Width: 3}, func(t *testing.T, s *stand) {
		a, b := s.queue("k", "a", slow(time.Second)), s.queue("k", "b", slow(5*time.Second))
		c := s.replace("k", "c", slow(time.Second))
		s.wantSlot("k", "a b c |")

		s.replace("k", "d", slow(time.Second))
		s.wantSlot("k", "a:stopping b c | d")
		e := s.replace("k", "e", slow(time.Second))
		s.wantSlot("k", "a:stopping b:stopping c | e")
		pass(time.Second)
		wantFate(t, a, "stopped replaced")
		s.wantSlot("k", "b:stopping c e |")
		f := s.replace("k", "f", slow(time.Second))
		s.wantSlot("k", "b:stopping c:stopping e | f")
		pass(time.Second)
		wantFate(t, c, "stopped replaced")
		s.wantSlot("k", "b:stopping e f |")
		wantFate(t, b, "")
		wantFate(t, e, "")
		wantFate(t, f, "")
	})
}

func TestAReplacementWhenAllWereToldTellsNobody(t *testing.T) {
	bubble(t, controller.Config{Width: 2}, func(t *testing.T, s *stand) {
		s.queue("k", "a", slow(time.Second))
		s.queue("k", "b", slow(2*time.Second))
		cancelAll(s, s.all)
		s.replace("k", "c", serve)
		s.replace("k", "d", serve)
		s.wantSlot("k", "a:stopping b:stopping | d")
		pass(2 * time.Second)
		wantFate(t, s.all[0], "stopped stopped")
		wantFate(t, s.all[1], "stopped stopped")
		s.wantSlot("k", "d |")
	})
}

// The slot has one place less, so a single owner that ends makes no room for it.
func TestAReplacementInASlotThatHasBecomeNarrowerWaitsForAPlaceOfIts(t *testing.T) {
	bubble(t, controller.Config{Width: 2}, func(t *testing.T, s *stand) {
		a, b := s.queue("k", "a", serve), s.queue("k", "b", serve)
		s.setWidth("k", 1)
		s.replace("k", "r", serve)
		wantFate(t, a, "stopped replaced")
		s.wantSlot("k", "b | r")
		s.replace("k", "r2", serve)
		wantFate(t, b, "stopped replaced")
		s.wantSlot("k", "r2 |")
	})
}

func TestTasksOfOneNameRunOneAtATimeHoweverWideTheirKeyIs(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		s.setWidth("job", 3)
		submit := func(name string, a controller.Admission) *actor.Handle {
			return s.put(submission(a, "job", name, during(time.Second)))
		}
		first, second := submit("job", controller.Queue), submit("job", controller.Queue)
		s.wantSlot("job", "job | job")
		wantFate(t, submit("job", controller.DropIfRunning), "rejected busy")
		wantFate(t, submit("other", controller.DropIfRunning), "rejected busy") // others were first
		submit("other", controller.Queue)
		s.wantSlot("job", "job | job other")
		submit("third", controller.Replace)
		s.wantSlot("job", "job third | job other")

		pass(time.Second)
		wantFate(t, first, "completed")
		s.wantSlot("job", "job other |")
		pass(time.Second)
		wantFate(t, second, "completed")
		s.wantSlot("job", "")
	})
}

func TestAReplacementOfTheSameNameReplacesItsNamesake(t *testing.T) {
	bubble(t, controller.Config{Width: 2}, func(t *testing.T, s *stand) {
		old, twin := s.queue("k", "old", serve), s.queue("k", "twin", serve)
		fresh := s.replace("k", "twin", serve)
		wantFate(t, old, "")
		wantFate(t, twin, "stopped replaced")
		wantFate(t, fresh, "")
		s.wantSlot("k", "old twin |")
	})
}

func TestWhoWaitsForANamesakeHoldsUpTheOthersOnlyWhileItWaits(t *testing.T) {
	bubble(t, controller.Config{Width: 2}, func(t *testing.T, s *stand) {
		s.queue("k", "twin", serve)
		blocked := s.queue("k", "twin", serve)
		s.queue("k", "other", serve)
		s.wantSlot("k", "twin | twin other")
		if err := s.Cancel(context.Background(), blocked.ID()); err != nil {
			t.Error(err)
		}
		s.wantSlot("k", "twin other |")

		s.setWidth("k", 3)
		s.put(lasting(controller.Queue, "k", "twin", time.Second))
		s.queue("k", "more", serve)
		s.wantSlot("k", "twin other | twin more")
		pass(time.Second)
		s.wantSlot("k", "twin other more |")
	})
}
