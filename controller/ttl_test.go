package controller_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// lasting is a submission that waits for ttl at most.
func lasting(a controller.Admission, key, name string, ttl time.Duration) controller.Submission {
	sub := submission(a, key, name, serve)
	sub.TTL = ttl
	return sub
}

func TestASubmissionExpiresWhenItsTimeIsOverAndNotBefore(t *testing.T) {
	bubble(t, controller.Config{TTL: time.Minute}, func(t *testing.T, s *stand) {
		owner := s.queue("k", "owner", slow(5*time.Second))
		a := s.put(lasting(controller.Queue, "k", "a", time.Second))
		b := s.put(lasting(controller.Queue, "k", "b", 0)) // a minute, as the config says
		c := s.put(lasting(controller.Queue, "k", "c", policy.Forever))
		slot, _ := s.Slot("k")
		now := time.Now()
		equal(t, "a expires", slot.Queue[0].Expires, now.Add(time.Second))
		equal(t, "b expires", slot.Queue[1].Expires, now.Add(time.Minute))
		equal(t, "c expires", slot.Queue[2].Expires, time.Time{})

		pass(time.Second - 1)
		wantFate(t, a, "")
		pass(1)
		wantFate(t, a, "rejected expired")
		pass(59*time.Second - 1)
		wantFate(t, b, "")
		pass(1)
		wantFate(t, b, "rejected expired")
		e, _ := s.seen.WaitKind(context.Background(), events.TaskRejected, b.Path())
		equal(t, "waited", e.Elapsed, time.Minute)
		pass(100 * forAges)
		s.wantSlot("k", "owner | c")

		// The time is that of the wait only.
		r := s.put(lasting(controller.Replace, "k", "r", 6*time.Second))
		wantFate(t, c, "rejected superseded")
		pass(5 * time.Second)
		wantFate(t, owner, "stopped replaced")
		s.wantSlot("k", "r |")
		pass(time.Hour)
		wantFate(t, r, "")
	})
}

// The owner was told to end, and stays so.
func TestAReplacementThatExpiresLeavesItsPlaceToTheNext(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		owner := s.queue("k", "owner", slow(5*time.Second))
		q := s.queue("k", "q", serve)
		q2 := s.queue("k", "q2", serve)
		r := s.put(lasting(controller.Replace, "k", "r", time.Second))
		wantFate(t, q, "rejected superseded")
		pass(time.Second)
		wantFate(t, r, "rejected expired")
		s.wantSlot("k", "owner:stopping | q2")
		pass(4 * time.Second)
		wantFate(t, owner, "stopped replaced")
		s.wantSlot("k", "q2 |")
		wantFate(t, q2, "")
	})
}

// Who comes first in that instant does not matter.
func TestWhatIsToRunInTheInstantInWhichItExpiresDoesNot(t *testing.T) {
	for range 50 {
		bubble(t, controller.Config{Width: 2}, func(t *testing.T, s *stand) {
			s.queue("k", "o1", during(time.Second))
			s.queue("k", "o2", during(time.Second))
			a := s.put(lasting(controller.Queue, "k", "a", time.Second))
			b := s.put(lasting(controller.Queue, "k", "b", time.Second+1))
			c := s.put(lasting(controller.Queue, "k", "c", time.Second))
			pass(time.Second)
			wantFate(t, a, "rejected expired")
			wantFate(t, b, "")
			wantFate(t, c, "rejected expired")
			s.wantSlot("k", "b |")
		})
	}
}

func TestASubmissionThatNeedNotWaitDoesNotExpire(t *testing.T) {
	bubble(t, controller.Config{TTL: 1}, func(t *testing.T, s *stand) {
		for a := controller.Queue; a <= controller.DropIfRunning; a++ {
			h := s.put(submission(a, a.String(), a.String(), serve))
			pass(time.Hour)
			wantFate(t, h, "")
		}
	})
}

func TestASubmissionThatWaitsForRoomExpiresToo(t *testing.T) {
	bubble(t, controller.Config{Capacity: 1}, func(t *testing.T, s *stand) {
		s.queue("k", "owner", serve)
		s.queue("k", "w", serve)
		p := s.park(lasting(controller.Queue, "k", "p", time.Second))
		s.wantSlot("k", "owner | w p:parked")
		pass(time.Second)
		p.want("rejected expired", nil)
		s.wantSlot("k", "owner | w")
	})
}

// A timer that outlived what it was for would be a goroutine at some later time, and
// memory until then.
func TestTheTimersOfThoseThatHaveLeftAreGone(t *testing.T) {
	if testing.Short() {
		t.Skip("it fills memory")
	}
	c := controller.New(controller.Config{Name: "desk", TTL: forAges, Depth: policy.Unlimited, Capacity: policy.Unlimited})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()
	if err := c.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	fill := func() {
		for range 20_000 {
			if _, err := c.Submit(ctx, submission(controller.Queue, "k", "w", serve)); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Stop(ctx, "k"); err != nil {
			t.Fatal(err)
		}
	}
	held := func() uint64 {
		var m runtime.MemStats
		for range 3 {
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	fill()
	before := held()
	for range 5 {
		fill()
	}
	if after := held(); after > before+4<<20 {
		t.Errorf("%d bytes are held, after %d", after, before)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A day later nothing happens any more to what has left in whichever way.
func TestATimeThatIsOverAfterTheEndChangesNothing(t *testing.T) {
	bubble(t, controller.Config{TTL: time.Hour}, func(t *testing.T, s *stand) {
		s.queue("k", "owner", slow(time.Second))
		ran := s.queue("k", "ran", serve)
		withdrawn := s.queue("k", "withdrawn", serve)
		if err := s.Cancel(context.Background(), withdrawn.ID()); err != nil {
			t.Error(err)
		}
		if err := s.Cancel(context.Background(), s.all[0].ID()); err != nil {
			t.Error(err)
		}
		s.queue("k", "closing", serve)
		pass(time.Minute)
		s.close()
		told := len(s.seen.Events())
		s.run()
		more := len(s.seen.Events()) - told
		pass(forAges)
		synctest.Wait()
		equal(t, "told since", len(s.seen.Events())-told-more, 0)
		for h, want := range map[*actor.Handle]string{
			ran: "stopped shutdown", withdrawn: "rejected withdrawn", s.all[3]: "rejected closing",
		} {
			wantFate(t, h, want)
		}
	})
}
