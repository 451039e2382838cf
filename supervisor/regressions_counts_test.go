package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
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

// outdoors runs a supervisor outside of a bubble, where one goroutine that waits for a
// lock for ever does not keep the test from saying so.
func outdoors(t *testing.T, s *supervisor.Supervisor) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if t.Failed() {
			return // it may hang
		}
		answers(t, "the end of Run", func() {
			if err := <-ended; err != nil {
				t.Errorf("Run returned %v", err)
			}
		})
	})
	answers(t, "WaitReady", func() { _ = s.WaitReady(ctx) })
	return ctx
}

// answers fails the test unless the call returns.
func answers(t *testing.T, what string, call func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		call()
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s does not return", what)
	}
}

// isAlive fails the test unless all that takes the locks of a tree returns.
func isAlive(t *testing.T, ctx context.Context, supervisors ...*supervisor.Supervisor) {
	t.Helper()
	for _, s := range supervisors {
		answers(t, "Tree", func() { s.Tree() })
		answers(t, "Measure", func() { figures(t, s) })
		answers(t, "Start", func() {
			h, err := s.Start(ctx, actor.Spec{Name: "other", Restart: policy.Never, Task: actor.Func(func(context.Context) error { return nil })})
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = h.Wait(ctx)
		})
	}
}

// wantRefused fails the test unless a task has failed since its supervisor runs already.
func wantRefused(t *testing.T, h *actor.Handle) {
	t.Helper()
	answers(t, "the child", func() {
		o, err := h.Wait(context.Background())
		if err != nil || o.Kind != events.Failed || !errors.Is(o.Err, supervisor.ErrRunning) || o.Attempts != 1 {
			t.Errorf("the child has ended as %+v (%v), want failed with ErrRunning at once", o, err)
		}
	})
}

func TestASupervisorBelowItselfFailsAndNothingHangs(t *testing.T) {
	s := supervisor.New(supervisor.Config{Name: "app", Subscribers: []events.Subscriber{
		{Name: "eyes", Handler: events.HandlerFunc(func(events.Event) {})},
	}})
	ctx := outdoors(t, s)
	for range 3 {
		var h *actor.Handle
		var err error
		answers(t, "Start", func() { h, err = s.Start(ctx, s.Spec("me")) })
		if err != nil {
			t.Fatal(err)
		}
		wantRefused(t, h)
		isAlive(t, ctx, s)
	}
	if f := figures(t, s); f["supervisor_runs_total{/app}"] != 1 || f["supervisor_up{/app}"] != 1 {
		t.Errorf("%v runs of the supervisor, %v up", f["supervisor_runs_total{/app}"], f["supervisor_up{/app}"])
	}
}

func TestATaskThatStartsAnAncestorBelowItsSupervisorSeesItFail(t *testing.T) {
	var app *supervisor.Supervisor
	handles := make(chan *actor.Handle, 1)
	deep := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "a", Task: actor.Func(func(ctx context.Context) error {
		h, err := supervisor.FromContext(ctx).Start(ctx, app.Spec("above"))
		if err != nil {
			t.Error(err)
		}
		handles <- h
		<-ctx.Done()
		return nil
	})}}})
	pool := supervisor.New(supervisor.Config{Children: []actor.Spec{deep.Spec("deep")}})
	app = supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{pool.Spec("pool")}})
	ctx := outdoors(t, app)
	var h *actor.Handle
	answers(t, "Start of the ancestor", func() { h = <-handles })
	wantRefused(t, h)
	isAlive(t, ctx, app, pool, deep)
}

func TestASecondChildWithASupervisorThatRunsTakesNothingOfItsCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := supervisor.New(supervisor.Config{
			Children:    []actor.Spec{quick("a", failing(2))},
			Subscribers: []events.Subscriber{{Name: "eyes", Handler: events.HandlerFunc(func(events.Event) {})}},
		})
		h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{pool.Spec("pool")}})
		want := map[string]float64{
			"attempts_started_total{/app/pool/a}": 3, "task_restarts_total{/app/pool/a}": 2, "tasks{/app/pool/a,running}": 1,
			"supervisor_runs_total{/app/pool}": 1, "supervisor_up{/app/pool}": 1,
			"subscriber_events_delivered_total{eyes}": figures(t, h.Supervisor)["subscriber_events_delivered_total{eyes}"],
		}
		if want["subscriber_events_delivered_total{eyes}"] == 0 {
			t.Error("the subscriber was told nothing")
		}
		h.wantFigures(want)
		for range 3 {
			if o := outcome(t, h.start(pool.Spec("other"))); !errors.Is(o.Err, supervisor.ErrRunning) {
				t.Errorf("the second child has ended as %+v", o)
			}
			h.wantFigures(want)
			if n := figures(t, h.Supervisor)["supervisor_runs_total{/app/*}"]; n != 0 {
				t.Errorf("%v runs of the second child are counted, and none has begun", n)
			}
		}
		if err := h.close(); err != nil {
			t.Error(err)
		}
		h.wantFigures(map[string]float64{
			"attempts_started_total{/app/pool/a}": 3, "attempts_ended_total{/app/pool/a,stopped}": 1,
			"supervisor_runs_total{/app/pool}": 1, "supervisor_runs_total{/app}": 1, "supervisor_up{/app/pool}": 0,
			"attempts_started_total{/app/*}": 3, "tasks{/app/*,running}": 0,
		})
	})
}

func TestSeriesKeepTheirNamesBelowARootWithoutAName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		declared := supervisor.New(supervisor.Config{Children: []actor.Spec{quick("b", failing(1))}})
		h := open(t, supervisor.Config{Children: []actor.Spec{declared.Spec("pool")}})
		tenant := supervisor.New(supervisor.Config{Children: []actor.Spec{quick("a", failing(2))}})
		h.start(tenant.Spec("tenant"))
		synctest.Wait()
		want := map[string]float64{
			"supervisor_runs_total{/}": 1, "supervisor_runs_total{/*}": 1, "supervisor_runs_total{/pool}": 1,
			"attempts_started_total{/*}": 1, "attempts_started_total{/*/a}": 3,
			"attempts_started_total{/pool}": 1, "attempts_started_total{/pool/b}": 2,
		}
		h.wantFigures(want)
		before := figures(t, h.Supervisor)
		bMustBe(t, "Stop", h.Stop(t.Context(), "tenant"), nil)
		h.wantFigures(want)
		wantNoneFell(t, before, figures(t, h.Supervisor))
		bMustBe(t, "Remove", h.Remove(t.Context(), "pool"), nil)
		h.wantFigures(want)
		bMustBe(t, "Run", h.close(), nil)
		h.wantFigures(want)
		after := figures(t, h.Supervisor)
		wantNoneFell(t, before, after)
		for key := range after {
			if _, there := before[key]; !there {
				t.Errorf("%s is new", key)
			}
		}
	})
}

// wantNoneFell fails the test if a counter has vanished or has fallen.
func wantNoneFell(t *testing.T, before, after map[string]float64) {
	t.Helper()
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if v, there := after[key]; strings.Contains(key, "_total{") && (!there || v < before[key]) {
			t.Errorf("%s was %v and is %v (there: %v)", key, before[key], v, there)
		}
	}
}

func TestARemovedSupervisorIsNotDownButItsCountersStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := supervisor.New(supervisor.Config{Concurrency: 2, Children: []actor.Spec{quick("a", failing(2))}})
		h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{pool.Spec("pool")}})
		h.wantFigures(map[string]float64{"supervisor_up{/app/pool}": 1, "supervisor_permits_limit{/app/pool}": 2})
		before := figures(t, h.Supervisor)
		bMustBe(t, "Stop", h.Stop(t.Context(), "pool"), nil)
		h.wantFigures(map[string]float64{"supervisor_up{/app/pool}": 0}) // it can be restarted
		for range 2 {
			bMustBe(t, "Remove", h.Remove(t.Context(), "pool"), nil)
			after := figures(t, h.Supervisor)
			for key := range after {
				if strings.HasSuffix(key, "{/app/pool}") && strings.HasPrefix(key, "supervisor_") && !strings.Contains(key, "_total{") {
					t.Errorf("%s is there, though there is no such supervisor", key)
				}
			}
			wantNoneFell(t, before, after)
			h.wantFigures(map[string]float64{
				"supervisor_runs_total{/app/pool}": 1, "attempts_started_total{/app/pool/a}": 3, "tasks{/app/pool/a,running}": 0,
			})
			h.start(pool.Spec("pool")) // the name is free, and one of its name is dynamic
			synctest.Wait()
			h.wantFigures(map[string]float64{"supervisor_up{/app/*}": 1})
		}
	})
}

// lockedFamily is a Family whose Head takes a lock of its user.
type lockedFamily struct {
	*supervisor.Supervisor
	mu    sync.Mutex
	asked chan struct{} // receives when Head is about to lock
}

func (f *lockedFamily) Run(ctx context.Context) error { return f.Head().Run(ctx) }

func (f *lockedFamily) Head() *supervisor.Supervisor {
	select {
	case f.asked <- struct{}{}:
	default:
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.Supervisor
}

// Whoever holds the lock of a Family may use the tree, also while someone measures or
// stops it, who asks the Family for its Head.
func TestAFamilyMayBeLockedByWhoeverUsesTheTree(t *testing.T) {
	for _, row := range []struct {
		name string
		act  func(ctx context.Context, app, tenant *supervisor.Supervisor)
	}{
		{"Measure", func(_ context.Context, app, _ *supervisor.Supervisor) {
			app.Measure(func(*events.Metric, float64, ...string) {})
		}},
		{"Measure of a part", func(_ context.Context, _, tenant *supervisor.Supervisor) {
			tenant.Measure(func(*events.Metric, float64, ...string) {})
		}},
		{"Stop of the tenant", func(ctx context.Context, app, _ *supervisor.Supervisor) { _ = app.Stop(ctx, "tenant") }},
		{"Stop of the family", func(ctx context.Context, app, _ *supervisor.Supervisor) { _ = app.Stop(ctx, "tenant/family") }},
		{"Remove of another", func(ctx context.Context, app, _ *supervisor.Supervisor) { _ = app.Remove(ctx, "pool") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			newFamily := func() *lockedFamily {
				return &lockedFamily{
					Supervisor: supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "a", Task: idle}}}),
					asked:      make(chan struct{}, 1),
				}
			}
			family, stopped := newFamily(), newFamily()
			pool := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "family", Task: stopped}}})
			tenant := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "family", Task: family}}})
			app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{pool.Spec("pool")}})
			ctx := outdoors(t, app)
			if _, err := app.Start(ctx, tenant.Spec("tenant")); err != nil {
				t.Fatal(err)
			}
			answers(t, "WaitReady", func() { _ = tenant.WaitReady(ctx) })
			answers(t, "Stop", func() { _ = app.Stop(ctx, "pool") }) // so that its declarations are read

			acted := make(chan struct{})
			answers(t, "what the holder of the lock does", func() {
				for _, f := range []*lockedFamily{family, stopped} {
					f.mu.Lock()
					defer f.mu.Unlock()
					for len(f.asked) > 0 {
						<-f.asked
					}
				}
				go func() {
					defer close(acted)
					row.act(ctx, app, tenant)
				}()
				select { // it asks for the lock, or does not need it
				case <-family.asked:
				case <-stopped.asked:
				case <-acted:
				}
				app.Tree()
				if h, err := app.Start(ctx, actor.Spec{Name: "other", Task: idle}); err != nil {
					t.Error(err)
				} else {
					_ = app.Stop(ctx, h.Name())
				}
				_ = app.Stop(ctx, "tenant")
			})
			answers(t, row.name, func() { <-acted })
			isAlive(t, ctx, app)
		})
	}
}

// headless is a Family without a Head.
type headless struct{ actor.Func }

func (headless) Head() *supervisor.Supervisor { return nil }

func TestAFamilyWithoutAHeadIsRefusedAlsoAfterAChildThatIsAlike(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{Name: "app"})
		refused := func(name string) {
			t.Helper()
			_, err := h.Start(t.Context(), actor.Spec{Name: name, Task: headless{idle}})
			bMustBe(t, "Start of "+name, err, policy.ErrInvalid)
			_, err = h.StartAll(t.Context(), actor.Spec{Name: "alike", Task: idle}, actor.Spec{Name: name, Task: headless{idle}})
			bMustBe(t, "StartAll with "+name, err, policy.ErrInvalid)
		}
		refused("first")
		h.start(actor.Spec{Name: "a", Task: idle})
		refused("b")
		equal(t, "children", len(h.Children()), 1)
	})
}

// Outside of a bubble, because what cleans up is told by a goroutine of the runtime.
func TestNoTaskIsKeptForThoseThatAreAlike(t *testing.T) {
	s := supervisor.New(supervisor.Config{Name: "app"})
	ctx := outdoors(t, s)
	freed := make([]chan struct{}, 4)
	for i := range freed {
		freed[i] = make(chan struct{})
		func() {
			load := new([1 << 16]*byte)
			runtime.AddCleanup(load, func(freed chan struct{}) { close(freed) }, freed[i])
			h, err := s.Start(ctx, actor.Spec{Name: fmt.Sprint("job-", i), Restart: policy.Never, Task: actor.Func(func(context.Context) error {
				load[0] = new(byte)
				return nil
			})})
			if err != nil {
				t.Fatal(err)
			}
			_, _ = h.Wait(ctx)
		}()
	}
	for i := range freed {
		for n, free := 0, false; !free; n++ {
			if n == 500 {
				t.Errorf("job-%d has ended, and its task is still kept", i)
				break
			}
			runtime.GC()
			select {
			case <-freed[i]:
				free = true
			case <-time.After(10 * time.Millisecond): // its goroutine may be on its way out
			}
		}
	}
}

func TestThePermitsOfASupervisorAreToldBeforeItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pool := supervisor.New(supervisor.Config{Concurrency: 3})
		s := supervisor.New(supervisor.Config{Name: "app", Concurrency: 5, Children: []actor.Spec{pool.Spec("pool")}})
		want := map[string]float64{"supervisor_permits_limit{/app}": 5, "supervisor_permits_limit{/app/pool}": 3, "supervisor_permits_used{/app}": 0}
		(&house{Supervisor: s, t: t}).wantFigures(want)
		h := reopen(t, s)
		h.wantFigures(want)
		bMustBe(t, "Stop", h.Stop(t.Context(), "pool"), nil)
		h.wantFigures(want)
		bMustBe(t, "Run", h.close(), nil)
		h.wantFigures(want)
	})
}

func TestAnOptionalChildThatIsNeverReadyHoldsUpNobody(t *testing.T) {
	for name, never := range map[string]actor.Func{"serves": serve, "fails": in(time.Second, errBoom), "fails for good": in(0, actor.Fatal(errBoom))} {
		for _, strategy := range []supervisor.Strategy{supervisor.OneForOne, supervisor.RestForOne, supervisor.OneForAll} {
			t.Run(name+" "+strategy.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					j := newJournal()
					cache := awaited(actor.Spec{Name: "cache", Optional: true, Backoff: policy.Constant(time.Hour), Task: never})
					h := open(t, supervisor.Config{Name: "app", Strategy: strategy, Children: []actor.Spec{cache, j.spec("http", serve)}})
					equalLines(t, j.take(), "0s +http")
					pass(2 * time.Minute)
					if !h.isUp() {
						t.Fatalf("Run returned %v", h.err)
					}
					if tree := h.Tree(); strategy == supervisor.OneForOne && (!tree.Ready || tree.State != supervisor.StateRunning) {
						t.Errorf("the tree is %v, ready: %v", tree.State, tree.Ready)
					}
					equal(t, "the child is ready", h.child("cache").Ready, false)
				})
			})
		}
	}
}

func TestEverNewNamesBelowDynamicSupervisorsMakeABoundedNumberOfSeries(t *testing.T) {
	for _, name := range []string{"", "app"} {
		t.Run("root "+name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := open(t, supervisor.Config{Name: name})
				patterns := func(f map[string]float64) (all []string) {
					for key := range f {
						if rest, ok := strings.CutPrefix(key, "tasks_added_total{"); ok {
							all = append(all, strings.TrimSuffix(rest, "}"))
						}
					}
					return all
				}
				const rounds, tenants = 6, 400
				last := figures(t, h.Supervisor)
				for round := range rounds {
					for i := range tenants {
						worker := fmt.Sprintf("worker-%d-%d", round, i)
						tenant := supervisor.New(supervisor.Config{Children: []actor.Spec{quick(worker, failing(1))}})
						h.start(tenant.Spec(fmt.Sprint("tenant-", i)))
					}
					synctest.Wait()
					during := figures(t, h.Supervisor)
					wantNoneFell(t, last, during)
					for i := range tenants {
						bMustBe(t, "Stop", h.Stop(t.Context(), fmt.Sprint("tenant-", i)), nil)
					}
					last = figures(t, h.Supervisor)
					wantNoneFell(t, during, last)
					if n := len(patterns(last)); n > 1_000+10 {
						t.Fatalf("after %d names of workers there are %d patterns", (round+1)*tenants, n)
					}
				}
				if n := len(patterns(last)); n < 1_000 {
					t.Errorf("%d patterns, want a thousand", n)
				}
				var started float64
				for key, v := range last {
					if strings.HasPrefix(key, "attempts_started_total{") && strings.Contains(key, "/*/") {
						started += v
					}
				}
				equal(t, "attempts of the workers", started, rounds*tenants*2)
			})
		})
	}
}

// gale is a supervisor below which nothing lasts, as deep as it is told.
func gale(depth int) *supervisor.Supervisor {
	flaky := func(chance float64) actor.Func {
		return func(ctx context.Context) error {
			select {
			case <-ctx.Done():
			case <-time.After(time.Duration(rand.IntN(3000)) * time.Microsecond):
			}
			switch {
			case rand.Float64() < chance:
				return errBoom
			case ctx.Err() != nil:
				return ctx.Err()
			case rand.Float64() < .02:
				linger(4 * time.Millisecond) // beyond its grace
			}
			return nil
		}
	}
	cfg := supervisor.Config{
		Strategy:  supervisor.Strategy(rand.IntN(3)),
		Intensity: policy.Intensity{Restarts: 60, Within: 20 * time.Millisecond},
		Defaults:  supervisor.Defaults{Backoff: policy.NoBackoff(), Grace: time.Millisecond},
		Children: []actor.Spec{
			{Name: "a", Task: flaky(.5), Restart: policy.Always},
			{Name: "b*", Task: flaky(.2), Restart: policy.Always, OnStuck: policy.StuckAbandon},
			{Name: "c d\"", Task: flaky(.1), OnStuck: policy.StuckAbandon},
		},
	}
	if depth%2 == 0 {
		cfg.Concurrency = 2
	}
	if depth > 0 {
		spec := gale(depth - 1).Spec("sub")
		spec.Backoff = policy.NoBackoff()
		cfg.Children = append(cfg.Children, spec)
	}
	return supervisor.New(cfg)
}

// interfere does something by hand to a random task of the tree.
func interfere(ctx context.Context, root *supervisor.Supervisor, n *atomic.Int64) {
	var paths []string
	tree := root.Tree()
	for node := range tree.All() {
		if node.Path != tree.Path {
			paths = append(paths, node.Path)
		}
	}
	if len(paths) == 0 {
		return
	}
	path := paths[rand.IntN(len(paths))]
	ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	switch rand.IntN(6) {
	case 0:
		_ = root.Stop(ctx, path)
	case 1:
		if strings.Count(path, "/") > 2 {
			_ = root.Remove(ctx, path)
		}
	case 2, 3:
		_, _ = root.Restart(ctx, path)
	case 4:
		_, _ = root.Start(ctx, gale(rand.IntN(3)).Spec(fmt.Sprint("dyn-", n.Add(1))))
	case 5:
		_, _ = root.Start(ctx, actor.Spec{Name: fmt.Sprint("task-", n.Add(1)), Task: idle})
	}
	if len(paths) > 200 {
		for _, node := range root.Children() {
			if !node.Declared {
				_ = root.Stop(ctx, node.Name)
			}
		}
	}
}

// Outside of a bubble, for the race detector.
func TestInAStormNoCounterFallsOrVanishesAndNoGaugeIsNegative(t *testing.T) {
	root := supervisor.New(supervisor.Config{
		Name: "root", Children: []actor.Spec{gale(3).Spec("top")},
		Defaults:    supervisor.Defaults{Backoff: policy.NoBackoff()},
		Subscribers: []events.Subscriber{{Name: "eyes", Handler: events.HandlerFunc(func(events.Event) {})}},
		Around:      []actor.Around{putting(func(ctx context.Context) context.Context { return context.WithValue(ctx, valueKey{}, "x") })},
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = root.Run(ctx) // what was abandoned is named by its error
	}()
	answers(t, "WaitReady", func() { _ = root.WaitReady(ctx) })

	var over atomic.Bool
	var names, looks atomic.Int64
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			for !over.Load() {
				interfere(ctx, root, &names)
			}
		})
	}
	for range 2 {
		busy.Go(func() {
			last := figures(t, root)
			for !over.Load() && !t.Failed() {
				now := figures(t, root)
				wantNoneFell(t, last, now)
				for key, v := range now {
					if v < 0 {
						t.Errorf("%s is %v", key, v)
					}
				}
				last = now
				looks.Add(1)
			}
		})
	}
	linger(time.Second)
	over.Store(true)
	answers(t, "one of those that took part", busy.Wait)
	last := figures(t, root)
	cancel()
	answers(t, "Run", func() { <-ended })
	after := figures(t, root)
	wantNoneFell(t, last, after)
	wantBalanced(t, after)
	if names.Load() == 0 || looks.Load() == 0 || after["supervisor_runs_total{/root/*}"] == 0 {
		t.Errorf("the storm was too mild: %d started, %d looked", names.Load(), looks.Load())
	}
}

// wantBalanced fails the test unless, after the run, all that began has ended or was
// abandoned.
func wantBalanced(t *testing.T, f map[string]float64) {
	t.Helper()
	sum := func(prefix string) (n float64) {
		for key, v := range f {
			if strings.HasPrefix(key, prefix) {
				n += v
			}
		}
		return n
	}
	for key, started := range f {
		task, ok := strings.CutPrefix(key, "attempts_started_total{")
		if !ok {
			continue
		}
		task = strings.TrimSuffix(task, "}")
		open := started - sum("attempts_ended_total{"+task+",")
		if open < 0 || open > f["attempts_abandoned_total{"+task+"}"] {
			t.Errorf("%s: %v of %v attempts have not ended, and %v were abandoned", task, open, started, f["attempts_abandoned_total{"+task+"}"])
		}
		if added, finished := f["tasks_added_total{"+task+"}"], sum("tasks_finished_total{"+task+","); added != finished {
			t.Errorf("%s: %v tasks were added and %v have finished", task, added, finished)
		}
	}
}
