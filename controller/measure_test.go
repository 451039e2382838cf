package controller_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// figures returns what a controller measures, by name and labels.
func figures(t *testing.T, c *controller.Controller) map[string]float64 {
	t.Helper()
	known := map[*events.Metric]bool{}
	for _, m := range c.Metrics() {
		known[m] = true
	}
	got := map[string]float64{}
	c.Measure(func(m *events.Metric, value float64, labels ...string) {
		series := m.Name + " " + strings.Join(labels, " ")
		if _, twice := got[series]; twice || !known[m] || len(labels) != len(m.Labels) {
			t.Errorf("%q: reported twice, or not as Metrics says", series)
		}
		got[series] = value
	})
	return got
}

func TestEverySeriesIsThereBeforeTheFirstRun(t *testing.T) {
	c := controller.New(controller.Config{Name: "desk"})
	got := figures(t, c)
	equal(t, "capacity", got["controller_capacity desk"], controller.DefaultCapacity)
	delete(got, "controller_capacity desk")
	var want []string
	for _, name := range []string{"slots", "owners", "queued", "parked", "entered_total", "replaced_total"} {
		want = append(want, "controller_"+name+" desk")
	}
	for _, a := range []string{"queue", "replace", "drop_if_running"} {
		want = append(want, "controller_submissions_total desk "+a)
	}
	for _, why := range []string{"busy", "full", "superseded", "withdrawn", "expired", "closing", "duplicate_name"} {
		want = append(want, "controller_rejected_total desk "+why)
	}
	for _, series := range want {
		if v, ok := got[series]; !ok || v != 0 {
			t.Errorf("%s is %v, %v", series, v, ok)
		}
		delete(got, series)
	}
	if len(got) > 0 {
		t.Errorf("and also: %v", got)
	}
}

func TestMetricsReturnsACopy(t *testing.T) {
	c := controller.New(controller.Config{})
	c.Metrics()[0] = nil
	if c.Metrics()[0] == nil {
		t.Error("what one caller did to it is seen by the next")
	}
}

func TestTheFiguresAreWhatTheSnapshotShowsAndTheEventsHaveTold(t *testing.T) {
	for seed := range uint64(10) {
		cfg := controller.Config{Depth: 3, Capacity: 4, TTL: 2 * time.Second, Width: 2}
		bubble(t, cfg, func(t *testing.T, s *stand) {
			storm(s, rand.New(rand.NewPCG(seed, 1)))
			got := figures(t, s.Controller)
			snap := s.Snapshot()
			equal(t, "slots", got["controller_slots desk"], float64(len(snap.Slots)))
			equal(t, "owners", got["controller_owners desk"], float64(snap.Owners))
			equal(t, "queued", got["controller_queued desk"], float64(snap.Queued))
			equal(t, "parked", got["controller_parked desk"], float64(snap.Parked))
			owners, queued, parked := count(snap)
			if owners != snap.Owners || queued != snap.Queued || parked != snap.Parked {
				t.Errorf("%d, %d and %d are listed: %+v", owners, queued, parked, snap)
			}

			s.close()
			wantCounts(t, s)
		})
	}
}

func count(snap controller.Snapshot) (owners, queued, parked int) {
	for _, slot := range snap.Slots {
		owners += len(slot.Owners)
		queued += len(slot.Queue)
		for _, w := range slot.Queue {
			if w.Parked {
				parked++
			}
		}
	}
	return owners, queued, parked
}

// storm does this and that, and stops in the midst of it.
func storm(s *stand, rnd *rand.Rand) {
	ctx := context.Background()
	for i := range 300 {
		key := fmt.Sprint("k", rnd.IntN(4))
		p := s.park(submission(controller.Admission(rnd.IntN(3)), key, fmt.Sprint("n", i%40), slow(time.Duration(rnd.IntN(3))*time.Second)))
		switch rnd.IntN(12) {
		case 0:
			s.Purge(key)
		case 1:
			go func() { _ = s.Stop(ctx, key) }()
		case 2:
			p.cancel(errBoom)
		case 3:
			go func() { _ = s.Cancel(ctx, p.h.ID()) }()
		case 4:
			s.setWidth(key, rnd.IntN(4))
		default:
			pass(time.Duration(rnd.IntN(500)) * time.Millisecond)
		}
	}
	pass(0)
}

// wantCounts checks the counters after a run against its events.
func wantCounts(t *testing.T, s *stand) {
	t.Helper()
	got := figures(t, s.Controller)
	rejected, replaced := map[events.Reason]float64{}, 0.0
	for _, e := range s.seen.Events() {
		switch {
		case e.Kind == events.TaskRejected:
			rejected[e.Reason]++
		case e.Kind == events.TaskStopping && e.Reason == events.ReasonReplaced:
			replaced++
		}
	}
	for why := range events.ReasonDuplicate + 1 {
		equal(t, why.String(), got["controller_rejected_total desk "+why.String()], rejected[why])
	}
	equal(t, "entered", got["controller_entered_total desk"], float64(s.seen.Count(events.TaskAdded)))
	equal(t, "replaced", got["controller_replaced_total desk"], replaced)
	submitted := 0.0
	for a := controller.Queue; a <= controller.DropIfRunning; a++ {
		submitted += got["controller_submissions_total desk "+a.String()]
	}
	equal(t, "submitted", submitted, float64(len(s.all)))
	for _, gauge := range []string{"slots", "owners", "queued", "parked"} {
		equal(t, gauge+" after the run", got["controller_"+gauge+" desk"], 0)
	}
}

func TestTheCountersGoOnThroughRuns(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		for n := 1.0; n < 4; n++ {
			s.queue("k", "o", serve)
			s.queue("k", "w", serve)
			equal(t, "capacity", figures(t, s.Controller)["controller_capacity desk"], controller.DefaultCapacity)
			s.close()
			got := figures(t, s.Controller)
			equal(t, "entered", got["controller_entered_total desk"], n)
			equal(t, "closing", got["controller_rejected_total desk closing"], n)
			s.run()
		}
	})
}

func TestACapacityWithoutALimitIsShownAsZero(t *testing.T) {
	c := controller.New(controller.Config{Name: "desk", Capacity: policy.Unlimited})
	equal(t, "capacity", figures(t, c)["controller_capacity desk"], 0)
}
