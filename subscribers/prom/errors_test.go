package prom_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/prom"
	"github.com/taskvisor/taskvisor/supervisor"
)

func named(name string) *supervisor.Supervisor { return supervisor.New(supervisor.Config{Name: name}) }

func TestACollectorWithoutSourcesIsNotRegistered(t *testing.T) {
	var c prom.Collector
	reg := prometheus.NewRegistry()
	if err := reg.Register(&c); err == nil || !strings.Contains(err.Error(), "Add them before") {
		t.Errorf("got %v, want a hint to Add", err)
	}
	if err := c.Add(named("app")); err != nil {
		t.Errorf("a source came too late: %v", err)
	}
	if err := reg.Register(&c); err != nil {
		t.Error(err)
	}
}

func TestASourceThatCannotBeShownIsRefused(t *testing.T) {
	jobs := &events.Metric{Name: "jobs", Help: "Jobs.", Labels: []string{"task"}}
	one := func(m *events.Metric) *source { return reports(m, figure{labels: []string{"/app/db"}}) }
	for _, row := range []struct {
		sentence string
		sources  []events.Source
		field    string
		text     string
	}{
		{"there has to be one", nil, "sources", "empty"},
		{"nil is none", []events.Source{named("app"), nil}, "sources[1]", "nil"},
		{"a nil pointer is none either", []events.Source{(*supervisor.Supervisor)(nil)}, "sources[0]", "nil"},
		{"a nil metric cannot be shown", []events.Source{&source{metrics: []*events.Metric{nil}}}, "sources[0]", "nil"},
		{
			"metrics of one name have the same labels",
			[]events.Source{one(jobs), one(&events.Metric{Name: "jobs", Help: "Jobs.", Labels: []string{"supervisor"}})},
			"sources[1]", "other labels",
		},
		{
			"and are of one type",
			[]events.Source{one(jobs), one(&events.Metric{Name: "jobs", Help: "Jobs.", Counter: true, Labels: []string{"task"}})},
			"sources[1]", "another type",
		},
		{
			"the names of the histograms are taken",
			[]events.Source{one(&events.Metric{Name: "task_duration_seconds", Help: "Jobs.", Labels: []string{"task"}})},
			"sources[0]", "histogram",
		},
		{
			"a metric has a value for each label",
			[]events.Source{named("app"), reports(jobs, figure{})},
			"sources[1]", "label",
		},
		{
			"labels are text",
			[]events.Source{reports(jobs, figure{labels: []string{"\xff"}})},
			"sources[0]", "UTF-8",
		},
		{
			"what is reported has been announced",
			[]events.Source{&source{figures: []figure{{metric: jobs, labels: []string{"/a"}}}}},
			"sources[0]", "not among the metrics",
		},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			c, err := prom.New(row.sources...)
			var field *policy.FieldError
			if c != nil || !errors.As(err, &field) || field.Field != row.field || !strings.Contains(err.Error(), row.text) {
				t.Errorf("%v, %v: want an error about %s that says %q", c, err, row.field, row.text)
			}
		})
	}
}

func TestSeriesThatTwoSourcesReportAreNamed(t *testing.T) {
	app := named("app")
	withConsole := func(name string) *supervisor.Supervisor {
		return supervisor.New(supervisor.Config{
			Name:        name,
			Subscribers: []events.Subscriber{{Name: "console", Handler: events.HandlerFunc(func(events.Event) {})}},
		})
	}
	for _, row := range []struct {
		sentence string
		sources  []events.Source
		want     prom.DuplicateError
		advice   string
	}{
		{
			"two roots of one name", []events.Source{named("other"), app, named("app")},
			prom.DuplicateError{Series: `taskvisor_tasks{task="/app/*",state="starting"}`, Label: "task", Sources: [2]int{2, 3}},
			"give the roots of their trees different names",
		},
		{
			"the same one twice", []events.Source{app, app},
			prom.DuplicateError{Series: `taskvisor_tasks{task="/app/*",state="starting"}`, Label: "task", Sources: [2]int{1, 2}},
			"leave one out if they are the same",
		},
		{
			"a subscriber that is in both trees", []events.Source{withConsole("a"), withConsole("b")},
			prom.DuplicateError{Series: `taskvisor_subscriber_events_delivered_total{subscriber="console"}`, Label: "subscriber", Sources: [2]int{1, 2}},
			"give the subscribers different names",
		},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			c, err := prom.New(row.sources...)
			var twice *prom.DuplicateError
			if c != nil || !errors.As(err, &twice) || *twice != row.want {
				t.Fatalf("%v, %v: want %+v", c, err, row.want)
			}
			if !strings.Contains(err.Error(), row.want.Series) || !strings.Contains(err.Error(), row.advice) {
				t.Errorf("it says %q, and not %q", err, row.advice)
			}
		})
	}
}

func TestWhatIsRefusedLeavesTheCollectorAsItWas(t *testing.T) {
	c := collectorOf(t, named("app"))
	before := scrape(t, register(t, c))
	if err := c.Add(named("other"), named("app")); err == nil {
		t.Error("there are two of one name")
	}
	if err := c.Add(named("other"), nil); err == nil {
		t.Error("nil is a source")
	}
	scrape(t, register(t, c)).equal(t, before)
}

func TestATreeMayBeAddedLater(t *testing.T) {
	c := collectorOf(t, named("app"))
	reg := register(t, c)
	before := len(scrape(t, reg))
	if err := c.Add(named("other")); err != nil {
		t.Fatal(err)
	}
	got := scrape(t, reg)
	got.expect(t, figures{`supervisor_up{supervisor="/app"}`: 0, `supervisor_up{supervisor="/other"}`: 0})
	if len(got) != 2*before {
		t.Errorf("one tree has %d series, and two have %d", before, len(got))
	}
}

func TestMetricsThatTheRegistryHasNotHeardOfComeTooLate(t *testing.T) {
	c := collectorOf(t, named("app"))
	reg := register(t, c)
	m := &events.Metric{Name: "jobs", Help: "Jobs.", Labels: []string{"task"}}
	var field *policy.FieldError
	if err := c.Add(reports(m)); !errors.As(err, &field) || field.Field != "sources[0]" || !strings.Contains(err.Error(), "registered") {
		t.Errorf("%v", err)
	}
	scrape(t, reg)
}

func TestAnOverlapThatAppearsLaterDoesNotBreakTheScrape(t *testing.T) {
	m := &events.Metric{Name: "jobs", Help: "Jobs.", Labels: []string{"task"}}
	first, second := reports(m, figure{value: 1, labels: []string{"/a"}}), reports(m, figure{value: 2, labels: []string{"/b"}})
	c := collectorOf(t, first, second)
	reg := register(t, c)
	second.figures = append(second.figures, figure{metric: m, value: 3, labels: []string{"/a"}})
	want := figures{`jobs{task="/a"}`: 1, `jobs{task="/b"}`: 2}
	scrape(t, reg).equal(t, want)

	if err := c.Add(reports(m, figure{value: 4, labels: []string{"/c"}})); err != nil {
		t.Errorf("an overlap of the old ones refuses a new one: %v", err)
	}
	want[`jobs{task="/c"}`] = 4
	scrape(t, reg).equal(t, want)
}

func TestASourceThatBreaksItsPromisesLaterDoesNotBreakTheScrape(t *testing.T) {
	m := &events.Metric{Name: "jobs", Help: "Jobs.", Labels: []string{"task"}}
	s := reports(m, figure{value: 1, labels: []string{"/a"}})
	c := collectorOf(t, s)
	c.Subscriber()
	reg := register(t, c)
	s.figures = append(s.figures,
		figure{metric: m, value: 2, labels: []string{"/a"}},
		figure{metric: m, value: 3, labels: []string{"\xff"}},
		figure{metric: m, value: 4, labels: []string{"/a", "/b"}},
		figure{metric: m, value: 5},
		figure{metric: &events.Metric{Name: "unheard"}, value: 6},
	)
	scrape(t, reg).about("jobs").equal(t, figures{`jobs{task="/a"}`: 1})
	if err := c.Add(reports(m, figure{labels: []string{"/b"}})); err != nil {
		t.Errorf("an old source refuses a new one: %v", err)
	}
}

func TestASecondCollectorIsRefusedByTheRegistryUnlessEachHasALabelOfItsOwn(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	first, second := collectorOf(t, named("app")), collectorOf(t, named("app"))
	if err := reg.Register(first); err != nil {
		t.Fatal(err)
	}
	var already prometheus.AlreadyRegisteredError
	if err := reg.Register(second); !errors.As(err, &already) || already.ExistingCollector != prometheus.Collector(first) {
		t.Errorf("%v", err)
	}

	// Each needs the label: a metric has the same ones everywhere in a registry.
	reg = prometheus.NewPedanticRegistry()
	for tree, c := range map[string]*prom.Collector{"first": first, "second": second} {
		if err := prometheus.WrapRegistererWith(prometheus.Labels{"tree": tree}, reg).Register(c); err != nil {
			t.Error(err)
		}
	}
	scrape(t, reg).expect(t, figures{
		`supervisor_up{supervisor="/app",tree="first"}`: 0, `supervisor_up{supervisor="/app",tree="second"}`: 0,
	})
}

// Two trees and one bus, which tells of its subscribers itself.
func TestTwoTreesShareACollectorAndABus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		tree := func(name string) *supervisor.Supervisor {
			return supervisor.New(supervisor.Config{
				Name: name, Bus: &bus,
				Children: []actor.Spec{
					{Name: "job", Task: actor.Func(func(context.Context) error { return nil })},
					{Name: "idle", Task: actor.Func(idle)},
				},
			})
		}
		a, b := tree("a"), tree("b")
		c := collectorOf(t, a, b, &bus)
		sub, err := bus.Subscribe(c.Subscriber())
		if err != nil {
			t.Fatal(err)
		}
		reg := register(t, c)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		go func() { ended <- a.Run(ctx) }()
		go func() { ended <- b.Run(ctx) }()
		synctest.Wait()

		scrape(t, reg).expect(t, figures{
			`supervisor_up{supervisor="/a"}`:                             1,
			`supervisor_up{supervisor="/b"}`:                             1,
			`task_duration_seconds_count{task="/a/job"}`:                 1,
			`task_duration_seconds_count{task="/b/job"}`:                 1,
			`tasks{state="running",task="/b/idle"}`:                      1,
			`subscriber_events_delivered_total{subscriber="prometheus"}`: 4, // an attempt and a task each
			`attempts_ended_total{exit="succeeded",task="/a/job"}`:       1,
			`tasks_finished_total{outcome="completed",task="/b/job"}`:    1,
			`tasks_finished_total{outcome="stopped",task="/b/idle"}`:     0,
			`subscriber_events_lost_total{subscriber="prometheus"}`:      0,
		})
		stop()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if err := sub.Close(t.Context()); err != nil {
			t.Error(err)
		}
		scrape(t, reg).expect(t, figures{
			`supervisor_up{supervisor="/a"}`:              0,
			`task_duration_seconds_count{task="/a/idle"}`: 1,
			`task_duration_seconds_count{task="/b/idle"}`: 1,
		})
	})
}
