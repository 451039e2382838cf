package persist_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

// a submission that fails must leave the holder to its own end.
func TestASupersedeThatIsNotStoredDoesNotEndTheOther(t *testing.T) {
	for _, how := range []error{nil, errors.New("oops")} {
		t.Run(fmt.Sprint(how), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setScene(t, "running")
				g := hold(s.m)
				first := s.play.begin(s.harness, part{Name: "unrelated"}, persist.WithDelay(100*time.Hour))
				g.arrive()
				c := s.play.begin(s.harness, part{Name: "k"}, persist.WithDuplicates(persist.Supersede))
				s.play.release(s.holder, how)
				synctest.Wait()
				g.pass(nil)
				arrives(t, g, persist.Insert, persist.Amend, persist.Resolve)
				g.end(errDisk)
				<-first
				if a := <-c; !errors.Is(a.err, errDisk) {
					t.Fatalf("%+v", a)
				}
				if how != nil {
					time.Sleep(2 * time.Hour)
					s.play.release(s.holder, nil)
				}
				j := s.ended(s.holder, persist.Completed)
				t.Logf("%+v", j.End)
			})
		})
	}
}

// pruned sets up: the revival of a cancelled job is planned after it was pruned, together with a submission of its key.
func pruned(t *testing.T, dup persist.Duplicates) {
	synctest.Test(t, func(t *testing.T) {
		m, p := memstore.New(), newPlay(t)
		h := start(t, persist.Config{Store: m, History: 1, Handlers: []persist.Handler{p.handler()}})
		x := p.submit(h, part{Name: "k"}, persist.WithDelay(time.Hour)).ID
		z := p.submit(h, part{Name: "z"}, persist.WithDelay(time.Hour)).ID
		if err := h.Cancel(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		g := hold(m)
		go h.Cancel(t.Context(), z)
		synctest.Wait()
		t.Log(g.arrive()) // resolve z, prune x
		rev := make(chan error, 1)
		go func() { rev <- h.Revive(t.Context(), x) }()
		synctest.Wait()
		c := p.begin(h, part{Name: "k"}, persist.WithDuplicates(dup))
		g.pass(nil)
		arrives(t, g, persist.Revive)
		g.end(nil)
		time.Sleep(time.Minute)
		select {
		case err := <-rev:
			t.Log("revive:", err)
		default:
			t.Error("revive never answered")
		}
		var a answer
		select {
		case a = <-c:
		default:
			panic("submission never answered: book locked for ever?")
		}
		if a.err != nil {
			t.Fatalf("%v", a.err)
		}
		if _, err := h.Job(t.Context(), a.ID); err != nil {
			t.Errorf("acknowledged as %v of job %d, which is: %v", a.Kind, a.ID, err)
			return
		}
		h.ended(a.ID, persist.Completed)
	})
}

func TestWhoSupersedesARevivalThatCameTooLateIsNew(t *testing.T) { pruned(t, persist.Supersede) }
func TestWhoMeetsARevivalThatCameTooLateIsNew(t *testing.T)      { pruned(t, persist.Skip) }

// a claim that is being stored, and cancelled in the same commit.
func TestACancelledJobThatWasNotEnteredHasUsedNoAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		r := hang(t, persist.Config{Store: m, Workers: persist.NoWorkers})
		id := r.submit("a")
		r.crash()
		s := newStage()
		r = hang(t, persist.Config{Store: m, Handlers: s.handlers(), Workers: persist.NoWorkers, Drain: time.Minute})
		g := hold(m)
		go chore.Submit(t.Context(), r.Queue, "later", persist.WithDelay(100*time.Hour))
		synctest.Wait()
		g.arrive()
		_ = r.SetWorkers(1)
		synctest.Wait()
		same(t, "phase", r.why(id).Phase, "running")
		done := make(chan error, 1)
		go func() { done <- r.Cancel(t.Context(), id) }()
		synctest.Wait()
		g.pass(nil)
		arrives(t, g, persist.Amend, persist.Amend)
		g.end(nil)
		isError(t, "cancel", <-done, nil)
		j := r.wait(id)
		same(t, "end", j.End.Kind, persist.Cancelled)
		same(t, "runs", s.count("a"), 0)
		same(t, "attempts used", j.Attempts, 0)
		for _, e := range r.rec.Events() {
			if e.Pattern == "/queue/workers/*" {
				t.Log(e.Kind, e.Path)
			}
		}
		began := time.Now()
		isError(t, "halt", r.halt(), nil)
		same(t, "stop of an idle queue took", time.Since(began), "0s")
	})
}

// Lookup says only what is stored.
func TestLookupTellsOfNothingThatIsNotStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := memstore.New(), newPlay(t)
		h := start(t, persist.Config{Store: m})
		g := hold(m)
		c := p.begin(h, part{Name: "k"})
		g.arrive()
		id, ok, err := h.Lookup(t.Context(), p.kind.New(part{Name: "k"}))
		g.end(errDisk)
		a := <-c
		if ok {
			t.Errorf("lookup: %v %v %v; the submission: %v", id, ok, err, a.err)
		}
	})
}

// a type that is forgotten and met again keeps its figures.
func TestTheFiguresOfATypeThatComesAndGoesAreItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{})
		for range 1001 {
			x := must(t)(r.Submit(t.Context(), persist.Raw("tool/x", []byte("1"))))
			isError(t, "cancel", r.Cancel(t.Context(), x.ID), nil)
		}
		must(t)(r.Submit(t.Context(), persist.Raw("tool/x", []byte("1"))))
		same(t, "ready", r.figure("queue_jobs", "tool/x", "ready"), 1)
	})
}

// what is only asked for is not remembered.
func TestATypeThatWasOnlyAskedForIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{MaxPayload: 10})
		for i := range 1000 {
			_, _, _ = r.Lookup(t.Context(), persist.Raw(fmt.Sprintf("d%d/x", i), nil))
			_, _ = r.Submit(t.Context(), persist.Raw(fmt.Sprintf("e%d/x", i), make([]byte, 100)))
		}
		same(t, "types", len(r.Types()), 0)
	})
}

// who supersedes starts when the old attempt was abandoned.
func TestWhoSupersedesAnAttemptThatIsAbandonedRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		defer synctest.Wait()
		defer close(stuck)
		kind := persist.Define[string]("stuck", persist.WithGrace(time.Second)).KeyedBy(func(string) string { return "k" })
		ran := 0
		r := hang(t, persist.Config{Handlers: []persist.Handler{kind.Handle(func(ctx context.Context, in string) error {
			if in == "old" {
				<-stuck
				return nil
			}
			ran++
			return nil
		})}})
		must(t)(kind.Submit(t.Context(), r.Queue, "old"))
		synctest.Wait()
		must(t)(kind.Submit(t.Context(), r.Queue, "new", persist.WithDuplicates(persist.Supersede)))
		elapse(time.Hour)
		same(t, "abandoned", r.told(events.TaskAbandoned), 1)
		same(t, "ran", ran, 1)
	})
}

// no commit is larger than what one is for.
func TestNotAnyNumberOfRelaxedJobsIsAcceptedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		r := hang(t, persist.Config{Store: m, RelaxedDelay: time.Hour})
		g := hold(m)
		go chore.Submit(t.Context(), r.Queue, "first")
		synctest.Wait()
		g.arrive()
		go chore.Submit(t.Context(), r.Queue, "strict")
		synctest.Wait()
		taken := 0
		for range 20 {
			subs := make([]persist.Submission, 10_000)
			for i := range subs {
				subs[i] = chore.New("x")
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := r.SubmitAll(ctx, subs, persist.WithDurability(persist.Relaxed))
			cancel()
			if err != nil {
				break
			}
			taken += len(subs)
		}
		most := 0
		m.BeforeCommit(func(_ context.Context, steps []persist.Step) error { most = max(most, len(steps)); return nil })
		g.open <- nil
		elapse(time.Minute)
		if taken == 0 || taken > 50_000 || most > 10_000 { // a batch is stored as one
			t.Errorf("%d jobs were taken in while a commit was under way; then one commit of %d steps", taken, most)
		}
	})
}

// a handler of a raw type, and a type that takes its name as an alias.
func TestAHandlerOfAnOldNameIsKeptUntilThereIsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ran := 0
		r := hang(t, persist.Config{Handlers: []persist.Handler{persist.HandleRaw("old", func(context.Context, []byte) error { ran++; return nil })}})
		now := persist.Define[string]("now", persist.WithAliases("old"))
		res, err := now.Submit(t.Context(), r.Queue, "x", persist.WithDelay(time.Hour))
		isError(t, "submit", err, nil)
		same(t, "result", res.Kind, persist.Inserted)
		must(t)(r.Submit(t.Context(), persist.Raw("old", []byte(`"y"`))))
		synctest.Wait()
		same(t, "ran", ran, 1)
	})
}

// what is lost is the ends of attempts.
func TestAnExpiryThatIsNotStoredIsNoLostAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{})
		r.submit("a", persist.WithTTL(time.Minute))
		r.mem.BeforeCommit(func(context.Context, []persist.Step) error { return errOops })
		elapse(2 * time.Minute)
		isError(t, "run", r.halt(), nil)
	})
}

// a prune in the commit of a revival takes no more than it has to.
func TestARevivalMakesRoomInTheHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, p := memstore.New(), newPlay(t)
		h := start(t, persist.Config{Store: m, History: 1})
		x := p.submit(h, part{Name: "x"}, persist.WithDelay(time.Hour)).ID
		z := p.submit(h, part{Name: "z"}, persist.WithDelay(time.Hour)).ID
		_ = h.Cancel(t.Context(), x)
		g := hold(m)
		p.begin(h, part{Name: "first"})
		g.arrive()
		go h.Revive(t.Context(), x)
		synctest.Wait()
		go h.Cancel(t.Context(), z)
		synctest.Wait()
		g.pass(nil)
		arrives(t, g, persist.Revive, persist.Resolve)
		g.end(nil)
		synctest.Wait()
		if _, err := h.Job(t.Context(), z); err != nil {
			t.Errorf("the history has room for one, and: %v", err)
		}
	})
}

// arrives waits for a commit that is held up, and looks at its steps.
func arrives(t *testing.T, g *gateway, want ...persist.Verb) {
	t.Helper()
	if steps := g.arrive(); !slices.Equal(steps, want) {
		t.Errorf("the commit has steps %v, want %v", steps, want)
	}
}
