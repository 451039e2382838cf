package health_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/prom"
	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/health"
)

var _ events.Source = (*health.Checker)(nil)

// figures are what a checker measures, one per line.
func figures(c *health.Checker) string {
	var lines []string
	c.Measure(func(m *events.Metric, value float64, labels ...string) {
		lines = append(lines, fmt.Sprintf("%s%v %v", m.Name, labels, value))
	})
	return strings.Join(lines, "\n")
}

// want is how figures writes them.
func want(root string, ready, live, critical, tolerated, optional int) string {
	return fmt.Sprintf("health_ready[%[1]s] %[2]d\nhealth_live[%[1]s] %[3]d\nhealth_problems[%[1]s critical] %[4]d\n"+
		"health_problems[%[1]s tolerated] %[5]d\nhealth_problems[%[1]s optional] %[6]d", root, ready, live, critical, tolerated, optional)
}

func TestTheFiguresFollowTheReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, supervisor.Config{LameDuck: time.Second, Children: []actor.Spec{
			{Name: "db", Task: failsAfter(10 * time.Second), Restart: policy.Never},
			{Name: "cache", Task: failsAfter(5 * time.Second), Restart: policy.Never, Optional: true},
			{Name: "queue", Task: failsAfter(5 * time.Second), Restart: policy.Never, Optional: true},
		}}, health.Config{MaxProblems: 1})
		for _, row := range []struct {
			at   time.Duration
			want string
		}{
			{time.Second, want("/app", 1, 1, 0, 0, 0)},
			{6 * time.Second, want("/app", 1, 1, 0, 0, 2)}, // though only one is named
			{11 * time.Second, want("/app", 1, 1, 0, 1, 2)},
			{13 * time.Second, want("/app", 0, 1, 1, 0, 2)},
		} {
			time.Sleep(row.at - time.Since(h.began))
			synctest.Wait()
			if got := figures(h.Checker); got != row.want {
				t.Errorf("after %v:\n%s\nwant\n%s", row.at, got, row.want)
			}
		}
		h.close()
		if got, want := figures(h.Checker), want("/app", 0, 0, 1, 0, 0); got != want {
			t.Errorf("after the end:\n%s\nwant\n%s", got, want)
		}
	})
}

func TestTheFiguresAreThereBeforeTheFirstRun(t *testing.T) {
	c := checker(t, supervisor.New(supervisor.Config{}), health.Config{})
	if got, want := figures(c), want("/", 0, 1, 1, 0, 0); got != want {
		t.Errorf("they are\n%s\nwant\n%s", got, want)
	}
}

func TestManyLooksGiveTheAnswersOfFew(t *testing.T) {
	answers := func(t *testing.T, scrapes int) (statuses []string) {
		synctest.Test(t, func(t *testing.T) {
			h := open(t, supervisor.Config{Children: []actor.Spec{
				{Name: "db", Task: script(failsAfter(10*time.Second), failsAfter(3*time.Second), serve), Backoff: second},
				{Name: "cache", Task: script(failsAfter(25*time.Second), serve), Backoff: second, Optional: true},
			}}, health.Config{})
			for i := range 35 {
				for n := range scrapes {
					time.Sleep(time.Until(h.began.Add(time.Duration(i)*time.Second + time.Duration(n)*time.Second/time.Duration(scrapes))))
					figures(h.Checker)
				}
				time.Sleep(time.Until(h.began.Add(time.Duration(i+1) * time.Second)))
				synctest.Wait()
				statuses = append(statuses, h.Readiness().Status.String())
			}
		})
		return statuses
	}
	few, many := strings.Join(answers(t, 0), " "), strings.Join(answers(t, 50), " ")
	if few != many {
		t.Errorf("with a look per second it is\n%s, and with fifty\n%s", few, many)
	}
	if !strings.Contains(few, "not_ready") || !strings.Contains(few, "degraded") || !strings.HasSuffix(few, " ready") {
		t.Errorf("it is %s", few)
	}
}

func TestACollectorShowsAnAppAndItsHealth(t *testing.T) {
	app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{{Name: "db", Task: actor.Func(serve)}}})
	var c prom.Collector
	if err := c.Add(app, checker(t, app, health.Config{})); err != nil {
		t.Fatal(err)
	}
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(&c)
	expect := func(ready, critical int) {
		t.Helper()
		text := fmt.Sprintf(`
# HELP taskvisor_health_live Whether the process of the app should go on: 1 if it is live, otherwise 0.
# TYPE taskvisor_health_live gauge
taskvisor_health_live{supervisor="/app"} 1
# HELP taskvisor_health_problems Tasks and supervisors that are not in order, by what that does to readiness. An app with a critical one is not ready.
# TYPE taskvisor_health_problems gauge
taskvisor_health_problems{severity="critical",supervisor="/app"} %d
taskvisor_health_problems{severity="optional",supervisor="/app"} 0
taskvisor_health_problems{severity="tolerated",supervisor="/app"} 0
# HELP taskvisor_health_ready Whether the app should be sent requests: 1 if it is ready or degraded, otherwise 0.
# TYPE taskvisor_health_ready gauge
taskvisor_health_ready{supervisor="/app"} %d
`, critical, ready)
		if err := testutil.GatherAndCompare(reg, strings.NewReader(text),
			"taskvisor_health_ready", "taskvisor_health_live", "taskvisor_health_problems"); err != nil {
			t.Error(err)
		}
	}
	expect(0, 1)
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("it is linted with %v, %v", problems, err)
	}

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	if err := app.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	expect(1, 0)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
