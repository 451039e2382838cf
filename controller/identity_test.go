package controller_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/supervisor"
)

func prepare(t *testing.T, s *stand, sub controller.Submission) *controller.Ticket {
	t.Helper()
	ticket, err := s.Prepare(sub)
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func TestASubmissionHasItsIdentityBeforeAnythingIsToldOfIt(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		s.queue("k", "owner", serve)
		before := len(s.seen.Events())
		ticket := prepare(t, s, submission(controller.Replace, "k", "it", serve))
		id := ticket.ID()
		synctest.Wait()
		equal(t, "told", len(s.seen.Events()), before)
		equal(t, "key", ticket.Key(), "k")
		equal(t, "path", ticket.Handle().Path(), "/desk/it")

		if err := ticket.Submit(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.all = append(s.all, ticket.Handle())
		synctest.Wait()
		if id == 0 || ticket.ID() != id || ticket.Handle().ID() != id {
			t.Errorf("number %d became %d", id, ticket.ID())
		}
		slot, _ := s.Slot("k")
		if len(slot.Owners) != 1 || slot.Owners[0].ID != id {
			t.Errorf("%d does not run: %+v", id, slot)
		}
		h, err := s.Handle(id)
		if err != nil || h != ticket.Handle() {
			t.Errorf("its handle is %v, %v", h, err)
		}
		node, err := s.Head().Handle("it")
		if err != nil || node.ID() != id {
			t.Errorf("the supervisor knows it as %v, %v", node, err)
		}
	})
}

func TestATaskKnowsTheIdentityOfItsSubmission(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		var info actor.Info
		h := s.queue("k", "it", func(ctx context.Context) error {
			info, _ = actor.FromContext(ctx)
			return nil
		})
		synctest.Wait()
		if info.ID != h.ID() || info.Path != "/desk/it" || info.Pattern != "/desk/*" {
			t.Errorf("it is %+v", info)
		}
	})
}

func TestATicketThatIsNotSubmittedLeavesNoTrace(t *testing.T) {
	bubble(t, controller.Config{Depth: 1}, func(t *testing.T, s *stand) {
		s.queue("k", "owner", serve)
		before := len(s.seen.Events())
		ticket := prepare(t, s, submission(controller.Queue, "k", "it", serve))
		idle := prepare(t, s, submission(controller.Queue, "idle", "idle", serve))

		for _, id := range []*controller.Ticket{ticket, idle} {
			if err := s.Cancel(context.Background(), id.ID()); !errors.Is(err, supervisor.ErrNotFound) {
				t.Errorf("cancel: %v", err)
			}
			if _, err := s.Handle(id.ID()); !errors.Is(err, supervisor.ErrNotFound) {
				t.Errorf("handle: %v", err)
			}
		}
		s.wantSlot("k", "owner |")
		s.wantSlot("idle", "")
		equal(t, "purged", s.Purge("k"), 0)
		s.queue("k", "other", serve) // its place is not taken
		s.wantSlot("k", "owner | other")
		s.Purge("k")

		// A cancel that came too early does not remember the number.
		if err := ticket.Submit(context.Background()); err != nil {
			t.Fatal(err)
		}
		s.all = append(s.all, ticket.Handle())
		s.wantSlot("k", "owner | it")
		if n := len(s.seen.Events()); n <= before {
			t.Errorf("%d events", n)
		}
		s.close()
		if fate(idle.Handle()) != "" {
			t.Error("a ticket that was not submitted has an outcome")
		}
	})
}

func TestATicketIsSubmittedOnce(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		ticket := prepare(t, s, submission(controller.Queue, "k", "it", serve))
		s.all = append(s.all, ticket.Handle())
		errs := make(chan error, 16)
		for range cap(errs) {
			go func() { errs <- ticket.Submit(context.Background()) }()
		}
		accepted := 0
		for range cap(errs) {
			switch err := <-errs; {
			case err == nil:
				accepted++
			case !errors.Is(err, controller.ErrSubmitted):
				t.Error(err)
			case as[*supervisor.ChildError](t, err).Path != "/desk/it":
				t.Error(err)
			}
		}
		equal(t, "accepted", accepted, 1)
		s.wantSlot("k", "it |")

		// Nor again when it has ended.
		if err := s.Cancel(context.Background(), ticket.ID()); err != nil {
			t.Error(err)
		}
		if err := ticket.Submit(context.Background()); !errors.Is(err, controller.ErrSubmitted) {
			t.Error(err)
		}
		s.wantSlot("k", "")
	})
}

func TestATicketOfAnEarlierRunIsRejectedAsClosing(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		ticket := prepare(t, s, submission(controller.Queue, "k", "it", serve))
		between := prepare(t, s, submission(controller.Queue, "k", "it", serve))
		s.close()
		if err := between.Submit(context.Background()); err != nil {
			t.Error(err)
		}
		equal(t, "between two runs", fate(between.Handle()), "rejected closing")
		s.run()
		if err := ticket.Submit(context.Background()); err != nil {
			t.Error(err)
		}
		equal(t, "in the next run", fate(ticket.Handle()), "rejected closing")
		as[*actor.RejectedError](t, outcome(t, ticket.Handle()).Err)
		if err := ticket.Submit(context.Background()); !errors.Is(err, controller.ErrSubmitted) {
			t.Error(err)
		}
		s.wantSlot("k", "")
		s.queue("k", "it", serve)
		s.wantSlot("k", "it |")
	})
}

func TestWithAContextThatHasEndedNothingIsDone(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errBoom)
		before := len(s.seen.Events())
		owner := s.queue("k", "owner", serve)
		waiting := s.queue("k", "waiting", serve)

		ticket := prepare(t, s, submission(controller.Replace, "k", "it", serve))
		if err := ticket.Submit(ctx); !errors.Is(err, errBoom) || as[*supervisor.ChildError](t, err).Act != "submit" {
			t.Error(err)
		}
		if h, err := s.Submit(ctx, submission(controller.Replace, "k", "it", serve)); h != nil || !errors.Is(err, errBoom) {
			t.Errorf("submit: %v, %v", h, err)
		}
		if err := s.Cancel(ctx, owner.ID()); !errors.Is(err, errBoom) {
			t.Errorf("cancel: %v", err)
		}
		if err := s.Cancel(ctx, waiting.ID()); !errors.Is(err, errBoom) {
			t.Errorf("cancel: %v", err)
		}
		if err := s.Stop(ctx, "k"); !errors.Is(err, errBoom) {
			t.Errorf("stop: %v", err)
		}
		s.wantSlot("k", "owner | waiting")
		equal(t, "told", len(s.seen.Events()), before+3) // added, begun; queued

		// The ticket may be submitted still.
		if err := ticket.Submit(context.Background()); err != nil {
			t.Error(err)
		}
		s.all = append(s.all, ticket.Handle())
		s.wantSlot("k", "it |")
	})
}

func TestBeforeAndAfterARunNothingCanBeSubmitted(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		check := func(c *controller.Controller) {
			t.Helper()
			ctx := context.Background()
			_, err := c.Submit(ctx, submission(controller.Queue, "k", "x", serve))
			_, prepared := c.Prepare(submission(controller.Queue, "k", "x", serve))
			_, found := c.Handle(1)
			for what, err := range map[string]error{
				"submit": err, "prepare": prepared, "handle": found,
				"cancel": c.Cancel(ctx, 1), "stop": c.Stop(ctx, "k"),
			} {
				if !errors.Is(err, supervisor.ErrNotRunning) {
					t.Errorf("%s: %v", what, err)
				}
				as[*supervisor.ChildError](t, err)
			}
			equal(t, "purged", c.Purge("k"), 0)
			if _, ok := c.Slot("k"); ok {
				t.Error("there is a slot")
			}
		}
		check(controller.New(controller.Config{Name: "other"}))
		s.queue("k", "x", serve)
		s.close()
		check(s.Controller)
	})
}
