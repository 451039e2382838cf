package health

import (
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAnOptionalTaskInTroubleStaysAProblemUntilItHasSettled(t *testing.T) {
	cfg := Config{Settle: 5 * time.Second}.resolved()
	waiting := state(supervisor.StateWaiting, false)
	for _, row := range []struct {
		sentence string
		looks    []look
		want     string
	}{
		{"a failure is one until the task has settled",
			[]look{up(0, 0, 0), down(10, 10, 1), up(11, 11, 1), up(15.9, 11, 1), up(16, 11, 1)}, "good wrong wrong wrong good"},
		{"so it does not flap with the task",
			[]look{down(0, 0, 1), up(1, 1, 1), down(2, 2, 2), up(3, 3, 2), up(7.9, 3, 2), up(8, 3, 2)}, "wrong wrong wrong wrong wrong good"},
		{"failures between two looks are noticed",
			[]look{up(0, 0, 0), up(10, 9, 4), up(14, 9, 4)}, "good wrong good"},
		{"those that have settled are nothing",
			[]look{up(0, 0, 0), up(10, 4, 4)}, "good good"},
		{"a streak that was there before anybody looked is seen",
			[]look{up(0, 0, 3), up(5, 0, 3)}, "wrong good"},
		{"a streak that a success has ended still has to settle",
			[]look{up(0, 0, 0), down(10, 10, 1), up(11, 11, 1).as(succeeded), up(16, 11, 1).as(succeeded)}, "good wrong wrong good"},

		{"to start and to wait are its ordinary life",
			[]look{up(0, 0, 0).as(state(supervisor.StateStarting, false)), up(10, 0, 0), up(20, 20, 0).as(waiting)}, "good good good"},
		{"they do not keep it from settling",
			[]look{up(0, 0, 0), down(10, 10, 1), up(11, 11, 1).as(succeeded), up(14, 14, 1).as(succeeded).as(waiting), up(16, 14, 1).as(succeeded).as(waiting)},
			"good wrong wrong wrong good"},
		{"to wait in a streak of failures is a part of the trouble",
			[]look{up(0, 0, 0), down(10, 10, 1), up(20, 12, 1).as(waiting)}, "good wrong wrong"},
		{"a stuck one is one, and needs not settle if it did not fail",
			[]look{up(0, 0, 0), up(10, 10, 0).as(state(supervisor.StateStuck, false)), up(11, 11, 0)}, "good wrong good"},
		{"one that has completed is good at once",
			[]look{down(0, 0, 1), up(1, 1, 1).as(state(supervisor.StateCompleted, true))}, "wrong good"},
		{"one that somebody stopped is missed by nobody",
			[]look{down(0, 0, 1), down(1, 1, 1).as(state(supervisor.StateStopped, false))}, "wrong good"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			var a account
			var last time.Time
			var got []string
			for _, l := range row.looks {
				now := at(l.at)
				a, last = a.after(&l.Node, last, now, &cfg), now
				word := "wrong"
				if a.optional.standing == good {
					word = "good"
				}
				got = append(got, word)
			}
			if s := strings.Join(got, " "); s != row.want {
				t.Errorf("it is\n%s, want\n%s", s, row.want)
			}
		})
	}
}

// looks gives the reports of one checker about a task below a root.
func looks(change func(*supervisor.Node), all ...look) (reports []Report) {
	cfg := Config{}.resolved()
	var m memory
	for _, l := range all {
		l.Path = "/app/a"
		change(&l.Node)
		app := tree(l.Node)
		m = m.after(&app, at(l.at), &cfg)
		reports = append(reports, judge{cfg: &cfg, memory: &m, root: &app}.readiness(&app))
	}
	return reports
}

func TestAProblemSaysSinceWhenTheTaskIsDownThroughAllItsAttempts(t *testing.T) {
	flapping := []look{up(0, 0, 0), down(10, 10, 1), up(12, 11.5, 1), down(14, 13.9, 2), down(100, 99.9, 40), up(101, 100.5, 40)}
	ordinary := func(*supervisor.Node) {}
	for sentence, change := range map[string]func(*supervisor.Node){
		"a critical task": ordinary, "an optional one": optional, "one that was added at run time": dynamic,
	} {
		reports := looks(change, flapping...)
		if len(reports[0].Problems) > 0 {
			t.Errorf("%s: at first there is %+v", sentence, reports[0].Problems)
		}
		for i, report := range reports[1:] {
			now := at(flapping[i+1].at)
			if len(report.Problems) != 1 || !report.Problems[0].DownSince.Equal(at(10)) || report.Problems[0].Down != now.Sub(at(10)) {
				t.Errorf("%s, %v: the problems are %+v", sentence, now.Sub(epoch), report.Problems)
			}
		}
	}

	for _, row := range []struct {
		sentence string
		looks    []look
		want     float64
	}{
		{"a first look knows the present state", []look{down(100, 99, 40)}, 99},
		{"a task that was never up is down since the first look", []look{down(100, 99, 40), down(200, 199, 80)}, 99},
		{"several failures between two looks began with the earlier one", []look{up(0, 0, 0), up(8, 4, 0), down(30, 29, 9)}, 8},
		{"after it has settled, trouble is new", []look{down(0, 0, 1), up(10, 1, 1), down(20, 20, 2)}, 20},
	} {
		reports := looks(ordinary, row.looks...)
		p := reports[len(reports)-1].Problems
		if len(p) != 1 || !p[0].DownSince.Equal(at(row.want)) {
			t.Errorf("%s: the problems are %+v", row.sentence, p)
		}
	}
}

func TestATaskThatSettlesWithoutToleranceLeftSaysSo(t *testing.T) {
	reports := looks(func(*supervisor.Node) {}, up(0, 0, 0), down(10, 10, 1), up(11, 11, 1), up(13, 11, 1), down(13.5, 13.5, 2))
	for i, want := range []bool{false, false, false, true, false} {
		for _, p := range reports[i].Problems {
			if p.FallsAtOnce != want || p.FallsAtOnce && (p.Severity != Tolerated || p.SettlesIn != 3*time.Second) {
				t.Errorf("at look %d there is %+v", i, p)
			}
		}
	}
	if got, want := brief(reports[4]), "not_ready, critical /app/a backing_off"; got != want {
		t.Errorf("and then it is %s, want %s", got, want)
	}
}

func TestAStuckTaskSaysSoInPlaceOfAnEarlierError(t *testing.T) {
	for reason, want := range map[events.Reason]string{
		events.ReasonTimeout: "has not returned within its grace (timeout)",
		0:                    "has not returned within its grace",
	} {
		app := tree(task("/app/a", in(supervisor.StateStuck), told(reason), failing))
		j := look1(app, Config{})
		for _, report := range []Report{j.readiness(&app), j.liveness(&app)} {
			if len(report.Problems) != 1 || report.Problems[0].Error != want {
				t.Errorf("it says %+v", report.Problems)
			}
		}
	}
}

func TestOfWhatWasAddedAtRunTimeOnlyTheTroubleIsRemembered(t *testing.T) {
	cfg := Config{}.resolved()
	backing := in(supervisor.StateBackingOff)
	var m memory
	for i, row := range []struct {
		job  supervisor.Node
		want int // accounts besides that of the root
		says string
	}{
		{task("/app/job", dynamic), 0, "ready"},
		{task("/app/job", dynamic, backing, failing), 1, "degraded, optional /app/job backing_off"},
		{task("/app/job", dynamic, failing, func(n *supervisor.Node) { n.Since = at(2) }), 1, "degraded, optional /app/job running"},
		{task("/app/job", dynamic, another, func(n *supervisor.Node) { n.Since = at(3) }), 0, "ready"}, // of the same name only
		{task("/app/job", dynamic, with(task("/app/job/a", backing, failing), task("/app/job/b"))), 1, "degraded, optional /app/job/a backing_off"},
		{task("/app/other", dynamic), 0, "ready"},
	} {
		app := tree(row.job)
		m = m.after(&app, at(float64(i)), &cfg)
		if len(m.of) != 1+row.want {
			t.Errorf("after look %d it remembers %v", i, m.of)
		}
		if got := brief(judge{cfg: &cfg, memory: &m, root: &app}.readiness(&app)); got != row.says {
			t.Errorf("look %d says %s, want %s", i, got, row.says)
		}
	}
}
