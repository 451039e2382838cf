package supervisor_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAMemberThatRunsAgainHasNoReasonToStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{
			Strategy: supervisor.OneForAll,
			Defaults: supervisor.Defaults{Backoff: second},
			Children: []actor.Spec{j.spec("a", in(time.Second, errBoom), serve), j.spec("b", serve)},
		})
		pass(time.Minute)
		for _, n := range h.Children() {
			if n.State != supervisor.StateRunning || n.Reason != 0 {
				t.Errorf("%s is %v for the reason %v, want running for none", n.Name, n.State, n.Reason)
			}
		}
	})
}

// What the package comment of events promises about the fields of a kind.
func TestEventsSayWhatTheirKindPromises(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var e ear
		j := newJournal()
		h := open(t, supervisor.Config{
			Name: "app", Strategy: supervisor.OneForAll, Subscribers: e.subscriber(),
			Defaults: supervisor.Defaults{Backoff: second},
			Children: []actor.Spec{
				awaited(j.spec("a", readyIn(time.Second, in(time.Second, errBoom)), readyIn(time.Second, serve))),
				j.spec("b", slow(time.Second)),
			},
		})
		pass(time.Minute)
		_ = h.close()
		rows := map[events.Kind]func(events.Event) bool{
			events.SupervisorStarted:  func(e events.Event) bool { return e.Elapsed == time.Second },
			events.SupervisorStopping: func(e events.Event) bool { return e.Err == nil },
			events.SupervisorStopped:  func(e events.Event) bool { return e.Elapsed == time.Second },
			events.GroupRestarting:    func(e events.Event) bool { return e.Delay == time.Second && e.Err != nil },
			events.GroupRestarted:     func(e events.Event) bool { return e.Elapsed > 0 },
			events.TaskFinished:       func(e events.Event) bool { return e.Elapsed > 0 },
		}
		for kind, said := range rows {
			for _, ev := range e.of("") {
				if ev.Kind == kind && !said(ev) {
					t.Errorf("%v does not say all that it should: elapsed %v, count %d", ev, ev.Elapsed, ev.Count)
				}
			}
		}
	})
}

func TestAHealthyRunResetsTheBackoffAlsoWhenItsGroupEndedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		soon := in(0, errBoom)
		a := j.spec("a", soon, soon, serve, soon, serve)
		a.Backoff = doubling
		b := j.spec("b", serve, serve, in(10*time.Minute, errBoom), serve)
		b.Backoff = second
		open(t, supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{a, b}})
		pass(9 * time.Minute)
		j.take()
		pass(time.Hour)
		// a was up from 3 s to 10m3s, so its next failure is like a first one.
		equalLines(t, j.take(), "10m3s -a", "10m3s -b", "10m4s +a", "10m4s -a", "10m4s +b", "10m4s -b", "10m5s +a", "10m5s +b")
	})
}

func TestAHealthyRunResetsTheBudgetAlsoWhenItsGroupEndedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		soon := in(0, errBoom)
		a := j.spec("a", soon, soon, serve, soon, soon, serve)
		a.Backoff, a.MaxRetries, a.ResetAfter = second, 2, time.Minute
		b := j.spec("b", serve, serve, in(10*time.Minute, errBoom), serve)
		b.Backoff = second
		h := open(t, supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{a, b}})
		pass(time.Hour)
		equal(t, "state of a", h.child("a").State, supervisor.StateRunning)
		equal(t, "runs of a", j.count("a"), 6)
	})
}

func TestASignificantChildThatIsNeverReadyFailsTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{AutoShutdown: supervisor.AutoShutdownAny, Children: []actor.Spec{
			j.spec("a", slow(time.Second)), j.spec("b", slow(time.Second)),
			significant(awaited(j.spec("c", in(time.Second, actor.Fatal(errBoom))))),
		}})
		as[*supervisor.StartError](t, h.wait())
		equalLines(t, j.take(), "0s +a", "0s +b", "0s +c", "1s -c", "2s -b", "3s -a")
	})
}

// Outside of a bubble, because it needs a Start that comes between the
// beginning of Run and its first step.
func TestADynamicChildCannotKeepAnEmptyFamilyFromStarting(t *testing.T) {
	for range 300 {
		s := supervisor.New(supervisor.Config{Strategy: supervisor.RestForOne})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		spec := actor.Spec{Name: "a", Task: actor.Func(serve), AwaitReady: true, StartTimeout: time.Millisecond}
		for {
			_, err := s.Start(ctx, spec)
			if err == nil {
				break
			}
		}
		select {
		case err := <-ended:
			t.Fatalf("Run returned %v", err)
		case <-time.After(5 * time.Millisecond):
		}
		cancel()
		<-ended
	}
}

// Outside of a bubble and for the race detector: Start and the listing may be
// called by any goroutine at any time, also while Run begins.
func TestStartMayBeCalledWhileRunBegins(t *testing.T) {
	for range 300 {
		s := supervisor.New(supervisor.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		for {
			if _, err := s.Start(ctx, actor.Spec{Name: "a", Task: actor.Func(serve)}); err == nil {
				break
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
}
