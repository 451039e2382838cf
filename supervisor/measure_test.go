package supervisor_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// figures returns what s measures, as "name{label,label}".
func figures(t *testing.T, s *supervisor.Supervisor) map[string]float64 {
	t.Helper()
	known := s.Metrics()
	all := map[string]float64{}
	s.Measure(func(m *events.Metric, value float64, labels ...string) {
		key := m.Name + "{" + strings.Join(labels, ",") + "}"
		if _, twice := all[key]; twice {
			t.Errorf("%s is reported twice", key)
		}
		if !slices.Contains(known, m) || len(labels) != len(m.Labels) {
			t.Errorf("%s is not as Metrics describes it", key)
		}
		all[key] = value
	})
	return all
}

// want checks some of the figures.
func (h *house) wantFigures(want map[string]float64) {
	h.t.Helper()
	got := figures(h.t, h.Supervisor)
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if v, there := got[key]; !there || v != want[key] {
			h.t.Errorf("%s is %v (there: %v), want %v", key, v, there, want[key])
		}
	}
}

func quick(name string, task actor.Func) actor.Spec {
	return actor.Spec{Name: name, Task: task, Backoff: policy.NoBackoff()}
}

// failing fails n times and then runs.
func failing(n int) actor.Func {
	var failed int
	return func(ctx context.Context) error {
		if failed++; failed <= n {
			return errBoom
		}
		<-ctx.Done()
		return nil
	}
}

func TestEverySeriesIsThereBeforeAnythingHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "a", Task: idle}}})
		s := supervisor.New(supervisor.Config{
			Name: "app", Children: []actor.Spec{{Name: "db", Task: idle}, pool.Spec("pool")},
			Subscribers: []events.Subscriber{{Name: "eyes", Handler: events.HandlerFunc(func(events.Event) {})}},
		})
		before := figures(t, s)
		for key, value := range before {
			if value != 0 && !strings.HasSuffix(key, ",stopped}") {
				t.Errorf("%s is %v", key, value)
			}
		}
		h := reopen(t, s)
		_, _ = h.Restart(t.Context(), "db")
		h.start(quick("job", failing(3)))
		synctest.Wait()
		during := figures(t, s)
		if err := h.close(); err != nil {
			t.Error(err)
		}
		after := figures(t, s)
		if a, b := slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(during)); !slices.Equal(a, b) {
			t.Errorf("before the run %d series, during it %d", len(a), len(b))
		}
		if a, b := slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after)); !slices.Equal(a, b) {
			t.Errorf("before the run %d series, after it %d", len(a), len(b))
		}
		if during["attempts_started_total{/app/*}"] != 4 || after["attempts_started_total{/app/*}"] != 4 {
			t.Errorf("the attempts of the dynamic child: %v, after the run %v, want 4",
				during["attempts_started_total{/app/*}"], after["attempts_started_total{/app/*}"])
		}
		if after["subscriber_events_delivered_total{eyes}"] == 0 {
			t.Error("what the subscriber was given is forgotten after the run")
		}
	})
}

func TestCountsOutliveRestartsOfTheirSupervisorAndRunsOfTheTree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := supervisor.New(supervisor.Config{
			Intensity: policy.Intensity{Restarts: 1, Within: time.Minute},
			Children:  []actor.Spec{quick("a", failing(7))}, // ends three runs of the pool
		})
		h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{pool.Spec("pool")}})
		time.Sleep(time.Hour)
		h.wantFigures(map[string]float64{
			"attempts_started_total{/app/pool/a}":            8,
			"attempts_ended_total{/app/pool/a,failed}":       7,
			"task_restarts_total{/app/pool/a}":               4,
			"attempts_started_total{/app/pool}":              4,
			"attempts_ended_total{/app/pool,failed}":         3,
			"supervisor_runs_total{/app/pool}":               4,
			"supervisor_intensity_exceeded_total{/app/pool}": 3,
			"supervisor_intensity_restarts{/app/pool}":       0,
			"supervisor_intensity_limit{/app/pool}":          1,
			"supervisor_up{/app/pool}":                       1,
			"tasks{/app/pool/a,running}":                     1,
			"tasks_finished_total{/app/pool/a,failed}":       3,
		})
		if err := h.close(); err != nil {
			t.Error(err)
		}
		again := reopen(t, h.Supervisor)
		again.wantFigures(map[string]float64{
			"attempts_started_total{/app/pool/a}": 9, "supervisor_runs_total{/app}": 2, "supervisor_runs_total{/app/pool}": 5,
		})
	})
}

func TestASupervisorThatIsForgottenLeavesItsCountsToTheOneAbove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		declared := supervisor.New(supervisor.Config{Children: []actor.Spec{quick("a", failing(2))}})
		h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{declared.Spec("pool")}})
		for i := range 3 {
			deep := supervisor.New(supervisor.Config{Children: []actor.Spec{quick("b", failing(1))}})
			tenant := supervisor.New(supervisor.Config{Children: []actor.Spec{quick("a", failing(2)), deep.Spec("deep")}})
			h.start(tenant.Spec(fmt.Sprint("tenant-", i)))
		}
		synctest.Wait()
		want := map[string]float64{
			"attempts_started_total{/app/*}": 3, "attempts_started_total{/app/*/a}": 9, "attempts_started_total{/app/*/deep/b}": 6,
			"task_restarts_total{/app/*/a}": 6, "supervisor_runs_total{/app/*}": 3, "supervisor_runs_total{/app/*/deep}": 3,
			"attempts_started_total{/app/pool/a}": 3,
		}
		h.wantFigures(want)
		h.wantFigures(map[string]float64{"tasks{/app/*,running}": 3, "tasks{/app/*/a,running}": 3, "supervisor_up{/app/*}": 3})
		for _, address := range []string{"tenant-0", "tenant-1"} {
			if err := h.Stop(t.Context(), address); err != nil {
				t.Error(err)
			}
		}
		if err := h.Remove(t.Context(), "pool"); err != nil {
			t.Error(err)
		}
		h.wantFigures(want)
		h.wantFigures(map[string]float64{"tasks{/app/*,running}": 1, "supervisor_up{/app/*}": 1, "tasks_finished_total{/app/*,stopped}": 2})
		if err := h.close(); err != nil {
			t.Error(err)
		}
		h.wantFigures(want)
	})
}

func TestTheStatesAddUpToTheChildren(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sum := func(h *house, task string) (n float64) {
			for key, v := range figures(t, h.Supervisor) {
				if strings.HasPrefix(key, "tasks{"+task+",") {
					n += v
				}
			}
			return n
		}
		h := open(t, supervisor.Config{Name: "app", Strategy: supervisor.OneForAll, Children: []actor.Spec{
			{Name: "a", Task: idle}, quick("b", failing(2)), {Name: "once", Task: actor.Func(func(context.Context) error { return nil })},
		}})
		h.start(actor.Spec{Name: "job", Task: idle})
		h.wantFigures(map[string]float64{
			"tasks{/app/a,running}": 1, "tasks{/app/b,running}": 1, "tasks{/app/once,completed}": 1, "tasks{/app/*,running}": 1,
			"supervisor_group_restarts_total{/app}": 2,
		})
		_ = h.Stop(t.Context(), "a")
		h.wantFigures(map[string]float64{"tasks{/app/a,stopped}": 1, "tasks{/app/a,running}": 0})
		_, _ = h.Restart(t.Context(), "a")
		h.wantFigures(map[string]float64{"tasks{/app/a,stopped}": 0, "tasks{/app/a,running}": 1})
		_ = h.Remove(t.Context(), "a")
		_ = h.Stop(t.Context(), "job")
		for task, want := range map[string]float64{"/app/a": 0, "/app/b": 1, "/app/once": 1, "/app/*": 0} {
			if got := sum(h, task); got != want {
				t.Errorf("%s: %v tasks, want %v", task, got, want)
			}
		}
	})
}

func TestTenThousandDeclaredChildrenMakeAThousandRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		specs := make([]actor.Spec, 10_000)
		for i := range specs {
			specs[i] = actor.Spec{Name: fmt.Sprint("child-", i), Task: idle}
		}
		s := supervisor.New(supervisor.Config{Name: "app", Children: specs})
		before := len(figures(t, s))
		h := reopen(t, s)
		h.wantFigures(map[string]float64{
			"tasks{/app/child-999,running}": 1, "tasks{/app/*,running}": 9000, "attempts_started_total{/app/*}": 9000,
		})
		if during := len(figures(t, s)); during != before || during > 40_000 {
			t.Errorf("%d series before and %d during the run", before, during)
		}
	})
}

func TestPermitsAreMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{Name: "app", Concurrency: 2, Children: []actor.Spec{
			{Name: "a", Task: idle}, {Name: "b", Task: idle}, {Name: "c", Task: idle},
		}})
		h.wantFigures(map[string]float64{
			"supervisor_permits_used{/app}": 2, "supervisor_permits_waiting{/app}": 1, "supervisor_permits_limit{/app}": 2,
			"tasks{/app/c,waiting}": 1,
		})
	})
}

// Counters may not run backwards while supervisors come and go, since a reader would
// take that for a new process.
func TestCountersOnlyGrow(t *testing.T) {
	pool := supervisor.New(supervisor.Config{
		Intensity: policy.Intensity{Restarts: 20, Within: time.Second},
		Children:  []actor.Spec{quick("a", func(context.Context) error { return errBoom })},
	})
	spec := pool.Spec("pool")
	spec.Backoff = policy.NoBackoff()
	s := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{spec}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var running sync.WaitGroup
	running.Go(func() { _ = s.Run(ctx) })
	if err := s.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}

	var stop atomic.Bool
	var tenants sync.WaitGroup
	for i := range 4 {
		tenants.Go(func() {
			name := fmt.Sprint("tenant-", i)
			for !stop.Load() {
				tenant := supervisor.New(supervisor.Config{Children: []actor.Spec{quick("a", failing(3))}})
				if _, err := s.Start(ctx, tenant.Spec(name)); err != nil {
					t.Error(err)
					return
				}
				if err := s.Stop(ctx, name); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	last := figures(t, s)
	for range 300 {
		now := figures(t, s)
		for key, v := range last {
			if strings.Contains(key, "_total{") && now[key] < v {
				t.Errorf("%s fell from %v to %v", key, v, now[key])
			}
		}
		last = now
	}
	stop.Store(true)
	tenants.Wait()
	cancel()
	running.Wait()
	if n := last["attempts_started_total{/app/*}"]; n == 0 {
		t.Error("no tenant has come and gone meanwhile")
	}
}
