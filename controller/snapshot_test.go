package controller_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// running is how an owner is listed that makes its first attempt.
func running(h *actor.Handle, since time.Time) supervisor.Node {
	return supervisor.Node{
		ID: h.ID(), Path: h.Path(), Name: h.Name(), State: supervisor.StateRunning, Since: since,
		UpSince: since, Ready: true, Attempt: 1, Generation: 1, Optional: true,
	}
}

func TestASnapshotShowsWhoRunsAndWhoWaits(t *testing.T) {
	bubble(t, controller.Config{Width: 2, Capacity: 2}, func(t *testing.T, s *stand) {
		began := time.Now()
		failing := submission(controller.Queue, "b", "failing", func(context.Context) error { return errBoom })
		failing.Spec.Restart, failing.Spec.Backoff = policy.OnFailure, policy.Constant(time.Hour)
		s.put(failing)
		owner := s.queue("b", "owner", slow(time.Second))
		s.queue("a", "only", serve)
		pass(time.Second)
		q1, q2 := s.queue("b", "q1", serve), s.put(lasting(controller.Queue, "b", "q2", time.Minute))
		s.parkQueue("b", "q3")
		r := s.replace("b", "r", serve) // the one that backs off ends at once
		r2 := s.replace("b", "r2", serve)

		leaving := running(owner, began)
		leaving.State, leaving.Since, leaving.Ready, leaving.Reason = supervisor.StateStopping, began.Add(time.Second), false, events.ReasonReplaced
		want := controller.Snapshot{
			Path: "/desk", Owners: 3, Queued: 2,
			Slots: []controller.Slot{
				{Key: "a", Width: 2, Owners: []supervisor.Node{running(s.all[2], began)}},
				{
					Key: "b", Width: 2, Owners: []supervisor.Node{leaving, running(r, began.Add(time.Second))},
					Queue: []controller.Waiting{
						{ID: r2.ID(), Path: "/desk/r2", Admission: controller.Replace, Since: began.Add(time.Second)},
						{ID: s.all[5].ID(), Path: "/desk/q3", Since: began.Add(time.Second)},
					},
				},
			},
		}
		wantFate(t, q1, "rejected superseded")
		wantFate(t, q2, "rejected superseded")
		got := s.Snapshot()
		equal(t, "snapshot", asJSON(t, got), asJSON(t, want))
		slot, ok := s.Slot("b")
		if !ok || asJSON(t, slot) != asJSON(t, got.Slots[1]) {
			t.Errorf("slot: %+v, %v", slot, ok)
		}
		if _, ok := s.Slot("nobody"); ok {
			t.Error("a key for which nothing runs has a slot")
		}

		// Each that is listed can be found by its number, and nobody else.
		for _, slot := range got.Slots {
			for _, o := range slot.Owners {
				if h, err := s.Handle(o.ID); err != nil || h.Path() != o.Path {
					t.Errorf("%v, %v", h, err)
				}
			}
			for _, w := range slot.Queue {
				if h, err := s.Handle(w.ID); err != nil || h.Path() != w.Path {
					t.Errorf("%v, %v", h, err)
				}
			}
		}
		if _, err := s.Handle(q1.ID()); err == nil {
			t.Error("one that was rejected is found")
		}
	})
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheJSONOfASnapshotIsStable(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	snap := controller.Snapshot{
		Path: "/desk", Owners: 1, Queued: 2, Parked: 1,
		Slots: []controller.Slot{{
			Key: "k", Width: 1,
			Owners: []supervisor.Node{{ID: 7, Path: "/desk/o", Name: "o", State: supervisor.StateStuck, Since: at, Attempt: 2}},
			Queue: []controller.Waiting{
				{ID: 8, Path: "/desk/r", Admission: controller.Replace, Since: at, Expires: at.Add(time.Minute)},
				{ID: 9, Path: "/desk/q", Since: at, Parked: true},
			},
		}},
	}
	text, err := json.Marshal(snap)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"path":"/desk","slots":[{"key":"k","width":1,` +
		`"owners":[{"path":"/desk/o","name":"o","id":7,"state":"stuck","since":"2026-01-02T03:04:05Z","ready":false,"attempt":2,"restarts":0}],` +
		`"queue":[{"id":8,"path":"/desk/r","admission":"replace","since":"2026-01-02T03:04:05Z","expires":"2026-01-02T03:05:05Z"},` +
		`{"id":9,"path":"/desk/q","admission":"queue","since":"2026-01-02T03:04:05Z","parked":true}]}],` +
		`"owners":1,"queued":2,"parked":1}`
	equal(t, "text", string(text), want)
	var back controller.Snapshot
	if err := json.Unmarshal(text, &back); err != nil || asJSON(t, back) != asJSON(t, snap) {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestASnapshotIsTheReadersOwn(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		for i := range 3 {
			s.queue("k", fmt.Sprint(i), serve)
		}
		snap := s.Snapshot()
		snap.Slots[0].Owners[0].Path = "/elsewhere"
		snap.Slots[0].Queue = append(snap.Slots[0].Queue[:0], controller.Waiting{})
		s.wantSlot("k", "0 | 1 2")
	})
}

func TestTheSlotsOfASnapshotAreInTheOrderOfTheirKeys(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		var want []string
		for i := range 100 {
			key := fmt.Sprint(i * 7919 % 100)
			want = append(want, key)
			s.queue(key, "n"+key, serve)
		}
		slices.Sort(want)
		var got []string
		snap := s.Snapshot()
		for _, slot := range snap.Slots {
			got = append(got, slot.Key)
		}
		if !slices.Equal(got, want) {
			t.Errorf("the keys are %v", got)
		}
		equal(t, "owners", snap.Owners, 100)
	})
}
