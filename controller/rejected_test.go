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
)

func TestEveryRejectionSaysWhyAndIsToldOnce(t *testing.T) {
	queued := func(s *stand) *actor.Handle {
		s.queue("k", "owner", slow(time.Second))
		return s.queue("k", "it", serve)
	}
	for _, row := range []struct {
		why    events.Reason
		waited time.Duration // until it was rejected
		of     func(s *stand) *actor.Handle
	}{
		{events.ReasonBusy, 0, func(s *stand) *actor.Handle {
			s.queue("k", "owner", serve)
			return s.drop("k", "it", serve)
		}},
		{events.ReasonFull, 0, func(s *stand) *actor.Handle {
			s.queue("k", "owner", serve)
			s.queue("k", "other", serve)
			s.queue("k", "another", serve)
			return s.queue("k", "it", serve)
		}},
		{events.ReasonSuperseded, time.Second, func(s *stand) *actor.Handle {
			h := queued(s)
			pass(time.Second)
			s.replace("k", "r", serve)
			return h
		}},
		{events.ReasonWithdrawn, time.Minute, func(s *stand) *actor.Handle {
			h := queued(s)
			pass(time.Minute)
			if err := s.Cancel(context.Background(), h.ID()); err != nil {
				s.t.Error(err)
			}
			return h
		}},
		{events.ReasonWithdrawn, time.Minute, func(s *stand) *actor.Handle {
			h := queued(s)
			pass(time.Minute)
			equal(s.t, "purged", s.Purge("k"), 1)
			return h
		}},
		{events.ReasonExpired, time.Hour, func(s *stand) *actor.Handle {
			s.queue("k", "owner", serve)
			sub := submission(controller.Queue, "k", "it", serve)
			sub.TTL = time.Hour
			h := s.put(sub)
			pass(time.Hour)
			return h
		}},
		{events.ReasonClosing, 2 * time.Second, func(s *stand) *actor.Handle {
			h := queued(s)
			pass(2 * time.Second)
			s.close()
			return h
		}},
		{events.ReasonDuplicate, time.Minute, func(s *stand) *actor.Handle {
			s.queue("other", "it", serve)
			owner := s.queue("k", "owner", serve)
			h := s.queue("k", "it", serve)
			pass(time.Minute)
			if err := s.Cancel(context.Background(), owner.ID()); err != nil {
				s.t.Error(err)
			}
			return h
		}},
	} {
		t.Run(row.why.String(), func(t *testing.T) {
			bubble(t, controller.Config{Depth: 2}, func(t *testing.T, s *stand) {
				h := row.of(s)
				checkRejected(t, s, h, row.why, row.waited)
			})
		})
	}
}

func checkRejected(t *testing.T, s *stand, h *actor.Handle, why events.Reason, waited time.Duration) {
	t.Helper()
	synctest.Wait()
	o, ok := h.Outcome()
	if !ok || o.Kind != events.Rejected || o.Reason != why || o.Success() || o.Attempts != 0 {
		t.Fatalf("outcome %v (%v), want rejected because of %v", o, ok, why)
	}
	equal(t, "text", o.String(), "rejected ("+why.String()+")")
	err := as[*actor.RejectedError](t, o.Err)
	equal(t, "error", *err, actor.RejectedError{Path: "/desk/it", Key: "k", Reason: why})

	// Who waits for it to be ready learns that it never will be, and why.
	ready := h.WaitReady(context.Background())
	as[*actor.NotReadyError](t, ready)
	equal(t, "error of WaitReady", as[*actor.RejectedError](t, ready), err)

	var told []events.Event
	for _, e := range s.seen.Events() {
		if e.ID == h.ID() && e.Kind != events.TaskQueued {
			told = append(told, e)
		}
	}
	if len(told) != 1 || told[0].Kind != events.TaskRejected {
		t.Fatalf("told: %+v", told)
	}
	e := told[0]
	if e.Key != "k" || e.Reason != why || e.Path != h.Path() || e.Elapsed != waited || e.Pattern != "/desk/*" {
		t.Errorf("told: %+v", e)
	}

	// It is not there any more.
	if _, err := s.Handle(h.ID()); err == nil {
		t.Error("its handle is found")
	}
	if err := s.Cancel(context.Background(), h.ID()); err == nil {
		t.Error("it can be cancelled")
	}
}

func TestThatItWasRejectedIsNoErrorOfSubmit(t *testing.T) {
	bubble(t, controller.Config{Depth: controller.NoQueue}, func(t *testing.T, s *stand) {
		s.queue("k", "owner", serve)
		for a, want := range map[controller.Admission]events.Reason{
			controller.Queue: events.ReasonFull, controller.DropIfRunning: events.ReasonBusy,
		} {
			ticket, err := s.Prepare(submission(a, "k", "x", serve))
			if err != nil {
				t.Fatal(err)
			}
			if err := ticket.Submit(context.Background()); err != nil {
				t.Error(err)
			}
			s.all = append(s.all, ticket.Handle())
			equal(t, a.String(), outcome(t, ticket.Handle()).Reason, want)
		}
	})
}

func TestWhoWaitsForAWithdrawnSubmissionIsLetGo(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		s.queue("k", "owner", serve)
		h := s.queue("k", "it", serve)
		done, ready := make(chan actor.Outcome, 1), make(chan error, 1)
		go func() { o, _ := h.Wait(context.Background()); done <- o }()
		go func() { ready <- h.WaitReady(context.Background()) }()
		synctest.Wait()
		s.Purge("k")
		equal(t, "reason", (<-done).Reason, events.ReasonWithdrawn)
		as[*actor.RejectedError](t, <-ready)
	})
}

// A place that nobody can take goes to the next, and the next after that, at once.
func TestOneThatCannotEnterLetsTheNextPass(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		s.queue("other", "twin", serve)
		s.queue("k", "owner", during(time.Second))
		for range 3 {
			s.queue("k", "twin", serve)
		}
		good := s.queue("k", "good", serve)
		pass(time.Second)
		s.wantSlot("k", "good |")
		for _, h := range s.all[2:5] {
			wantFate(t, h, "rejected duplicate_name")
		}
		wantFate(t, good, "")

		// A slot in which nobody could begin is not left behind.
		wantFate(t, s.queue("empty", "twin", serve), "rejected duplicate_name")
		s.wantSlot("empty", "")
	})
}

func TestAQueueOfTwinsOfATaskStartedByHandIsRejectedWhole(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		owner := s.queue("k", "owner", serve)
		byHand, err := s.Head().Start(context.Background(), actor.Spec{Name: "twin", Task: actor.Func(serve)})
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			s.queue("k", "twin", serve)
		}
		if err := s.Cancel(context.Background(), owner.ID()); err != nil {
			t.Error(err)
		}
		for _, h := range s.all[1:] {
			wantFate(t, h, "rejected duplicate_name")
		}
		s.wantSlot("k", "")
		if err := s.Cancel(context.Background(), byHand.ID()); err == nil || fate(byHand) != "" {
			t.Errorf("a task started by hand was cancelled: %v", err)
		}

		// It frees its name when it ends, and takes nobody's place before.
		if err := s.Head().Stop(context.Background(), "twin"); err != nil {
			t.Error(err)
		}
		s.queue("k", "twin", serve)
		s.wantSlot("k", "twin |")
		if _, err := s.Head().Start(context.Background(), actor.Spec{Name: "twin", Task: actor.Func(serve)}); errors.Is(err, nil) {
			t.Error("a task by hand has the name of an owner")
		}
	})
}
