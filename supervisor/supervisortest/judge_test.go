package supervisortest

import (
	"strings"
	"testing"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

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
	j := judge{before: f, plan: span(f.children[1])}
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
		{"the span was restarted and is up", func([]supervisor.Node) {}, ""},
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

func TestDisturbed(t *testing.T) {
	f := clan(supervisor.RestForOne, actor.Spec{Name: "a"}, actor.Spec{Name: "b"}, actor.Spec{Name: "c"})
	f.children[0].IsSupervisor = true
	j := judge{before: f, plan: span(f.children[1])}
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

func TestOnlyOrderedFamiliesThatWereRestartedHaveToBeInOrder(t *testing.T) {
	inner := func(strategy supervisor.Strategy) *kin {
		f := clan(strategy, actor.Spec{Name: "a"}, actor.Spec{Name: "b"})
		f.spec.Name = "f"
		return f
	}
	seen := script(t, "??:a ??:b -:a -:b ]:f +:b +:a [:f")
	for _, row := range []struct {
		sentence string
		family   *kin
		failed   int
		wrong    int
	}{
		{"below one that was", inner(supervisor.OneForAll), 1, 2},
		{"without an order", inner(supervisor.OneForOne), 1, 0},
		{"below one that was not", inner(supervisor.OneForAll), 2, 0},
	} {
		root := under(supervisor.OneForOne, row.family)
		j := judge{before: root, plan: span(root.children[row.failed])}
		if wrong := j.disordered(seen); len(wrong) != row.wrong {
			t.Errorf("%s: %q", row.sentence, wrong)
		}
	}
	if wrong := (judge{}).disordered(seen); wrong != nil {
		t.Errorf("with nothing to be restarted: %q", wrong)
	}
}
