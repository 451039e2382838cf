package persist_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
)

// deaf is a type whose first attempt does not heed its context.
func deaf(free chan struct{}) (*persist.Type[string], persist.Handler) {
	typ := persist.Define[string]("deaf", persist.WithGrace(time.Second), persist.WithDuplicates(persist.Supersede))
	first := true
	return typ, typ.Handle(func(context.Context, string) error {
		if first {
			first = false
			<-free
		}
		return nil
	})
}

// Who was given up is not waited for by what takes its place, whenever that comes.
func TestWhatTakesThePlaceOfAnAttemptThatWasGivenUpRuns(t *testing.T) {
	for name, abandon := range map[string]func(*rig, persist.ID) persist.Option{
		"cancelled before": func(r *rig, id persist.ID) persist.Option {
			ctx, cancel := context.WithTimeout(r.t.Context(), 10*time.Second)
			defer cancel()
			isError(r.t, "cancel", r.Cancel(ctx, id), context.DeadlineExceeded)
			return persist.WithPriority(persist.Normal)
		},
		"timed out before": func(*rig, persist.ID) persist.Option {
			elapse(10 * time.Second)
			return persist.WithPriority(persist.Normal)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				free := make(chan struct{})
				typ, handler := deaf(free)
				r := hang(t, persist.Config{Handlers: []persist.Handler{handler}})
				a := must(t)(typ.Submit(t.Context(), r.Queue, "x", persist.WithTimeout(5*time.Second)))
				synctest.Wait()
				opt := abandon(r, a.ID)
				same(t, "stuck", r.told(events.TaskStuck)+r.told(events.TaskAbandoned) > 0, true)
				b := must(t)(typ.Submit(t.Context(), r.Queue, "x", opt))
				elapse(10 * time.Second)
				same(t, "b", r.look(b.ID).Ended(), true)
				same(t, "a", r.look(a.ID).Ended(), true)
				close(free)
				elapse(time.Second)
				same(t, "ends", r.told(events.JobCompleted)+r.told(events.JobCancelled)+r.told(events.JobSuperseded), 2)
				same(t, "running", r.Counts()[persist.Running], 0)
			})
		})
	}
}

// Cancel says so if the job ends in another way.
func TestCancelOfAJobThatIsBeingSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		typ := persist.Define[string]("slow", persist.WithDuplicates(persist.Supersede))
		first := true
		r := hang(t, persist.Config{Handlers: []persist.Handler{typ.Handle(func(ctx context.Context, _ string) error {
			if first {
				first = false
				<-ctx.Done()
				time.Sleep(time.Second)
			}
			return nil
		})}})
		a := must(t)(typ.Submit(t.Context(), r.Queue, "x"))
		synctest.Wait()
		must(t)(typ.Submit(t.Context(), r.Queue, "x"))
		isError(t, "cancel", r.Cancel(t.Context(), a.ID), persist.ErrEnded)
		same(t, "end", r.wait(a.ID).End.Kind, persist.Superseded)
	})
}

func TestAnAttemptThatIsOverIsNotTheJobItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kept context.Context
		r := hang(t, persist.Config{Handlers: []persist.Handler{chore.Handle(func(ctx context.Context, _ string) error {
			kept = context.WithoutCancel(ctx)
			return errOops
		})}})
		id := r.submit("a", persist.WithBackoff(policy.Constant(time.Hour)))
		elapse(time.Second)
		isError(t, "cancel", r.Cancel(kept, id), nil)
	})
}

// Who took the place is known after a crash too, whatever has become of it.
func TestWhoTookThePlaceIsKnownAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := memstore.New(), newStage()
		r := hang(t, persist.Config{Store: m, Handlers: s.handlers(), Defaults: []persist.Option{persist.WithGrace(time.Hour)}})
		a := r.submit("x", persist.WithKey("k"))
		synctest.Wait()
		b := must(t)(chore.Submit(t.Context(), r.Queue, "x", persist.WithKey("k"), persist.WithDuplicates(persist.Supersede)))
		isError(t, "cancel", r.Cancel(t.Context(), b.ID), nil)
		r.mem.Crash()
		s.letAllGo()
		_ = r.halt()
		r = hang(t, persist.Config{Store: m})
		end := r.wait(a).End
		same(t, "end", end.Kind, persist.Superseded)
		same(t, "by", end.By, b.ID)
	})
}

// What a job was put off for is known after a stop.
func TestWhyOfAJobThatWasPutOffAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, n := memstore.New(), 0
		cfg := persist.Config{Store: m, Handlers: []persist.Handler{chore.Handle(func(context.Context, string) error {
			if n++; n == 1 {
				return errOops
			}
			return persist.Snooze(time.Hour)
		})}}
		r := hang(t, cfg)
		id := r.submit("a", oneSecond)
		synctest.Wait()
		same(t, "after the failure", r.why(id).Reason, persist.WaitsForRetry)
		elapse(2 * time.Second)
		same(t, "before the stop", r.why(id).Reason, persist.WaitsForTime)
		_ = r.halt()
		r = hang(t, cfg)
		same(t, "after it", r.why(id).Reason, persist.WaitsForTime)
	})
}

// A type that learns its old name, or borrows the handler of that, has its jobs run that wait.
func TestAnAliasThatIsLearntLateWakesJobs(t *testing.T) {
	nothing := func(context.Context, []byte) error { return nil }
	t.Run("those of the old name", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := hang(t, persist.Config{Handlers: []persist.Handler{persist.HandleRaw("new", nothing)}})
			id := must(t)(r.Submit(t.Context(), persist.Raw("old", []byte(`"x"`)))).ID
			if _, _, err := r.Lookup(t.Context(), persist.Define[string]("new", persist.WithAliases("old")).New("another")); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			same(t, "ended", r.look(id).Ended(), true)
		})
	})
	t.Run("those of the new name", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := hang(t, persist.Config{Handlers: []persist.Handler{persist.HandleRaw("old", nothing)}})
			id := must(t)(r.Submit(t.Context(), persist.Raw("new", []byte(`"x"`)))).ID
			must(t)(persist.Define[string]("new", persist.WithAliases("old")).Submit(t.Context(), r.Queue, "y", persist.WithGroup("g")))
			synctest.Wait()
			same(t, "ended", r.look(id).Ended(), true)
		})
	})
}

// A job that ran when the process died, and cannot run any more, makes no other cost two commits.
func TestCautionEndsIfASuspectCannotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		typ := persist.Define[string]("gone")
		waits := typ.Handle(func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() })
		for range 2 {
			r := hang(t, persist.Config{Store: m, Handlers: []persist.Handler{waits}})
			must(t)(typ.Submit(t.Context(), r.Queue, "x"))
			elapse(time.Second)
			r.crash()
		}
		r := hang(t, persist.Config{Store: m, Handlers: []persist.Handler{chore.Handle(func(context.Context, string) error { return nil })}})
		r.wait(r.submit("first"))
		before := r.figure("queue_commits_total")
		for range 10 {
			r.wait(r.submit("a"))
		}
		same(t, "commits of ten jobs, of which the others ran alone", r.figure("queue_commits_total")-before <= 20, true)
	})
}
