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
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// parking is a caller of Submit that may have to wait for room.
type parking struct {
	s      *stand
	h      *actor.Handle // known before
	cancel context.CancelCauseFunc
	done   chan struct{}
	err    error
}

func (s *stand) park(sub controller.Submission) *parking {
	s.t.Helper()
	ticket := prepare(s.t, s, sub)
	ctx, cancel := context.WithCancelCause(context.Background())
	p := &parking{s: s, h: ticket.Handle(), cancel: cancel, done: make(chan struct{})}
	s.all = append(s.all, p.h)
	go func() {
		defer close(p.done)
		p.err = ticket.Submit(ctx)
	}()
	synctest.Wait()
	return p
}

func (p *parking) isParked() bool {
	synctest.Wait()
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// want checks that the caller was let go, with that error, and what has become of the
// submission.
func (p *parking) want(want string, err error) {
	p.s.t.Helper()
	if p.isParked() {
		p.s.t.Errorf("the caller of %s waits still", p.h.Name())
		return
	}
	if !errors.Is(p.err, err) {
		p.s.t.Errorf("Submit of %s: %v", p.h.Name(), p.err)
	}
	wantFate(p.s.t, p.h, want)
}

func (s *stand) parkQueue(key, name string) *parking {
	s.t.Helper()
	return s.park(submission(controller.Queue, key, name, serve))
}

func (s *stand) wantParked(want int) {
	s.t.Helper()
	synctest.Wait()
	equal(s.t, "parked", s.Snapshot().Parked, want)
}

// wantRoom checks that exactly n submissions have room, by filling it, and empties it
// again.
func (s *stand) wantRoom(n int) {
	s.t.Helper()
	s.queue("room", "room-owner", serve)
	for i := range n {
		p := s.parkQueue("room", fmt.Sprintf("room%d", i))
		if p.isParked() {
			s.t.Errorf("there is room for %d, want %d", i, n)
			p.cancel(nil)
		}
	}
	p := s.parkQueue("room", "too-much")
	if !p.isParked() {
		s.t.Errorf("there is room for more than %d", n)
	}
	if err := s.Stop(context.Background(), "room"); err != nil {
		s.t.Error(err)
	}
	p.want("rejected withdrawn", nil)
	s.wantParked(0)
}

func TestCallersAboveTheCapacityWaitInTheOrderInWhichTheyCame(t *testing.T) {
	bubble(t, controller.Config{Capacity: 2}, func(t *testing.T, s *stand) {
		a, b := s.queue("a", "oa", serve), s.queue("b", "ob", serve)
		wa := s.queue("a", "wa", serve)
		s.queue("b", "wb", serve)
		pa, pb, pa2 := s.parkQueue("a", "pa"), s.parkQueue("b", "pb"), s.parkQueue("a", "pa2")
		s.wantParked(3)
		s.wantSlot("a", "oa | wa pa:parked pa2:parked")
		s.wantSlot("b", "ob | wb pb:parked")

		// Room that b's queue leaves goes to who waits for longest, in whatever slot.
		if err := s.Cancel(context.Background(), b.ID()); err != nil {
			t.Error(err)
		}
		pa.want("", nil)
		s.wantSlot("a", "oa | wa pa pa2:parked")
		s.wantSlot("b", "wb | pb:parked")
		if !pb.isParked() || !pa2.isParked() {
			t.Error("one unit of room went to two")
		}

		// A place in the slot is another matter: that goes by its queue.
		if err := s.Cancel(context.Background(), wa.ID()); err != nil {
			t.Error(err)
		}
		pb.want("", nil)
		s.wantSlot("a", "oa | pa pa2:parked")
		if err := s.Cancel(context.Background(), a.ID()); err != nil {
			t.Error(err)
		}
		pa2.want("", nil)
		s.wantSlot("a", "pa | pa2")
		s.wantSlot("b", "wb | pb")
		s.Purge("a")
		s.Purge("b")
		s.wantRoom(2)
	})
}

func TestACallerWhoseContextEndsTakesItsSubmissionAlong(t *testing.T) {
	bubble(t, controller.Config{Capacity: 1}, func(t *testing.T, s *stand) {
		s.queue("k", "owner", serve)
		s.queue("k", "w", serve)
		p, q := s.parkQueue("k", "p"), s.parkQueue("k", "q")
		p.cancel(errBoom)
		p.want("rejected full", errBoom)
		equal(t, "act", as[*supervisor.ChildError](t, p.err).Act, "submit")
		equal(t, "path", as[*supervisor.ChildError](t, p.err).Path, "/desk/p")
		s.wantSlot("k", "owner | w q:parked")
		s.Purge("k")
		q.want("rejected withdrawn", nil)
		q.cancel(errBoom) // too late to matter
		wantFate(t, q.h, "rejected withdrawn")
		s.wantRoom(1)
	})
}

func TestSubmitReturnsTheHandleOfWhatItCouldNotFindRoomFor(t *testing.T) {
	bubble(t, controller.Config{Capacity: 1}, func(t *testing.T, s *stand) {
		s.queue("k", "owner", serve)
		s.queue("k", "w", serve)
		ctx, cancel := context.WithTimeoutCause(context.Background(), time.Second, errBoom)
		defer cancel()
		began := time.Now()
		h, err := s.Submit(ctx, submission(controller.Queue, "k", "p", serve))
		equal(t, "took", time.Since(began), time.Second)
		if h == nil || !errors.Is(err, errBoom) {
			t.Fatalf("%v, %v", h, err)
		}
		s.all = append(s.all, h)
		wantFate(t, h, "rejected full")
	})
}

func TestACallerIsLetGoWhateverBecomesOfItsSubmission(t *testing.T) {
	for name, row := range map[string]struct {
		act  func(s *stand, p *parking)
		want string
	}{
		"cancelled":  {func(s *stand, p *parking) { _ = s.Cancel(context.Background(), p.h.ID()) }, "rejected withdrawn"},
		"purged":     {func(s *stand, _ *parking) { s.Purge("k") }, "rejected withdrawn"},
		"stopped":    {func(s *stand, _ *parking) { _ = s.Stop(context.Background(), "k") }, "rejected withdrawn"},
		"superseded": {func(s *stand, _ *parking) { s.replace("k", "r", serve) }, "rejected superseded"},
		"closing":    {func(s *stand, _ *parking) { s.close() }, "rejected closing"},
		"started":    {func(s *stand, _ *parking) { _ = s.Cancel(context.Background(), s.all[0].ID()) }, ""},
		"widened":    {func(s *stand, _ *parking) { _ = s.SetWidth("k", 2) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, controller.Config{Capacity: 1}, func(t *testing.T, s *stand) {
				s.queue("k", "owner", serve)
				s.queue("other", "o", serve)
				s.queue("other", "w", serve)
				p := s.parkQueue("k", "p")
				if !p.isParked() {
					t.Fatal("there was room")
				}
				row.act(s, p)
				p.want(row.want, nil)
				if name == "closing" {
					return
				}
				s.wantParked(0)
				if err := s.Stop(context.Background(), "other"); err != nil {
					t.Error(err)
				}
				s.wantRoom(1)
			})
		})
	}
}

func TestARejectionAtOnceTakesNoRoom(t *testing.T) {
	bubble(t, controller.Config{Capacity: 1, Depth: 2}, func(t *testing.T, s *stand) {
		s.queue("a", "a", serve)
		s.queue("a", "aw", serve)
		s.queue("k", "owner", serve)
		p, p2 := s.parkQueue("k", "p"), s.parkQueue("k", "p2")
		s.wantParked(2)
		wantFate(t, s.queue("k", "q", serve), "rejected full") // its slot is: it does not park
		wantFate(t, s.drop("k", "d", serve), "rejected busy")
		s.wantSlot("k", "owner | p:parked p2:parked")
		s.Purge("k")
		p.want("rejected withdrawn", nil)
		p2.want("rejected withdrawn", nil)
		s.Purge("a")
		s.wantRoom(1)
	})
}

func TestNoRoomIsLostInAStormOfComingAndGoing(t *testing.T) {
	bubble(t, controller.Config{Capacity: 7, Depth: policy.Unlimited, TTL: 3 * time.Second}, func(t *testing.T, s *stand) {
		var parked []*parking
		for i := range 400 {
			key := fmt.Sprint("k", i%5)
			sub := submission(controller.Admission(i%7%3), key, fmt.Sprint("n", i), slow(time.Duration(i%3)*time.Second))
			parked = append(parked, s.park(sub))
			switch i % 11 {
			case 2:
				s.Purge(key)
			case 4:
				go func() { _ = s.Stop(context.Background(), key) }()
			case 6:
				parked[i/2].cancel(errBoom)
			case 8:
				go func() { _ = s.Cancel(context.Background(), parked[i-1].h.ID()) }()
			case 10:
				pass(time.Second)
			}
		}
		pass(time.Minute)
		for i := range 5 {
			if err := s.Stop(context.Background(), fmt.Sprint("k", i)); err != nil {
				t.Error(err)
			}
		}
		for _, p := range parked {
			if p.isParked() {
				t.Errorf("the caller of %s waits still", p.h.Name())
			}
		}
		s.wantRoom(7)
	})
}
