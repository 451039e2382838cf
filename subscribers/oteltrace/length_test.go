package oteltrace_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/supervisor"
)

// "Elapsed is how long the attempt lasted. It may be zero": then the span has no length.
func TestASpanOfAnAttemptThatTookNoTimeHasNoLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab()
		slow := func(context.Context, actor.Info) (context.Context, func(actor.Result)) {
			return nil, func(actor.Result) { time.Sleep(time.Minute) }
		}
		app := supervisor.New(supervisor.Config{
			Name: "app", EndWhenEmpty: true, Around: []actor.Around{l.Around, slow},
			Children: []actor.Spec{{Name: "a", Task: actor.Func(succeeds)}},
		})
		if err := app.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := l.spans()[0]
		equal(t, "takes", s.EndTime.Sub(s.StartTime), 0)
	})
}
