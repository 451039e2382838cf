package supervisor_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// slowEnd is around attempts, and takes its time when they have ended.
func slowEnd(context.Context, actor.Info) (context.Context, func(actor.Result)) {
	return nil, func(actor.Result) { time.Sleep(10 * time.Second) }
}

// slowBackoff takes its time to answer.
type slowBackoff struct{}

func (slowBackoff) NextBackOff() time.Duration { time.Sleep(10 * time.Second); return 0 }
func (slowBackoff) Reset()                     {}

// What lies between two attempts, and is a user's, takes nothing from the time of the next.
func TestASlowUserBetweenTwoAttemptsTakesNothingFromTheNext(t *testing.T) {
	for name, c := range map[string]struct {
		around  []actor.Around
		backoff policy.Backoff
	}{
		"the end of what is around": {[]actor.Around{slowEnd}, policy.NoBackoff()},
		"a backoff":                 {nil, policy.Custom(func() backoff.BackOff { return slowBackoff{} })},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const timeout = 5 * time.Second
				heard := &ear{}
				var entered []time.Time
				app := supervisor.New(supervisor.Config{
					Name: "app", EndWhenEmpty: true, Around: c.around, Subscribers: heard.subscriber(events.AttemptStarted),
					Children: []actor.Spec{{Name: "a", Backoff: c.backoff, Timeout: timeout, MaxRetries: 3, Task: actor.Func(func(ctx context.Context) error {
						entered = append(entered, time.Now())
						if deadline, _ := ctx.Deadline(); time.Until(deadline) != timeout {
							t.Errorf("attempt %d has %v left when it begins", len(entered), time.Until(deadline))
						}
						if len(entered) == 1 {
							return errors.New("once")
						}
						return nil
					})}},
				})
				if err := app.Run(t.Context()); err != nil {
					t.Error(err)
				}
				for i, e := range heard.of("/app/a") {
					if !e.At.Equal(entered[i]) {
						t.Errorf("attempt %d was told to have started %v before it did", i+1, entered[i].Sub(e.At))
					}
				}
			})
		})
	}
}

// quitter is a task of a job that leaves its goroutine when it is asked for that.
type quitter struct {
	actor.Func
	quits *atomic.Bool
	quit  chan struct{}
}

func (q quitter) Describe() *events.Job {
	if q.quits.CompareAndSwap(true, false) {
		close(q.quit)
		runtime.Goexit()
	}
	return nil
}

// The task is lost, and nothing else is.
func TestAGoexitWhileAnEventIsMadeLocksNothing(t *testing.T) {
	task := quitter{quits: new(atomic.Bool), quit: make(chan struct{})}
	task.Func = func(context.Context) error {
		task.quits.Store(true)
		return errors.New("failed")
	}
	heard := &ear{}
	app := supervisor.New(supervisor.Config{
		Name: "app", Subscribers: heard.subscriber(), Children: []actor.Spec{{Name: "a", Backoff: policy.NoBackoff(), Task: task}},
	})
	go func() { _ = app.Run(context.WithoutCancel(t.Context())) }()
	<-task.quit
	if n := len(app.Tree().Children); n != 1 {
		t.Errorf("%d children", n)
	}
}
