package supervisortest

import (
	"strings"
	"testing"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// clan is a running family "/f" whose children, "/f/a" and so on, have these specs.
func clan(strategy supervisor.Strategy, specs ...actor.Spec) *kin {
	f := &kin{
		Node: supervisor.Node{Path: "/f", ID: 1, State: supervisor.StateRunning, Ready: true, IsSupervisor: true},
		cfg:  supervisor.Config{Strategy: strategy},
	}
	for i, spec := range specs {
		f.children = append(f.children, &kin{
			Node: supervisor.Node{
				Path: "/f/" + spec.Name, ID: events.ID(i + 2), Attempt: 1,
				State: supervisor.StateRunning, Ready: true, Declared: true,
			},
			spec: spec, up: f,
		})
	}
	return f
}

// completed makes a child one that had completed before.
func (k *kin) completed(i int) *kin {
	k.children[i].State = supervisor.StateCompleted
	return k
}

// script makes events of words such as "+a" for an attempt of /f/a that started; "f" is
// the family itself.
func script(t *testing.T, text string) (seen []events.Event) {
	t.Helper()
	marks := map[string]events.Event{
		"+":   {Kind: events.AttemptStarted},
		"!":   {Kind: events.TaskReady},
		"-":   {Kind: events.AttemptEnded, Exit: policy.Stopped},
		"x":   {Kind: events.AttemptEnded, Exit: policy.Failed},
		"ok":  {Kind: events.AttemptEnded, Exit: policy.Succeeded},
		"?":   {Kind: events.TaskStopping, Reason: events.ReasonGroup},
		"??":  {Kind: events.TaskStopping, Reason: events.ReasonShutdown},
		"by":  {Kind: events.TaskStopping, Reason: events.ReasonRestarted},
		"hlp": {Kind: events.TaskStopping, Reason: events.ReasonHelper},
		"zz":  {Kind: events.TaskAbandoned},
		"end": {Kind: events.TaskFinished, Outcome: events.Completed},
		"bad": {Kind: events.TaskFinished, Outcome: events.Failed},
		"<<":  {Kind: events.GroupRestarting},
		">>":  {Kind: events.GroupRestarted},
		"]":   {Kind: events.SupervisorStopped},
		"[":   {Kind: events.SupervisorStarted},
	}
	for _, word := range strings.Fields(text) {
		at := strings.LastIndexAny(word, ":")
		e, known := marks[word[:at]]
		if !known {
			t.Fatalf("what is %q?", word)
		}
		e.Path = "/f/" + word[at+1:]
		if word[at+1:] == "f" {
			e.Path = "/f"
		}
		seen = append(seen, e)
	}
	return seen
}

func TestOrder(t *testing.T) {
	plain := func(names string) (specs []actor.Spec) {
		for _, name := range strings.Fields(names) {
			specs = append(specs, actor.Spec{Name: name})
		}
		return specs
	}
	up := func(names string) []actor.Spec {
		specs := plain(names)
		for i := range specs {
			specs[i].AwaitReady = true
		}
		return specs
	}
	rest, all := supervisor.RestForOne, supervisor.OneForAll
	optional := []actor.Spec{{Name: "a", AwaitReady: true, Optional: true}, {Name: "b"}}
	for _, row := range []struct {
		sentence string
		family   *kin
		seen     string
		wrong    string
	}{
		{"nothing has happened", clan(rest, plain("a b c")...), "", ""},
		{"others do not count", clan(rest, plain("a b")...), "<<:x +:x ??:y", ""},
		{"the rest is stopped in reverse and started in order", clan(rest, plain("a b c d")...),
			"x:b <<:f ?:d -:d ?:c -:c +:b +:c +:d >>:f", ""},
		{"all are", clan(all, plain("a b c")...),
			"hlp:b x:b <<:f ?:c -:c ?:a -:a +:a +:b +:c >>:f", ""},
		{"told to stop before a younger one was", clan(rest, plain("a b c")...),
			"x:a <<:f ?:b -:b ?:c -:c +:a +:b +:c", "/f/b was told to stop while /f/c still ran"},
		{"told to stop before a younger one had ended", clan(rest, plain("a b c")...),
			"x:a <<:f ?:c ?:b -:c -:b +:a +:b +:c", "/f/b was told to stop while /f/c still ran"},
		{"started before all had ended", clan(rest, plain("a b c")...),
			"x:b <<:f ?:c +:b -:c +:c", "/f/b started while /f/c still ran"},
		{"an older one is started before a younger has ended", clan(all, plain("a b c")...),
			"x:b <<:f ?:c +:a -:c ?:a -:a", "/f/a started while /f/c still ran"},
		{"started before an older one", clan(all, plain("a b c")...),
			"x:a <<:f ?:c -:c ?:b -:b +:a +:c +:b", "/f/c started before /f/b had"},
		{"started before an older one was ready", clan(rest, up("a b")...),
			"x:a <<:f ?:b -:b +:a +:b !:a !:b", "/f/b started before /f/a was ready"},
		{"started after it was", clan(rest, up("a b")...),
			"x:a <<:f ?:b -:b +:a !:a +:b !:b", ""},
		{"an abandoned one runs no more, as far as anybody waits", clan(all, plain("a b")...),
			"x:a <<:f ?:b zz:b +:a +:b", ""},
		{"an optional one is not waited for", clan(rest, optional...),
			"x:a <<:f ?:b -:b +:a +:b !:a", ""},
		{"but it is started before", clan(rest, optional...),
			"x:a <<:f ?:b -:b +:b +:a", "/f/b started before /f/a had"},
		{"one that had completed starts again before its younger siblings", clan(all, up("a b")...).completed(0),
			"x:b <<:f +:a ok:a end:a +:b", ""},
		{"and not after them", clan(all, up("a b")...).completed(0),
			"x:b <<:f +:b", "/f/b started before /f/a was ready"},
		{"one that is meant to run once is not waited for", clan(all, actor.Spec{Name: "a", Restart: policy.Never, AwaitReady: true}, actor.Spec{Name: "b"}).completed(0),
			"x:b <<:f +:b", ""},
		{"one that has completed since counts as such", clan(all, plain("a b")...),
			"ok:a end:a x:b <<:f +:b", "/f/b started before /f/a had"},
		{"one that has given up is not waited for", clan(all, up("a b")...),
			"x:a bad:a x:b <<:f +:b", ""},
		{"a success concerns nobody else", clan(all, plain("a b")...), "ok:a +:a ok:a +:a", ""},
		{"nor does a restart by hand", clan(all, plain("a b")...), "by:a -:a +:a", ""},
		{"in the pause after a success an older one is up", clan(rest, up("a b c")...), "ok:a x:b <<:f ?:c -:c +:b !:b +:c", ""},
		{"a second failure begins again", clan(rest, up("a b c")...),
			"x:a <<:f ?:c -:c ?:b -:b +:a !:a +:b x:b <<:f +:b !:b +:c", ""},
		{"and what was ready before stays so", clan(rest, up("a b c")...),
			"x:b <<:f ?:c -:c +:b !:b +:c !:c >>:f x:c +:c !:c", ""},
		{"a supervisor that is run again stops in reverse and starts in order", clan(all, up("a b")...),
			"??:b -:b end:b ??:a -:a end:a ]:f +:a !:a +:b !:b [:f", ""},
		{"and side by side neither", clan(all, up("a b")...),
			"??:a ??:b -:b -:a ]:f", "/f/a was told to stop while /f/b still ran"},
		{"nor out of order", clan(all, up("a b")...),
			"??:b -:b ??:a -:a ]:f +:b !:b +:a !:a [:f", "/f/b started before /f/a was ready"},
		{"at the start an optional one is retried beside the others", clan(rest, optional...),
			"??:b -:b ??:a -:a ]:f +:a +:b x:a +:a [:f", ""},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			wrong := newOrder(row.family).follow(script(t, row.seen))
			if row.wrong == "" && len(wrong) > 0 || row.wrong != "" && (len(wrong) == 0 || !strings.HasPrefix(wrong[0], row.wrong+":")) {
				t.Errorf("%s:\n got %q\nwant %q", row.seen, wrong, row.wrong)
			}
		})
	}
}

func TestOneThatWaitsForAPermitIsNotWaitedFor(t *testing.T) {
	seen := "x:a <<:f ?:b -:b +:b +:a"
	f := clan(supervisor.OneForAll, actor.Spec{Name: "a"}, actor.Spec{Name: "b", NoPermit: true})
	f.up = &kin{cfg: supervisor.Config{Concurrency: 1}}
	if wrong := newOrder(f).follow(script(t, seen)); len(wrong) > 0 {
		t.Errorf("with a limit above: %q", wrong)
	}
	f.children[0].spec.NoPermit = true
	if wrong := newOrder(f).follow(script(t, seen)); len(wrong) != 1 {
		t.Errorf("for one that needs none: %q", wrong)
	}
}
