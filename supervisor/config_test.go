package supervisor_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// Every bad setting is refused by a typed error that names it, before anything
// runs: by Validate, by Run, and by the Run of a tree above.
func TestABadConfigIsRefusedBeforeAnythingRuns(t *testing.T) {
	ran := false
	task := actor.Func(func(context.Context) error { ran = true; return nil })
	ok := actor.Spec{Name: "ok", Task: task}
	child := func(change func(*actor.Spec)) supervisor.Config {
		return supervisor.Config{Children: []actor.Spec{ok, with(actor.Spec{Name: "bad", Task: task}, change)}}
	}
	handler := events.HandlerFunc(func(events.Event) {})
	rows := map[string]struct {
		cfg   supervisor.Config
		field string
	}{
		"an unknown strategy":            {supervisor.Config{Strategy: 3}, "Strategy"},
		"an unknown auto-shutdown":       {supervisor.Config{AutoShutdown: 3}, "AutoShutdown"},
		"a negative limit":               {supervisor.Config{Limit: -1}, "Limit"},
		"a negative concurrency":         {supervisor.Config{Concurrency: -1}, "Concurrency"},
		"a negative stop timeout":        {supervisor.Config{StopTimeout: -1}, "StopTimeout"},
		"a negative lame duck":           {supervisor.Config{LameDuck: -1}, "LameDuck"},
		"a bad name":                     {supervisor.Config{Name: "a/b"}, "Name"},
		"negative restarts":              {supervisor.Config{Intensity: policy.Intensity{Restarts: -1, Within: 1}}, "Intensity.Restarts"},
		"a negative window":              {supervisor.Config{Intensity: policy.Intensity{Restarts: 1, Within: -1}}, "Intensity.Within"},
		"restarts without a window":      {supervisor.Config{Intensity: policy.Intensity{Restarts: 1}}, "Intensity.Within"},
		"a bad default backoff":          {supervisor.Config{Defaults: supervisor.Defaults{Backoff: policy.Backoff{Factor: 0.5}}}, "Backoff.Factor"},
		"negative default retries":       {supervisor.Config{Defaults: supervisor.Defaults{MaxRetries: -1}}, "MaxRetries"},
		"a negative default reset":       {supervisor.Config{Defaults: supervisor.Defaults{ResetAfter: -1}}, "ResetAfter"},
		"a negative default timeout":     {supervisor.Config{Defaults: supervisor.Defaults{Timeout: -1}}, "Timeout"},
		"a negative default stall":       {supervisor.Config{Defaults: supervisor.Defaults{Stall: -1}}, "Stall"},
		"a negative default grace":       {supervisor.Config{Defaults: supervisor.Defaults{Grace: -1}}, "Grace"},
		"a negative default start":       {supervisor.Config{Defaults: supervisor.Defaults{StartTimeout: -1}}, "StartTimeout"},
		"a subscriber without name":      {supervisor.Config{Subscribers: []events.Subscriber{{Handler: handler}}}, "Name"},
		"a subscriber twice":             {supervisor.Config{Subscribers: []events.Subscriber{{Name: "s", Handler: handler}, {Name: "s", Handler: handler}}}, "Subscribers[1].Name"},
		"a subscriber without a handler": {supervisor.Config{Subscribers: []events.Subscriber{{Name: "s"}}}, "Handler"},
		"a child without a name":         {child(func(s *actor.Spec) { s.Name = "" }), "Name"},
		"a child with a path as name":    {child(func(s *actor.Spec) { s.Name = "a/b" }), "Name"},
		"a child with a reserved name":   {child(func(s *actor.Spec) { s.Name = ".." }), "Name"},
		"a child with a control":         {child(func(s *actor.Spec) { s.Name = "a\nb" }), "Name"},
		"a child there twice":            {child(func(s *actor.Spec) { s.Name = "ok" }), "Name"},
		"a child without a task":         {child(func(s *actor.Spec) { s.Task = nil }), "Task"},
		"a child with a nil func":        {child(func(s *actor.Spec) { s.Task = actor.Func(nil) }), "Task"},
		"a child that is a nil pointer":  {child(func(s *actor.Spec) { s.Task = (*supervisor.Supervisor)(nil) }), "Task"},
		"an unknown restart":             {child(func(s *actor.Spec) { s.Restart = 3 }), "Restart"},
		"an unknown give-up":             {child(func(s *actor.Spec) { s.OnGiveUp = 2 }), "OnGiveUp"},
		"an unknown reaction to a panic": {child(func(s *actor.Spec) { s.OnPanic = 3 }), "OnPanic"},
		"an unknown reaction to a stuck": {child(func(s *actor.Spec) { s.OnStuck = 4 }), "OnStuck"},
		"an unknown backoff shape":       {child(func(s *actor.Spec) { s.Backoff.Shape = 4 }), "Backoff.Shape"},
		"a nil custom backoff":           {child(func(s *actor.Spec) { s.Backoff = policy.Custom(nil) }), "Backoff.Custom"},
		"negative retries":               {child(func(s *actor.Spec) { s.MaxRetries = -1 }), "MaxRetries"},
		"retries with never":             {child(func(s *actor.Spec) { s.Restart, s.MaxRetries = policy.Never, 1 }), "MaxRetries"},
		"a negative every":               {child(func(s *actor.Spec) { s.Restart, s.Every = policy.Always, -1 }), "Every"},
		"every without always":           {child(func(s *actor.Spec) { s.Every = 1 }), "Every"},
		"a negative reset":               {child(func(s *actor.Spec) { s.ResetAfter = -1 }), "ResetAfter"},
		"a negative timeout":             {child(func(s *actor.Spec) { s.Timeout = -1 }), "Timeout"},
		"a negative stall":               {child(func(s *actor.Spec) { s.Stall = -1 }), "Stall"},
		"a negative grace":               {child(func(s *actor.Spec) { s.Grace = -1 }), "Grace"},
		"a negative start timeout":       {child(func(s *actor.Spec) { s.AwaitReady, s.StartTimeout = true, -1 }), "StartTimeout"},
		"a start timeout for nothing":    {child(func(s *actor.Spec) { s.StartTimeout = 1 }), "StartTimeout"},
		"significant without a reason":   {child(func(s *actor.Spec) { s.Significant = true }), "Significant"},
		"significant and always": {
			changed(child(func(s *actor.Spec) { s.Significant, s.Restart = true, policy.Always }), func(c *supervisor.Config) {
				c.AutoShutdown = supervisor.AutoShutdownAny
			}), "Significant",
		},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bad := supervisor.New(row.cfg)
				nested := supervisor.New(supervisor.Config{Children: []actor.Spec{
					ok, supervisor.New(supervisor.Config{Children: []actor.Spec{bad.Spec("deep")}}).Spec("below"),
				}})
				for what, err := range map[string]error{
					"Validate":            bad.Validate(),
					"Run":                 bad.Run(t.Context()),
					"Validate of a tree":  nested.Validate(),
					"Run of a tree":       nested.Run(t.Context()),
					"Run, one more time":  bad.Run(t.Context()),
					"Validate, afterward": bad.Validate(),
				} {
					if err == nil {
						t.Errorf("%s returned nil", what)
						continue
					}
					as[*supervisor.ConfigError](t, err)
					equal(t, what+" names", as[*policy.FieldError](t, err).Field, row.field)
					if !errors.Is(err, policy.ErrInvalid) {
						t.Errorf("%v is not ErrInvalid", err)
					}
				}
				equal(t, "a task ran", ran, false)
			})
		})
	}
}

func changed(c supervisor.Config, change func(*supervisor.Config)) supervisor.Config {
	change(&c)
	return c
}

func TestStartRefusesWhatTheConfigWouldRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{})
		bad := supervisor.New(supervisor.Config{Limit: -1}).Spec("bad")
		for name, spec := range map[string]actor.Spec{
			"Name":        j.spec("a/b", serve),
			"Task":        {Name: "a"},
			"Grace":       with(j.spec("a", serve), func(s *actor.Spec) { s.Grace = -1 }),
			"Significant": significant(j.spec("a", serve)),
			"Limit":       bad,
		} {
			_, err := h.Start(t.Context(), spec)
			as[*actor.SpecError](t, err)
			equal(t, "field", as[*policy.FieldError](t, err).Field, name)
		}
		equal(t, "children", len(h.Children()), 0)
	})
}

func TestStartIsRefusedWithAnErrorThatSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		s := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{j.spec("a", slow(time.Second))}})
		refused := func(want error, name string) {
			t.Helper()
			_, err := s.Start(context.Background(), j.spec(name, serve))
			if !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
			equal(t, "act", as[*supervisor.ChildError](t, err).Act, "start")
		}
		refused(supervisor.ErrNotRunning, "b")
		h := reopen(t, s)
		refused(supervisor.ErrExists, "a")
		h.cancel()
		synctest.Wait()
		refused(supervisor.ErrStopping, "b")
		_ = h.wait()
		refused(supervisor.ErrNotRunning, "b")
		equal(t, "runs of b", j.count("b"), 0)
	})
}

func TestASupervisorRunsOnceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		h := open(t, supervisor.Config{Children: []actor.Spec{j.spec("a", serve)}})
		if err := h.Run(t.Context()); !errors.Is(err, supervisor.ErrRunning) {
			t.Errorf("got %v, want ErrRunning", err)
		}
		equal(t, "runs of a", j.count("a"), 1)
		equal(t, "the first goes on", h.child("a").State, supervisor.StateRunning)
	})
}

func TestASupervisorRunsAgainWithFreshState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		var e ear
		fail := in(0, errBoom)
		s := supervisor.New(supervisor.Config{
			Intensity: policy.Intensity{Restarts: 1, Within: time.Hour}, Subscribers: e.subscriber(),
			Defaults: supervisor.Defaults{Backoff: second},
			Children: []actor.Spec{j.spec("a", fail, fail, fail, serve), j.spec("gone", serve), j.spec("stopped", serve)},
		})
		h := reopen(t, s)
		dynamic := h.start(j.spec("dynamic", serve))
		if err := h.Remove(t.Context(), "gone"); err != nil {
			t.Error(err)
		}
		if err := h.Stop(t.Context(), "stopped"); err != nil {
			t.Error(err)
		}
		as[*supervisor.IntensityError](t, h.wait())
		equal(t, "outcome of the dynamic child", outcome(t, dynamic).Kind, events.Stopped)
		equal(t, "state between the runs", s.Tree().State, supervisor.StateStopped)

		h = reopen(t, s)
		pass(time.Minute)
		equal(t, "it runs: the window is fresh", h.isUp(), true)
		n := h.Tree()
		equal(t, "children", len(n.Children), 3)
		for i, name := range []string{"a", "gone", "stopped"} {
			equal(t, "name", n.Children[i].Name, name)
			equal(t, "state of "+name, n.Children[i].State, supervisor.StateRunning)
		}
		equal(t, "attempt of a", n.Children[0].Attempt, 2)
		equal(t, "restarts in the window", n.RestartsInWindow, 1)
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
}

// loop is a family whose head is given later.
type loop struct{ head *supervisor.Supervisor }

func (l *loop) Run(ctx context.Context) error { return l.head.Run(ctx) }
func (l *loop) Head() *supervisor.Supervisor  { return l.head }

func TestAFamilyThatIsNilIsRefused(t *testing.T) {
	app := supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "nil", Task: (*loop)(nil)}}})
	var field *policy.FieldError
	if err := app.Validate(); !errors.As(err, &field) || field.Field != "Task" {
		t.Errorf("Validate returned %v", err)
	}
}

func TestASupervisorBelowItselfIsRefused(t *testing.T) {
	l := &loop{}
	inner := supervisor.New(supervisor.Config{Name: "inner", Children: []actor.Spec{{Name: "again", Task: l}}})
	l.head = supervisor.New(supervisor.Config{Name: "outer", Children: []actor.Spec{inner.Spec("")}})
	for _, s := range []*supervisor.Supervisor{l.head, inner} {
		var field *policy.FieldError
		if err := s.Validate(); !errors.As(err, &field) || field.Field != "Task" {
			t.Errorf("Validate returned %v", err)
		}
		if err := s.Run(t.Context()); !errors.As(err, &field) {
			t.Errorf("Run returned %v", err)
		}
	}
}

// What would be found out when the inner one starts, and retried then, is found out before.
func TestSubscribersOfOneBusHaveNamesOfTheirOwn(t *testing.T) {
	sub := func(name string) []events.Subscriber {
		return []events.Subscriber{{Name: name, Handler: events.HandlerFunc(func(events.Event) {})}}
	}
	in := func(cfg supervisor.Config, name string) actor.Spec { return supervisor.New(cfg).Spec(name) }
	own, other := new(events.Bus), new(events.Bus)
	for _, c := range []struct {
		name string
		app  supervisor.Config
		good bool
	}{
		{"above and below", supervisor.Config{Subscribers: sub("log"), Children: []actor.Spec{in(supervisor.Config{Subscribers: sub("log")}, "in")}}, false},
		{"far below", supervisor.Config{Subscribers: sub("log"), Children: []actor.Spec{
			in(supervisor.Config{Children: []actor.Spec{in(supervisor.Config{Subscribers: sub("log")}, "deep")}}, "in"),
		}}, false},
		{"side by side", supervisor.Config{Bus: own, Children: []actor.Spec{
			in(supervisor.Config{Subscribers: sub("log")}, "a"), in(supervisor.Config{Subscribers: sub("log")}, "b"),
		}}, false},
		{"side by side without a bus above", supervisor.Config{Children: []actor.Spec{
			in(supervisor.Config{Subscribers: sub("log")}, "a"), in(supervisor.Config{Subscribers: sub("log")}, "b"),
		}}, true},
		{"another bus below", supervisor.Config{Subscribers: sub("log"), Children: []actor.Spec{in(supervisor.Config{Bus: other, Subscribers: sub("log")}, "in")}}, true},
		{"the same bus below", supervisor.Config{Bus: own, Subscribers: sub("log"), Children: []actor.Spec{in(supervisor.Config{Bus: own, Subscribers: sub("log")}, "in")}}, false},
		{"other names", supervisor.Config{Subscribers: sub("log"), Children: []actor.Spec{in(supervisor.Config{Subscribers: sub("other")}, "in")}}, true},
	} {
		err := supervisor.New(c.app).Validate()
		var field *policy.FieldError
		if c.good && err != nil || !c.good && (!errors.As(err, &field) || field.Value != "log") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
