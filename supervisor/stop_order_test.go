package supervisor_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// farewell notes when a task is told to stop and when it has gone, d later.
func (n *bNotes) farewell(name string, d time.Duration) actor.Spec {
	return actor.Spec{Name: name, Task: actor.Func(func(ctx context.Context) error {
		<-ctx.Done()
		n.add("told " + name)
		rest(d)
		n.add("gone " + name)
		return nil
	})}
}

func TestOrderedStrategiesStopInReverseOneAfterTheOther(t *testing.T) {
	for _, strategy := range []supervisor.Strategy{supervisor.RestForOne, supervisor.OneForAll} {
		bBubble(t, func(t *testing.T, _ chan struct{}) {
			var notes bNotes
			b := bRun(t, supervisor.Config{Strategy: strategy, Children: []actor.Spec{
				notes.farewell("a", time.Second), notes.farewell("b", time.Second),
			}})
			if _, err := b.Start(t.Context(), notes.farewell("c", time.Second)); err != nil {
				t.Fatal(err)
			}
			rest(time.Second)
			err, took := b.stop()
			want := []string{"told c", "gone c", "told b", "gone b", "told a", "gone a"}
			if err != nil || took != 3*time.Second || !slices.Equal(notes.list(), want) {
				t.Errorf("%v: %v after %v: %v", strategy, err, took, notes.list())
			}
		})
	}
}

func TestOneForOneStopsSideBySide(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		var notes bNotes
		b := bRun(t, supervisor.Config{Children: []actor.Spec{
			notes.farewell("a", 3*time.Second), notes.farewell("b", 2*time.Second), notes.farewell("c", time.Second),
		}})
		err, took := b.stop()
		if err != nil || took != 3*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		if got := notes.list(); !slices.Equal(got[3:], []string{"gone c", "gone b", "gone a"}) {
			t.Errorf("%v", got)
		}
	})
}

func TestEachChildHasItsOwnGrace(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{
			{Name: "none", Task: bDeaf(gate), Grace: policy.NoGrace},
			{Name: "one", Task: bDeaf(gate), Grace: time.Second},
			{Name: "three", Task: bDeaf(gate), Grace: 3 * time.Second},
			{Name: "five", Task: bSlow(4 * time.Second), Grace: 5 * time.Second},
			{Name: "default", Task: bSlow(policy.DefaultGrace - 1)},
		}})
		err, took := b.stop()
		if took != policy.DefaultGrace-1 {
			t.Errorf("the stop took %v", took)
		}
		if got, want := bStuck(err), []string{"/app/none", "/app/one", "/app/three"}; !slices.Equal(got, want) {
			t.Errorf("stuck are %v, want %v", got, want)
		}
		for path, want := range map[string]time.Duration{
			"/app/none": policy.NoGrace, "/app/one": time.Second, "/app/three": 3 * time.Second,
		} {
			if es := b.log.of(events.TaskAbandoned, path); len(es) != 1 || es[0].Elapsed != want {
				t.Errorf("%s was abandoned %v", path, es)
			}
		}
	})
}

func TestForeverIsBoundedByTheStopTimeout(t *testing.T) {
	for _, strategy := range []supervisor.Strategy{supervisor.OneForOne, supervisor.RestForOne} {
		bBubble(t, func(t *testing.T, gate chan struct{}) {
			b := bRun(t, supervisor.Config{Strategy: strategy, StopTimeout: 20 * time.Second, Children: []actor.Spec{
				{Name: "deaf", Task: bDeaf(gate), Grace: policy.Forever},
			}})
			err, took := b.stop()
			want := 20 * time.Second
			if strategy == supervisor.RestForOne {
				want = 18 * time.Second // it is not known to be the last
			}
			if took != want || len(bStuck(err)) != 1 {
				t.Errorf("%v: %v after %v, want %v", strategy, err, took, want)
			}
		})
	}
}

func TestTheDefaultStopTimeoutHoldsAtARoot(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{
			{Name: "deaf", Task: bDeaf(gate), Grace: policy.Forever, OnStuck: policy.StuckWait},
		}})
		if _, took := b.stop(); took != policy.DefaultStopTimeout {
			t.Errorf("the stop took %v", took)
		}
	})
}

func TestTheLastTenthIsKeptForThoseWhoseTurnHasNotCome(t *testing.T) {
	for _, onStuck := range []policy.OnStuck{policy.StuckAuto, policy.StuckWait} {
		bBubble(t, func(t *testing.T, gate chan struct{}) {
			var notes bNotes
			b := bRun(t, supervisor.Config{Strategy: supervisor.OneForAll, StopTimeout: 10 * time.Second, Children: []actor.Spec{
				notes.farewell("a", 500*time.Millisecond),
				notes.farewell("b", 400*time.Millisecond),
				{Name: "deaf", Task: bDeaf(gate), Grace: policy.Forever, OnStuck: onStuck},
				notes.farewell("c", time.Second),
			}})
			b.cancel()
			rest(8900 * time.Millisecond)
			if n := b.Tree(); n.Waiting != "/app/deaf" {
				t.Errorf("the stop waits for %q", n.Waiting)
			}
			err, took := b.stop()
			if got := bStuck(err); !slices.Equal(got, []string{"/app/deaf"}) {
				t.Errorf("stuck are %v", got)
			}
			want := 600 * time.Millisecond // 9 s and a half
			if onStuck == policy.StuckWait {
				want = 1100 * time.Millisecond
			}
			if took != want {
				t.Errorf("%v: the stop went on for %v, want %v", onStuck, took, want)
			}
			if got := notes.list(); !slices.Equal(got[:2], []string{"told c", "gone c"}) || !slices.Equal(got[4:], []string{"gone b", "gone a"}) {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestNestedSupervisorsStopWithinOneDeadline(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		var notes bNotes
		pool := supervisor.New(supervisor.Config{Name: "pool", Strategy: supervisor.RestForOne, Children: []actor.Spec{
			notes.farewell("x", time.Second),
			{Name: "deaf", Task: bDeaf(gate), Grace: policy.Forever},
		}})
		b := bRun(t, supervisor.Config{Strategy: supervisor.RestForOne, StopTimeout: 100 * time.Second, Children: []actor.Spec{
			notes.farewell("db", time.Second), pool.Spec(""),
		}})
		err, took := b.stop()
		if got := bStuck(err); !slices.Equal(got, []string{"/app/pool/deaf"}) {
			t.Errorf("stuck are %v", got)
		}
		// A tenth was kept for db, a tenth of the rest for x, and a little for
		// the pool itself; more than that need not be given up.
		if took > 83*time.Second || took < 70*time.Second {
			t.Errorf("the stop took %v", took)
		}
		if got, want := notes.list(), []string{"told x", "gone x", "told db", "gone db"}; !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
	})
}

func TestTheEarliestDeadlineOnThePathHolds(t *testing.T) {
	rows := map[string]struct {
		root, own, grace, want time.Duration
	}{
		"the root's":           {5 * time.Second, 0, 0, 5 * time.Second},
		"its own":              {50 * time.Second, 3 * time.Second, 0, 3 * time.Second},
		"its grace":            {50 * time.Second, 30 * time.Second, 2 * time.Second, 2 * time.Second},
		"the root's, not own":  {4 * time.Second, 30 * time.Second, 20 * time.Second, 4 * time.Second},
		"the root's by itself": {0, 0, 0, policy.DefaultStopTimeout},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			bBubble(t, func(t *testing.T, gate chan struct{}) {
				pool := supervisor.New(supervisor.Config{StopTimeout: row.own, Children: []actor.Spec{
					{Name: "deaf", Task: bDeaf(gate), Grace: policy.Forever},
				}})
				b := bRun(t, supervisor.Config{StopTimeout: row.root, Children: []actor.Spec{
					{Name: "pool", Task: pool, Grace: row.grace},
				}})
				err, took := b.stop()
				if took > row.want || took < row.want*8/10 || !slices.Equal(bStuck(err), []string{"/app/pool/deaf"}) {
					t.Errorf("%v after %v, want at most %v and not much less", err, took, row.want)
				}
			})
		})
	}
}

func TestTheDeadlineOfTheTreeOvertakesAStopThatIsUnderWay(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		inner := supervisor.New(supervisor.Config{Children: []actor.Spec{
			{Name: "deaf", Task: bDeaf(gate), Grace: policy.Forever},
		}})
		outer := supervisor.New(supervisor.Config{Strategy: supervisor.RestForOne, Children: []actor.Spec{
			inner.Spec("inner"),
		}})
		b := bRun(t, supervisor.Config{StopTimeout: 10 * time.Second, Children: []actor.Spec{outer.Spec("outer")}})
		go b.Stop(t.Context(), "outer") // the stop of the tree answers
		rest(20 * time.Second)
		b.mustState("/app/outer/inner/deaf", supervisor.StateStopping)
		err, took := b.stop()
		if took > 10*time.Second || !slices.Equal(bStuck(err), []string{"/app/outer/inner/deaf"}) {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestALameDuckStillServesAndIsNotReady(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		var notes bNotes
		b := bRun(t, supervisor.Config{LameDuck: 5 * time.Second, Children: []actor.Spec{
			notes.farewell("a", 0),
			{Name: "fails", Task: bFailAfter(time.Second), Backoff: policy.NoBackoff()},
			{Name: "ended", Task: actor.Func(func(context.Context) error { return nil })},
		}})
		b.cancel()
		rest(4900 * time.Millisecond)
		tree := b.Tree()
		if tree.Ready || tree.State != supervisor.StateStopping || len(notes.list()) != 0 {
			t.Errorf("ready %v, %v, %v", tree.Ready, tree.State, notes.list())
		}
		if n := b.node("/app/fails"); n.State != supervisor.StateRunning || n.Attempt != 5 {
			t.Errorf("a failing task is %v in attempt %d", n.State, n.Attempt)
		}
		bMustBe(t, "start", bErrOf(b.Start(t.Context(), actor.Spec{Name: "new", Task: actor.Func(bIdle)})), supervisor.ErrStopping)
		bMustBe(t, "restart", bErrOf(b.Restart(t.Context(), "a")), supervisor.ErrStopping)
		bMustBe(t, "stop", b.Stop(t.Context(), "fails"), nil)
		err, took := b.stop()
		if err != nil || took != 100*time.Millisecond {
			t.Errorf("%v after another %v", err, took)
		}
	})
}

func TestWhatEndsDuringALameDuckDelayDoesNotShortenIt(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{LameDuck: 5 * time.Second, Children: []actor.Spec{
			{Name: "a", Task: actor.Func(func(context.Context) error { rest(time.Second); return nil })},
		}})
		if err, took := b.stop(); err != nil || took != 5*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func TestAStopDuringTheOrderedStartStopsWhatWasStarted(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		var notes bNotes
		elder := notes.farewell("elder", time.Second)
		slow := notes.farewell("slow", time.Second)
		slow.AwaitReady = true
		b := bRun(t, supervisor.Config{Strategy: supervisor.RestForOne, Children: []actor.Spec{elder, slow, notes.farewell("younger", 0)}})
		h, _ := b.Handle("younger")
		if err, took := b.stop(); err != nil || took != 2*time.Second {
			t.Errorf("%v after %v", err, took)
		}
		if got, want := notes.list(), []string{"told slow", "gone slow", "told elder", "gone elder"}; !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
		if o, ok := h.Outcome(); !ok || o.Kind != events.Stopped || o.Attempts != 0 {
			t.Errorf("%+v", o)
		}
		if err := h.WaitReady(t.Context()); err == nil {
			t.Error("it was never ready")
		}
	})
}
