package persist_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
)

// again ends the queue, lets some time pass, and begins it anew.
func (h *harness) again(cfg persist.Config, pause time.Duration) *harness {
	h.t.Helper()
	if err := h.stop(); err != nil {
		h.t.Fatal(err)
	}
	time.Sleep(pause)
	return start(h.t, cfg)
}

func TestAllThatWasSaidOfAJobSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		cfg := persist.Config{Store: m}
		h := start(t, cfg)
		r := must(t)(noteType.Submit(t.Context(), h.Queue, note{7}, persist.WithKey("k"), persist.WithPriority(3), persist.WithGroup("g"),
			persist.WithLabel("l"), persist.WithDelay(time.Hour), persist.WithTTL(2*time.Hour), persist.WithMaxRetries(1), persist.WithTag("a", "b"),
			persist.WithBackoff(policy.Constant(time.Minute)), persist.WithTimeout(time.Second), persist.WithStall(time.Second), persist.WithGrace(time.Second)))
		before, err := h.Job(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		must(t)(noteType.Submit(t.Context(), h.Queue, note{7}, persist.WithKey("k"), persist.WithPriority(2)))
		h = h.again(cfg, time.Minute)
		after, err := h.Job(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		before.State.Priority = 2
		if fmt.Sprintf("%+v", before) != fmt.Sprintf("%+v", after) {
			t.Errorf("before %+v\nafter  %+v", before, after)
		}
		if w, err := h.Why(t.Context(), r.ID); err != nil || w.Reason != persist.WaitsForTime || !w.Until.Equal(before.Record.RunAt) {
			t.Errorf("%+v, %v", w, err)
		}
	})
}

func TestTimesGoOnWhileTheQueueIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		var l timetable
		fails := persist.Define[note]("fails", persist.WithBackoff(policy.Constant(time.Hour)), persist.WithMaxRetries(9))
		cfg := persist.Config{Store: m, Workers: 1, Handlers: []persist.Handler{
			l.handler(noteType, nil),
			l.handler(fails, func(a persist.Attempt) error {
				if a.Number() < 3 {
					return errors.New("oops")
				}
				return nil
			}),
		}}
		h := start(t, cfg)
		submit := func(k *persist.Type[note], n int, opts ...persist.Option) persist.ID {
			return must(t)(k.Submit(t.Context(), h.Queue, note{n}, opts...)).ID
		}
		began := time.Now()
		soon := submit(noteType, 1, persist.WithDelay(30*time.Minute))
		late := submit(noteType, 2, persist.WithDelay(4*time.Hour))
		gone := submit(noteType, 3, persist.WithDelay(3*time.Hour), persist.WithTTL(45*time.Minute))
		dies := submit(noteType, 4, persist.WithDelay(5*time.Hour), persist.WithTTL(100*time.Minute))
		retry := submit(fails, 5)
		short := submit(fails, 6, persist.WithTTLFromFirstAttempt(50*time.Minute))
		long := submit(fails, 7, persist.WithTTLFromFirstAttempt(90*time.Minute))
		synctest.Wait()
		h = h.again(cfg, time.Hour)
		for _, row := range []struct {
			id    persist.ID
			end   persist.Ending
			after time.Duration
		}{
			{soon, persist.Completed, time.Hour},
			{late, persist.Completed, 4 * time.Hour},
			{gone, persist.Expired, time.Hour},
			{dies, persist.Expired, 100 * time.Minute},
			{retry, persist.Completed, 2 * time.Hour},
			{short, persist.Expired, time.Hour},
			{long, persist.Expired, 90 * time.Minute},
		} {
			if j := h.ended(row.id, row.end); j.End.At.Sub(began) != row.after {
				t.Errorf("job %d ended after %v, want %v", row.id, j.End.At.Sub(began), row.after)
			}
		}
		want := []string{"5@0s", "6@0s", "7@0s", "1@1h0m0s", "5@1h0m0s", "7@1h0m0s", "5@2h0m0s", "2@4h0m0s"}
		if !slices.Equal(l.at, want) {
			t.Errorf("%v, want %v", l.at, want)
		}
	})
}

func TestWhatHasExpiredWhileTheQueueWasDownIsNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		h := start(t, persist.Config{Store: m})
		var ids []persist.ID
		for i := range 20 {
			ids = append(ids, must(t)(noteType.Submit(t.Context(), h.Queue, note{i}, persist.WithTTL(time.Minute))).ID)
		}
		ran := 0
		h = h.again(persist.Config{Store: m, Handlers: []persist.Handler{noteType.Handle(func(context.Context, note) error { ran++; return nil })}}, time.Hour)
		for _, id := range ids {
			h.ended(id, persist.Expired)
		}
		if ran != 0 {
			t.Errorf("%d ran", ran)
		}
	})
}

func TestFollowersStayBehindTheHolderOfTheirKey(t *testing.T) {
	for _, row := range []struct {
		what string
		end  func(s *scene) // of the first run
		ends persist.Ending
	}{
		{"a stop", func(s *scene) {}, persist.Completed},
		{"a crash", func(s *scene) { s.m.Crash() }, persist.Completed},
		{"a stop during the pause before a retry", func(s *scene) { s.play.release(s.holder, errors.New("oops")); synctest.Wait() }, persist.Completed},
	} {
		t.Run(row.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setScene(t, "running with follower")
				r := s.submit(persist.WithPriority(persist.High), persist.WithDelay(time.Minute)) // it is for the follower
				if r.ID != s.follower || r.Kind != persist.Upgraded {
					t.Errorf("%+v", r)
				}
				row.end(s)
				_ = s.stop() // after a crash it says so
				s.harness = start(t, s.config())
				synctest.Wait()
				if p := s.phase(s.follower); p != persist.Blocked {
					t.Errorf("the follower is %v", p)
				}
				if r := s.submit(persist.WithPriority(persist.Idle)); r.Kind != persist.Duplicate {
					t.Errorf("then %+v", r)
				}
				time.Sleep(2 * time.Hour)
				s.play.release(s.holder, nil)
				s.ended(s.holder, row.ends)
				s.ended(s.follower, persist.Completed)
			})
		})
	}
}

func TestAFollowerKeepsItsDelayOverAReopening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setScene(t, "running")
		began := time.Now()
		r := s.submit(persist.WithDelay(3 * time.Hour))
		s.submit(persist.WithPriority(persist.High)) // which stores its state anew
		s.harness = s.again(s.config(), time.Hour)
		s.play.release(s.holder, nil)
		s.ended(s.holder, persist.Completed)
		if j := s.ended(r.ID, persist.Completed); j.End.At.Sub(began) != 3*time.Hour {
			t.Errorf("it ran after %v", j.End.At.Sub(began))
		}
	})
}

func TestWhoWasToldToEndDoesNotRunAgainAfterACrash(t *testing.T) {
	for _, name := range []string{"running", "running with follower"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setScene(t, name)
				s.play.linger = time.Second
				r := s.submit(persist.WithDuplicates(persist.Supersede))
				s.m.Crash()
				_ = s.stop()
				before := len(s.play.was())
				s.harness = start(t, s.config())
				if j := s.ended(s.holder, persist.Superseded); j.End.By != r.ID {
					t.Errorf("%+v", j.End)
				}
				s.ended(r.ID, persist.Completed)
				if got := s.play.was()[before:]; len(got) != 1 {
					t.Errorf("then ran %v", got)
				}
			})
		})
	}
}

// A queue may be run again, as a supervisor does after a failure.
func TestAQueueCanRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t)
		q := persist.New(persist.Config{Store: memstore.New(), Handlers: []persist.Handler{p.handler()}})
		for i := range 3 {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- q.Run(ctx) }()
			if err := q.WaitReady(t.Context()); err != nil {
				t.Fatal(err)
			}
			r := must(t)(p.kind.Submit(t.Context(), q, part{Name: "k"}))
			if r.Kind != persist.Inserted || r.ID != persist.ID(2*i+1) {
				t.Errorf("run %d: %+v", i, r)
			}
			if j, err := q.Await(t.Context(), r.ID); err != nil || j.End.Kind != persist.Completed {
				t.Errorf("run %d: %+v, %v", i, j, err)
			}
			// One is left for the next run.
			r = must(t)(p.kind.Submit(t.Context(), q, part{Name: fmt.Sprint(i)}, persist.WithDelay(time.Minute)))
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if i > 0 {
				continue
			}
			time.Sleep(time.Hour)
		}
		if got := p.was(); len(got) != 4 || !slices.Contains(got, "0#2") {
			t.Errorf("%v", got)
		}
	})
}

func TestWhatIsReadyRunsAsSoonAsTheQueueDoes(t *testing.T) {
	for range 100 { // who of the queue's own tasks is first is left to chance
		synctest.Test(t, func(t *testing.T) {
			m := memstore.New()
			h := start(t, persist.Config{Store: m})
			id := must(t)(noteType.Submit(t.Context(), h.Queue, note{})).ID
			h = h.again(persist.Config{Store: m, Handlers: []persist.Handler{noteType.Handle(func(context.Context, note) error { return nil })}}, time.Hour)
			began := time.Now()
			if j := h.ended(id, persist.Completed); j.End.At.Sub(began) != 0 {
				t.Fatalf("it ran after %v", j.End.At.Sub(began))
			}
		})
	}
}

// A commit that is given up at a stop says nothing of those that come after it.
func TestAnUnknownCommitAtAStopIsNotTakenForAnother(t *testing.T) {
	for _, committed := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			p := newPlay(t)
			m := memstore.New()
			h := start(t, persist.Config{Store: m})
			m.UnknownNext(committed)
			m.FailSettle(1000, errDisk)
			first := p.begin(h, part{Name: "first"})
			second := p.begin(h, part{Name: "second"})
			if a := <-first; !errors.Is(a.err, persist.ErrUnknown) {
				t.Errorf("%+v", a)
			}
			stopped := h.stopping()
			m.FailSettle(0, nil)
			<-stopped
			a := <-second
			h = start(t, persist.Config{Store: m})
			r := p.submit(h, part{Name: "second"}, persist.WithDuplicates(persist.Reject))
			if stored := r.Kind == persist.Rejected; stored != (a.err == nil) {
				t.Errorf("%v: it was told %+v, and then %+v", committed, a, r)
			}
			r = p.submit(h, part{Name: "first"}, persist.WithDuplicates(persist.Reject))
			if stored := r.Kind == persist.Rejected; stored != committed {
				t.Errorf("%v: the first: %+v", committed, r)
			}
		})
	}
}
