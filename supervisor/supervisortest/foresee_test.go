package supervisortest

import (
	"fmt"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// under hangs a family in a root, as the second of three.
func under(strategy supervisor.Strategy, f *kin) *kin {
	root := clan(strategy, actor.Spec{Name: "elder"}, actor.Spec{Name: "f"}, actor.Spec{Name: "younger"})
	root.Path, f.up, f.place = "/", root, 1
	root.children[1] = f
	return root
}

func TestForesee(t *testing.T) {
	escalate := actor.Spec{Name: "b", MaxRetries: policy.NoRetry, OnGiveUp: policy.GiveUpEscalate}
	last := actor.Spec{Name: "b", MaxRetries: policy.NoRetry}
	weighty := actor.Spec{Name: "b", MaxRetries: policy.NoRetry, Significant: true}
	a, c := actor.Spec{Name: "a"}, actor.Spec{Name: "c"}
	with := func(f *kin, change func(*supervisor.Config)) *kin { change(&f.cfg); return f }
	for _, row := range []struct {
		sentence string
		family   *kin // its second child fails
		above    supervisor.Strategy
		want     string
	}{
		{"one for one: it alone", clan(supervisor.OneForOne, a, actor.Spec{Name: "b"}, c), 0, "/f 1-1"},
		{"rest for one: it and the younger", clan(supervisor.RestForOne, a, actor.Spec{Name: "b"}, c), 0, "/f 1-2"},
		{"one for all: all", clan(supervisor.OneForAll, a, actor.Spec{Name: "b"}, c), 0, "/f 0-2"},
		{"without retries it stays down", clan(supervisor.OneForAll, a, last, c), 0, "/f 1-1 is for good"},
		{"an escalation is the failure of its supervisor", clan(supervisor.OneForAll, a, escalate, c), supervisor.OneForOne, "/ 1-1"},
		{"which may concern others", clan(supervisor.OneForAll, a, escalate, c), supervisor.RestForOne, "/ 1-2"},
		{"so is one restart too many", with(clan(supervisor.OneForOne, a, actor.Spec{Name: "b"}), func(cfg *supervisor.Config) {
			cfg.Intensity = policy.Intensity{Within: time.Minute}
		}), supervisor.OneForAll, "/ 0-2"},
		{"but not the last that is allowed", with(clan(supervisor.OneForOne, a, actor.Spec{Name: "b"}), func(cfg *supervisor.Config) {
			cfg.Intensity = policy.Intensity{Restarts: 1, Within: time.Minute}
		}), supervisor.OneForAll, "/f 1-1"},
		{"so is the end of any significant child", with(clan(supervisor.OneForOne, a, weighty), func(cfg *supervisor.Config) {
			cfg.AutoShutdown = supervisor.AutoShutdownAny
		}), supervisor.OneForOne, "/ 1-1"},
		{"or of the last", with(clan(supervisor.OneForOne, a, weighty), func(cfg *supervisor.Config) {
			cfg.AutoShutdown = supervisor.AutoShutdownAll
		}), supervisor.OneForOne, "/ 1-1"},
		{"but not while there is another", with(clan(supervisor.OneForOne, actor.Spec{Name: "a", Significant: true}, weighty), func(cfg *supervisor.Config) {
			cfg.AutoShutdown = supervisor.AutoShutdownAll
		}), supervisor.OneForOne, "/f 1-1 is for good"},
		{"nor that of any other child", with(clan(supervisor.OneForOne, a, last), func(cfg *supervisor.Config) {
			cfg.AutoShutdown = supervisor.AutoShutdownAny
		}), supervisor.OneForOne, "/f 1-1 is for good"},
	} {
		under(row.above, row.family)
		p := foresee(row.family.children[1])
		got := fmt.Sprintf("%s %d-%d", p.family.Path, p.from, p.to)
		if p.hopeless != "" {
			got += " " + p.hopeless
		}
		if got != row.want {
			t.Errorf("%s: got %s, want %s", row.sentence, got, row.want)
		}
	}
	root := clan(supervisor.OneForOne, a, escalate)
	if p := foresee(root.children[1]); p.family != nil || p.hopeless != "ends the tree" {
		t.Errorf("an escalation at the root: %+v", p)
	}
}

func TestWhoIsRestarted(t *testing.T) {
	f := clan(supervisor.RestForOne, actor.Spec{Name: "a"}, actor.Spec{Name: "b"},
		actor.Spec{Name: "once", Restart: policy.Never}, actor.Spec{Name: "below"})
	deep := clan(supervisor.OneForOne, actor.Spec{Name: "once", Restart: policy.Never}).children[0]
	deep.up = f.children[3]
	p := span(f.children[1])
	for k, want := range map[*kin]bool{
		f:             false,
		f.children[0]: false,
		f.children[1]: true,
		f.children[2]: false, // stopped with the group, and that was its run
		f.children[3]: true,
		deep:          true, // its supervisor begins anew
	} {
		if got := p.restarts(k); got != want {
			t.Errorf("%s in its place %d: %v, want %v", k.Path, k.place, got, want)
		}
	}
	if p.member(f.children[2]) == nil || p.member(f.children[0]) != nil {
		t.Error("members are the one that failed and its younger siblings")
	}
	once := span(clan(supervisor.OneForOne, actor.Spec{Name: "once", Restart: policy.Never}).children[0])
	if !once.restarts(once.family.children[0]) {
		t.Error("the one that failed has to come back in any case")
	}
}
