package supervisor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// bDeepTree is /app/pool/inner/leaf, and /app/lone beside it.
func bDeepTree(t *testing.T) (b *bTree, pool, inner *supervisor.Supervisor) {
	inner = supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "leaf", Task: actor.Func(bIdle)}}})
	pool = supervisor.New(supervisor.Config{Children: []actor.Spec{inner.Spec("inner")}})
	b = bRun(t, supervisor.Config{Children: []actor.Spec{pool.Spec("pool"), {Name: "lone", Task: actor.Func(bIdle)}}})
	return b, pool, inner
}

func TestAChildIsFoundByNameByPathBelowAndByFullPath(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b, pool, inner := bDeepTree(t)
		rows := []struct {
			from    *supervisor.Supervisor
			address string
			path    string // empty: not found
		}{
			{b.Supervisor, "lone", "/app/lone"},
			{b.Supervisor, "/app/lone", "/app/lone"},
			{b.Supervisor, "pool", "/app/pool"},
			{b.Supervisor, "pool/inner/leaf", "/app/pool/inner/leaf"},
			{b.Supervisor, "/app/pool/inner/leaf", "/app/pool/inner/leaf"},
			{pool, "inner/leaf", "/app/pool/inner/leaf"},
			{pool, "/app/pool/inner/leaf", "/app/pool/inner/leaf"},
			{inner, "leaf", "/app/pool/inner/leaf"},
			{inner, "/app/pool/inner/leaf", "/app/pool/inner/leaf"},
			{inner, "/app/lone", ""}, // not below
			{pool, "pool/inner", ""},
			{b.Supervisor, "leaf", ""},
			{b.Supervisor, "/app", ""},
			{b.Supervisor, "/lone", ""},
			{b.Supervisor, "/application/lone", ""},
			{b.Supervisor, "app/lone", ""},
			{b.Supervisor, "lone/", ""},
			{b.Supervisor, "lone/leaf", ""},
			{b.Supervisor, "pool/", ""},
			{b.Supervisor, "pool//inner", ""},
			{b.Supervisor, "/", ""},
			{b.Supervisor, "", ""},
		}
		for _, row := range rows {
			h, err := row.from.Handle(row.address)
			switch {
			case row.path == "":
				bMustBe(t, row.address, err, supervisor.ErrNotFound)
				bMustBe(t, "stop "+row.address, row.from.Stop(t.Context(), row.address), supervisor.ErrNotFound)
				bMustBe(t, "remove "+row.address, row.from.Remove(t.Context(), row.address), supervisor.ErrNotFound)
				bMustBe(t, "restart "+row.address, bErrOf(row.from.Restart(t.Context(), row.address)), supervisor.ErrNotFound)
				var child *supervisor.ChildError
				if !errors.As(err, &child) || child.Path != row.address || child.Act != "find" {
					t.Errorf("%q: %#v", row.address, err)
				}
			case err != nil || h.Path() != row.path:
				t.Errorf("%q: %v", row.address, err)
			}
		}
		b.mustStop()
	})
}

func TestTheVerbsReachDown(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b, _, inner := bDeepTree(t)
		leaf := "/app/pool/inner/leaf"
		bMustBe(t, "restart", bErrOf(b.Restart(t.Context(), leaf)), nil)
		if n := b.node(leaf); n.Attempt != 2 || n.Restarts != 0 {
			t.Errorf("%+v", n)
		}
		bMustBe(t, "stop", b.Stop(t.Context(), "pool/inner/leaf"), nil)
		b.mustState(leaf, supervisor.StateStopped)
		bMustBe(t, "remove", b.Remove(t.Context(), leaf), nil)
		b.mustState(leaf, 0)
		if _, err := inner.Start(t.Context(), actor.Spec{Name: "leaf", Task: actor.Func(bIdle)}); err != nil {
			t.Error(err)
		}
		bMustBe(t, "restart of a supervisor", bErrOf(b.Restart(t.Context(), "pool/inner")), nil)
		b.mustState(leaf, supervisor.StateRunning) // the declared one is back
		if n := b.node(leaf); !n.Declared || n.Attempt != 1 {
			t.Errorf("%+v", n)
		}
		b.mustStop()
	})
}

func TestASupervisorThatIsDownIsNotRunning(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		flaky := supervisor.New(supervisor.Config{Children: []actor.Spec{{
			Name: "leaf", Task: bFailAfter(time.Second), MaxRetries: policy.NoRetry, OnGiveUp: policy.GiveUpEscalate,
		}}})
		off, _, _ := bDeepTree(t)
		spec := flaky.Spec("flaky")
		spec.Backoff = policy.Constant(time.Hour)
		b := bRun(t, supervisor.Config{Children: []actor.Spec{spec}})
		all := func(s *supervisor.Supervisor, address string) {
			t.Helper()
			for what, err := range map[string]error{
				"handle":  bErrOf(s.Handle(address)),
				"stop":    s.Stop(t.Context(), address),
				"remove":  s.Remove(t.Context(), address),
				"restart": bErrOf(s.Restart(t.Context(), address)),
			} {
				bMustBe(t, what+" "+address, err, supervisor.ErrNotRunning)
			}
		}
		rest(2 * time.Second)
		b.mustState("/app/flaky", supervisor.StateBackingOff)
		all(b.Supervisor, "flaky/leaf")
		all(b.Supervisor, "/app/flaky/leaf")
		all(flaky, "leaf")
		bMustBe(t, "start", bErrOf(flaky.Start(t.Context(), actor.Spec{Name: "x", Task: actor.Func(bIdle)})), supervisor.ErrNotRunning)
		bMustBe(t, "restart", bErrOf(b.Restart(t.Context(), "flaky")), nil)
		b.mustState("/app/flaky/leaf", supervisor.StateRunning)
		bMustBe(t, "stop", b.Stop(t.Context(), "flaky"), nil)
		all(b.Supervisor, "flaky/leaf")

		off.mustStop()
		all(off.Supervisor, "lone")
		all(supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "lone", Task: actor.Func(bIdle)}}}), "lone")
		bMustBe(t, "start", bErrOf(off.Start(t.Context(), actor.Spec{Name: "x", Task: actor.Func(bIdle)})), supervisor.ErrNotRunning)
		b.mustStop()
	})
}

func TestDuringTheStopOfTheTreeNothingStartsAndStopsAreAnswered(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{Strategy: supervisor.RestForOne, Children: []actor.Spec{
			{Name: "elder", Task: bSlow(time.Second)},
			{Name: "younger", Task: bSlow(5 * time.Second)},
			{Name: "ended", Task: actor.Func(func(context.Context) error { return nil })},
		}})
		b.cancel()
		rest(time.Second)
		b.mustState("/app/elder", supervisor.StateRunning) // its turn has not come
		bMustBe(t, "start", bErrOf(b.Start(t.Context(), actor.Spec{Name: "x", Task: actor.Func(bIdle)})), supervisor.ErrStopping)
		for _, name := range []string{"elder", "younger", "ended"} {
			bMustBe(t, "restart "+name, bErrOf(b.Restart(t.Context(), name)), supervisor.ErrStopping)
		}
		bMustBe(t, "stop of the elder before its turn", b.Stop(t.Context(), "elder"), nil)
		if b.at() != 2*time.Second {
			t.Errorf("the elder ended at %v", b.at())
		}
		bMustBe(t, "remove of the ended one", b.Remove(t.Context(), "ended"), nil)
		bMustBe(t, "stop of the younger", b.Stop(t.Context(), "younger"), nil)
		<-b.done
		if b.err != nil || b.at() != 5*time.Second {
			t.Errorf("%v at %v", b.err, b.at())
		}
	})
}
