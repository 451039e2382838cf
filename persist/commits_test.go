package persist_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

func TestAFailedCommitChangesNothing(t *testing.T) {
	for name := range scenes {
		if name == "settling" || name == "settling with follower" || name == "settled next" || name == "settled next with follower" {
			continue
		}
		for _, how := range []persist.Duplicates{persist.Skip, persist.Supersede, persist.Reject} {
			t.Run(name+"/"+how.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := setScene(t, name)
					synctest.Wait()
					before, phase := s.Counts(), s.phase(s.holder)
					s.m.FailNext(1, errDisk)
					_, err := s.play.kind.Submit(t.Context(), s.Queue, part{Name: "k"}, persist.WithDuplicates(how), persist.WithPriority(persist.High))
					if rejected := how == persist.Reject; errors.Is(err, errDisk) == rejected {
						t.Errorf("error %v", err)
					}
					s.m.FailNext(0, nil)
					synctest.Wait()
					for p, n := range s.Counts() {
						if before[p] != n {
							t.Errorf("%d jobs are %v, there were %d", n, p, before[p])
						}
					}
					if p := s.phase(s.holder); p != phase {
						t.Errorf("the holder is %v, it was %v", p, phase)
					}
					if s.follower != 0 && s.phase(s.follower) != persist.Blocked {
						t.Errorf("the follower is %v", s.phase(s.follower))
					}
					// As if nothing had been: the whole story goes on.
					r := s.play.submit(s.harness, part{Name: "k"}, persist.WithDuplicates(persist.Supersede))
					if r.Kind != persist.Replaced || r.Other != s.holder {
						t.Errorf("then %+v", r)
					}
					s.finish(nil)
					s.ended(s.holder, persist.Superseded)
					if s.follower != 0 {
						s.ended(s.follower, persist.Superseded)
					}
					s.ended(r.ID, persist.Completed)
				})
			})
		}
	}
}

// Who runs may end by itself while what is to replace it is stored, and that fails.
func TestWhoWasNotSupersededAfterAllEndsInItsOwnWay(t *testing.T) {
	for _, row := range []struct {
		what     string
		err      error
		ask      func(s *scene) error
		want     persist.Ending
		attempts int
	}{
		{"superseded, completes", nil, nil, persist.Completed, 1},
		{"superseded, fails and is retried", errors.New("oops"), nil, persist.Completed, 2},
		{"cancelled, completes", nil, func(s *scene) error { return s.Cancel(s.t.Context(), s.holder) }, persist.Completed, 1},
		{"cancelled, fails and is retried", errors.New("oops"), func(s *scene) error { return s.Cancel(s.t.Context(), s.holder) }, persist.Completed, 2},
	} {
		t.Run(row.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setScene(t, "running")
				if row.ask == nil {
					row.ask = func(s *scene) error {
						_, err := s.play.kind.Submit(s.t.Context(), s.Queue, part{Name: "k"}, persist.WithDuplicates(persist.Supersede))
						return err
					}
				}
				g := hold(s.m)
				c := make(chan error, 1)
				go func() { c <- row.ask(s) }()
				g.arrive()
				s.play.release(s.holder, row.err)
				synctest.Wait()
				g.end(errDisk)
				if err := <-c; !errors.Is(err, errDisk) {
					t.Errorf("error %v", err)
				}
				if row.err != nil {
					time.Sleep(time.Hour)
					s.play.release(s.holder, nil)
				}
				if j := s.ended(s.holder, row.want); j.Attempts != row.attempts || j.End.By != 0 {
					t.Errorf("%+v %+v", j.State, j.End)
				}
			})
		})
	}
}

func TestSubmissionsThatAreStoredTogetherFailTogetherAndAreToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t)
		m := memstore.New()
		h := start(t, persist.Config{Store: m})
		g := hold(m)
		first := p.begin(h, part{Name: "first"}, persist.WithDelay(time.Hour))
		g.arrive()
		var all []chan answer
		for _, how := range []persist.Duplicates{persist.Skip, persist.Skip, persist.Supersede, persist.Supersede} {
			all = append(all, p.begin(h, part{Name: "k"}, persist.WithDuplicates(how), persist.WithDelay(time.Hour)))
		}
		g.pass(nil)
		g.arrive()
		g.end(errDisk)
		if a := <-first; a.err != nil {
			t.Error(a.err)
		}
		for _, c := range all {
			if a := <-c; !errors.Is(a.err, errDisk) || a.Result != (persist.Result{}) {
				t.Errorf("%+v", a)
			}
		}
		if n := h.count(events.JobSubmitted); n != 1 {
			t.Errorf("%d events", n)
		}
		// The numbers that were to be are not given again.
		if r := p.submit(h, part{Name: "k"}, persist.WithDelay(time.Hour)); r.Kind != persist.Inserted || r.ID != 5 {
			t.Errorf("%+v", r)
		}
	})
}

func TestNumbersGoOnAfterAReopening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t)
		m := memstore.New()
		var last persist.ID
		for run := range 4 {
			h := start(t, persist.Config{Store: m, History: 1, Handlers: []persist.Handler{p.handler()}})
			for range 3 {
				r := p.submit(h, part{})
				if r.ID != last+1 {
					t.Errorf("run %d: job %d after %d", run, r.ID, last)
				}
				last = r.ID
				h.ended(last, persist.Completed)
			}
			if run%2 == 0 {
				m.Crash()
			}
			if err := h.stop(); run%2 != 0 && err != nil {
				t.Error(err)
			}
		}
	})
}

func TestAFullStoreRefusesAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t)
		m := memstore.New()
		m.Limit(2)
		h := start(t, persist.Config{Store: m, Workers: 1, Handlers: []persist.Handler{p.handler()}})
		one := p.submit(h, part{Name: "one", Hold: true}).ID
		p.submit(h, part{Name: "two"}, persist.WithDelay(time.Hour))
		_, err := p.kind.Submit(t.Context(), h.Queue, part{Name: "three"})
		if !errors.Is(err, persist.ErrFull) {
			t.Errorf("error %v", err)
		}
		// What needs no room is stored, also when it comes together with what does.
		g := hold(m)
		c := p.begin(h, part{Name: "one"})
		g.arrive()
		p.release(one, nil)
		synctest.Wait()
		d := p.begin(h, part{Name: "four"})
		g.end(nil)
		if a := <-c; !errors.Is(a.err, persist.ErrFull) {
			t.Errorf("%+v", a)
		}
		if a := <-d; a.err != nil { // in the place of what has ended
			t.Errorf("%+v", a)
		}
		if _, err := h.Job(t.Context(), one); !errors.Is(err, persist.ErrPruned) {
			t.Errorf("error %v", err)
		}
		if a, b := h.count(events.StoreFailed), h.count(events.StoreRecovered); a == 0 || a != b {
			t.Errorf("%d failures, %d recoveries", a, b)
		}
		m.Limit(0)
		h.ended(p.submit(h, part{Name: "five"}).ID, persist.Completed)
	})
}

func TestWhatIsNotKnownIsSettled(t *testing.T) {
	for _, committed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p := newPlay(t)
			m := memstore.New()
			h := start(t, persist.Config{Store: m, Handlers: []persist.Handler{p.handler()}})
			m.UnknownNext(committed)
			r, err := p.kind.Submit(t.Context(), h.Queue, part{Name: "k", Hold: true})
			if committed && (err != nil || r.Kind != persist.Inserted) || !committed && (err == nil || errors.Is(err, persist.ErrUnknown)) {
				t.Errorf("%v: %+v, %v", committed, r, err)
			}
			again := p.submit(h, part{Name: "k"}, persist.WithDuplicates(persist.Reject))
			if want := persist.Inserted; !committed && again.Kind != want || committed && again.Other != r.ID {
				t.Errorf("%v: again %+v", committed, again)
			}
			p.release(1, nil)
		})
	}
}

func TestWhoSubmitsIsToldAtOnceThatItIsNotKnown(t *testing.T) {
	for _, committed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p := newPlay(t)
			m := memstore.New()
			h := start(t, persist.Config{Store: m, Handlers: []persist.Handler{p.handler()}})
			m.UnknownNext(committed)
			m.FailSettle(5, errDisk)
			began := time.Now()
			r, err := p.kind.Submit(t.Context(), h.Queue, part{Name: "k"}, persist.WithDelay(time.Minute))
			if !errors.Is(err, persist.ErrUnknown) || r != (persist.Result{}) || time.Since(began) != 0 {
				t.Errorf("%v: %+v, %v after %v", committed, r, err, time.Since(began))
			}
			// Who submits again waits for the answer, and is told what there is.
			again := p.submit(h, part{Name: "k"}, persist.WithDelay(time.Minute))
			if committed && again.Kind != persist.Duplicate || !committed && again.Kind != persist.Inserted {
				t.Errorf("%v: again %+v", committed, again)
			}
			h.ended(again.ID, persist.Completed)
		})
	}
}

func TestASubmissionIsWithdrawnWhenItsContextEndsBeforeItIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("why")
		p := newPlay(t)
		m := memstore.New()
		h := start(t, persist.Config{Store: m})
		ended, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		if r, err := p.kind.Submit(ended, h.Queue, part{Name: "x"}); !errors.Is(err, why) || errors.Is(err, persist.ErrUnknown) || r.ID != 0 {
			t.Errorf("%+v, %v", r, err)
		}
		g := hold(m)
		later := persist.WithDelay(time.Hour)
		taken := make(chan answer, 1)
		waiting := make(chan answer, 1)
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			r, err := p.kind.Submit(ctx, h.Queue, part{Name: "taken"}, later)
			taken <- answer{r, err}
		}()
		g.arrive()
		go func() {
			r, err := p.kind.Submit(ctx, h.Queue, part{Name: "waits"}, later)
			waiting <- answer{r, err}
		}()
		synctest.Wait()
		cancel(why)
		if a := <-taken; !errors.Is(a.err, persist.ErrUnknown) || !errors.Is(a.err, why) || a.Result != (persist.Result{}) {
			t.Errorf("%+v", a)
		}
		if a := <-waiting; errors.Is(a.err, persist.ErrUnknown) || !errors.Is(a.err, why) || a.Result != (persist.Result{}) {
			t.Errorf("%+v", a)
		}
		g.end(nil)
		synctest.Wait()
		if c := h.Counts(); c[persist.Delayed] != 1 {
			t.Errorf("%v", c)
		}
		if r := p.submit(h, part{Name: "taken"}, later); r.Kind != persist.Duplicate {
			t.Errorf("who was taken: %+v", r)
		}
		if r := p.submit(h, part{Name: "waits"}, later); r.Kind != persist.Inserted || r.ID != 2 {
			t.Errorf("who had to wait: %+v", r)
		}
	})
}

func TestAQueueTakesNothingInUnlessItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t)
		p.linger = time.Second
		cfg := persist.Config{Store: memstore.New(), Handlers: []persist.Handler{p.handler()}}
		if r, err := p.kind.Submit(t.Context(), persist.New(cfg), part{}); !errors.Is(err, persist.ErrNotRunning) || r.ID != 0 {
			t.Errorf("before: %+v, %v", r, err)
		}
		h := start(t, cfg)
		p.submit(h, part{Hold: true})
		synctest.Wait()
		stopped := h.stopping()
		// Who runs may still submit.
		if r, err := p.kind.Submit(t.Context(), h.Queue, part{Name: "late"}); err != nil {
			t.Errorf("while jobs are stopped: %+v, %v", r, err)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if r, err := p.kind.Submit(t.Context(), h.Queue, part{}); !errors.Is(err, persist.ErrNotRunning) || r.ID != 0 {
			t.Errorf("after: %+v, %v", r, err)
		}
	})
}

// slow is a backend that takes its time.
type slow struct {
	persist.Backend
	open chan struct{}
}

func (s slow) Open(ctx context.Context) (persist.Store, error) {
	select {
	case <-s.open:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return s.Backend.Open(ctx)
}

func TestWhoSubmitsWaitsUntilTheStoreIsOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := slow{memstore.New(), make(chan struct{})}
		q := persist.New(persist.Config{Store: s})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- q.Run(ctx) }()
		synctest.Wait()
		brief, done := context.WithTimeout(t.Context(), time.Minute)
		defer done()
		if _, err := noteType.Submit(brief, q, note{1}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		c := make(chan answer, 1)
		go func() {
			r, err := noteType.Submit(t.Context(), q, note{2})
			c <- answer{r, err}
		}()
		synctest.Wait()
		select {
		case a := <-c:
			t.Errorf("too early: %+v", a)
		default:
		}
		close(s.open)
		if a := <-c; a.err != nil || a.ID != 1 {
			t.Errorf("%+v", a)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestWhoWaitsForACommitThatIsNotTriedAnyMoreIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t)
		m := memstore.New()
		h := start(t, persist.Config{Store: m})
		g := hold(m)
		first := p.begin(h, part{Name: "first"}, persist.WithDelay(time.Hour))
		g.arrive()
		second := p.begin(h, part{Name: "second"}, persist.WithDelay(time.Hour))
		stopped := h.stopping()
		g.pass(nil)
		g.arrive()
		if _, err := p.kind.Submit(t.Context(), h.Queue, part{}); !errors.Is(err, persist.ErrClosing) {
			t.Errorf("during the last commit: %v", err)
		}
		g.end(nil)
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		for _, c := range []chan answer{first, second} {
			if a := <-c; a.err != nil {
				t.Errorf("what was handed in before the end is stored: %+v", a)
			}
		}
	})
}

func TestAStoreThatPanicsLeavesNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t)
		m := memstore.New()
		h := start(t, persist.Config{Store: m, Handlers: []persist.Handler{p.handler()}})
		m.BeforeCommit(func(context.Context, []persist.Step) error {
			m.BeforeCommit(nil)
			panic("the store is mad")
		})
		if _, err := p.kind.Submit(t.Context(), h.Queue, part{Name: "k"}); err == nil || errors.Is(err, persist.ErrUnknown) {
			t.Errorf("error %v", err)
		}
		time.Sleep(time.Minute) // the ledger is restarted
		h.ended(p.submit(h, part{Name: "k"}).ID, persist.Completed)
	})
}
