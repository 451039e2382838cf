package systemd

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// stage is an app in a bubble whose notifier writes down what it would send: a
// socket would keep the time of the bubble from moving.
type stage struct {
	*supervisor.Supervisor
	t     *testing.T
	began time.Time
	stop  context.CancelFunc
	ended chan struct{}

	mu    sync.Mutex
	lines []string // guarded by mu
	looks int      // guarded by mu
	err   error    // guarded by mu: what sending returns
}

func open(t *testing.T, cfg supervisor.Config, every time.Duration) *stage {
	t.Helper()
	s := &stage{t: t, began: time.Now(), ended: make(chan struct{})}
	n := &Notifier{}
	spec := n.Spec("")
	spec.Task = actor.Func(func(ctx context.Context) error {
		checker, err := n.checker(ctx)
		if err != nil {
			return err
		}
		teller := teller{app: counted{checker, s}, send: s.send, wake: n.poked(), every: every}
		return teller.run(ctx)
	})
	cfg.Name = "app"
	cfg.Children = append([]actor.Spec{spec}, cfg.Children...)
	cfg.Subscribers = append(cfg.Subscribers, n.Subscriber())
	s.Supervisor = supervisor.New(cfg)

	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() {
		defer close(s.ended)
		_ = s.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-s.ended })
	return s
}

// counted counts the looks at an app.
type counted struct {
	*health.Checker
	s *stage
}

func (c counted) Readiness() health.Report {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.looks++
	return c.Checker.Readiness()
}

func (s *stage) send(state string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.lines = append(s.lines, fmt.Sprintf("%v %s", time.Since(s.began), strings.ReplaceAll(state, "\n", " ")))
	return nil
}

func (s *stage) failing(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// said passes the time until d after the beginning and expects what was sent since
// the last call.
func (s *stage) said(d time.Duration, want ...string) {
	s.t.Helper()
	time.Sleep(d - time.Since(s.began))
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.lines, want) {
		s.t.Errorf("until %v it said\n%s\nwant\n%s", d, strings.Join(s.lines, "\n"), strings.Join(want, "\n"))
	}
	s.lines = nil
}

var errBroken = errors.New("broken\npipe")

func serve(ctx context.Context) error { <-ctx.Done(); return nil }

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

func clock(d time.Duration) string { return time.Now().Add(d).Format(time.TimeOnly) }

func TestReadyComesWithTheFirstReadinessAndStoppingWithTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, supervisor.Config{Children: []actor.Spec{
			{Name: "db", AwaitReady: true, Task: actor.Func(func(ctx context.Context) error {
				time.Sleep(2 * time.Second)
				actor.Ready(ctx)
				return serve(ctx)
			})},
			{Name: "http", Task: actor.Func(serve)},
		}}, 0)
		s.said(time.Second, "0s STATUS=starting: /app/db starting")
		s.said(time.Minute, "2.05s READY=1 STATUS=ready: 3 tasks")
		s.stop()
		<-s.ended
		s.said(time.Minute, "1m0s STOPPING=1 STATUS=stopping")
	})
}

func TestStoppingIsSaidWhenTheLameDuckTimeBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, supervisor.Config{LameDuck: 20 * time.Second, Children: []actor.Spec{{Name: "a", Task: actor.Func(serve)}}}, 0)
		s.said(time.Second, "0s READY=1 STATUS=ready: 2 tasks")
		s.stop()
		s.said(2*time.Second, "1.05s STOPPING=1 STATUS=stopping")
		<-s.ended
		s.said(time.Minute)
	})
}

func TestALateFailureIsAStatusAndTheRestIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, supervisor.Config{Children: []actor.Spec{{
			Name: "db", Backoff: policy.Constant(10 * time.Second).WithJitter(policy.NoJitter),
			Task: script(failsAfter(20*time.Second), serve),
		}}}, 0)
		s.said(time.Second, "0s READY=1 STATUS=ready: 2 tasks")
		until := clock(29 * time.Second)
		s.said(time.Hour,
			"20.05s STATUS=ready, but degraded: /app/db backing_off until "+until+": broken pipe",
			"23s STATUS=not ready: /app/db backing_off until "+until+": broken pipe",
			"30.05s STATUS=not ready: /app/db running again, but not for long enough: broken pipe",
			"35s STATUS=ready: 2 tasks")
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.looks > 12 {
			t.Errorf("in an hour in which little happened it looked %d times", s.looks)
		}
	})
}

func TestABusyTreeIsNotLookedAtForEachEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, supervisor.Config{}, 0)
		s.said(time.Second, "0s READY=1 STATUS=ready: 1 task")
		for i := range 10_000 {
			h, err := s.Start(t.Context(), actor.Spec{Name: "job", Task: actor.Func(func(context.Context) error {
				time.Sleep(time.Millisecond)
				return nil
			})})
			if err != nil {
				t.Fatal(i, err)
			}
			if _, err := h.Wait(t.Context()); err != nil {
				t.Fatal(i, err)
			}
		}
		s.said(time.Minute)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.looks > 250 {
			t.Errorf("in ten busy seconds it looked %d times", s.looks)
		}
	})
}

func TestPingsComeAtHalfOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, supervisor.Config{}, 5*time.Second)
		s.said(16*time.Second, "0s READY=1 STATUS=ready: 1 task", "0s WATCHDOG=1", "5s WATCHDOG=1", "10s WATCHDOG=1", "15s WATCHDOG=1")
	})
}

func TestAnEventDoesNotDelayAPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, supervisor.Config{}, 5*time.Second)
		s.said(4990*time.Millisecond, "0s READY=1 STATUS=ready: 1 task", "0s WATCHDOG=1")
		if _, err := s.Start(t.Context(), actor.Spec{Name: "job", Task: actor.Func(serve)}); err != nil {
			t.Fatal(err)
		}
		s.said(6*time.Second, "5s WATCHDOG=1")
	})
}

func TestPingsGoOnWhileTasksFailAndWhileTheAppStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, supervisor.Config{Children: []actor.Spec{
			{Name: "db", AwaitReady: true, Task: actor.Func(func(context.Context) error { return errBroken }), Backoff: policy.Constant(time.Hour)},
		}, Defaults: supervisor.Defaults{StartTimeout: time.Hour}}, 5*time.Second)
		time.Sleep(16 * time.Second)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if n := strings.Count(strings.Join(s.lines, " "), "WATCHDOG=1"); n != 4 {
			t.Errorf("in 16 s it has pinged %d times: %q", n, s.lines)
		}
	})
}

func TestAStuckTaskEndsThePingsUntilItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		s := open(t, supervisor.Config{Children: []actor.Spec{{
			Name: "deaf", Timeout: time.Second, Grace: time.Second, Backoff: policy.Constant(time.Second),
			Task: script(func(context.Context) error { <-gate; return nil }, serve),
		}}}, 20*time.Second)
		pings := func(until time.Duration) int {
			time.Sleep(until - time.Since(s.began))
			synctest.Wait()
			s.mu.Lock()
			defer s.mu.Unlock()
			n := strings.Count(strings.Join(s.lines, " "), "WATCHDOG=1")
			s.lines = nil
			return n
		}
		if n := pings(61 * time.Second); n != 4 { // at 0, 20, 40 and 60; it is stuck from 2 on
			t.Errorf("while it may be stuck there are %d pings", n)
		}
		if n := pings(205 * time.Second); n != 0 {
			t.Errorf("when it is stuck for too long there are %d pings", n)
		}
		close(gate)
		if n := pings(206 * time.Second); n != 1 {
			t.Errorf("when it has returned there are %d pings within a second", n)
		}
	})
}

func TestAMissedBeatHoldsThePingBackUntilTheTaskHasReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, supervisor.Config{Children: []actor.Spec{{
			Name: "silent", Stall: 4 * time.Second, Backoff: policy.Constant(time.Second),
			Task: script(func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(4 * time.Second) // until 8 s, within its grace
				return nil
			}, func(ctx context.Context) error {
				for ctx.Err() == nil {
					time.Sleep(time.Second)
					actor.Beat(ctx)
				}
				return nil
			}),
		}}}, 5*time.Second)
		time.Sleep(20 * time.Second)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		var pings []string
		for _, line := range s.lines {
			if at, ok := strings.CutSuffix(line, " WATCHDOG=1"); ok {
				pings = append(pings, at)
			}
		}
		if want := []string{"0s", "8.05s", "13.05s", "18.05s"}; !slices.Equal(pings, want) {
			t.Errorf("pings at %v, want %v", pings, want)
		}
	})
}

func TestAFailureToSendIsRetriedAndThenEverythingIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, supervisor.Config{LameDuck: 20 * time.Second, Children: []actor.Spec{{Name: "a", Task: actor.Func(serve)}}}, 10*time.Second)
		s.said(time.Second, "0s READY=1 STATUS=ready: 2 tasks", "0s WATCHDOG=1")
		s.failing(errors.New("no buffer space"))
		time.Sleep(14 * time.Second)
		tree := s.Tree()
		if n := tree.Children[0]; !tree.Ready || n.Error != "no buffer space" || n.Restarts == 0 {
			t.Errorf("the app is ready: %v, the notifier %+v", tree.Ready, n)
		}
		s.failing(nil)
		time.Sleep(15 * time.Second)
		synctest.Wait()
		s.mu.Lock()
		said := strings.Join(s.lines, " ")
		s.mu.Unlock()
		if strings.Count(said, "READY=1") != 1 || !strings.Contains(said, "WATCHDOG=1") {
			t.Errorf("then it said %s", said)
		}
	})
}

func TestNothingIsSaidOfAStopThatIsNotTheApps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, supervisor.Config{Children: []actor.Spec{{Name: "a", Task: actor.Func(serve)}}}, 0)
		s.said(time.Second, "0s READY=1 STATUS=ready: 2 tasks")
		if err := s.Remove(t.Context(), "systemd"); err != nil {
			t.Error(err)
		}
		s.said(2 * time.Second)
	})
}

func TestWhatIsNewIsSaidOnce(t *testing.T) {
	starting := health.Report{Status: health.StatusNotReady, Path: "/app", State: supervisor.StateStarting}
	ready := health.Report{Status: health.StatusReady, Path: "/app", State: supervisor.StateRunning, Tasks: 2}
	degraded := health.Report{Status: health.StatusDegraded, Path: "/app", State: supervisor.StateRunning, Problems: []health.Problem{
		{Path: "/app/a", State: supervisor.StateFailed, Severity: health.Optional, For: time.Second},
	}}
	stopping := health.Report{Status: health.StatusNotReady, Path: "/app", State: supervisor.StateStopping}
	older := degraded
	older.Problems = slices.Clone(degraded.Problems)
	older.Problems[0].For = time.Hour
	now := time.Now()
	for _, row := range []struct {
		sentence string
		reports  []health.Report
		want     []string
	}{
		{"an app that becomes ready", []health.Report{starting, ready, ready}, []string{"STATUS=starting", "READY=1\nSTATUS=ready: 2 tasks", ""}},
		{"degraded is ready, and ready is said once", []health.Report{degraded, ready},
			[]string{"READY=1\nSTATUS=ready, but degraded: /app/a failed", "STATUS=ready: 2 tasks"}},
		{"how long a problem lasts is no news", []health.Report{degraded, older}, []string{"READY=1\nSTATUS=ready, but degraded: /app/a failed", ""}},
		{"a stop is said once", []health.Report{ready, stopping, stopping}, []string{"READY=1\nSTATUS=ready: 2 tasks", "STOPPING=1\nSTATUS=stopping", ""}},
		{"a start may end in a stop", []health.Report{starting, stopping}, []string{"STATUS=starting", "STOPPING=1\nSTATUS=stopping"}},
	} {
		var told told
		for i, report := range row.reports {
			if got, _ := told.news(report, now); got != row.want[i] {
				t.Errorf("%s: report %d is told as %q, want %q", row.sentence, i+1, got, row.want[i])
			}
		}
	}
}

func TestAFlappingTaskIsNotAStatusPerFlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flaps := make([]actor.Func, 50, 51)
		for i := range flaps {
			flaps[i] = failsAfter(200 * time.Millisecond)
		}
		s := open(t, supervisor.Config{Children: []actor.Spec{{
			Name: "cache", Task: script(append(flaps, serve)...), Optional: true, // it is up from 20 s on
			Backoff: policy.Constant(200 * time.Millisecond).WithJitter(policy.NoJitter),
		}}}, 0)
		time.Sleep(time.Minute)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if n := len(s.lines); n < 4 || n > 8 {
			t.Errorf("in 25 s of trouble it said\n%s", strings.Join(s.lines, "\n"))
		}
		if last := s.lines[len(s.lines)-1]; last != "25s STATUS=ready: 2 tasks" {
			t.Errorf("the last that it said is %s", last)
		}
	})
}

func TestAStatusIsHeldBackAndTheLatestIsTold(t *testing.T) {
	degraded := func(path string) health.Report {
		return health.Report{Status: health.StatusDegraded, Path: "/app", State: supervisor.StateRunning, Problems: []health.Problem{
			{Path: path, State: supervisor.StateFailed, Severity: health.Optional},
		}}
	}
	ready := health.Report{Status: health.StatusReady, Path: "/app", State: supervisor.StateRunning, Tasks: 2}
	unready, stopping := degraded("/app/d"), degraded("/app/e")
	unready.Status, stopping.State = health.StatusNotReady, supervisor.StateStopping
	const held = "held"
	var told told
	for _, row := range []struct {
		at     time.Duration
		report health.Report
		want   string
	}{
		{0, degraded("/app/a"), "READY=1\nSTATUS=ready, but degraded: /app/a failed"},
		{1 * time.Second, degraded("/app/b"), held},
		{2 * time.Second, degraded("/app/a"), ""}, // as it was told
		{3 * time.Second, degraded("/app/c"), held},
		{5 * time.Second, degraded("/app/c"), "STATUS=ready, but degraded: /app/c failed"},
		{6 * time.Second, unready, "STATUS=not ready: /app/d failed"},
		{7 * time.Second, ready, "STATUS=ready: 2 tasks"},
		{8 * time.Second, stopping, "STOPPING=1\nSTATUS=stopping"},
	} {
		now := time.Unix(0, 0).Add(row.at)
		before := told.at
		got, until := told.news(row.report, now)
		if !until.IsZero() {
			got = held + got
			if !until.Equal(before.Add(statusEvery)) {
				t.Errorf("after %v it is held until %v", row.at, until)
			}
		}
		if got != row.want {
			t.Errorf("after %v it is told %q, want %q", row.at, got, row.want)
		}
	}
}

func TestWhatWasHeldBackIsToldInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := make(chan struct{})
		s := open(t, supervisor.Config{Children: []actor.Spec{
			{Name: "a", Task: failsAfter(time.Second), Restart: policy.Never, Optional: true},
			{Name: "b", Task: actor.Func(func(context.Context) error { <-fail; return errBroken }), Restart: policy.Never, Optional: true},
		}}, 0)
		s.said(2*time.Second, "0s READY=1 STATUS=ready: 3 tasks", "1.05s STATUS=ready, but degraded: /app/a failed: broken pipe")
		close(fail)
		s.said(3 * time.Second)
		if err := s.Remove(t.Context(), "systemd"); err != nil {
			t.Error(err)
		}
		s.said(4*time.Second, "3s STATUS=ready, but degraded: /app/a failed: broken pipe (and 1 more)")
	})
}
