package persist_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
)

// reopen runs a queue with a new stage, after the one before has ended or crashed.
func reopen(t *testing.T, cfg persist.Config) (*rig, *stage) {
	t.Helper()
	s := newStage()
	cfg.Handlers = s.handlers()
	return hang(t, cfg), s
}

func TestAfterACrashAllThatRanRunsAgainAndNoAttemptIsUsedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := persist.Config{Store: memstore.New(), Workers: 3, Defaults: []persist.Option{oneSecond}}
		r, s := reopen(t, cfg)
		for i := range 5 {
			r.submit(fmt.Sprint(i))
		}
		s.letGo(errOops, "0")
		same(t, "running", s.now(), "1 2 3")
		for range 4 {
			r.crash()
			r, s = reopen(t, persist.Config{Store: cfg.Store, Workers: 10, Crashes: policy.Unlimited})
			elapse(time.Second)
			same(t, "running again", s.now(), "0 1 2 3 4")
		}
		s.letAllGo()
		var attempts []int
		for id := range persist.ID(5) {
			attempts = append(attempts, r.wait(id+1).Attempts)
		}
		same(t, "attempts", attempts, []int{2, 1, 1, 1, 1})
	})
}

func TestWhatWasAcknowledgedBeforeACrashIsThereAndWhatWasNotIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := persist.Config{Store: memstore.New()}
		r, _ := reopen(t, cfg)
		r.submit("acknowledged", persist.WithDelay(time.Hour))
		hold := make(chan struct{})
		r.mem.BeforeCommit(func(context.Context, []persist.Step) error { <-hold; return persist.ErrClosed })
		go func() { _, _ = chore.Submit(context.Background(), r.Queue, "not", persist.WithDelay(time.Hour)) }()
		synctest.Wait()
		close(hold)
		r.crash()
		r.mem.BeforeCommit(nil)
		r, _ = reopen(t, cfg)
		same(t, "delayed", r.Counts()[persist.Delayed], 1)
		same(t, "until when", r.why(1).Until.Sub(r.began).Round(time.Minute), time.Hour)
	})
}

func TestAfterACrashClaimsAreStoredBeforeTheHandlerIsEnteredUntilOneHasSurvived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := persist.Config{Store: memstore.New(), Workers: 2}
		r, s := reopen(t, cfg)
		for i := range 5 {
			r.submit(fmt.Sprint(i))
		}
		same(t, "running", s.now(), "0 1")
		same(t, "stored as claimed at first", r.look(1).Claimed, false)
		r.crash()

		// The claims are on their way to the disk, and nobody has entered.
		hold := make(chan struct{})
		var claims []persist.ID
		r.mem.BeforeCommit(func(_ context.Context, steps []persist.Step) error {
			for i := range steps {
				if steps[i].State.Claimed {
					claims = append(claims, steps[i].ID)
				}
			}
			<-hold
			return nil
		})
		r, s = reopen(t, cfg)
		same(t, "running while the claims are being stored", s.now(), "")
		same(t, "claims", claims, []persist.ID{1, 2})
		w := r.why(1)
		same(t, "phase", w.Phase, persist.Running)
		close(hold)
		synctest.Wait()
		same(t, "running then", s.now(), "0 1")
		same(t, "stored as claimed", []bool{r.look(1).Claimed, r.look(2).Claimed, r.look(3).Claimed}, []bool{true, true, false})

		// One survives: no more claims are stored.
		s.letGo(nil, "0")
		same(t, "running after the first", s.now(), "1 2")
		s.letAllGo()
		same(t, "claims in all", claims, []persist.ID{1, 2})
		for id := range persist.ID(5) {
			same(t, "attempts", r.wait(id+1).Attempts, 1)
		}
	})
}

func TestAClaimThatCannotBeStoredIsStoredLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := persist.Config{Store: memstore.New(), Workers: 2}
		r, _ := reopen(t, cfg)
		r.submit("a")
		synctest.Wait()
		r.crash()
		r.mem.FailNext(3, errOops)
		r, s := reopen(t, cfg)
		same(t, "running", s.now(), "")
		elapse(time.Minute)
		same(t, "running later", s.now(), "a")
		s.letAllGo()
		same(t, "attempts", r.wait(1).Attempts, 1)
	})
}

func TestJobsThatWereClaimedAtTheCrashRunAloneAndFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := persist.Config{Store: memstore.New(), Workers: 2}
		r, _ := reopen(t, cfg)
		for i := range 5 {
			r.submit(fmt.Sprint(i))
		}
		synctest.Wait()
		r.crash()
		r, s := reopen(t, cfg)
		same(t, "running after the first crash", s.now(), "0 1")
		r.crash()
		r, s = reopen(t, cfg)
		same(t, "running after the second crash", s.now(), "0")
		for _, id := range []persist.ID{2, 3} {
			want := persist.WaitsForSuspects
			if id == 2 {
				want = persist.WaitsForWorker // it is the next that is to run alone
			}
			if w := r.why(id); w.Reason != persist.WaitsForSuspects {
				t.Errorf("job %d waits for %v, want %v", id, w.Reason, want)
			}
		}
		urgent := r.submit("urgent", persist.WithPriority(persist.Realtime))
		s.letGo(nil, "0")
		same(t, "running then", s.now(), "1")
		s.letGo(errOops, "1")
		same(t, "running when both have survived", s.now(), "2 urgent")
		s.letAllGo()
		same(t, "attempts of a suspect", r.wait(1).Attempts, 1)
		same(t, "attempts of the urgent one", r.wait(urgent).Attempts, 1)
	})
}

// killer runs a queue in which job "killer" is alone in so many crashes.
func killer(t *testing.T, cfg persist.Config, crashes int) (*rig, *stage) {
	t.Helper()
	r, s := reopen(t, cfg)
	r.submit("killer")
	r.submit("other")
	for range crashes + 1 { // at the first, nobody knows who ran
		same(t, "running", s.now(), "killer")
		r.crash()
		r, s = reopen(t, cfg)
	}
	return r, s
}

func TestAJobThatRanAloneInThreeCrashesIsParkedUntilItIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := killer(t, persist.Config{Store: memstore.New(), Workers: 1}, 3)
		same(t, "running", s.now(), "other")
		j := r.look(1)
		same(t, "crashes", j.Crashes, 3)
		same(t, "attempts", j.Attempts, 0)
		w := r.why(1)
		same(t, "phase", w.Phase, persist.Parked)
		same(t, "reason", w.Reason, persist.WaitsForRelease)
		if !strings.Contains(w.Evidence, "3 crashes") || w.Evidence != j.Parked || !strings.Contains(w.String(), "3 crashes") {
			t.Errorf("evidence: %q, parked: %q, text: %q", w.Evidence, j.Parked, w)
		}
		same(t, "told", fmt.Sprint(r.first(events.JobParked).Err), j.Parked)
		same(t, "parked", []int{r.Counts()[persist.Parked], r.told(events.JobParked)}, []int{1, 1})
		s.letGo(nil, "other")
		same(t, "running then", s.now(), "")

		// It stays parked when the queue begins again, and is not told about twice.
		isError(t, "run", r.halt(), nil)
		r, s = reopen(t, persist.Config{Store: r.mem})
		same(t, "running in the next run", s.now(), "")
		same(t, "told again", r.told(events.JobParked), 0)

		isError(t, "release", r.Release(t.Context(), 1), nil)
		same(t, "running when released", s.now(), "killer")
		isError(t, "release again", r.Release(t.Context(), 1), persist.ErrNotParked)
		s.letAllGo()
		j = r.wait(1)
		same(t, "end", fmt.Sprint(j.End.Kind, j.Attempts, j.Crashes, j.Parked), "completed 1 0")
	})
}

func TestAParkedJobCanBeCancelledAndHoldsItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := killer(t, persist.Config{Store: memstore.New(), Workers: 1, Crashes: 1}, 1)
		same(t, "phase", r.why(1).Phase, persist.Parked)
		isError(t, "cancel", r.Cancel(t.Context(), 1), nil)
		same(t, "end", r.look(1).End.Kind, persist.Cancelled)
		s.letAllGo()
	})
}

func TestAReleaseThatCannotBeStoredChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := killer(t, persist.Config{Store: memstore.New(), Workers: 1, Crashes: 1}, 1)
		r.mem.FailNext(1, errOops)
		isError(t, "release", r.Release(t.Context(), 1), errOops)
		same(t, "phase", r.why(1).Phase, persist.Parked)
		isError(t, "release", r.Release(t.Context(), 1), nil)
		s.letAllGo()
		same(t, "runs", s.order(), "other killer")
	})
}

func TestAJobIsNotParkedWhenThatIsTurnedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, s := killer(t, persist.Config{Store: memstore.New(), Workers: 1, Crashes: policy.Unlimited}, 10)
		same(t, "running", s.now(), "killer")
		same(t, "stored as claimed", r.look(1).Claimed, false)
		s.letAllGo()
	})
}

func TestACleanStopInBetweenEndsTheSuspicion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := persist.Config{Store: memstore.New(), Workers: 1}
		r, s := killer(t, cfg, 2)
		same(t, "crashes", r.look(1).Crashes, 2)
		same(t, "running", s.now(), "killer")
		isError(t, "run", r.halt(), nil)
		r, s = reopen(t, cfg)
		same(t, "crashes after a clean stop", r.look(1).Crashes, 0)
		for range 3 {
			same(t, "running", s.now(), "killer")
			r.crash()
			r, s = reopen(t, cfg)
		}
		same(t, "running after two more, alone", s.now(), "killer")
		s.letAllGo()
	})
}

func TestAJobThatFailsHasSurvived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := persist.Config{Store: memstore.New(), Workers: 1, Defaults: []persist.Option{oneSecond}}
		r, s := killer(t, cfg, 2)
		s.letGo(errOops, "killer")
		same(t, "crashes", r.look(1).Crashes, 0)
		same(t, "running then", s.now(), "other")
		s.letGo(nil, "other")
		elapse(time.Second)
		s.letGo(nil, "killer")
		same(t, "attempts", r.wait(1).Attempts, 2)
	})
}

func TestACrashOfManyTogetherAccusesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := persist.Config{Store: memstore.New(), Workers: 2, Crashes: 1}
		r, s := reopen(t, cfg)
		r.submit("a")
		r.submit("b")
		synctest.Wait()
		for range 2 {
			r.crash()
			r, s = reopen(t, cfg)
		}
		same(t, "running alone", s.now(), "a")
		same(t, "crashes", r.look(1).Crashes+r.look(2).Crashes, 0)
		s.letGo(nil, "a")
		same(t, "running alone then", s.now(), "b")
		s.letAllGo()
	})
}

func TestASuspectThatCannotRunHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := persist.Config{Store: memstore.New(), Workers: 2}
		r, _ := reopen(t, cfg)
		lost := persist.Define[string]("lost", persist.WithoutKey())
		isError(t, "handle", r.Handle(lost.Handle(func(ctx context.Context, _ string) error { <-ctx.Done(); return nil })), nil)
		must(t)(lost.Submit(t.Context(), r.Queue, ""))
		r.crash()
		r, _ = reopen(t, cfg)
		isError(t, "handle", r.Handle(lost.Handle(func(ctx context.Context, _ string) error { <-ctx.Done(); return nil })), nil)
		synctest.Wait()
		same(t, "stored as claimed", r.look(1).Claimed, true)
		r.crash()
		r, s := reopen(t, cfg)
		r.submit("a")
		same(t, "running while nobody handles the suspect", s.now(), "a")
		s.letAllGo()
		same(t, "why", r.why(1).Reason, persist.WaitsForHandler)
	})
}

func TestACrashKeepsADelayThatWasRaisedInPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := persist.Config{Store: memstore.New(), Workers: 1}
		r, _ := reopen(t, cfg)
		ctx := t.Context()
		// One waits for the key and for the time, and is raised; another is raised in the very commit that brings it.
		r.submit("first", persist.WithKey("k"))
		synctest.Wait()
		r.submit("second", persist.WithKey("k"), persist.WithDelay(time.Hour))
		r.submit("second", persist.WithKey("k"), persist.WithPriority(persist.High))
		hold := make(chan struct{})
		r.mem.BeforeCommit(func(context.Context, []persist.Step) error { <-hold; return nil })
		go func() { _, _ = chore.Submit(ctx, r.Queue, "plug") }()
		synctest.Wait()
		for range 3 {
			go func() {
				_, _ = chore.Submit(ctx, r.Queue, "third", persist.WithKey("l"), persist.WithDelay(time.Hour))
			}()
			synctest.Wait()
		}
		go func() {
			_, _ = chore.Submit(ctx, r.Queue, "third", persist.WithKey("l"), persist.WithPriority(persist.High))
		}()
		synctest.Wait()
		close(hold)
		synctest.Wait()
		for _, id := range []persist.ID{2, 4} {
			j := r.look(id)
			same(t, fmt.Sprint("job ", id), fmt.Sprint(j.State.Priority, " ", j.State.RunAt.Sub(r.began)), "high 1h0m0s")
		}
		r.crash()
		r, s := reopen(t, cfg)
		s.letAllGo()
		same(t, "run at once", s.order(), "first plug")
	})
}

func TestASupersededJobIsNotRunAgainAfterACrashAndItsSuccessorIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := persist.Config{Store: memstore.New()}
		r, s := reopen(t, cfg)
		s.deaf = true
		r.submit("old", persist.WithKey("k"))
		synctest.Wait()
		res := must(t)(chore.Submit(t.Context(), r.Queue, "new", persist.WithKey("k"), persist.WithDuplicates(persist.Supersede)))
		same(t, "result", res.Kind, persist.Replaced)
		same(t, "running", s.now(), "old")
		r.mem.Crash()
		s.letGo(nil, "old")
		_ = r.halt()
		r, s = reopen(t, cfg)
		same(t, "running after the crash", s.now(), "new")
		same(t, "end", fmt.Sprint(r.look(1).End.Kind, " ", r.look(1).End.By), "superseded 2")
		s.letAllGo()
	})
}
