package prom_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/prom"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestPrometheusHasNoComplaintAboutNamesAndHelp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c prom.Collector
		deploys := controller.New(controller.Config{Name: "deploys"})
		jobs := persist.New(persist.Config{Name: "jobs", Store: memstore.New(), Handlers: []persist.Handler{
			noteType.Handle(func(context.Context, note) error { return nil }),
		}})
		app := supervisor.New(supervisor.Config{
			Name: "app", Subscribers: []events.Subscriber{c.Subscriber()},
			Children: []actor.Spec{{Name: "job", Task: actor.Func(idle)}, deploys.Spec(""), jobs.Spec("")},
		})
		if err := c.Add(app, deploys, jobs); err != nil {
			t.Fatal(err)
		}
		reg := register(t, &c)
		lint := func(when string) {
			problems, err := testutil.GatherAndLint(reg)
			if err != nil {
				t.Errorf("%s: %v", when, err)
			}
			for _, p := range problems {
				t.Errorf("%s: %s: %s", when, p.Metric, p.Text)
			}
		}
		lint("before anything runs")
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		ended := make(chan error, 1)
		go func() { ended <- app.Run(ctx) }()
		must(t, jobs.WaitReady(ctx))
		if _, err := noteType.Submit(ctx, jobs, note{}); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		lint("after a run")
	})
}

func TestAllIsThereAsZeroBeforeTheFirstEvent(t *testing.T) {
	var c prom.Collector
	pool := supervisor.New(supervisor.Config{Name: "pool", Children: []actor.Spec{{Name: "db", Task: actor.Func(idle)}}})
	app := supervisor.New(supervisor.Config{
		Name: "app", Subscribers: []events.Subscriber{c.Subscriber()}, Intensity: policy.Intensity{Restarts: 5, Within: time.Minute},
		Children: []actor.Spec{{Name: "job", Task: actor.Func(idle)}, pool.Spec("")},
	})
	if err := c.Add(app); err != nil {
		t.Fatal(err)
	}
	got := scrape(t, register(t, &c))

	for series, value := range got {
		known := strings.Contains(series, `state="stopped"`) || strings.HasPrefix(series, "supervisor_intensity_limit")
		if value != 0 && !known {
			t.Errorf("%s is %v", series, value)
		}
	}
	want := figures{
		`supervisor_intensity_limit{supervisor="/app"}`:               5,
		`subscriber_events_lost_total{subscriber="prometheus"}`:       0,
		`task_restarts_total{task="/app/pool/*"}`:                     0,
		`tasks{state="stopped",task="/app/job"}`:                      1,
		`tasks_finished_total{outcome="failed",task="/app/pool/db"}`:  0,
		`attempts_ended_total{exit="timed_out",task="/app/pool/db"}`:  0,
		`attempt_duration_seconds_bucket{le="+Inf",task="/app/job"}`:  0,
		`task_duration_seconds_sum{task="/app/*"}`:                    0,
		`backoff_delay_seconds_bucket{le="12.8",task="/app/pool/db"}`: 0,
	}
	got.expect(t, want)
}

func TestTheDocumentedNumberOfSeriesIsTheActualOne(t *testing.T) {
	const perTask, perHistograms, perSupervisor, perController, perSubscriber = 29, 43, 10, 17, 4
	const perQueue, perQueueType = 32, 5

	count := func(tasks int, subscribed bool) int {
		var c prom.Collector
		cfg := supervisor.Config{Name: "app"}
		for i := range tasks {
			cfg.Children = append(cfg.Children, actor.Spec{Name: fmt.Sprintf("task-%d", i), Task: actor.Func(idle)})
		}
		if subscribed {
			cfg.Subscribers = []events.Subscriber{c.Subscriber()}
		}
		if err := c.Add(supervisor.New(cfg)); err != nil {
			t.Fatal(err)
		}
		return len(gather(t, &c))
	}
	for _, row := range []struct {
		sentence   string
		tasks      int
		subscribed bool
		want       int
	}{
		{"a supervisor without declared tasks has a pattern for the others", 0, false, perSupervisor + perTask},
		{"each task adds as many", 3, false, perSupervisor + 4*perTask},
		{"the example of the package comment", 10, true, 806},
		{"those beyond a thousand add nothing", 1200, true, perSupervisor + 1001*(perTask+perHistograms) + perSubscriber},
	} {
		if got := count(row.tasks, row.subscribed); got != row.want {
			t.Errorf("%s: %d series, want %d", row.sentence, got, row.want)
		}
	}
	if got := len(gather(t, collectorOf(t, controller.New(controller.Config{Name: "deploys"})))); got != perController {
		t.Errorf("a controller has %d series of its own, want %d", got, perController)
	}
	for types, cfg := range []persist.Config{{Store: memstore.New()}, {Store: memstore.New(), Types: []persist.Known{noteType}}} {
		if got, want := len(gather(t, collectorOf(t, persist.New(cfg)))), perQueue+types*perQueueType; got != want {
			t.Errorf("a queue with %d types has %d series of its own, want %d", types, got, want)
		}
	}
}

func TestControllersAreToldApartByTheirNames(t *testing.T) {
	uploads, deploys := controller.New(controller.Config{Name: "uploads"}), controller.New(controller.Config{Name: "deploys"})
	collectorOf(t, uploads, deploys)
	_, err := prom.New(uploads, controller.New(controller.Config{Name: "uploads"}))
	var twice *prom.DuplicateError
	if !errors.As(err, &twice) || twice.Label != "controller" || !strings.Contains(err.Error(), "give the controllers different names") {
		t.Errorf("two of one name: %v", err)
	}
}

func TestQueuesAreToldApartByTheirNames(t *testing.T) {
	queue := func(name string) *persist.Queue {
		return persist.New(persist.Config{Name: name, Store: memstore.New()})
	}
	collectorOf(t, queue("mail"), queue("media"))
	_, err := prom.New(queue("mail"), queue("mail"))
	var twice *prom.DuplicateError
	if !errors.As(err, &twice) || twice.Label != "queue" || !strings.Contains(err.Error(), "give the queues different names") {
		t.Errorf("two of one name: %v", err)
	}
}

func TestTenThousandTasksThatComeAndGoAddNoSeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c prom.Collector
		app := supervisor.New(supervisor.Config{Name: "app", Subscribers: []events.Subscriber{c.Subscriber()}})
		if err := c.Add(app); err != nil {
			t.Fatal(err)
		}
		reg := register(t, &c)
		before := scrape(t, reg)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- app.Run(ctx) }()
		synctest.Wait()

		const n = 10_000
		for i := range n {
			// Some are there at once, others one after the other.
			h, err := app.Start(ctx, actor.Spec{Name: fmt.Sprintf("job-%d", i), Task: actor.Func(func(context.Context) error { return nil })})
			if err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 {
				if _, err := h.Wait(ctx); err != nil {
					t.Fatal(err)
				}
			}
		}
		synctest.Wait()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}

		after := scrape(t, reg)
		if len(after) != len(before) {
			t.Errorf("%d series have become %d", len(before), len(after))
		}
		after.expect(t, figures{
			`tasks_finished_total{outcome="completed",task="/app/*"}`: n,
			`task_duration_seconds_count{task="/app/*"}`:              n,
			`attempt_duration_seconds_count{task="/app/*"}`:           n,
		})
	})
}

func TestWithoutASubscriberThereAreNoHistograms(t *testing.T) {
	c := collectorOf(t, supervisor.New(supervisor.Config{Name: "app"}))
	reg := register(t, c)
	if got := scrape(t, reg).about("task_duration_seconds_count"); len(got) != 0 {
		t.Errorf("there is %v, although nobody feeds it", got)
	}
	c.Subscriber()
	scrape(t, reg).about("task_duration_seconds_count").equal(t, figures{`task_duration_seconds_count{task="/app/*"}`: 0})
}

func TestDurationsAreObservedByPattern(t *testing.T) {
	c := collectorOf(t, supervisor.New(supervisor.Config{Name: "app"}))
	c.Subscriber()
	for _, e := range []events.Event{
		{Kind: events.AttemptEnded, Pattern: "/app/*", Exit: policy.Failed, Elapsed: 30 * time.Millisecond},
		{Kind: events.AttemptEnded, Pattern: "/app/*", Exit: policy.Succeeded, Elapsed: time.Minute},
		{Kind: events.RetryScheduled, Pattern: "/app/*", Exit: policy.Failed, Delay: 200 * time.Millisecond},
		{Kind: events.RetryScheduled, Pattern: "/app/*", Exit: policy.Succeeded, Delay: time.Hour},
		{Kind: events.TaskFinished, Pattern: "/app/*", Outcome: events.Completed, Elapsed: 48 * time.Hour},
		{Kind: events.TaskReady, Pattern: "/app/*", Elapsed: time.Hour},
		{Kind: events.EventsLost, Count: 7},
	} {
		c.Handle(e)
	}
	scrape(t, register(t, c)).expect(t, figures{
		`attempt_duration_seconds_count{task="/app/*"}`:             2,
		`attempt_duration_seconds_sum{task="/app/*"}`:               60.03,
		`attempt_duration_seconds_bucket{le="0.025",task="/app/*"}`: 0,
		`attempt_duration_seconds_bucket{le="0.1",task="/app/*"}`:   1,
		`attempt_duration_seconds_bucket{le="60",task="/app/*"}`:    2,
		`backoff_delay_seconds_count{task="/app/*"}`:                1,
		`backoff_delay_seconds_bucket{le="0.2",task="/app/*"}`:      1,
		`task_duration_seconds_bucket{le="86400",task="/app/*"}`:    0,
		`task_duration_seconds_bucket{le="+Inf",task="/app/*"}`:     1,
		`task_duration_seconds_sum{task="/app/*"}`:                  48 * 3600,
		`backoff_delay_seconds_sum{task="/app/*"}`:                  0.2,
		`attempt_duration_seconds_bucket{le="+Inf",task="/app/*"}`:  2,
	})
}

func TestPatternsThatNobodyReportsAreBounded(t *testing.T) {
	c := collectorOf(t, supervisor.New(supervisor.Config{Name: "app"}))
	c.Subscriber()
	const more = 500
	for i := range prom.MaxUnreported + more {
		c.Handle(events.Event{Kind: events.TaskFinished, Pattern: fmt.Sprintf("/elsewhere/%d", i), Elapsed: time.Second})
	}
	c.Handle(events.Event{Kind: events.TaskFinished, Pattern: "/\xff", Elapsed: time.Second})
	c.Handle(events.Event{Kind: events.TaskFinished, Elapsed: time.Second})

	got := gather(t, c).about("task_duration_seconds_count")
	if want := prom.MaxUnreported + 2; len(got) != want {
		t.Errorf("%d patterns, want %d: those, all others, and the one that is reported", len(got), want)
	}
	got.expect(t, figures{
		`task_duration_seconds_count{task="/elsewhere/999"}`: 1,
		`task_duration_seconds_count{task="other"}`:          more + 2,
		`task_duration_seconds_count{task="/app/*"}`:         0,
	})

	// A source that reports some of them makes room for as many.
	m := &events.Metric{Name: "jobs", Help: "Jobs.", Labels: []string{"task"}}
	known := reports(m, figure{labels: []string{"/elsewhere/7"}}, figure{labels: []string{"/elsewhere/8"}})
	fresh := collectorOf(t, known)
	fresh.Subscriber()
	for i := range prom.MaxUnreported + 2 {
		fresh.Handle(events.Event{Kind: events.TaskFinished, Pattern: fmt.Sprintf("/elsewhere/%d", i)})
	}
	got = gather(t, fresh).about("task_duration_seconds_count")
	if len(got) != prom.MaxUnreported+2 || got[`task_duration_seconds_count{task="other"}`] != 0 {
		t.Errorf("%d patterns and %v others, want %d and none", len(got), got[`task_duration_seconds_count{task="other"}`], prom.MaxUnreported+2)
	}
}

func TestAPatternThatIsReportedLateStopsBeingAStranger(t *testing.T) {
	m := &events.Metric{Name: "jobs", Help: "Jobs.", Labels: []string{"task"}}
	s := reports(m)
	c := collectorOf(t, s)
	c.Subscriber()
	for i := range prom.MaxUnreported {
		c.Handle(events.Event{Kind: events.TaskFinished, Pattern: fmt.Sprintf("/late/%d", i)})
	}
	s.figures = []figure{{metric: m, labels: []string{"/late/0"}}}
	gather(t, c)
	gather(t, c)
	c.Handle(events.Event{Kind: events.TaskFinished, Pattern: "/new/1"})
	c.Handle(events.Event{Kind: events.TaskFinished, Pattern: "/new/2"})
	gather(t, c).expect(t, figures{
		`task_duration_seconds_count{task="/late/0"}`: 1,
		`task_duration_seconds_count{task="/new/1"}`:  1,
		`task_duration_seconds_count{task="other"}`:   1,
	})
}

func TestDurationsOfJobsAreObservedByType(t *testing.T) {
	c := collectorOf(t, supervisor.New(supervisor.Config{Name: "app"}))
	c.Subscriber()
	resize := &events.Job{ID: 42, Type: "media/resize"}
	for _, e := range []events.Event{
		{Kind: events.JobSubmitted, Job: resize, Elapsed: time.Hour},
		{Kind: events.JobStarted, Job: resize, Elapsed: 3 * time.Second},
		{Kind: events.JobRetryScheduled, Job: resize, Elapsed: 40 * time.Millisecond, Delay: time.Hour},
		{Kind: events.JobRetryScheduled, Job: resize, Elapsed: 60 * time.Millisecond},
		{Kind: events.JobCompleted, Job: resize, Elapsed: time.Minute},
		{Kind: events.JobDeadLettered, Job: resize, Elapsed: time.Second},
		{Kind: events.JobReleased, Job: resize, Elapsed: time.Second},
		{Kind: events.JobFailed, Elapsed: time.Second},
	} {
		c.Handle(e)
	}
	scrape(t, register(t, c)).expect(t, figures{
		`job_wait_seconds_count{type="media/resize"}`:                             1,
		`job_wait_seconds_sum{type="media/resize"}`:                               3,
		`job_wait_seconds_bucket{le="2",type="media/resize"}`:                     0,
		`job_wait_seconds_bucket{le="10",type="media/resize"}`:                    1,
		`job_run_seconds_count{outcome="retry",type="media/resize"}`:              2,
		`job_run_seconds_sum{outcome="retry",type="media/resize"}`:                0.1,
		`job_run_seconds_bucket{le="60",outcome="completed",type="media/resize"}`: 1,
		`job_run_seconds_count{outcome="dead_letter",type="media/resize"}`:        1,
		`job_run_seconds_count{outcome="failed",type="media/resize"}`:             0,
		`job_run_seconds_count{outcome="failed",type="other"}`:                    1,
	})
}

func TestTypesOfJobsAreBounded(t *testing.T) {
	c := collectorOf(t, supervisor.New(supervisor.Config{Name: "app"}))
	c.Subscriber()
	const more = 500
	for i := range prom.MaxTypes + more {
		c.Handle(events.Event{Kind: events.JobStarted, Job: &events.Job{Type: fmt.Sprintf("type/%d", i)}})
	}
	c.Handle(events.Event{Kind: events.JobStarted, Job: &events.Job{Type: "\xff"}})
	c.Handle(events.Event{Kind: events.JobStarted, Job: &events.Job{Type: "type/0"}})

	got := gather(t, c).about("job_wait_seconds_count")
	if want := prom.MaxTypes + 1; len(got) != want {
		t.Errorf("%d types, want %d: those, and all others", len(got), want)
	}
	got.expect(t, figures{
		`job_wait_seconds_count{type="type/0"}`:   2,
		`job_wait_seconds_count{type="type/999"}`: 1,
		`job_wait_seconds_count{type="other"}`:    more + 1,
	})
}

func TestTheLabelsOfAQueueAreShown(t *testing.T) {
	jobs := &events.Metric{Name: "queue_jobs", Help: "Jobs.", Labels: []string{"queue", "type", "state"}}
	steps := &events.Metric{Name: "queue_steps_total", Help: "Steps.", Counter: true, Labels: []string{"queue", "kind", "result", "group"}}
	mail := &source{metrics: []*events.Metric{jobs, steps}, figures: []figure{
		{jobs, 3, []string{"mail", "send", "ready"}},
		{steps, 7, []string{"mail", "claim", "ok", "tenant"}},
	}}
	scrape(t, register(t, collectorOf(t, mail))).equal(t, figures{
		`queue_jobs{queue="mail",state="ready",type="send"}`:                      3,
		`queue_steps_total{group="tenant",kind="claim",queue="mail",result="ok"}`: 7,
	})
	_, err := prom.New(mail, mail)
	if err == nil || !strings.Contains(err.Error(), "give the queues different names") {
		t.Errorf("got %v", err)
	}
}

func TestBucketsCanBeChosen(t *testing.T) {
	c := &prom.Collector{AttemptBuckets: []float64{1, 2}, TaskBuckets: []float64{5, math.Inf(1)}, BackoffBuckets: []float64{0.25}}
	if err := c.Add(supervisor.New(supervisor.Config{})); err != nil {
		t.Fatal(err)
	}
	c.Subscriber()
	got := scrape(t, register(t, c))
	for name, want := range map[string]figures{
		"attempt_duration_seconds_bucket": {
			`attempt_duration_seconds_bucket{le="1",task="/*"}`:    0,
			`attempt_duration_seconds_bucket{le="2",task="/*"}`:    0,
			`attempt_duration_seconds_bucket{le="+Inf",task="/*"}`: 0,
		},
		"task_duration_seconds_bucket": {
			`task_duration_seconds_bucket{le="5",task="/*"}`:    0,
			`task_duration_seconds_bucket{le="+Inf",task="/*"}`: 0,
		},
		"backoff_delay_seconds_bucket": {
			`backoff_delay_seconds_bucket{le="0.25",task="/*"}`: 0,
			`backoff_delay_seconds_bucket{le="+Inf",task="/*"}`: 0,
		},
	} {
		got.about(name).equal(t, want)
	}
}

func TestTheDefaultBucketsAreTheCallersOwnAndGrow(t *testing.T) {
	for name, buckets := range map[string]func() []float64{"durations": prom.DurationBuckets, "delays": prom.DelayBuckets} {
		if b := buckets(); !slices.IsSorted(b) || len(slices.Compact(buckets())) != len(b) {
			t.Errorf("%s: %v does not grow", name, b)
		}
		buckets()[0] = -1
		if b := buckets(); b[0] <= 0 {
			t.Errorf("%s: a caller has changed them", name)
		}
	}
}

func TestNativeHistogramsAreMadeOnRequestAndStayBounded(t *testing.T) {
	for _, row := range []struct {
		sentence string
		factor   float64
		native   bool
	}{
		{"by default there are only classic ones", 0, false},
		{"with a factor there are both", 1.1, true},
	} {
		c := &prom.Collector{NativeHistogramBucketFactor: row.factor}
		if err := c.Add(supervisor.New(supervisor.Config{Name: "app"})); err != nil {
			t.Fatal(err)
		}
		c.Subscriber()
		for d := time.Nanosecond; d < 1e6*time.Hour; d += d/20 + 1 {
			c.Handle(events.Event{Kind: events.AttemptEnded, Pattern: "/app/db", Elapsed: d})
		}
		families, err := register(t, c).Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() != "taskvisor_attempt_duration_seconds" {
				continue
			}
			h := f.GetMetric()[0].GetHistogram()
			if native := h.Schema != nil; native != row.native {
				t.Errorf("%s: native is %v", row.sentence, native)
			}
			if n := len(h.GetPositiveDelta()); n > 160 {
				t.Errorf("%s: it has grown to %d buckets", row.sentence, n)
			}
			if len(h.GetBucket()) != len(prom.DurationBuckets()) {
				t.Errorf("%s: %d classic buckets", row.sentence, len(h.GetBucket()))
			}
		}
	}
}

func TestAFieldThatCannotBeUsedIsNamed(t *testing.T) {
	app := supervisor.New(supervisor.Config{})
	for _, row := range []struct {
		sentence string
		c        *prom.Collector
		field    string
	}{
		{"buckets grow", &prom.Collector{AttemptBuckets: []float64{1, 1}}, "AttemptBuckets[1]"},
		{"buckets are numbers", &prom.Collector{TaskBuckets: []float64{math.NaN()}}, "TaskBuckets[0]"},
		{"those of pauses too", &prom.Collector{BackoffBuckets: []float64{1, 2, 0}}, "BackoffBuckets[2]"},
		{"a factor of one has no end of buckets", &prom.Collector{NativeHistogramBucketFactor: 1}, "NativeHistogramBucketFactor"},
		{"a factor is positive", &prom.Collector{NativeHistogramBucketFactor: -2}, "NativeHistogramBucketFactor"},
		{"a factor is a number", &prom.Collector{NativeHistogramBucketFactor: math.NaN()}, "NativeHistogramBucketFactor"},
		{"a factor is finite", &prom.Collector{NativeHistogramBucketFactor: math.Inf(1)}, "NativeHistogramBucketFactor"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			row.c.Subscriber().Handler.Handle(events.Event{Kind: events.AttemptEnded, Pattern: "/a"}) // does not panic
			for what, err := range map[string]error{
				"Add": row.c.Add(app), "Register": prometheus.NewRegistry().Register(row.c),
			} {
				var field *policy.FieldError
				if !errors.As(err, &field) || field.Field != row.field || !errors.Is(err, policy.ErrInvalid) {
					t.Errorf("%s: %v, want one about %s", what, err, row.field)
				}
			}
		})
	}
}

func TestARootWithoutANameIsASlash(t *testing.T) {
	c := collectorOf(t, supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "job", Task: actor.Func(idle)}}}))
	scrape(t, register(t, c)).expect(t, figures{
		`supervisor_up{supervisor="/"}`: 0, `attempts_started_total{task="/job"}`: 0, `attempts_started_total{task="/*"}`: 0,
	})
}

func TestTheSubscriberIsSoundAndAsksOnlyForWhatItUses(t *testing.T) {
	var c prom.Collector
	sub := c.Subscriber()
	if err := sub.Validate(); err != nil {
		t.Error(err)
	}
	want := []events.Kind{
		events.AttemptEnded, events.RetryScheduled, events.TaskFinished,
		events.JobStarted, events.JobRetryScheduled, events.JobCompleted, events.JobFailed, events.JobDeadLettered,
	}
	if sub.Name != "prometheus" || !slices.Equal(sub.Kinds, want) {
		t.Errorf("%q wants %v", sub.Name, sub.Kinds)
	}
}
