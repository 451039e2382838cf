package controller_test

import (
	"testing"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/subscribers/recorder"
)

// audit checks, after a run, what holds of every submission whatever happened.
func (s *stand) audit() {
	s.t.Helper()
	auditAll(s.t, &s.seen, s.all)
	if snap := s.Snapshot(); snap.Owners+snap.Queued+snap.Parked+len(snap.Slots) != 0 {
		s.t.Errorf("left after the run: %+v", snap)
	}
}

// auditAll checks that each submission has exactly one outcome, that its events tell
// the same, and that nothing else is told of one that was never let in.
func auditAll(t *testing.T, seen *recorder.Recorder, all []*actor.Handle) {
	t.Helper()
	type told struct {
		queued, rejected, added, finished int
		last                              events.Event
	}
	of := map[events.ID]*told{}
	for _, e := range seen.Events() {
		if of[e.ID] == nil {
			of[e.ID] = &told{}
		}
		w := of[e.ID]
		switch e.Kind {
		case events.TaskQueued:
			w.queued++
		case events.TaskRejected:
			w.rejected++
			w.last = e
		case events.TaskAdded:
			w.added++
		case events.TaskFinished:
			w.finished++
			w.last = e
		}
	}
	for _, h := range all {
		o, ok := h.Outcome()
		w := of[h.ID()]
		switch {
		case !ok:
			t.Errorf("%s has no outcome", h.Name())
		case w == nil:
			t.Errorf("%s: nothing was told of it, and it ended as %v", h.Name(), o)
		case o.Kind == events.Rejected:
			auditRejected(t, h, &o, &w.last)
			if w.rejected != 1 || w.added != 0 || w.finished != 0 || w.queued > 1 {
				t.Errorf("%s was %v; told: %+v", h.Name(), o, *w)
			}
		case w.rejected != 0 || w.added != 1 || w.finished != 1 || w.queued > 1:
			t.Errorf("%s was %v; told: %+v", h.Name(), o, *w)
		case w.last.Outcome != o.Kind || w.last.Reason != o.Reason:
			t.Errorf("%s was %v; told: %v (%v)", h.Name(), o, w.last.Outcome, w.last.Reason)
		}
	}
}

func auditRejected(t *testing.T, h *actor.Handle, o *actor.Outcome, e *events.Event) {
	t.Helper()
	err := as[*actor.RejectedError](t, o.Err)
	if err.Path != h.Path() || err.Reason != o.Reason || o.Attempts != 0 || o.StopErr != nil {
		t.Errorf("%s was %+v with %+v", h.Name(), *o, *err)
	}
	if e.Reason != o.Reason || e.Key != err.Key || e.Path != h.Path() || e.Attempt != 0 {
		t.Errorf("%s was %+v; told: %+v", h.Name(), *o, *e)
	}
}
