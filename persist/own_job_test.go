package persist_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestProgressAfterTheEndIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kept context.Context
		r := hang(t, persist.Config{Handlers: []persist.Handler{chore.Handle(func(ctx context.Context, _ string) error {
			kept = ctx
			persist.Progress(ctx, 0.5, "in time")
			go func() {
				time.Sleep(time.Second)
				persist.Progress(ctx, 0.7, "late")
			}()
			return nil
		})}})
		r.wait(r.submit("a"))
		persist.Progress(kept, 0.6, "after the end")
		elapse(time.Minute)
		same(t, "told", r.told(events.JobProgressed), 1)
		same(t, "what", r.first(events.JobProgressed).Job.Message, "in time")
	})
}

// One that was given up may be superseded, and that is told before it returns.
func TestProgressOfAnAttemptThatWasGivenUpIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{Handlers: []persist.Handler{chore.Handle(func(ctx context.Context, in string) error {
			if in == "old" {
				persist.Progress(ctx, 0.5, "in time")
				time.Sleep(time.Hour)
				persist.Progress(ctx, 0.7, "late")
			}
			return nil
		})}, Defaults: []persist.Option{persist.WithGrace(time.Second)}})
		id := r.submit("old", persist.WithKey("k"))
		synctest.Wait()
		r.submit("new", persist.WithKey("k"), persist.WithDuplicates(persist.Supersede))
		same(t, "end", r.wait(id).End.Kind, persist.Superseded)
		elapse(2 * time.Hour)
		same(t, "told", r.told(events.JobProgressed), 1)
	})
}

func TestAJobDoesNotWaitForItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inside error
		after := make(chan *persist.Job, 1)
		tries := 0
		r := hang(t, persist.Config{Handlers: []persist.Handler{chore.Handle(func(ctx context.Context, in string) error {
			if in == "other" {
				time.Sleep(time.Minute)
				return nil
			}
			a, _ := persist.FromContext(ctx)
			if tries++; tries == 2 { // the first attempt is over, and may wait for the job
				return nil
			}
			_, inside = a.Queue().Await(ctx, a.Job().ID)
			if j, err := a.Queue().Await(ctx, 1); err != nil || !j.Ended() {
				t.Errorf("the other: %+v, %v", j, err)
			}
			go func() {
				time.Sleep(time.Millisecond)
				j, err := a.Queue().Await(context.WithoutCancel(ctx), a.Job().ID)
				if err != nil {
					t.Error(err)
				}
				after <- j
			}()
			return errOops
		})}, Defaults: []persist.Option{oneSecond}})
		r.submit("other")
		id := r.submit("self")
		r.wait(id)
		isError(t, "inside", inside, supervisor.ErrSelf)
		var of *persist.JobError
		if !errors.As(inside, &of) || of.Act != "await" || of.ID != id {
			t.Errorf("inside: %v", inside)
		}
		if j := <-after; !j.Ended() || j.ID != id || j.Attempts != 2 {
			t.Errorf("from outside: %+v", j)
		}
	})
}
