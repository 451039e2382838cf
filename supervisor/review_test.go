package supervisor_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// reviewed is a task that is told how its attempts ended. It is not one of a stored job.
type reviewed struct {
	actor.Func
	review func(at *actor.Attempt, res actor.Result)
}

func (r reviewed) Describe() *events.Job { return nil }

func (r reviewed) Review(at *actor.Attempt, res actor.Result) { r.review(at, res) }

func TestATaskReviewsEachAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var list []string
		note := func(args ...any) { list = append(list, fmt.Sprint(args...)) }
		n := 0
		task := reviewed{
			func(ctx context.Context) error {
				switch n++; n {
				case 1:
					return errBench
				case 2:
					panic("boom")
				case 3:
					runtime.Goexit()
				case 4:
					<-ctx.Done()
					return ctx.Err()
				}
				return actor.Go(ctx, func(context.Context) error {
					time.Sleep(time.Second)
					note("a helper returns")
					return nil
				})
			},
			func(at *actor.Attempt, res actor.Result) {
				note("task: ", at.Number(), " ", res.Exit, " ", at.Helped())
			},
		}
		app := supervisor.New(supervisor.Config{
			Name: "app", EndWhenEmpty: true,
			Around: []actor.Around{func(_ context.Context, at actor.Info) (context.Context, func(actor.Result)) {
				if at.Attempt == 5 {
					panic("boom") // and Run is not called
				}
				return nil, func(res actor.Result) { note("around: ", at.Attempt, " ", res.Exit) }
			}},
			Children: []actor.Spec{{Name: "job", Task: task, Backoff: policy.NoBackoff(), Timeout: time.Minute}},
		})
		if err := app.Run(t.Context()); err != nil {
			t.Error(err)
		}
		want := []string{
			"task: 1 failed false", "around: 1 failed",
			"task: 2 panicked false", "around: 2 panicked",
			"task: 3 exited false", "around: 3 exited",
			"task: 4 timed_out false", "around: 4 timed_out",
			"task: 5 panicked false",
			"a helper returns", "task: 6 succeeded true", "around: 6 succeeded",
		}
		if !slices.Equal(list, want) {
			t.Errorf("got  %q\nwant %q", list, want)
		}
	})
}

// What goes wrong in a review is the attempt's, and it is not called twice for that.
func TestAReviewMayFail(t *testing.T) {
	for _, row := range []struct {
		name string
		fail func()
		exit policy.Exit
	}{
		{"by a panic", func() { panic("boom") }, policy.Panicked},
		{"by Goexit", runtime.Goexit, policy.Exited},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				times, heard := 0, &ear{}
				task := reviewed{
					func(context.Context) error { return nil },
					func(*actor.Attempt, actor.Result) {
						if times++; times == 1 {
							time.Sleep(time.Minute)
							row.fail()
						}
					},
				}
				app := supervisor.New(supervisor.Config{
					Name: "app", EndWhenEmpty: true, Subscribers: heard.subscriber(events.AttemptStarted, events.AttemptEnded),
					Children: []actor.Spec{{Name: "job", Task: task, Backoff: policy.NoBackoff()}},
				})
				began := time.Now()
				if err := app.Run(t.Context()); err != nil {
					t.Error(err)
				}
				told := heard.of("/app/job")
				if len(told) != 4 || told[1].Exit != row.exit || told[3].Exit != policy.Succeeded || times != 2 {
					t.Fatalf("%d reviews, %+v", times, told)
				}
				equal(t, "the next attempt", told[2].At.Sub(began), time.Minute)
			})
		})
	}
}

func TestAnAbandonedAttemptIsReviewedWhenItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []time.Duration
		note := func(_ *actor.Attempt, res actor.Result) { got = append(got, res.Elapsed) }
		leaveBehind(t, supervisor.Config{}, reviewed{late, note})
		equal(t, "elapsed", fmt.Sprint(got), "[1m0s]")
	})
}
