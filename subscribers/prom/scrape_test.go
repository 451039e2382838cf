package prom_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/prom"
	"github.com/taskvisor/taskvisor/supervisor"
)

// grows says that a series is a counter, or a part of a histogram.
func grows(series string) bool {
	name, _, _ := strings.Cut(series, "{")
	for _, suffix := range []string{"_total", "_bucket", "_count", "_sum"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// watch scrapes one time after the other until done is closed, and once more, and has an
// error for each counter that has become less or is gone.
func watch(t *testing.T, reg prometheus.Gatherer, done <-chan struct{}, scrapes *atomic.Int64) {
	last := figures{}
	for over := false; !over && !t.Failed(); {
		select {
		case <-done:
			over = true
		default:
		}
		now, n := scrape(t, reg), scrapes.Add(1)
		for series, before := range last {
			value, there := now[series]
			switch {
			case !grows(series):
			case !there:
				t.Errorf("scrape %d: %s was %v and is gone", n, series, before)
			case value < before:
				t.Errorf("scrape %d: %s was %v and is %v", n, series, before, value)
			}
		}
		last = now
	}
}

func TestNoCounterGoesBackwardsWhileEverythingComesAndGoes(t *testing.T) {
	soon := supervisor.Defaults{Backoff: policy.Constant(time.Millisecond), MaxRetries: policy.Unlimited}
	var c prom.Collector
	hasty := supervisor.New(supervisor.Config{
		Name: "hasty", Defaults: soon, Intensity: policy.Intensity{Restarts: 3, Within: time.Minute},
		Children: []actor.Spec{{Name: "bad", Task: until(1<<30, nil, idle)}, {Name: "good", Task: actor.Func(idle)}},
	})
	group := supervisor.New(supervisor.Config{
		Name: "group", Strategy: supervisor.OneForAll, Defaults: soon,
		Children: []actor.Spec{
			{Name: "elder", Task: actor.Func(idle)},
			{Name: "offender", Task: actor.Func(func(ctx context.Context) error {
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(2 * time.Millisecond):
					return errStorm
				}
			})},
		},
	})
	pool := supervisor.New(supervisor.Config{Name: "pool", Defaults: soon, Children: []actor.Spec{{Name: "db", Task: until(5, nil, idle)}}})
	app := supervisor.New(supervisor.Config{
		Name: "app", Defaults: soon, Concurrency: 20, Subscribers: []events.Subscriber{c.Subscriber()},
		Children: []actor.Spec{
			hasty.Spec(""), group.Spec(""), pool.Spec(""),
			{Name: "panicking", Task: until(1<<30, func() { panic("storm") }, idle)},
			{Name: "periodic", Task: actor.Func(succeed), Restart: policy.Always},
		},
	})
	if err := c.Add(app); err != nil {
		t.Fatal(err)
	}
	reg := register(t, &c)

	done := make(chan struct{})
	var watching sync.WaitGroup
	var scrapes atomic.Int64
	for range 2 {
		watching.Go(func() { watch(t, reg, done, &scrapes) })
	}
	runs := 0.0
	for ; !t.Failed() && (runs < 3 || scrapes.Load() < 20); runs++ {
		comeAndGo(t, app, soon)
	}
	close(done)
	watching.Wait()
	scrape(t, reg).expect(t, figures{
		`supervisor_runs_total{supervisor="/app"}`:                    runs,
		`supervisor_up{supervisor="/app"}`:                            0,
		`tasks_finished_total{outcome="completed",task="/app/*/job"}`: runs * families,
		`tasks_added_total{task="/app/*"}`:                            runs * families,
		`attempts_ended_total{exit="failed",task="/app/*/job"}`:       runs * families,
		`supervisor_runs_total{supervisor="/app/*"}`:                  runs * families,
	})
}

// families is how many supervisors are added in a run.
const families = 30

// comeAndGo runs app once: supervisors are added and end, one is restarted by hand, and
// one is removed.
func comeAndGo(t *testing.T, app *supervisor.Supervisor, soon supervisor.Defaults) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	if err := app.WaitReady(ctx); err != nil {
		t.Error(err)
	}
	for i := range families {
		sub := supervisor.New(supervisor.Config{
			EndWhenEmpty: true, Defaults: soon, Children: []actor.Spec{{Name: "job", Task: until(1, nil, succeed)}},
		})
		h, err := app.Start(ctx, sub.Spec(fmt.Sprintf("sub-%d", i)))
		if err != nil {
			t.Error(err)
			break
		}
		if _, err := h.Wait(ctx); err != nil {
			t.Error(err)
		}
		if i == families/2 {
			if _, err := app.Restart(ctx, "group"); err != nil {
				t.Error(err)
			}
			if err := app.Remove(ctx, "pool"); err != nil {
				t.Error(err)
			}
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
