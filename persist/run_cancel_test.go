package persist_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAJobThatWaitsIsCancelledAtOnceWhateverItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Workers: 1, Handlers: s.handlers(), Defaults: []persist.Option{oneSecond}})
		ctx := t.Context()
		retried := r.submit("retried")
		s.letGo(errOops, "retried")
		running := r.submit("running", persist.WithKey("k"))
		synctest.Wait()
		ids := map[string]persist.ID{
			"ready":    r.submit("ready"),
			"delayed":  r.submit("delayed", persist.WithDelay(time.Hour)),
			"blocked":  r.submit("blocked", persist.WithKey("k")),
			"retried":  retried,
			"no type":  must(t)(r.Submit(ctx, persist.Raw("unknown", nil))).ID,
			"in group": r.submit("grouped", persist.WithGroup("g")),
		}
		for name, id := range ids {
			isError(t, name, r.Cancel(ctx, id), nil)
			same(t, name, r.look(id).End.Kind, persist.Cancelled)
			isError(t, name+" again", r.Cancel(ctx, id), persist.ErrEnded)
		}
		same(t, "took", time.Since(r.began), "0s")
		same(t, "cancelled", r.told(events.JobCancelled), len(ids))
		same(t, "figure", r.figure("queue_ended_total", "cancelled"), len(ids))
		s.letGo(nil, "running")
		same(t, "end of the one that ran", r.look(running).End.Kind, persist.Completed)
		elapse(2 * time.Hour)
		same(t, "order", s.order(), "retried running")
	})
}

func TestAJobThatRunsIsToldAndEndsCancelledWhateverItReturns(t *testing.T) {
	for name, result := range map[string]error{
		"nil": nil, "an error": errOops, "Fatal": actor.Fatal(errOops), "a snooze": persist.Snooze(time.Hour), "Escalate": actor.Escalate(errOops),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cause error
				r := hang(t, persist.Config{Handlers: []persist.Handler{chore.Handle(func(ctx context.Context, _ string) error {
					<-ctx.Done()
					cause = context.Cause(ctx)
					time.Sleep(time.Second)
					return result
				})}})
				id := r.submit("it")
				synctest.Wait()
				isError(t, "cancel", r.Cancel(t.Context(), id), nil)
				isError(t, "cause", cause, actor.ErrCancelled)
				same(t, "took", time.Since(r.began), time.Second)
				j := r.look(id)
				same(t, "end", j.End.Kind, persist.Cancelled)
				same(t, "attempts", []int{j.Attempts, j.Failures}, []int{1, 0})
				same(t, "elapsed", j.End.Elapsed, time.Second)
				same(t, "events", []int{r.told(events.JobCancelled), r.told(events.JobCompleted)}, []int{1, 0})
				isError(t, "cancel again", r.Cancel(t.Context(), id), persist.ErrEnded)
			})
		})
	}
}

func TestACancelThatIsNotHeededIsReportedAndTheJobStaysClaimedUntilItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.deaf = true
		r := hang(t, persist.Config{Workers: 1, GroupLimit: 1, Handlers: s.handlers()})
		id := r.submit("deaf", persist.WithGroup("g"), persist.WithGrace(time.Second))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		isError(t, "cancel", r.Cancel(ctx, id), context.DeadlineExceeded)
		same(t, "took", time.Since(r.began), time.Minute)
		same(t, "stuck", r.first(events.TaskStuck).At.Sub(r.began), time.Second)
		same(t, "abandoned", r.first(events.TaskAbandoned).At.Sub(r.began), time.Second)

		// Its worker is free, but it keeps its group.
		r.submit("beside", persist.WithGroup("g"))
		r.submit("free")
		same(t, "running", s.now(), "deaf free")
		a := r.Active()
		same(t, "listed", fmt.Sprint(len(a), a[0].ID, a[0].Abandoned, a[1].Abandoned), "2 1 true false")
		if j := r.look(id); j.Ended() {
			t.Errorf("it has ended: %+v", j.End)
		}
		s.letGo(nil, "free")

		again := make(chan error, 1)
		go func() { again <- r.Cancel(t.Context(), id) }()
		elapse(time.Hour)
		s.letGo(nil, "deaf")
		isError(t, "cancel again", <-again, nil)
		same(t, "end", r.look(id).End.Kind, persist.Cancelled)
		same(t, "running then", s.now(), "beside")
		same(t, "listed then", len(r.Active()), 1)
		s.letAllGo()
	})
}

func TestAJobCannotCancelItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{Handlers: []persist.Handler{chore.Handle(func(ctx context.Context, _ string) error {
			a, _ := persist.FromContext(ctx)
			err := a.Queue().Cancel(ctx, a.Job().ID)
			isError(t, "cancel", err, supervisor.ErrSelf)
			var job *persist.JobError
			if !errors.As(err, &job) || job.Act != "cancel" || job.ID != a.Job().ID {
				t.Error(err)
			}
			return nil
		})}})
		same(t, "end", r.wait(r.submit("it")).End.Kind, persist.Completed)
	})
}

func TestAJobCanCancelAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		killer := persist.Define[persist.ID]("killer")
		r := hang(t, persist.Config{Handlers: append(s.handlers(), killer.Handle(func(ctx context.Context, id persist.ID) error {
			a, _ := persist.FromContext(ctx)
			return a.Queue().Cancel(ctx, id)
		}))})
		id := r.submit("it")
		k := must(t)(killer.Submit(t.Context(), r.Queue, id))
		same(t, "end of the killer", r.wait(k.ID).End.Kind, persist.Completed)
		same(t, "end", r.wait(id).End.Kind, persist.Cancelled)
	})
}

func TestThereIsNothingToCancelOfWhatHasEndedIsForgottenOrNeverWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{History: 1, Handlers: []persist.Handler{chore.Handle(func(context.Context, string) error { return nil })}})
		for range 3 {
			r.wait(r.submit("it"))
		}
		for id, want := range map[persist.ID]error{0: persist.ErrNotFound, 1: persist.ErrPruned, 3: persist.ErrEnded, 4: persist.ErrNotFound, 1 << 60: persist.ErrNotFound} {
			isError(t, fmt.Sprint("cancel ", id), r.Cancel(t.Context(), id), want)
			if id != 3 {
				isError(t, fmt.Sprint("release ", id), r.Release(t.Context(), id), want)
			}
		}
		isError(t, "release one that has ended", r.Release(t.Context(), 3), persist.ErrNotParked)
		isError(t, "release one that waits", r.Release(t.Context(), r.submit("later", persist.WithDelay(time.Hour))), persist.ErrNotParked)
	})
}

func TestManyWhoCancelTheSameJobAreAllAnsweredWhenItHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.deaf = true
		r := hang(t, persist.Config{Handlers: s.handlers(), Defaults: []persist.Option{persist.WithGrace(policy.Forever)}})
		id := r.submit("it")
		synctest.Wait()
		var wg sync.WaitGroup
		var mu sync.Mutex
		answers := map[string]int{}
		for range 50 {
			wg.Go(func() {
				err := r.Cancel(t.Context(), id)
				mu.Lock()
				defer mu.Unlock()
				answers[fmt.Sprint(err)]++
			})
		}
		synctest.Wait()
		same(t, "answers before", answers, map[string]int{})
		s.letGo(nil, "it")
		wg.Wait()
		same(t, "answers", answers, map[string]int{"<nil>": 50})
		same(t, "cancelled", r.told(events.JobCancelled), 1)
		same(t, "counted", r.figure("queue_ended_total", "cancelled"), 1)
	})
}

func TestACancelOfAJobWhoseEndIsBeingStoredFindsItEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Handlers: s.handlers()})
		id := r.submit("it")
		synctest.Wait()
		hold := make(chan struct{})
		r.mem.BeforeCommit(func(context.Context, []persist.Step) error { <-hold; return nil })
		s.letGo(nil, "it")
		cancelled := make(chan error, 1)
		go func() { cancelled <- r.Cancel(t.Context(), id) }()
		synctest.Wait()
		close(hold)
		isError(t, "cancel", <-cancelled, persist.ErrEnded)
		same(t, "end", r.wait(id).End.Kind, persist.Completed)
	})
}

func TestACancelOfAJobWhoseRetryIsBeingStoredEndsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Handlers: s.handlers(), Defaults: []persist.Option{oneSecond}})
		id := r.submit("it")
		synctest.Wait()
		hold := make(chan struct{})
		r.mem.BeforeCommit(func(context.Context, []persist.Step) error { <-hold; return nil })
		s.letGo(errOops, "it")
		cancelled := make(chan error, 1)
		go func() { cancelled <- r.Cancel(t.Context(), id) }()
		synctest.Wait()
		close(hold)
		isError(t, "cancel", <-cancelled, nil)
		j := r.wait(id)
		same(t, "end", j.End.Kind, persist.Cancelled)
		same(t, "failures", j.Failures, 1)
		elapse(time.Minute)
		same(t, "runs", s.count("it"), 1)
	})
}

func TestACancelThatCannotBeStoredChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Workers: 1, Handlers: s.handlers()})
		ctx := t.Context()
		running, waiting := r.submit("running"), r.submit("waiting")
		later := r.submit("later", persist.WithDelay(time.Minute))
		last := r.submit("last", persist.WithPriority(persist.Idle))
		synctest.Wait()
		for range 3 {
			for _, id := range []persist.ID{running, waiting, later} {
				r.mem.FailNext(1, errOops)
				isError(t, "cancel", r.Cancel(ctx, id), errOops)
			}
		}
		same(t, "running", s.now(), "running")
		same(t, "why of the one that waits", r.why(waiting).Ahead, 0)
		same(t, "why of the last", r.why(last).Ahead, 1)
		same(t, "until when the one waits that is delayed", r.why(later).Until.Sub(r.began), time.Minute)
		s.letGo(nil, "running")
		same(t, "end", r.look(running).End.Kind, persist.Completed)
		same(t, "running then", s.now(), "waiting")
		s.letAllGo()
		elapse(time.Minute)
		s.letAllGo()
		same(t, "order", s.order(), "running waiting last later")
	})
}

func TestAJobThatCompletesWhileItsCancelFailsHasCompleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Handlers: s.handlers()})
		id := r.submit("it")
		synctest.Wait()
		hold := make(chan struct{})
		r.mem.BeforeCommit(func(context.Context, []persist.Step) error { <-hold; return nil })
		r.mem.FailNext(1, errOops)
		cancelled := make(chan error, 1)
		go func() { cancelled <- r.Cancel(t.Context(), id) }()
		synctest.Wait()
		s.letGo(nil, "it")
		close(hold)
		isError(t, "cancel", <-cancelled, errOops)
		same(t, "end", r.wait(id).End.Kind, persist.Completed)
	})
}

func TestAJobThatCompletesWhileItsSuccessorCannotBeStoredIsNotSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Handlers: s.handlers()})
		id := r.submit("it", persist.WithKey("k"))
		synctest.Wait()
		hold := make(chan struct{})
		r.mem.BeforeCommit(func(context.Context, []persist.Step) error { <-hold; return nil })
		r.mem.FailNext(1, persist.ErrFull)
		refused := make(chan error, 1)
		go func() {
			_, err := chore.Submit(t.Context(), r.Queue, "other", persist.WithKey("k"), persist.WithDuplicates(persist.Supersede))
			refused <- err
		}()
		synctest.Wait()
		s.letGo(nil, "it")
		close(hold)
		isError(t, "submit", <-refused, persist.ErrFull)
		j := r.wait(id)
		same(t, "end", j.End.Kind, persist.Completed)
		same(t, "by", j.End.By, 0)
	})
}

func TestACancelledJobIsNotRunAgainAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := memstore.New(), newStage()
		s.deaf = true
		r := hang(t, persist.Config{Store: m, Handlers: s.handlers()})
		id, other := r.submit("it", persist.WithKey("k")), r.submit("other")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		isError(t, "cancel", r.Cancel(ctx, id), context.DeadlineExceeded)
		m.Crash()
		s.letGo(nil, "it", "other")
		_ = r.halt()

		s2 := newStage()
		r2 := hang(t, persist.Config{Store: m, Handlers: s2.handlers()})
		same(t, "running", s2.now(), "other")
		same(t, "end", r2.look(id).End.Kind, persist.Cancelled)
		same(t, "its key", r2.submit("again", persist.WithKey("k")) > other, true)
		same(t, "history", r2.figure("queue_history", "cancelled"), 1)
		same(t, "told", r2.told(events.JobCancelled), 1)
		s2.letAllGo()
	})
}

func TestACancelThatWaitsIsAnsweredWhenTheQueueStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.deaf = true
		r := hang(t, persist.Config{Handlers: s.handlers(), Defaults: []persist.Option{persist.WithGrace(time.Second)}})
		id := r.submit("it")
		synctest.Wait()
		cancelled := make(chan error, 1)
		go func() { cancelled <- r.Cancel(context.Background(), id) }()
		elapse(time.Minute)
		var left *supervisor.StopError
		if err := r.halt(); !errors.As(err, &left) {
			t.Errorf("run: %v", err)
		}
		synctest.Wait()
		select {
		case err := <-cancelled:
			if !errors.Is(err, persist.ErrClosing) && !errors.Is(err, persist.ErrNotRunning) {
				t.Errorf("cancel: %v", err)
			}
		default:
			t.Error("nobody has answered")
		}
		s.letGo(nil, "it")
	})
}

func TestAJobIsCancelledThatIsStoppedByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Handlers: s.handlers()})
		id := r.submit("it")
		synctest.Wait()
		isError(t, "stop", r.Head().Stop(t.Context(), fmt.Sprint("workers/", id)), nil)
		isError(t, "cause", s.cause("it"), actor.ErrStopped)
		same(t, "end", r.wait(id).End.Kind, persist.Cancelled)
	})
}

func TestAJobIsRunAgainThatIsRestartedByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Handlers: s.handlers()})
		id := r.submit("it")
		synctest.Wait()
		_, err := r.Head().Restart(t.Context(), fmt.Sprint("workers/", id))
		isError(t, "restart", err, nil)
		isError(t, "cause", s.cause("it"), actor.ErrRestarted)
		same(t, "running", s.now(), "it")
		s.letGo(nil, "it")
		j := r.wait(id)
		same(t, "end", j.End.Kind, persist.Completed)
		same(t, "attempts and runs", []int{j.Attempts, s.count("it")}, []int{1, 2})
	})
}

func TestTheLastOfThoseThatSupersedeARunningJobRunsWhenItHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		s.deaf = true
		r := hang(t, persist.Config{Handlers: s.handlers()})
		r.submit("first", persist.WithKey("k"))
		synctest.Wait()
		for _, in := range []string{"second", "third", "fourth"} {
			r.submit(in, persist.WithKey("k"), persist.WithDuplicates(persist.Supersede))
		}
		s.letGo(nil, "first")
		same(t, "running", s.now(), "fourth")
		s.letAllGo()
		var ends []string
		for id := range persist.ID(4) {
			j := r.wait(id + 1)
			ends = append(ends, fmt.Sprint(j.End.Kind, " ", j.End.By))
		}
		same(t, "ends", ends, []string{"superseded 2", "superseded 3", "superseded 4", "completed 0"})
	})
}

func TestWhoSupersedesAJobThatWaitsAndTheOneBehindItRunsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Handlers: s.handlers(), Defaults: []persist.Option{oneSecond}})
		r.submit("first", persist.WithKey("k"))
		synctest.Wait()
		r.submit("behind", persist.WithKey("k"))
		s.letGo(errOops, "first")
		id := r.submit("new", persist.WithKey("k"), persist.WithDuplicates(persist.Supersede))
		same(t, "running", s.now(), "new")
		same(t, "holder of the key", must(t)(chore.Submit(t.Context(), r.Queue, "x", persist.WithKey("k"), persist.WithDuplicates(persist.Reject))).Other, id)
		s.letAllGo()
		elapse(time.Minute)
		same(t, "order", s.order(), "first new")
	})
}
