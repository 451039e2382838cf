package health

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

var standings = []string{"unproven", "good", "troubled", "fallen"}

// epoch is when the tests begin.
var epoch = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

// at is a number of seconds after the epoch.
func at(s float64) time.Time { return epoch.Add(time.Duration(s * float64(time.Second))) }

// look is what a listing says of one task at a moment.
type look struct {
	at float64
	supervisor.Node
}

// up is a task that has been ready since a moment, after some failures.
func up(now, since float64, failures int) look {
	return look{now, supervisor.Node{
		ID: 1, State: supervisor.StateRunning, Since: at(since), Ready: true,
		Restarts: failures, Failures: failures, Declared: true,
	}}
}

// down is a task that has been between two attempts since a moment.
func down(now, since float64, failures int) look {
	return look{now, supervisor.Node{
		ID: 1, State: supervisor.StateBackingOff, Since: at(since),
		Restarts: failures, Failures: failures, Declared: true,
	}}
}

// as changes what a look sees.
func (l look) as(change func(*supervisor.Node)) look {
	change(&l.Node)
	return l
}

func state(s supervisor.State, ready bool) func(*supervisor.Node) {
	return func(n *supervisor.Node) { n.State, n.Ready = s, ready }
}

func succeeded(n *supervisor.Node) { n.Failures = 0 }

func another(n *supervisor.Node) { n.ID = 2 }

func TestHowATaskStands(t *testing.T) {
	patient := Config{Tolerate: 3 * time.Second, Settle: 5 * time.Second}
	for _, row := range []struct {
		sentence string
		looks    []look
		want     string
	}{
		{"a task that is ready at its first start is good at once",
			[]look{up(0, 0, 0)}, "good"},
		{"a task that is not ready at its first start is not tolerated",
			[]look{up(0, 0, 0).as(state(supervisor.StateStarting, false)), up(1, 1, 0)}, "unproven good"},
		{"a task that failed before it was ever good has to settle",
			[]look{down(0, 0, 1), up(1, 1, 1), up(5.9, 1, 1), up(6, 1, 1)}, "unproven unproven unproven good"},
		{"a task that has been up for long is good at the first look, whatever was before",
			[]look{up(100, 10, 7)}, "good"},
		{"a streak that ended with a success does not count against a first look",
			[]look{up(0, 0, 3).as(succeeded)}, "good"},

		{"a hiccup is tolerated, and forgotten once it has settled",
			[]look{up(0, 0, 0), down(10, 10, 1), up(11, 11, 1), up(15.9, 11, 1), up(16, 11, 1)}, "good troubled troubled troubled good"},
		{"a recovery that has not settled does not fall by time alone",
			[]look{up(0, 0, 0), down(10, 10, 1), up(12, 12, 1), up(14, 12, 1)}, "good troubled troubled troubled"},
		{"a task that stays down falls when the tolerance is over",
			[]look{up(0, 0, 0), down(10, 10, 1), down(12.9, 10, 1), down(13, 10, 1)}, "good troubled troubled fallen"},
		{"a task that had long been down when somebody looked has fallen",
			[]look{up(0, 0, 0), down(20, 10, 1)}, "good fallen"},
		{"one that flaps falls after the tolerance, since a short recovery does not begin it anew",
			[]look{up(0, 0, 0), down(10, 10, 1), up(11, 11, 1), down(12, 12, 2), up(13, 13, 2), down(14, 14, 3)}, "good troubled troubled troubled troubled fallen"},
		{"one that has fallen and goes on flapping stays fallen",
			[]look{up(0, 0, 0), down(20, 10, 1), up(21, 21, 1), down(22, 22, 2), up(23, 23, 2), up(27.9, 23, 2)}, "good fallen fallen fallen fallen fallen"},
		{"one that has fallen is good when it has settled",
			[]look{up(0, 0, 0), down(20, 10, 1), up(21, 21, 1), up(26, 21, 1)}, "good fallen fallen good"},
		{"after it has settled, the next trouble is tolerated anew",
			[]look{up(0, 0, 0), down(20, 10, 1), up(30, 21, 1), down(40, 40, 2)}, "good fallen good troubled"},

		{"one failure between two looks is tolerated until it has settled",
			[]look{up(0, 0, 0), up(10, 9, 1), up(14, 9, 1)}, "good troubled good"},
		{"one failure between two looks that has settled is nothing",
			[]look{up(0, 0, 0), up(10, 4, 1)}, "good good"},
		{"several failures between two looks are flapping",
			[]look{up(0, 0, 0), up(10, 9, 5)}, "good fallen"},
		{"several failures between two close looks are tolerated like any",
			[]look{up(0, 0, 0), up(2, 1.5, 5)}, "good troubled"},
		{"several failures that have settled since are nothing",
			[]look{up(0, 0, 0), up(100, 50, 5)}, "good good"},
		{"a failure at each look is flapping, though it is up whenever somebody looks",
			[]look{up(0, 0, 0), up(10, 9, 1), up(20, 18, 2), up(30, 28, 3)}, "good troubled fallen fallen"},
		{"a streak that a success has ended still has to settle",
			[]look{up(0, 0, 0), down(10, 10, 1), up(11, 11, 1).as(succeeded), up(16, 11, 1).as(succeeded)}, "good troubled troubled good"},

		{"a stop and a start that are no failure need not settle",
			[]look{up(0, 0, 0), up(10, 10, 0).as(state(supervisor.StateRestarting, false)), up(11, 11, 0)}, "good troubled good"},
		{"they are tolerated no longer than a failure",
			[]look{up(0, 0, 0), up(13, 10, 0).as(state(supervisor.StateRestarting, false)), up(14, 14, 0)}, "good fallen good"},
		{"a task that waits for a permit is not ready",
			[]look{up(0, 0, 0), up(10, 10, 0).as(state(supervisor.StateWaiting, false)), up(13, 10, 0).as(state(supervisor.StateWaiting, false))}, "good troubled fallen"},
		{"a pause after a success is as good as running",
			[]look{up(0, 0, 0), up(10, 9, 0).as(state(supervisor.StateBackingOff, true)), up(12, 11, 0)}, "good good good"},
		{"the time to settle goes on through pauses after successes",
			[]look{up(0, 0, 0), down(10, 10, 1), up(11, 11, 1), up(13, 12, 1).as(state(supervisor.StateBackingOff, true)), up(16, 15, 1)}, "good troubled troubled troubled good"},
		{"a task that has completed is good at once",
			[]look{up(0, 0, 0), down(20, 10, 1), up(21, 21, 1).as(state(supervisor.StateCompleted, true))}, "good fallen good"},
		{"one that failed for good falls",
			[]look{up(0, 0, 0), down(10, 10, 1).as(state(supervisor.StateFailed, false)), down(13, 10, 1).as(state(supervisor.StateFailed, false))}, "good troubled fallen"},

		{"a task that somebody stopped is missed by nobody",
			[]look{up(0, 0, 0), up(10, 10, 0).as(state(supervisor.StateStopped, false))}, "good good"},
		{"one that somebody stopped and started again is tolerated meanwhile",
			[]look{up(0, 0, 0), up(10, 10, 0).as(state(supervisor.StateStopped, false)), down(20, 20, 0).as(state(supervisor.StateStarting, false)).as(another)}, "good good troubled"},
		{"a new life after trouble has to settle",
			[]look{up(0, 0, 0), down(20, 10, 1).as(state(supervisor.StateFailed, false)), up(21, 21, 0).as(another), up(26, 21, 0).as(another)}, "good fallen fallen good"},
		{"it has to settle from its own beginning",
			[]look{up(0, 0, 0), down(20, 10, 1), up(21, 21, 1), up(25, 25, 0).as(another), up(29.9, 25, 0).as(another), up(30, 25, 0).as(another)},
			"good fallen fallen fallen fallen good"},
		{"failures of a new life count from its beginning",
			[]look{up(0, 0, 9).as(succeeded), up(10, 9, 3).as(another)}, "good fallen"},

		{"a supervisor that runs is good, however its children are",
			[]look{up(0, 0, 0).as(family).as(state(supervisor.StateRunning, false))}, "good"},
		{"a supervisor that restarts a group is tolerated",
			[]look{up(0, 0, 0).as(family), up(10, 10, 0).as(family).as(state(supervisor.StateRestarting, false)), up(11, 11, 0).as(family)}, "good troubled good"},
		{"a supervisor that is run again after a success pauses",
			[]look{up(0, 0, 0).as(family), up(10, 10, 0).as(family).as(state(supervisor.StateBackingOff, true))}, "good good"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			var r record
			var last time.Time
			var got []string
			for _, l := range row.looks {
				now := at(l.at)
				r = r.after(&l.Node, isUp(&l.Node), last, now, &patient)
				got, last = append(got, standings[r.standing]), now
			}
			if s := strings.Join(got, " "); s != row.want {
				t.Errorf("it stands\n%s, want\n%s", s, row.want)
			}
		})
	}
}

func family(n *supervisor.Node) { n.IsSupervisor = true }

func TestNobodyHasToLookForATaskToSettle(t *testing.T) {
	cfg := Config{}.resolved()
	var r record
	for _, l := range []look{up(0, 0, 0), down(10, 10, 1), up(11, 11, 1)} {
		r = r.after(&l.Node, isUp(&l.Node), at(0), at(l.at), &cfg)
	}
	if got := r.settlesAt(&cfg); !got.Equal(at(16)) {
		t.Errorf("it settles at %v", got.Sub(epoch))
	}
	if got := r.fallsAt(&cfg); !got.IsZero() {
		t.Errorf("while it is up it falls at %v", got.Sub(epoch))
	}
}

func TestWithForeverATaskNeitherFallsNorSettlesByTime(t *testing.T) {
	cfg := Config{Tolerate: policy.Forever, Settle: policy.Forever}.resolved()
	var r record
	for i, l := range []look{up(0, 0, 0), down(1, 1, 1), down(1e6, 1, 1), up(2e6, 2e6, 1), up(3e6, 2e6, 1)} {
		r = r.after(&l.Node, isUp(&l.Node), at(0), at(l.at), &cfg)
		if i > 0 && r.standing != troubled {
			t.Errorf("at look %d it is %s", i, standings[r.standing])
		}
		if !r.fallsAt(&cfg).IsZero() || !r.settlesAt(&cfg).IsZero() {
			t.Errorf("at look %d there is a due time", i)
		}
	}
}

func TestOnlyWhatIsDeclaredAndInTheTreeIsRemembered(t *testing.T) {
	cfg := Config{}.resolved()
	node := func(path string, declared bool, children ...supervisor.Node) supervisor.Node {
		return supervisor.Node{
			Path: path, ID: 1, State: supervisor.StateRunning, Ready: true, Declared: declared,
			Optional: !declared, IsSupervisor: len(children) > 0, Children: children,
		}
	}
	root := node("/app", false, node("/app/a", true), node("/app/b", true, node("/app/b/c", true)), node("/app/job", false, node("/app/job/d", true)))
	m := memory{}.after(&root, at(0), &cfg)
	if len(m.of) != 4 {
		t.Errorf("of a tree with 4 declared ones it remembers %v", m.of)
	}
	smaller := node("/app", false, node("/app/a", true), node("/app/job", false))
	if m = m.after(&smaller, at(1), &cfg); len(m.of) != 2 {
		t.Errorf("of what is left it remembers %v", m.of)
	}
	ended := supervisor.Node{Path: "/app", State: supervisor.StateStopped}
	if m = m.after(&ended, at(2), &cfg); len(m.of) != 0 {
		t.Errorf("after the end it remembers %v", m.of)
	}
}

// wilderness makes trees as a supervisor lists them, at random.
type wilderness struct {
	*rand.Rand
	id events.ID
}

func (w *wilderness) node(path string, depth int, parents bool) supervisor.Node {
	w.id++
	n := supervisor.Node{
		Path: path, ID: w.id % 3, State: supervisor.StateRunning,
		Since: at(-w.Float64()), Declared: parents, Failures: w.IntN(3), Restarts: w.IntN(4),
	}
	if w.IntN(3) == 0 {
		n.State = supervisor.State(1 + w.IntN(int(supervisor.StateFailed)))
	}
	n.Optional = w.IntN(3) == 0
	if depth > 0 && w.IntN(2) == 0 && !n.State.Ended() && n.State != supervisor.StateBackingOff {
		n.IsSupervisor = true
		n.Ready = n.State == supervisor.StateRunning
		for i := range w.IntN(4) {
			c := w.node(fmt.Sprintf("%s/%d", path, i), depth-1, true)
			if !c.Optional && !c.Ready && c.State != supervisor.StateStopped {
				n.Ready = false
			}
			n.Children = append(n.Children, c)
		}
		return n
	}
	switch n.State {
	case supervisor.StateCompleted:
		n.Ready = true
	case supervisor.StateBackingOff:
		n.Ready = n.Failures == 0
	case supervisor.StateRunning:
		n.Ready = w.IntN(4) > 0 || n.Failures == 0
	}
	return n
}

func TestWithoutToleranceAndSettlingTheAnswerIsTheReadyOfTheRoot(t *testing.T) {
	cfg := Config{Tolerate: NoTolerance, Settle: NoSettle}.resolved()
	w := wilderness{Rand: rand.New(rand.NewPCG(1, 2))}
	var m memory
	verdicts := map[bool]int{}
	for i := range 20_000 {
		root := w.node("/app", 3, false)
		if !root.IsSupervisor {
			continue
		}
		m = m.after(&root, at(float64(i)), &cfg)
		report := judge{cfg: &cfg, memory: &m, root: &root}.readiness(&root)
		if report.Status.OK() != root.Ready {
			t.Fatalf("the root is ready: %v, the report is %v:\n%+v\n%+v", root.Ready, report.Status, report.Problems, root)
		}
		verdicts[root.Ready]++
	}
	if verdicts[true] < 1000 || verdicts[false] < 1000 {
		t.Errorf("the trees are too much alike: %v", verdicts)
	}
}
