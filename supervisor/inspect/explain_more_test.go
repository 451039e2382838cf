package inspect_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/inspect"
)

func explained(t *testing.T, s *supervisor.Supervisor, address string) *inspect.Explanation {
	t.Helper()
	e, err := inspect.Explain(s, address)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestASupervisorIsExplainedAsOneThatEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFuse()
		h := open(t, supervisor.Config{
			Name: "app", Strategy: supervisor.RestForOne, Defaults: supervisor.Defaults{Backoff: second},
			Children: []actor.Spec{
				service("a"),
				pool("p", supervisor.Config{Children: []actor.Spec{
					service("x"), service("y"), {Name: "z", Task: f, Restart: policy.Never, OnGiveUp: policy.GiveUpEscalate},
				}}),
				service("c"),
			},
		})
		said := explained(t, h.Supervisor, "p")
		equalPaths(t, "said to stop", said.Stops, []string{"/app/p/z", "/app/p/y", "/app/p/x", "/app/c"})
		h.recorder.Reset()
		f.light(1)
		pass(time.Minute)
		equalPaths(t, "stopped", h.paths(events.TaskStopping), said.Stops[1:]) // but for the one that has failed
		equalPaths(t, "started", h.paths(events.AttemptStarted), said.Starts)
		if said.Answer != inspect.AnswerGroup || len(said.Ends) != 0 {
			t.Errorf("%v", said)
		}
	})
}

func TestAnAddressThatIsNotThereIsNotFound(t *testing.T) {
	cfg := supervisor.Config{Name: "app", Children: []actor.Spec{
		service("a"), pool("p", supervisor.Config{Children: []actor.Spec{service("x")}}),
	}}
	rows := map[string]bool{
		"a": true, "/app/a": true, "p/x": true, "/app/p/x": true, "p": true,
		"": false, "b": false, "/app": false, "/a": false, "/other/a": false, "a/x": false, "p/y": false, "app/a": false, "p/": false, "/app/": false,
	}
	synctest.Test(t, func(t *testing.T) {
		h := open(t, cfg)
		for _, s := range []*supervisor.Supervisor{supervisor.New(cfg), h.Supervisor} {
			for address, there := range rows {
				var answer *supervisor.ChildError
				switch _, err := inspect.Explain(s, address); {
				case there && err != nil:
					t.Errorf("%q: %v", address, err)
				case !there && (!errors.Is(err, supervisor.ErrNotFound) || !errors.As(err, &answer)):
					t.Errorf("%q: %v, want a ChildError with ErrNotFound", address, err)
				}
			}
		}
		if _, err := inspect.Explain(nil, "a"); !errors.Is(err, policy.ErrInvalid) {
			t.Errorf("no supervisor: %v", err)
		}
		if _, err := inspect.Explain(supervisor.New(supervisor.Config{Limit: -1}), "a"); !errors.Is(err, policy.ErrInvalid) {
			t.Errorf("an invalid one: %v", err)
		}
	})
}

func TestATreeWithoutANameIsExplainedToo(t *testing.T) {
	e := explained(t, supervisor.New(supervisor.Config{Children: []actor.Spec{service("a")}}), "/a")
	if e.Path != "/a" || e.Steps[0].Supervisor != "/" {
		t.Errorf("%+v", e)
	}
}

func TestWhatIsBeingStoppedIsFollowedByNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{
			{Name: "a", Task: slow(5 * time.Second)},
			pool("p", supervisor.Config{Children: []actor.Spec{{Name: "x", Task: slow(5 * time.Second)}}}),
			service("c"),
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = h.Stop(ctx, "a")
		for address, want := range map[string]inspect.Answer{"a": inspect.AnswerNothing, "p/x": inspect.AnswerRetry} {
			if e := explained(t, h.Supervisor, address); e.Answer != want {
				t.Errorf("%s: %v, want %v", address, e.Answer, want)
			}
		}
		h.cancel()
		synctest.Wait()
		if e := explained(t, h.Supervisor, "p/x"); e.Answer != inspect.AnswerNothing || e.FailuresToEnd != inspect.Never {
			t.Errorf("in a tree that stops: %v", e)
		}
	})
}

func TestTheStreakSoFarCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFuse()
		f.left = 2
		h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{{
			Name: "b", Task: f, MaxRetries: 4, OnGiveUp: policy.GiveUpEscalate,
			Backoff: policy.Exponential(time.Second, time.Hour).WithJitter(policy.NoJitter),
		}}})
		if e := explained(t, h.Supervisor, "b"); e.FailuresToEnd != 4 || e.DelayLow != 2*time.Second {
			t.Errorf("after one failure: %v", e)
		}
		pass(5 * time.Second)
		if e := explained(t, h.Supervisor, "b"); e.FailuresToEnd != 3 || e.DelayLow != 4*time.Second || e.DelayHigh != 4*time.Second {
			t.Errorf("after two: %v", e)
		}
		pass(policy.DefaultResetAfter)
		if e := explained(t, h.Supervisor, "b"); e.FailuresToEnd != 3 || e.DelayLow != time.Second {
			t.Errorf("after a healthy run: %v", e)
		}
	})
}

func TestBeforeItIsUpATaskFailsAloneOrFailsTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		starting := with(service("b"), func(s *actor.Spec) { s.AwaitReady = true })
		h := open(t, supervisor.Config{Name: "app", Strategy: supervisor.OneForAll, Children: []actor.Spec{service("a"), starting, service("c")}})
		if e := explained(t, h.Supervisor, "b"); e.Answer != inspect.AnswerRetry || len(e.Stops) != 0 {
			t.Errorf("%v", e)
		}
		if e := explained(t, h.Supervisor, "a"); e.Answer != inspect.AnswerGroup {
			t.Errorf("its elder: %v", e)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		starting := with(service("b"), func(s *actor.Spec) { s.AwaitReady, s.Restart = true, policy.Never })
		h := open(t, supervisor.Config{Name: "app", Children: []actor.Spec{service("a"), starting, service("c")}})
		e := explained(t, h.Supervisor, "b")
		if e.Answer != inspect.AnswerNotStarted || e.FailuresToEnd != 1 {
			t.Errorf("%v", e)
		}
		equalPaths(t, "stopped", e.Stops, []string{"/app/a"})
	})
}

func TestBelowASupervisorThatPausesAllIsExplainedAsItWillBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFuse()
		h := open(t, supervisor.Config{Name: "app", Defaults: supervisor.Defaults{Backoff: policy.Constant(time.Hour)}, Children: []actor.Spec{
			pool("p", supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{
				service("x"), {Name: "b", Task: f, MaxRetries: policy.NoRetry, OnGiveUp: policy.GiveUpEscalate},
			}}),
		}})
		f.light(1)
		pass(time.Minute)
		e := explained(t, h.Supervisor, "p/x")
		if e.Answer != inspect.AnswerGroup {
			t.Errorf("%v", e)
		}
		equalPaths(t, "started", e.Starts, []string{"/app/p/x", "/app/p/b"})
		e = explained(t, h.Supervisor, "p/b")
		equalPaths(t, "ended", e.Ends, []string{"/app/p"})
	})
}

func TestACustomBackoffDecidesForItself(t *testing.T) {
	b := with(service("b"), func(s *actor.Spec) { s.Backoff = policy.Custom(policy.NoBackoff().New) })
	e := explained(t, supervisor.New(supervisor.Config{Children: []actor.Spec{b}}), "b")
	if e.DelayLow != 0 || e.DelayHigh != policy.Forever {
		t.Errorf("%v to %v", e.DelayLow, e.DelayHigh)
	}
}

func TestAnExplanationGoesThereAndBackAsJSON(t *testing.T) {
	want := explained(t, supervisor.New(supervisor.Config{
		Name: "app", Strategy: supervisor.OneForAll, Children: []actor.Spec{service("a"), service("b")},
	}), "b")
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got inspect.Explanation
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&got, want) {
		t.Errorf("\n got %+v\nwant %+v\ntext %s", got, *want, text)
	}
}
