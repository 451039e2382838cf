package prom_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/prom"
	"github.com/taskvisor/taskvisor/subscribers/recorder"
	"github.com/taskvisor/taskvisor/supervisor"
)

var errStorm = errors.New("storm")

// until fails in the way of fail for n attempts, and then does what a good task does.
func until(n int, fail func(), then actor.Func) actor.Task {
	return actor.Func(func(ctx context.Context) error {
		if info, _ := actor.FromContext(ctx); info.Attempt <= n {
			if fail != nil {
				fail()
			}
			return errStorm
		}
		return then(ctx)
	})
}

func succeed(context.Context) error { return nil }

// storm is a tree in which everything happens that can, with a recorder that knows.
type storm struct {
	*supervisor.Supervisor
	gate chan struct{} // deaf tasks return when it is closed
	seen recorder.Recorder
}

func newStorm(subs ...events.Subscriber) *storm {
	s := &storm{gate: make(chan struct{})}
	deaf := actor.Func(func(context.Context) error { <-s.gate; return errStorm })

	group := supervisor.New(supervisor.Config{Name: "group", Strategy: supervisor.OneForAll, Children: []actor.Spec{
		{Name: "elder", Task: actor.Func(idle)},
		{Name: "offender", Task: until(3, nil, idle)},
		{Name: "younger", Task: actor.Func(idle)},
	}})
	rest := supervisor.New(supervisor.Config{Name: "rest", Strategy: supervisor.RestForOne, Children: []actor.Spec{
		{Name: "elder", Task: until(2, nil, idle)},
		{Name: "younger", Task: until(5, func() { panic("storm") }, idle)},
	}})
	hasty := supervisor.New(supervisor.Config{Name: "hasty", Intensity: policy.Intensity{Restarts: 2, Within: time.Minute}, Children: []actor.Spec{
		{Name: "bad", Task: until(1000, nil, idle), Backoff: policy.Constant(100 * time.Millisecond)},
		{Name: "good", Task: actor.Func(idle)},
	}})
	quitter := supervisor.New(supervisor.Config{Name: "quitter", Children: []actor.Spec{
		{Name: "boss", Task: actor.Func(func(context.Context) error { return actor.Escalate(errStorm) })},
	}})

	s.Supervisor = supervisor.New(supervisor.Config{
		Name: "app", Concurrency: 30, StopTimeout: 30 * time.Second,
		Intensity:   policy.Intensity{Restarts: 1000, Within: time.Minute},
		Subscribers: append([]events.Subscriber{s.seen.Subscriber()}, subs...),
		Children: []actor.Spec{
			{Name: "failing", Task: until(1000, nil, nil), MaxRetries: 3},
			{Name: "flaky", Task: until(3, nil, idle)},
			{Name: "panicking", Task: until(2, func() { panic("storm") }, succeed)},
			{Name: "exiting", Task: until(2, runtime.Goexit, succeed)},
			{Name: "fatal", Task: actor.Func(func(context.Context) error { return actor.Fatal(errStorm) })},
			{Name: "done", Task: until(1, nil, func(context.Context) error { return actor.Done })},
			{Name: "slow", Task: actor.Func(idle), Timeout: time.Second, MaxRetries: 2},
			{Name: "stalling", Task: actor.Func(idle), Stall: time.Second, MaxRetries: 1},
			{Name: "once", Task: actor.Func(func(context.Context) error { return errStorm }), Restart: policy.Never},
			{Name: "periodic", Task: actor.Func(succeed), Restart: policy.Always, Every: time.Minute},
			{Name: "deaf", Task: deaf, Grace: time.Second},
			{Name: "lost", Task: deaf, Timeout: time.Second, Grace: time.Second, OnStuck: policy.StuckAbandon, MaxRetries: 2},
			{Name: "removed", Task: actor.Func(idle)},
			group.Spec(""), rest.Spec(""),
			{Name: "hasty", Task: hasty, MaxRetries: 2},
			{Name: "quitter", Task: quitter, MaxRetries: 1},
		},
	})
	return s
}

// rage runs the storm to its end, and calls calm in the middle, when an hour is over and
// nothing moves.
func (s *storm) rage(t *testing.T, calm func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	time.Sleep(time.Minute)

	for i := range 50 {
		n := i % 3
		s.start(t, actor.Spec{Name: fmt.Sprintf("job-%d", i), Task: until(n, nil, succeed), MaxRetries: 1})
	}
	for i := range 5 {
		sub := supervisor.New(supervisor.Config{
			Name: "dyn", EndWhenEmpty: true, Intensity: policy.Intensity{Restarts: 3, Within: time.Minute},
			Children: []actor.Spec{
				{Name: "db", Task: until(i, nil, succeed), Backoff: policy.Constant(time.Second)},
				{Name: "cache", Task: actor.Func(succeed)},
			},
		})
		spec := sub.Spec(fmt.Sprintf("dyn-%d", i))
		spec.MaxRetries = 1
		s.start(t, spec)
	}
	must(t, s.Stop(ctx, "deaf"))
	must(t, s.Remove(ctx, "removed"))
	_, err := s.Restart(ctx, "flaky")
	must(t, err)
	time.Sleep(time.Hour + time.Second)
	synctest.Wait()
	calm()

	stop()
	if err := <-ended; err != nil {
		var left *supervisor.StopError
		if !errors.As(err, &left) {
			t.Errorf("it ends with %v", err)
		}
	}
	if s.seen.Count(events.EventsLost) > 0 || s.seen.Dropped() > 0 {
		t.Fatal("the recorder has not seen everything")
	}
}

func (s *storm) start(t *testing.T, spec actor.Spec) {
	t.Helper()
	if _, err := s.Start(t.Context(), spec); err != nil {
		t.Error(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	var left *supervisor.StopError
	if err != nil && !errors.As(err, &left) {
		t.Error(err)
	}
}

// counted are the metrics that truth knows.
var counted = []string{
	"tasks_added_total", "tasks_finished_total", "attempts_started_total", "attempts_ended_total", "task_restarts_total",
	"attempts_stuck_total", "attempts_abandoned_total",
	"supervisor_runs_total", "supervisor_group_restarts_total", "supervisor_intensity_exceeded_total",
}

// observed are the histograms.
var observed = []string{"attempt_duration_seconds", "task_duration_seconds", "backoff_delay_seconds"}

// truth adds up what the recorder has seen, as far as it was not zero.
func (s *storm) truth() figures {
	f := figures{}
	failed := map[string]string{} // the pattern of the last failure below a supervisor, by its path
	for _, e := range s.seen.Events() {
		task := fmt.Sprintf(`task=%q}`, e.Pattern)
		self := fmt.Sprintf(`{supervisor=%q}`, e.Pattern)
		observe := func(name string, d time.Duration) {
			f[name+"_count{"+task]++
			f[name+"_sum{"+task] += d.Seconds()
		}
		switch e.Kind {
		case events.TaskAdded:
			f["tasks_added_total{"+task]++
		case events.TaskFinished:
			f[fmt.Sprintf("tasks_finished_total{outcome=%q,", e.Outcome)+task]++
			observe("task_duration_seconds", e.Elapsed)
		case events.AttemptStarted:
			f["attempts_started_total{"+task]++
		case events.AttemptEnded:
			f[fmt.Sprintf("attempts_ended_total{exit=%q,", e.Exit)+task]++
			observe("attempt_duration_seconds", e.Elapsed)
			failed[e.Path[:strings.LastIndex(e.Path, "/")]] = e.Pattern
		case events.RetryScheduled:
			if e.Exit.IsFailure() {
				f["task_restarts_total{"+task]++
				observe("backoff_delay_seconds", e.Delay)
			}
		case events.GroupRestarting: // follows the failure at once
			f[fmt.Sprintf("task_restarts_total{task=%q}", failed[e.Path])]++
			f["supervisor_group_restarts_total"+self]++
		case events.TaskStuck:
			if e.Count == 1 { // the others say that it still is
				f["attempts_stuck_total{"+task]++
			}
		case events.TaskAbandoned:
			f["attempts_abandoned_total{"+task]++
		case events.SupervisorStopped:
			f["supervisor_runs_total"+self]++
		case events.IntensityExceeded:
			f["supervisor_intensity_exceeded_total"+self]++
		}
	}
	return f
}

// agree compares what was scraped with the truth: all series of these metrics.
func agree(t *testing.T, got, truth figures, metrics ...string) {
	t.Helper()
	for _, name := range metrics {
		have, want := got.about(name), truth.about(name)
		if len(have) == 0 {
			t.Errorf("%s is missing", name)
		}
		for series := range want {
			if _, there := have[series]; !there {
				t.Errorf("%s is missing", series)
			}
		}
		for series, value := range have {
			if !near(value, want[series]) {
				t.Errorf("%s is %v, and the events say %v", series, value, want[series])
			}
		}
	}
}

func TestAfterAStormTheCountersAreWhatTheEventsSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c prom.Collector
		s := newStorm(c.Subscriber())
		if err := c.Add(s); err != nil {
			t.Fatal(err)
		}
		reg := register(t, &c)
		declared := len(scrape(t, reg))

		s.rage(t, func() {
			got := scrape(t, reg)
			running := maps.Clone(got.about("supervisor_runs_total"))
			truth := s.truth()
			for series := range running { // those that still run have not stopped
				name := strings.TrimPrefix(series, "supervisor_runs_total")
				truth[series] += got["supervisor_up"+name]
			}
			agree(t, got, truth, counted...)
			s.agreeWithTree(t, got)
			got.expect(t, figures{
				`supervisor_zombies{supervisor="/app"}`:            4, // deaf once, lost three times
				`supervisor_permits_limit{supervisor="/app"}`:      30,
				`supervisor_permits_used{supervisor="/app"}`:       6, // flaky, and those of the groups
				`supervisor_permits_waiting{supervisor="/app"}`:    0,
				`supervisor_intensity_limit{supervisor="/app"}`:    1000,
				`supervisor_intensity_restarts{supervisor="/app"}`: 0,
				`supervisor_up{supervisor="/app/hasty"}`:           0,
				`supervisor_up{supervisor="/app/group"}`:           1,
				`supervisor_intensity_limit{supervisor="/app/*"}`:  0,
				`tasks{state="completed",task="/app/periodic"}`:    0,
			})
		})
		close(s.gate)

		got, truth := scrape(t, reg), s.truth()
		agree(t, got, truth, counted...)
		for _, name := range observed {
			agree(t, got, truth, name+"_count", name+"_sum")
		}
		wild := func(n float64, series string) {
			if truth[series] < n {
				t.Errorf("the storm was too mild: %s is %v, want %v", series, truth[series], n)
			}
		}
		for _, exit := range []string{"succeeded", "finished", "failed", "fatal", "escalated", "panicked", "exited", "timed_out", "stalled", "stopped"} {
			wild(1, fmt.Sprintf("attempts_ended_total{exit=%q,task=%q}", exit, map[string]string{
				"succeeded": "/app/*", "finished": "/app/done", "failed": "/app/*/db", "fatal": "/app/fatal", "escalated": "/app/quitter/boss", "panicked": "/app/rest/younger",
				"exited": "/app/exiting", "timed_out": "/app/slow", "stalled": "/app/stalling", "stopped": "/app/group/elder",
			}[exit]))
		}
		wild(3, `supervisor_group_restarts_total{supervisor="/app/group"}`)
		wild(3, `supervisor_intensity_exceeded_total{supervisor="/app/hasty"}`)
		wild(3, `supervisor_runs_total{supervisor="/app/hasty"}`)
		wild(1, `tasks_finished_total{outcome="abandoned",task="/app/deaf"}`)
		wild(1, `tasks_finished_total{outcome="failed",task="/app/*"}`)
		wild(1, `tasks_finished_total{outcome="stopped",task="/app/removed"}`)
		wild(1, `supervisor_intensity_exceeded_total{supervisor="/app/*"}`)

		// Only the patterns below dynamic supervisors are new.
		perTask, perSupervisor := 72, 10
		if want := declared + 3*perTask + perSupervisor; len(got) != want {
			t.Errorf("%d series have become %d, want %d", declared, len(got), want)
		}
	})
}

// agreeWithTree compares the states with those of the listing.
func (s *storm) agreeWithTree(t *testing.T, got figures) {
	t.Helper()
	dynamic := regexp.MustCompile(`/(job|dyn)-\d+`)
	want := figures{}
	tree := s.Tree()
	for n := range tree.All() {
		if n.Path != "/app" {
			want[fmt.Sprintf("tasks{state=%q,task=%q}", n.State, dynamic.ReplaceAllString(n.Path, "/*"))]++
		}
	}
	for series := range got.about("tasks") {
		want[series] += 0
	}
	// The children of a supervisor that is not running are not listed.
	want[`tasks{state="stopped",task="/app/hasty/bad"}`]++
	want[`tasks{state="stopped",task="/app/hasty/good"}`]++
	want[`tasks{state="stopped",task="/app/quitter/boss"}`]++
	got.about("tasks").equal(t, want)
}

func TestCountersAreExactWhateverASubscriberLoses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c prom.Collector
		sub := c.Subscriber()
		observe := sub.Handler
		slow := make(chan struct{})
		sub.Queue = 1
		sub.Handler = events.HandlerFunc(func(e events.Event) { <-slow; observe.Handle(e) })
		s := newStorm(sub)
		if err := c.Add(s); err != nil {
			t.Fatal(err)
		}
		reg := register(t, &c)
		s.rage(t, func() { agree(t, scrape(t, reg), s.truth(), "attempts_ended_total", "tasks_finished_total") })
		close(s.gate)
		close(slow)
		synctest.Wait()

		got, truth := scrape(t, reg), s.truth()
		agree(t, got, truth, counted...)
		wanted, seen := sum(truth, observed...), sum(got, observed...)
		if seen >= wanted/10 {
			t.Errorf("the subscriber was to lose most, and has seen %v of %v", seen, wanted)
		}
		if lost := got[`subscriber_events_lost_total{subscriber="prometheus"}`]; lost < wanted-seen {
			t.Errorf("%v of %v were observed, and %v are said to be lost", seen, wanted, lost)
		}
	})
}

// sum adds up how often histograms were fed.
func sum(f figures, histograms ...string) (n float64) {
	for _, name := range histograms {
		for _, value := range f.about(name + "_count") {
			n += value
		}
	}
	return n
}

func TestSubscribersThatBlockOrPanicAreSeenAndStopNoScrape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c prom.Collector
		slow := make(chan struct{})
		s := newStorm(
			c.Subscriber(),
			events.Subscriber{Name: "blocking", Queue: 5, Handler: events.HandlerFunc(func(events.Event) { <-slow })},
			events.Subscriber{Name: "panicking", Kinds: []events.Kind{events.TaskFinished}, Handler: events.HandlerFunc(func(events.Event) { panic("storm") })},
		)
		if err := c.Add(s); err != nil {
			t.Fatal(err)
		}
		reg := register(t, &c)
		s.rage(t, func() {
			got := scrape(t, reg)
			finished := float64(s.seen.Count(events.TaskFinished))
			got.expect(t, figures{
				`subscriber_events_queued{subscriber="blocking"}`:           5,
				`subscriber_events_delivered_total{subscriber="blocking"}`:  0,
				`subscriber_panics_total{subscriber="blocking"}`:            0,
				`subscriber_events_delivered_total{subscriber="panicking"}`: finished,
				`subscriber_panics_total{subscriber="panicking"}`:           finished,
				`subscriber_events_lost_total{subscriber="panicking"}`:      0,
				`subscriber_events_lost_total{subscriber="prometheus"}`:     0,
				`subscriber_panics_total{subscriber="prometheus"}`:          0,
			})
			if lost := got[`subscriber_events_lost_total{subscriber="blocking"}`]; lost < 100 {
				t.Errorf("only %v events are lost", lost)
			}
		})
		close(s.gate)
		close(slow)
		synctest.Wait()
		agree(t, scrape(t, reg), s.truth(), counted...)
	})
}

// A registry gathers while nobody takes what it has gathered: the tree does not notice.
func TestAReaderThatDoesNotReadHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c prom.Collector
		s := newStorm(c.Subscriber())
		if err := c.Add(s); err != nil {
			t.Fatal(err)
		}
		unread := make(chan prometheus.Metric)
		collected := make(chan struct{})
		s.rage(t, func() {
			go func() {
				defer close(collected)
				c.Collect(unread)
			}()
			synctest.Wait()
		})
		close(s.gate)
		n := 0
		for reading := true; reading; {
			select {
			case <-unread:
				n++
			case <-collected:
				reading = false
			}
		}
		if n == 0 || !slices.Contains(s.seen.Kinds(), events.SupervisorStopped) {
			t.Error("nothing was collected, or the tree has not stopped")
		}
	})
}
