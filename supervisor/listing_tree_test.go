package supervisor_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestTheListingShowsEveryState(t *testing.T) {
	for state, bring := range bStates {
		t.Run(state, func(t *testing.T) {
			bBubble(t, func(t *testing.T, _ chan struct{}) {
				gate, open := bGate()
				b := bring(t, gate)
				n := b.node("/app/c")
				want := state
				if state == "not ready" {
					want = "starting"
				}
				if n.State.String() != want || n.Name != "c" || !n.Declared || n.IsSupervisor || n.ID == 0 || n.Since.After(time.Now()) {
					t.Errorf("%+v", n)
				}
				if n.Ready != (state == "running" || state == "completed") {
					t.Errorf("ready: %v", n.Ready)
				}
				if got, want := n.NextRetry, b.began.Add(time.Hour); got.Equal(want) != (state == "backing_off") || (got.IsZero() == (state == "backing_off")) {
					t.Errorf("next retry at %v", got)
				}
				if failed := state == "backing_off" || state == "failed"; failed != (n.Err == errOfB) || failed != (n.Error == "oops of b") { //nolint:errorlint // unwrapped
					t.Errorf("error %v, %q", n.Err, n.Error)
				}
				root := b.Tree()
				ready := state == "running" || state == "waiting" || state == "completed" || state == "stopped"
				if state == "waiting" {
					ready = false // its child is not up
				}
				if root.Ready != ready {
					t.Errorf("the supervisor is ready: %v", root.Ready)
				}
				waiting := map[string]string{"starting": "/app/elder", "not ready": "/app/c", "restarting": "/app/holder"}[state]
				if root.Waiting != waiting {
					t.Errorf("the supervisor waits for %q, want %q", root.Waiting, waiting)
				}
				open()
				b.mustStop()
			})
		})
	}
}

func TestTheListingCountsTheRestartsInTheWindow(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{
			Intensity: policy.Intensity{Restarts: 100, Within: 10 * time.Second},
			Children:  []actor.Spec{{Name: "a", Backoff: policy.Constant(time.Second), Task: bFailAfter(time.Second)}},
		})
		// Fails at 1 s, 3 s, 5 s, ...
		for _, row := range []struct {
			at   time.Duration
			want int
		}{{500 * time.Millisecond, 0}, {1500 * time.Millisecond, 1}, {9500 * time.Millisecond, 5}, {60500 * time.Millisecond, 5}} {
			rest(row.at - b.at())
			synctest.Wait()
			if n := b.Tree(); n.RestartsInWindow != row.want {
				t.Errorf("at %v: %d restarts in the window, want %d", row.at, n.RestartsInWindow, row.want)
			}
		}
		b.mustStop()
	})
}

func TestTheListingOfWhatDoesNotRunIsStopped(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		s := supervisor.New(supervisor.Config{Name: "app", Strategy: supervisor.OneForAll, Children: []actor.Spec{{Name: "a", Task: actor.Func(bIdle)}}})
		check := func() {
			t.Helper()
			n := s.Tree()
			if n.State != supervisor.StateStopped || n.Path != "/app" || n.Name != "app" || len(n.Children) != 0 || n.Ready || !n.IsSupervisor || n.Strategy != supervisor.OneForAll {
				t.Errorf("%+v", n)
			}
		}
		check()
		for range 2 {
			bMustBe(t, "run", s.Run(bWithin(t, time.Second)), nil)
			check()
		}
	})
}

func TestTheJSONOfAListingIsStable(t *testing.T) {
	bBubble(t, func(t *testing.T, gate chan struct{}) {
		pool := supervisor.New(supervisor.Config{Strategy: supervisor.RestForOne, Concurrency: 1, Children: []actor.Spec{
			{Name: "runs", Task: actor.Func(bIdle)},
		}})
		b := bRun(t, supervisor.Config{
			AutoShutdown: supervisor.AutoShutdownAll, Intensity: policy.Intensity{Restarts: 10, Within: time.Hour},
			Children: []actor.Spec{
				{Name: "fails", Significant: true, Backoff: policy.Constant(time.Hour), Task: actor.Func(func(context.Context) error { return errOfB })},
				pool.Spec("pool"),
				{Name: "deaf", Task: bDeaf(gate), Timeout: time.Second, Grace: time.Second},
			},
		})
		rest(5 * time.Second)
		tree := b.Tree()
		text, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		var plain map[string]any
		if err := json.Unmarshal(text, &plain); err != nil {
			t.Fatal(err)
		}
		keys := func(m map[string]any, want string) {
			t.Helper()
			var got []string
			for k := range m {
				got = append(got, k)
			}
			slices.Sort(got)
			if s := strings.Join(got, " "); s != want {
				t.Errorf("%v has %q, want %q", m["path"], s, want)
			}
		}
		keys(plain, "at children name path ready restarts restarts_in_window since state supervisor")
		kids := plain["children"].([]any)
		kid := func(i int) map[string]any { return kids[i].(map[string]any) }
		keys(kid(0), "attempt declared error failures generation id name next_retry path ready restarts significant since state")
		keys(kid(1), "attempt children declared generation id name path permits_used ready restarts since state strategy supervisor up_since")
		keys(kid(2), "attempt declared generation id name path ready reason restarts since state up_since")
		for i, want := range []string{"backing_off", "running", "stuck"} {
			if got := kid(i)["state"]; got != want {
				t.Errorf("state %v, want %v", got, want)
			}
		}
		if kid(1)["strategy"] != "rest_for_one" || kid(2)["reason"] != "timeout" {
			t.Errorf("%s", text)
		}
		var back supervisor.Node
		if err := json.Unmarshal(text, &back); err != nil || back.Children[0].State != tree.Children[0].State {
			t.Errorf("%v", err)
		}
		b.stop()
	})
}

func TestAnErrorThatPanicsDoesNotHurtTheListing(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b := bRun(t, supervisor.Config{Children: []actor.Spec{
			{Name: "a", Backoff: policy.Constant(time.Hour), Task: actor.Func(func(context.Context) error { return bBadError{} })},
		}})
		if n := b.node("/app/a"); n.State != supervisor.StateBackingOff || !strings.Contains(n.Error, "bad") {
			t.Errorf("%q", n.Error)
		}
		b.mustStop()
	})
}

type bBadError struct{}

func (bBadError) Error() string { panic("bad") }

func TestAllYieldsEldersFirstAndStopsWhenAsked(t *testing.T) {
	bBubble(t, func(t *testing.T, _ chan struct{}) {
		b, _, _ := bDeepTree(t)
		tree := b.Tree()
		var paths []string
		for n := range tree.All() {
			paths = append(paths, n.Path)
		}
		if want := []string{"/app", "/app/pool", "/app/pool/inner", "/app/pool/inner/leaf", "/app/lone"}; !slices.Equal(paths, want) {
			t.Errorf("%v", paths)
		}
		paths = nil
		for n := range tree.All() {
			paths = append(paths, n.Path)
			if n.Name == "inner" {
				break
			}
		}
		if len(paths) != 3 {
			t.Errorf("%v", paths)
		}
		b.mustStop()
	})
}
