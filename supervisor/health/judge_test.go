package health

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// task makes a node of a declared task that is up, and changes it.
func task(path string, changes ...func(*supervisor.Node)) supervisor.Node {
	n := supervisor.Node{
		Path: path, ID: 1, State: supervisor.StateRunning, Since: at(0), Ready: true, Declared: true,
	}
	for _, change := range changes {
		change(&n)
	}
	return n
}

// tree makes a running root.
func tree(children ...supervisor.Node) supervisor.Node {
	n := task("/app", family, with(children...))
	n.ID, n.Declared = 0, false
	return n
}

func with(children ...supervisor.Node) func(*supervisor.Node) {
	return func(n *supervisor.Node) { n.Children, n.IsSupervisor = children, true }
}

func in(s supervisor.State) func(*supervisor.Node) {
	return func(n *supervisor.Node) {
		n.State, n.Ready = s, s == supervisor.StateRunning || s == supervisor.StateCompleted
	}
}

func optional(n *supervisor.Node) { n.Optional = true }

func dynamic(n *supervisor.Node) { n.Optional, n.Declared = true, false }

func failing(n *supervisor.Node) { n.Failures, n.Restarts, n.Error = 2, 2, "no route" }

func told(r events.Reason) func(*supervisor.Node) {
	return func(n *supervisor.Node) { n.Reason = r }
}

// brief says a report in a line.
func brief(r Report) string {
	words := []string{r.Status.String()}
	for _, p := range r.Problems {
		words = append(words, fmt.Sprintf("%v %s %v", p.Severity, p.Path, p.State))
	}
	if r.More > 0 {
		words = append(words, fmt.Sprintf("%d more", r.More))
	}
	return strings.Join(words, ", ")
}

func TestReadinessSaysWhatIsWrong(t *testing.T) {
	backing := in(supervisor.StateBackingOff)
	for _, row := range []struct {
		sentence string
		app      supervisor.Node
		want     string
	}{
		{"all is well", tree(task("/app/a"), task("/app/b", with(task("/app/b/c")))), "ready"},
		{"a start that is not over is not ready, and says for whom it waits",
			change(tree(task("/app/a"), task("/app/b", in(supervisor.StateStarting))), in(supervisor.StateStarting)),
			"not_ready, critical /app starting, critical /app/b starting"},
		{"a start is not over while the children are ready",
			change(tree(task("/app/a")), in(supervisor.StateStarting)), "not_ready, critical /app starting"},
		{"a critical task that is down", tree(task("/app/a", backing, failing)), "not_ready, critical /app/a backing_off"},
		{"a critical task of a critical supervisor", tree(task("/app/b", with(task("/app/b/c", backing, failing)))),
			"not_ready, critical /app/b/c backing_off"},
		{"a supervisor between two runs", tree(task("/app/b", with(), backing, failing)), "not_ready, critical /app/b backing_off"},

		{"an optional task that fails", tree(task("/app/a", optional, backing, failing)), "degraded, optional /app/a backing_off"},
		{"an optional task that has failed", tree(task("/app/a", optional, in(supervisor.StateFailed))), "degraded, optional /app/a failed"},
		{"an optional task that is stuck", tree(task("/app/a", optional, in(supervisor.StateStuck))), "degraded, optional /app/a stuck"},
		{"an optional task that starts is nothing", tree(task("/app/a", optional, in(supervisor.StateStarting))), "ready"},
		{"a job that waits for a permit is nothing", tree(task("/app/a", dynamic, in(supervisor.StateWaiting))), "ready"},
		{"a job that fails", tree(task("/app/a", dynamic, backing, failing)), "degraded, optional /app/a backing_off"},
		{"a critical task of an optional supervisor", tree(task("/app/b", optional, with(task("/app/b/c", backing, failing)))),
			"degraded, optional /app/b/c backing_off"},
		{"a task that somebody stopped is nothing", tree(task("/app/a", in(supervisor.StateStopped))), "ready"},
		{"a task that has completed is nothing", tree(task("/app/a", in(supervisor.StateCompleted))), "ready"},

		{"a stop", change(tree(task("/app/a")), in(supervisor.StateStopping)), "not_ready, critical /app stopping"},
		{"an app that has not begun", supervisor.Node{Path: "/app", State: supervisor.StateStopped, IsSupervisor: true},
			"not_ready, critical /app stopped"},
		{"the worst is first",
			tree(
				task("/app/optional", optional, in(supervisor.StateFailed)),
				task("/app/starting", in(supervisor.StateStarting)),
				task("/app/young", backing, failing, func(n *supervisor.Node) { n.Since = at(-1) }),
				task("/app/old", backing, failing, func(n *supervisor.Node) { n.Since = at(-2) }),
				task("/app/failed", in(supervisor.StateFailed)),
			),
			"not_ready, critical /app/failed failed, critical /app/old backing_off, critical /app/young backing_off, " +
				"critical /app/starting starting, optional /app/optional failed"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			if got := brief(look1(row.app, Config{}).readiness(&row.app)); got != row.want {
				t.Errorf("it says\n%s, want\n%s", got, row.want)
			}
		})
	}
}

func change(n supervisor.Node, by func(*supervisor.Node)) supervisor.Node {
	by(&n)
	return n
}

// look1 is a first look, at the epoch.
func look1(app supervisor.Node, cfg Config) judge {
	cfg = cfg.resolved()
	m := memory{}.after(&app, at(0), &cfg)
	return judge{cfg: &cfg, memory: &m, root: &app}
}

func TestLivenessGivesUpOnlyWhenNothingElseHelps(t *testing.T) {
	running := tree(task("/app/a"))
	stuck := func(since float64, changes ...func(*supervisor.Node)) supervisor.Node {
		return task("/app/a", append([]func(*supervisor.Node){in(supervisor.StateStuck), told(events.ReasonTimeout),
			func(n *supervisor.Node) { n.Since = at(since) }}, changes...)...)
	}
	ended := supervisor.Node{Path: "/app", State: supervisor.StateStopped, IsSupervisor: true}
	for _, row := range []struct {
		sentence string
		cfg      Config
		before   supervisor.Node // an earlier look
		app      supervisor.Node // a look at 0
		want     string
		overdue  int
	}{
		{"all is well", Config{}, running, running, "live", 0},
		{"tasks that fail are the supervisor's affair", Config{}, running, tree(task("/app/a", in(supervisor.StateFailed))), "live", 0},
		{"an app that has not begun may yet", Config{}, ended, ended, "live", 0},
		{"an app that has ended is over", Config{}, running, ended, "not_live, critical /app stopped", 0},
		{"a supervisor whose run has ended may be run again by its own", Config{}, change(running, another), ended, "live", 0},
		{"a stuck task is given time", Config{}, running, tree(stuck(-59)), "live, tolerated /app/a stuck", 0},
		{"a task that is stuck for too long", Config{}, running, tree(stuck(-60)), "not_live, critical /app/a stuck", 0},
		{"too long is what the settings say", Config{StuckAfter: time.Hour}, running, tree(stuck(-60)), "live, tolerated /app/a stuck", 0},
		{"it may be never", Config{StuckAfter: policy.Forever}, running, tree(stuck(-1e6)), "live, tolerated /app/a stuck", 0},
		{"an optional task may be stuck", Config{}, running, tree(stuck(-1e6, optional)), "live", 0},
		{"so may what is below an optional supervisor", Config{}, running, tree(task("/app/b", optional, with(stuck(-1e6)))), "live", 0},
		{"a task that somebody stopped may hang", Config{}, running, tree(stuck(-1e6, told(events.ReasonStopped))), "live", 0},
		{"and what is below a supervisor that somebody removes", Config{}, running,
			tree(task("/app/b", in(supervisor.StateStopping), told(events.ReasonRemoved), with(stuck(-1e6)))), "live", 0},
		{"a stop in order ends by itself", Config{}, running, change(tree(stuck(-1e6)), in(supervisor.StateStopping)), "live", 0},
		{"a group restart that waits for ever does not", Config{}, running, change(tree(stuck(-60)), in(supervisor.StateRestarting)),
			"not_live, critical /app/a stuck", 0},
		{"a task that has missed its beat is overdue until it has returned", Config{}, running,
			tree(task("/app/a", in(supervisor.StateStopping), told(events.ReasonStalled)), stuck(-5, told(events.ReasonStalled))),
			"live, tolerated /app/a stuck, tolerated /app/a stopping", 2},
		{"and not any more then", Config{}, running, tree(task("/app/a", in(supervisor.StateBackingOff), told(events.ReasonStalled))), "live", 0},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			cfg := row.cfg.resolved()
			m := memory{}.after(&row.before, at(-100), &cfg).after(&row.app, at(0), &cfg)
			report := judge{cfg: &cfg, memory: &m, root: &row.app}.liveness(&row.app)
			if got := brief(report); got != row.want {
				t.Errorf("it says\n%s, want\n%s", got, row.want)
			}
			if report.Overdue != row.overdue {
				t.Errorf("%d are overdue, want %d", report.Overdue, row.overdue)
			}
		})
	}
}

func TestAPartIsJudgedAsIfItWereAll(t *testing.T) {
	backing := in(supervisor.StateBackingOff)
	app := tree(
		task("/app/good"),
		task("/app/db", with(task("/app/db/pool", backing, failing))),
		task("/app/cache", optional, backing, failing),
		task("/app/off", in(supervisor.StateStopped)),
		task("/app/job", dynamic),
	)
	for path, want := range map[string]string{
		"/app/good":    "ready",
		"/app/db":      "not_ready, critical /app/db/pool backing_off",
		"/app/db/pool": "not_ready, critical /app/db/pool backing_off",
		"db/pool":      "not_ready, critical /app/db/pool backing_off",
		"/app/cache":   "not_ready, critical /app/cache backing_off",
		"/app/off":     "not_ready, critical /app/off stopped",
		"job":          "ready",
		"":             "not_ready, critical /app/db/pool backing_off, optional /app/cache backing_off",
		"/app":         "not_ready, critical /app/db/pool backing_off, optional /app/cache backing_off",
	} {
		j := look1(app, Config{})
		n := j.find(path)
		if n == nil {
			t.Errorf("%s is not found", path)
			continue
		}
		if got := brief(j.readiness(n)); got != want {
			t.Errorf("%q is\n%s, want\n%s", path, got, want)
		}
	}
	j := look1(app, Config{})
	for _, path := range []string{"/", "/app/", "/other", "app", "/app/good/x", "good/", "."} {
		if n := j.find(path); n != nil {
			t.Errorf("%q is found: %s", path, n.Path)
		}
	}
}

func TestNoPartIsReadyWhenTheAppStops(t *testing.T) {
	app := change(tree(task("/app/a")), in(supervisor.StateStopping))
	j := look1(app, Config{})
	if got, want := brief(j.readiness(j.find("a"))), "not_ready, critical /app stopping"; got != want {
		t.Errorf("it says %s, want %s", got, want)
	}
}

func TestAPartMayBeReadyWhileTheAppStarts(t *testing.T) {
	app := change(tree(task("/app/a"), task("/app/b", in(supervisor.StateStarting))), in(supervisor.StateStarting))
	j := look1(app, Config{})
	if got := brief(j.readiness(j.find("a"))); got != "ready" {
		t.Errorf("it says %s", got)
	}
}

func TestAReportNamesTheWorstAndCountsTheRest(t *testing.T) {
	var children []supervisor.Node
	for i := range 250 {
		changes := []func(*supervisor.Node){optional, in(supervisor.StateFailed)}
		if i >= 240 {
			changes = changes[1:]
		}
		children = append(children, task(fmt.Sprintf("/app/%03d", i), changes...))
	}
	app := tree(children...)
	for max, want := range map[int]int{0: DefaultMaxProblems, 5: 5, 250: 250, policy.Unlimited: 250} {
		report := look1(app, Config{MaxProblems: max}).readiness(&app)
		if len(report.Problems) != want || report.More != 250-want {
			t.Errorf("MaxProblems %d: %d problems and %d more", max, len(report.Problems), report.More)
		}
		if p := report.Problems[0]; p.Severity != Critical || p.Path != "/app/240" {
			t.Errorf("the first is %+v", p)
		}
	}
}

func TestAReportSaysWhenItMayBeAnother(t *testing.T) {
	cfg := Config{}.resolved()
	a, b := up(0, 0, 0).Node, up(0, 0, 0).Node
	a.Path, b.Path = "/app/a", "/app/b"
	app := tree(a, b)
	m := memory{}.after(&app, at(0), &cfg)

	a, b = down(11, 10, 1).Node, up(11, 9, 1).Node
	a.Path, b.Path = "/app/a", "/app/b"
	app = tree(a, b)
	m = m.after(&app, at(11), &cfg)
	report := judge{cfg: &cfg, memory: &m, root: &app}.readiness(&app)
	if got, want := brief(report), "degraded, tolerated /app/a backing_off, tolerated /app/b running"; got != want {
		t.Errorf("it says %s, want %s", got, want)
	}
	if !report.Due.Equal(at(13)) {
		t.Errorf("it is due at %v", report.Due.Sub(epoch))
	}
	if p := report.Problems[0]; p.FallsIn != 2*time.Second || p.SettlesIn != 0 || p.For != time.Second {
		t.Errorf("the one that is down falls in %v, settles in %v, is down for %v", p.FallsIn, p.SettlesIn, p.For)
	}
	if p := report.Problems[1]; p.SettlesIn != 3*time.Second || p.FallsIn != 0 {
		t.Errorf("the one that is up settles in %v, falls in %v", p.SettlesIn, p.FallsIn)
	}

	app = tree(task("/app/a", in(supervisor.StateStuck), func(n *supervisor.Node) { n.Since = at(-20) }))
	j := look1(app, Config{})
	if got := j.liveness(&app).Due; !got.Equal(at(40)) {
		t.Errorf("a stuck task is due at %v", got.Sub(epoch))
	}
}

func TestTasksCountsWhatIsDeclaredAndHasNotEnded(t *testing.T) {
	app := tree(
		task("/app/a"),
		task("/app/b", with(task("/app/b/c"), task("/app/b/d", in(supervisor.StateBackingOff)))),
		task("/app/done", in(supervisor.StateCompleted)),
		task("/app/job", dynamic),
		task("/app/jobs", dynamic, with(task("/app/jobs/e"))),
	)
	j := look1(app, Config{})
	for what, got := range map[string]int{"readiness": j.readiness(&app).Tasks, "liveness": j.liveness(&app).Tasks} {
		if got != 3 {
			t.Errorf("%s counts %d tasks, want 3", what, got)
		}
	}
}
