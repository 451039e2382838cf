package supervisortest

import (
	"strings"
	"testing"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/inspect"
)

// theRest is what is said of /f/b, when the rest starts again with it, but for one that
// is meant to run once.
var theRest = &inspect.Explanation{
	Path: "/f/b", RunsAgain: true, Stops: []string{"/f/once", "/f/c"}, Starts: []string{"/f/b", "/f/c"},
}

// after is a listing of a clan, changed.
func after(k *kin, change func(children []supervisor.Node)) supervisor.Node {
	n := k.Node
	for _, c := range k.children {
		n.Children = append(n.Children, c.Node)
	}
	change(n.Children)
	return n
}

func TestUnhealed(t *testing.T) {
	f := clan(supervisor.RestForOne, actor.Spec{Name: "a"}, actor.Spec{Name: "b"}, actor.Spec{Name: "c"}, actor.Spec{Name: "once", Restart: policy.Never})
	j := newJudge(f, theRest)
	healed := func(c []supervisor.Node) {
		c[1].Attempt++
		c[2].ID++ // a new life will do
		c[3].State, c[3].Ready = supervisor.StateStopped, false
	}
	for _, row := range []struct {
		sentence string
		change   func(c []supervisor.Node)
		wrong    string
	}{
		{"the rest was restarted and is up", func([]supervisor.Node) {}, ""},
		{"the one that failed was not restarted", func(c []supervisor.Node) { c[1].Attempt-- }, "/f/b was not restarted"},
		{"a member was not", func(c []supervisor.Node) { c[2].ID-- }, "/f/c was not restarted"},
		{"a member is down", func(c []supervisor.Node) { c[2].Ready = false }, "/f/c was ready and is not"},
		{"another is down", func(c []supervisor.Node) { c[0].Ready = false }, "/f/a was ready and is not"},
		{"another has a new life", func(c []supervisor.Node) { c[0].ID = 9 }, "/f/a has begun a new life, though it was not concerned"},
		{"another has made an attempt, as it does", func(c []supervisor.Node) { c[0].Attempt++ }, ""},
		{"one is gone", func(c []supervisor.Node) { c[0].Path = "/f/z" }, "/f/a is not there any more"},
	} {
		wrong := strings.Join(j.unhealed(after(f, func(c []supervisor.Node) { healed(c); row.change(c) })), "; ")
		if (row.wrong == "") != (wrong == "") || !strings.HasPrefix(wrong, row.wrong) {
			t.Errorf("%s: got %q, want %q", row.sentence, wrong, row.wrong)
		}
	}

	f.children[0].Ready = false
	if wrong := j.unhealed(after(f, func(c []supervisor.Node) { healed(c); c[0].ID = 9 })); len(wrong) > 0 {
		t.Errorf("what was not ready before: %q", wrong)
	}
}

func TestWhatDoesNotComeBackIsNotExcusedByTheSettings(t *testing.T) {
	f := clan(supervisor.OneForAll, actor.Spec{Name: "a"}, actor.Spec{Name: "b"})
	j := newJudge(f, &inspect.Explanation{Path: "/f/b", Answer: inspect.AnswerGiveUp})
	wrong := j.unhealed(after(f, func(c []supervisor.Node) { c[1].Ready = false }))
	if len(wrong) != 1 || !strings.HasPrefix(wrong[0], "/f/b was ready and is not") {
		t.Errorf("%q", wrong)
	}
}

func TestWhatIsBelowOneThatStopsOrEndsIsConcerned(t *testing.T) {
	for _, row := range []struct {
		sentence  string
		said      *inspect.Explanation
		concerned bool
	}{
		{"it fails", &inspect.Explanation{Path: "/f"}, true},
		{"it ends by one of the others", &inspect.Explanation{Path: "/f/b", Ends: []string{"/f"}}, true},
		{"it stops", &inspect.Explanation{Path: "/elder", Stops: []string{"/f"}}, true},
		{"it starts", &inspect.Explanation{Path: "/elder", Starts: []string{"/f"}}, true},
		{"one of the others stops", &inspect.Explanation{Path: "/elder", Stops: []string{"/f/b"}}, false},
	} {
		f := clan(supervisor.OneForOne, actor.Spec{Name: "pauses"}, actor.Spec{Name: "b"})
		under(f)
		j := newJudge(f.up, row.said)
		if j.concerned[f.children[0]] != row.concerned || j.concerned[f.up] {
			t.Errorf("%s: %v", row.sentence, j.concerned)
		}
	}
}

func TestDisturbed(t *testing.T) {
	f := clan(supervisor.RestForOne, actor.Spec{Name: "a"}, actor.Spec{Name: "b"}, actor.Spec{Name: "c"})
	f.children[0].IsSupervisor = true
	j := newJudge(f, theRest)
	for _, row := range []struct {
		sentence  string
		e         events.Event
		disturbed bool
	}{
		{"a member is stopped", events.Event{Kind: events.TaskStopping, Path: "/f/c"}, false},
		{"somebody unknown is", events.Event{Kind: events.TaskStopping, Path: "/f/dynamic"}, false},
		{"the family restarts a group", events.Event{Kind: events.GroupRestarting, Path: "/f"}, false},
		{"another succeeds", events.Event{Kind: events.AttemptEnded, Exit: policy.Succeeded, Path: "/f/a"}, false},
		{"and completes", events.Event{Kind: events.TaskFinished, Outcome: events.Completed, Path: "/f/a"}, false},
		{"or is done", events.Event{Kind: events.AttemptEnded, Exit: policy.Finished, Path: "/f/a"}, false},
		{"another is stopped", events.Event{Kind: events.TaskStopping, Path: "/f/a"}, true},
		{"another fails", events.Event{Kind: events.AttemptEnded, Exit: policy.Failed, Path: "/f/a"}, true},
		{"for good", events.Event{Kind: events.TaskFinished, Outcome: events.Failed, Path: "/f/a"}, true},
		{"another is stuck", events.Event{Kind: events.TaskStuck, Path: "/f/a"}, true},
		{"is abandoned", events.Event{Kind: events.TaskAbandoned, Path: "/f/a"}, true},
		{"is removed", events.Event{Kind: events.TaskRemoved, Path: "/f/a"}, true},
		{"stops its children", events.Event{Kind: events.SupervisorStopping, Path: "/f/a"}, true},
		{"the family gives up", events.Event{Kind: events.IntensityExceeded, Path: "/f"}, true},
	} {
		if wrong := j.disturbed([]events.Event{row.e, row.e}); (len(wrong) == 1) != row.disturbed || len(wrong) > 1 {
			t.Errorf("%s: %q", row.sentence, wrong)
		}
	}
	f.children[0].Ready = false
	if wrong := j.disturbed([]events.Event{{Kind: events.TaskStopping, Path: "/f/a"}}); len(wrong) > 0 {
		t.Errorf("what was not ready before: %q", wrong)
	}
}

// under hangs a family in a root, as the second of three, and returns the root.
func under(f *kin) *kin {
	root := clan(supervisor.OneForOne, actor.Spec{Name: "elder"}, actor.Spec{Name: "f"}, actor.Spec{Name: "younger"})
	root.Path, root.children[1], f.up = "/", f, root
	return root
}

func TestOnlyOrderedFamiliesThatWereRestartedHaveToBeInOrder(t *testing.T) {
	seen := script(t, "??:a ??:b -:a -:b ]:f +:b +:a [:f")
	for _, row := range []struct {
		sentence string
		strategy supervisor.Strategy
		starts   []string
		wrong    int
	}{
		{"one that was", supervisor.OneForAll, []string{"/f", "/f/a", "/f/b"}, 2},
		{"one of whom only a part was", supervisor.OneForAll, []string{"/f/b"}, 2},
		{"without an order", supervisor.OneForOne, []string{"/f", "/f/a", "/f/b"}, 0},
		{"one that was not", supervisor.OneForAll, []string{"/younger"}, 0},
	} {
		root := under(clan(row.strategy, actor.Spec{Name: "a"}, actor.Spec{Name: "b"}))
		j := newJudge(root, &inspect.Explanation{Path: row.starts[0], RunsAgain: true, Starts: row.starts})
		if wrong := j.disordered(seen); len(wrong) != row.wrong {
			t.Errorf("%s: %q", row.sentence, wrong)
		}
	}
}
