package health_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/health"
)

// house is an app that runs in a bubble, and its probes.
type house struct {
	*supervisor.Supervisor
	*health.Checker
	t     *testing.T
	began time.Time
	stop  context.CancelFunc
	ended chan struct{}
}

func open(t *testing.T, cfg supervisor.Config, patience health.Config) *house {
	t.Helper()
	cfg.Name = "app"
	s := supervisor.New(cfg)
	h := &house{Supervisor: s, Checker: checker(t, s, patience), t: t, began: time.Now()}
	h.run()
	t.Cleanup(h.close)
	return h
}

// run begins a run.
func (h *house) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	h.stop, h.ended = cancel, ended
	go func() {
		defer close(ended)
		_ = h.Run(ctx)
	}()
	synctest.Wait()
}

func (h *house) close() {
	h.stop()
	<-h.ended
}

// expect passes the time and asks about readiness at some moments, in seconds
// since the beginning.
func (h *house) expect(rows ...expected) {
	h.t.Helper()
	for _, row := range rows {
		time.Sleep(time.Duration(row.at*float64(time.Second)) - time.Since(h.began))
		synctest.Wait()
		report := h.Readiness()
		got := report.Status.String()
		for _, p := range report.Problems {
			got += fmt.Sprintf(", %v %s %v", p.Severity, p.Path, p.State)
		}
		if got != row.want {
			h.t.Errorf("after %v s:\n %s, want\n %s", row.at, got, row.want)
		}
	}
}

type expected struct {
	at   float64
	want string
}

var errBroken = errors.New("broken")

func serve(ctx context.Context) error { <-ctx.Done(); return nil }

// failsAfter runs for d and fails.
func failsAfter(d time.Duration) actor.Func {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return errBroken
		case <-ctx.Done():
			return nil
		}
	}
}

// script does one step per attempt, and the last one from then on.
func script(steps ...actor.Func) actor.Func {
	return func(ctx context.Context) error {
		info, _ := actor.FromContext(ctx)
		return steps[min(info.Attempt, len(steps))-1](ctx)
	}
}

var second = policy.Constant(time.Second).WithJitter(policy.NoJitter)

func TestAFlappingChildMakesTheAppNotReadyUntilItHasSettled(t *testing.T) {
	steps := make([]actor.Func, 10, 11)
	for i := range steps {
		steps[i] = failsAfter(time.Second)
	}
	spec := actor.Spec{Name: "db", Task: script(append(steps, serve)...), Backoff: second}
	// It is up from 0 to 1, 2 to 3 and so on, and from 20 for good.
	t.Run("when it is looked at often", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, supervisor.Config{Children: []actor.Spec{spec}}, health.Config{})
			const down, up = ", tolerated /app/db backing_off", ", tolerated /app/db running"
			h.expect(expected{0.5, "ready"}, expected{1.5, "degraded" + down}, expected{2.5, "degraded" + up},
				expected{3.5, "degraded" + down}, expected{4.5, "degraded" + up}, expected{5.5, "not_ready, critical /app/db backing_off"})
			for at := 6.5; at < 25; at++ {
				if status := h.Readiness().Status; status.OK() {
					t.Errorf("after %v it is %v", time.Since(h.began), status)
				}
				time.Sleep(time.Second)
			}
			h.expect(expected{24.9, "not_ready, critical /app/db running"}, expected{25, "ready"})
		})
	})
	t.Run("when it is only looked at while it is up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, supervisor.Config{Children: []actor.Spec{spec}}, health.Config{})
			h.expect(expected{0.5, "ready"}, expected{10.5, "not_ready, critical /app/db running"},
				expected{20.5, "not_ready, critical /app/db running"}, expected{30.5, "ready"})
		})
	})
}

func TestAHiccupDoesNotMakeTheAppNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{Children: []actor.Spec{
			{Name: "db", Task: script(failsAfter(10*time.Second), serve), Backoff: second},
		}}, health.Config{})
		h.expect(expected{1, "ready"}, expected{10.5, "degraded, tolerated /app/db backing_off"},
			expected{15, "degraded, tolerated /app/db running"}, expected{16, "ready"})
	})
}

func TestAChildThatFailsForGoodIsToleratedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{Children: []actor.Spec{
			{Name: "db", Task: failsAfter(10 * time.Second), Restart: policy.Never},
			{Name: "cache", Task: failsAfter(5 * time.Second), Restart: policy.Never, Optional: true},
		}}, health.Config{})
		h.expect(expected{1, "ready"}, expected{6, "degraded, optional /app/cache failed"},
			expected{10, "degraded, tolerated /app/db failed, optional /app/cache failed"},
			expected{12.9, "degraded, tolerated /app/db failed, optional /app/cache failed"},
			expected{13, "not_ready, critical /app/db failed, optional /app/cache failed"})
	})
}

func TestAStartIsNotReadyUntilItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{Children: []actor.Spec{
			{Name: "a", AwaitReady: true, Task: actor.Func(func(ctx context.Context) error {
				time.Sleep(time.Second)
				actor.Ready(ctx)
				return serve(ctx)
			})},
			{Name: "b", Task: actor.Func(serve)},
		}}, health.Config{})
		h.expect(expected{0.5, "not_ready, critical /app starting, critical /app/a starting, critical /app/b starting"},
			expected{1, "ready"})
		if report := h.Liveness(); report.Status != health.StatusLive {
			t.Errorf("it is %v", report.Status)
		}
	})
}

func TestALameDuckIsNotReadyAtOnceAndLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{LameDuck: 10 * time.Second, Children: []actor.Spec{{Name: "a", Task: actor.Func(serve)}}},
			health.Config{Tolerate: time.Hour})
		h.expect(expected{1, "ready"})
		h.stop()
		h.expect(expected{1, "not_ready, critical /app stopping"}, expected{10.9, "not_ready, critical /app stopping"})
		if report := h.Liveness(); report.Status != health.StatusLive || len(report.Problems) > 0 {
			t.Errorf("it is %v, %+v", report.Status, report.Problems)
		}
	})
}

func TestAnAppThatHasEndedIsNotLiveUntilItRunsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{{Name: "a", Task: actor.Func(serve)}}})
		h := &house{Supervisor: s, Checker: checker(t, s, health.Config{}), t: t, began: time.Now()}
		for _, row := range []struct {
			act         func()
			ready, live health.Status
		}{
			{func() {}, health.StatusNotReady, health.StatusLive},
			{h.run, health.StatusReady, health.StatusLive},
			{func() { h.close() }, health.StatusNotReady, health.StatusNotLive},
			{h.run, health.StatusReady, health.StatusLive},
			{func() { h.close() }, health.StatusNotReady, health.StatusNotLive},
		} {
			row.act()
			if ready, live := h.Readiness().Status, h.Liveness().Status; ready != row.ready || live != row.live {
				t.Errorf("it is %v and %v, want %v and %v", ready, live, row.ready, row.live)
			}
		}
	})
}

func TestATaskThatIsStuckForTooLongIsNotLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		h := open(t, supervisor.Config{Children: []actor.Spec{{
			Name: "deaf", Timeout: time.Second, Grace: time.Second,
			Task: actor.Func(func(context.Context) error { <-gate; return nil }),
		}}}, health.Config{})
		for _, row := range []struct {
			at   time.Duration
			want string
		}{
			{time.Second, "live []"}, // told to stop
			{3 * time.Second, "live [tolerated stuck]"},
			{61900 * time.Millisecond, "live [tolerated stuck]"},
			{62 * time.Second, "not_live [critical stuck]"},
		} {
			time.Sleep(row.at - time.Since(h.began))
			synctest.Wait()
			report := h.Liveness()
			var problems []string
			for _, p := range report.Problems {
				problems = append(problems, fmt.Sprint(p.Severity, " ", p.State))
			}
			if got := fmt.Sprint(report.Status, " ", problems); got != row.want {
				t.Errorf("after %v it is %s, want %s", row.at, got, row.want)
			}
		}
		close(gate)
		synctest.Wait()
		if report := h.Liveness(); report.Status != health.StatusLive {
			t.Errorf("after it has returned it is %v", report.Status)
		}
	})
}

func TestAMissedBeatIsOverdueUntilTheTaskHasReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{Children: []actor.Spec{{
			Name: "silent", Stall: time.Second, Backoff: second,
			Task: script(actor.Func(func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(2 * time.Second)
				return nil
			}), actor.Func(func(ctx context.Context) error {
				for ctx.Err() == nil {
					actor.Beat(ctx)
					time.Sleep(time.Second / 2)
				}
				return nil
			})),
		}}}, health.Config{})
		for _, row := range []struct {
			at   time.Duration
			want int
		}{{500 * time.Millisecond, 0}, {1500 * time.Millisecond, 1}, {2500 * time.Millisecond, 1}, {3500 * time.Millisecond, 0}, {9 * time.Second, 0}} {
			time.Sleep(row.at - time.Since(h.began))
			if report := h.Liveness(); report.Overdue != row.want || report.Status != health.StatusLive {
				t.Errorf("after %v %d are overdue and it is %v", row.at, report.Overdue, report.Status)
			}
		}
	})
}

func TestAGroupRestartIsToleratedAndOnlyTheOffenderHasToSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{
			{Name: "a", Task: script(failsAfter(10*time.Second), serve), Backoff: second},
			{Name: "b", Task: actor.Func(serve)},
		}}, health.Config{})
		h.expect(expected{1, "ready"},
			expected{10.5, "degraded, tolerated /app restarting, tolerated /app/a restarting, tolerated /app/b restarting"},
			expected{12, "degraded, tolerated /app/a running"}, expected{16, "ready"})
	})
}

func TestASupervisorBelowThatIsRunAgainHasToSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := supervisor.New(supervisor.Config{Children: []actor.Spec{{
			Name: "pool", Task: script(failsAfter(10*time.Second), serve), Restart: policy.Never, OnGiveUp: policy.GiveUpEscalate,
		}}})
		spec := db.Spec("db")
		spec.Backoff = second
		h := open(t, supervisor.Config{Children: []actor.Spec{spec}}, health.Config{})
		h.expect(expected{1, "ready"}, expected{10.5, "degraded, tolerated /app/db backing_off"},
			expected{12, "degraded, tolerated /app/db running"}, expected{16, "ready"})
	})
}

func TestJobsDoNotMakeTheAppLessReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{Concurrency: 1}, health.Config{})
		for i := range 3 {
			if _, err := h.Start(t.Context(), actor.Spec{Name: fmt.Sprint("job", i), Task: actor.Func(serve)}); err != nil {
				t.Fatal(err)
			}
		}
		h.expect(expected{1, "ready"})
		if _, err := h.Start(t.Context(), actor.Spec{Name: "bad", Task: actor.Func(func(context.Context) error { return errBroken }), NoPermit: true, Backoff: second}); err != nil {
			t.Fatal(err)
		}
		h.expect(expected{1.5, "degraded, optional /app/bad backing_off"})
	})
}

// moody is an error that cannot even say what it is.
type moody struct{}

func (moody) Error() string { panic("not now") }

func TestAnErrorThatPanicsIsAProblemLikeAny(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{Children: []actor.Spec{
			{Name: "moody", Task: actor.Func(func(context.Context) error { return moody{} }), Restart: policy.Never},
		}}, health.Config{})
		w := ask(h.Ready(), "GET", "/")
		if w.Code != 503 || !strings.Contains(w.Body.String(), `"path":"/app/moody"`) {
			t.Errorf("the answer is %d %s", w.Code, w.Body)
		}
	})
}

func TestManyMayAskAtOnce(t *testing.T) {
	s := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{
		{Name: "good", Task: actor.Func(serve)},
		{Name: "bad", Task: actor.Func(func(context.Context) error { return errBroken }), Backoff: policy.Constant(time.Millisecond)},
	}})
	c := checker(t, s, health.Config{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var askers sync.WaitGroup
	for range 8 {
		askers.Go(func() {
			for range 200 {
				ask(c.Ready(), "GET", "/?path=good")
				ask(c.Live(), "GET", "/")
				_ = c.Readiness().Status.OK()
			}
		})
	}
	askers.Wait()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := c.Liveness().Status; got != health.StatusNotLive {
		t.Errorf("after the end it is %v", got)
	}
}

func TestAFlappingOptionalChildDoesNotMakeTheAnswersFlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steps := make([]actor.Func, 50, 51)
		for i := range steps {
			steps[i] = failsAfter(200 * time.Millisecond)
		}
		pause := policy.Constant(200 * time.Millisecond).WithJitter(policy.NoJitter)
		h := open(t, supervisor.Config{Children: []actor.Spec{
			{Name: "cache", Task: script(append(steps, serve)...), Backoff: pause, Optional: true},
		}}, health.Config{}) // it is up from 20 s on
		if _, err := h.Start(t.Context(), actor.Spec{Name: "job", Task: script(append(steps, serve)...), Backoff: pause}); err != nil {
			t.Fatal(err)
		}
		h.expect(expected{0.1, "ready"})
		for at := 300 * time.Millisecond; at < 25*time.Second; at += 100 * time.Millisecond {
			time.Sleep(at - time.Since(h.began))
			synctest.Wait()
			report := h.Readiness()
			if report.Status != health.StatusDegraded || len(report.Problems) != 2 {
				t.Errorf("after %v it is %v, %+v", at, report.Status, report.Problems)
			}
			for _, p := range report.Problems {
				if p.Severity != health.Optional || p.Down != at-200*time.Millisecond {
					t.Errorf("after %v there is %+v", at, p)
				}
			}
		}
		h.expect(expected{25, "ready"})
	})
}

func TestASupervisorInATreeIsJudgedByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := supervisor.New(supervisor.Config{Name: "db", Children: []actor.Spec{
			{Name: "pool", Task: script(failsAfter(10*time.Second), serve), Restart: policy.Never, OnGiveUp: policy.GiveUpEscalate},
		}})
		c := checker(t, db, health.Config{})
		spec := db.Spec("")
		spec.Backoff, spec.Optional = second, true
		h := open(t, supervisor.Config{Children: []actor.Spec{spec, {Name: "http", Task: failsAfter(0), Restart: policy.Never}}}, health.Config{})
		for _, row := range []struct {
			at    time.Duration
			ready health.Status
			path  string
		}{
			{time.Second, health.StatusReady, "/app/db"},
			{10500 * time.Millisecond, health.StatusNotReady, "/db"}, // between two runs
			{12 * time.Second, health.StatusReady, "/app/db"},
		} {
			time.Sleep(row.at - time.Since(h.began))
			synctest.Wait()
			if report := c.Readiness(); report.Status != row.ready || report.Path != row.path {
				t.Errorf("after %v %s is %v", row.at, report.Path, report.Status)
			}
			if live := c.Liveness().Status; live != health.StatusLive {
				t.Errorf("after %v it is %v", row.at, live)
			}
		}
	})
}
