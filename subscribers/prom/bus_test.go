package prom_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

const delivered = "subscriber_events_delivered_total"

func TestTheFiguresOfASubscriberOutliveARunOfTheTree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		app := supervisor.New(supervisor.Config{
			Name: "app", Bus: &bus, EndWhenEmpty: true,
			Children: []actor.Spec{{Name: "job", Task: actor.Func(succeed)}},
		})
		c := collectorOf(t, app, &bus)
		sub, err := bus.Subscribe(c.Subscriber())
		if err != nil {
			t.Fatal(err)
		}
		if err := app.Run(t.Context()); err != nil {
			t.Error(err)
		}
		// It is still subscribed and has dealt with two events.
		scrape(t, register(t, c)).about(delivered).equal(t, figures{delivered + `{subscriber="prometheus"}`: 2})
		_ = sub.Close(t.Context())
	})
}

func TestASubscriberIsCountedOnceOnABusOfTwoTrees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus events.Bus
		tree := func(name string) *supervisor.Supervisor {
			return supervisor.New(supervisor.Config{
				Name: name, Bus: &bus,
				Subscribers: []events.Subscriber{{Name: "log of " + name, Handler: events.HandlerFunc(func(events.Event) {})}},
				Children:    []actor.Spec{{Name: "job", Task: actor.Func(idle)}},
			})
		}
		a, b := tree("a"), tree("b")
		reg := register(t, collectorOf(t, a, b, &bus))
		run := func(s *supervisor.Supervisor) (stop func()) {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx) }()
			synctest.Wait()
			return func() { cancel(); <-ended }
		}
		stopA := run(a)
		run(b)()
		series := delivered + `{subscriber="log of b"}`
		before := scrape(t, reg)[series]
		stopB := run(b)
		if now := scrape(t, reg)[series]; now < before {
			t.Errorf("%s was %v and is %v", series, before, now)
		}
		stopB()
		stopA()
	})
}

// detached is a supervisor that ignores when it is told to stop.
type detached struct {
	*supervisor.Supervisor
	gate chan struct{}
}

func (d detached) Run(ctx context.Context) error {
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go func() { <-d.gate; stop() }()
	return d.Supervisor.Run(inner)
}

func TestWhatAnAbandonedSupervisorHasCountedIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := supervisor.New(supervisor.Config{Name: "app"})
		reg := register(t, collectorOf(t, app))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- app.Run(ctx) }()
		synctest.Wait()

		d := detached{supervisor.New(supervisor.Config{Children: []actor.Spec{{Name: "job", Task: actor.Func(idle)}}}), make(chan struct{})}
		if _, err := app.Start(ctx, actor.Spec{Name: "sub", Task: d, Grace: time.Second, OnStuck: policy.StuckAbandon}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want := figures{`attempts_started_total{task="/app/*/job"}`: 1, `supervisor_runs_total{supervisor="/app/*"}`: 1}
		scrape(t, reg).expect(t, want)
		_ = app.Stop(ctx, "sub") // after a while it is abandoned
		scrape(t, reg).expect(t, want)
		close(d.gate)
		time.Sleep(time.Minute)
		scrape(t, reg).expect(t, want)
		stop()
		<-ended
	})
}
