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
	"github.com/taskvisor/taskvisor/policy"
)

// timetable is a handler of notes that says when which came.
type timetable struct {
	began time.Time
	at    []string
}

func (l *timetable) handler(kind *persist.Type[note], run func(persist.Attempt) error) persist.Handler {
	l.began = time.Now()
	return kind.Handle(func(ctx context.Context, n note) error {
		a, _ := persist.FromContext(ctx)
		l.at = append(l.at, fmt.Sprintf("%d@%v", n.N, time.Since(l.began)))
		if run == nil {
			return nil
		}
		return run(a)
	})
}

func TestDelayedJobsRunExactlyWhenTheyAreDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l timetable
		h := start(t, persist.Config{Handlers: []persist.Handler{l.handler(noteType, nil)}, Workers: 1})
		now := time.Now()
		submit := func(n int, opts ...persist.Option) {
			must(t)(noteType.Submit(t.Context(), h.Queue, note{n}, opts...))
		}
		submit(1, persist.WithDelay(time.Hour))
		submit(2, persist.WithDelay(time.Nanosecond))
		submit(3, persist.WithRunAt(now.Add(90*time.Minute)))
		submit(4, persist.WithRunAt(now.Add(-time.Hour)))
		submit(5, persist.WithRunAt(time.Time{}))
		submit(6, persist.WithDelay(0))
		submit(7, persist.WithDelay(time.Hour), persist.WithRunAt(now.Add(time.Minute)))
		submit(8, persist.WithRunAt(now.Add(time.Minute)), persist.WithDelay(2*time.Hour))
		submit(9, persist.WithRunAt(now.Add(persist.MaxWait)))
		submit(10, persist.WithDelay(persist.MaxWait))
		submit(11, persist.WithDelay(40*time.Hour))
		time.Sleep(50 * time.Hour)
		synctest.Wait()
		want := []string{"4@0s", "5@0s", "6@0s", "2@1ns", "7@1m0s", "1@1h0m0s", "3@1h30m0s", "8@2h0m0s", "11@40h0m0s"}
		if !slices.Equal(l.at, want) {
			t.Errorf("%v, want %v", l.at, want)
		}
		if w, err := h.Why(t.Context(), 9); err != nil || w.Reason != persist.WaitsForTime || !w.Until.Equal(now.Add(persist.MaxWait)) {
			t.Errorf("%+v, %v", w, err)
		}
	})
}

func TestOfThoseThatAreReadyTheMostUrgentGoesFirstAndThenTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t)
		h := start(t, persist.Config{Workers: 1, Handlers: []persist.Handler{p.handler(), noteType.Handle(func(context.Context, note) error {
			p.order = append(p.order, "note")
			return nil
		})}})
		blocker := p.submit(h, part{Name: "blocker", Hold: true}).ID
		var want []string
		for i, row := range []struct {
			p persist.Priority
			g string
			d time.Duration
		}{
			{persist.Normal, "", 0}, {persist.Idle, "", 0}, {persist.High, "g", 0}, {persist.Normal, "g", 0}, {persist.Realtime, "", 0},
			{persist.High, "", time.Minute}, {persist.High, "h", 0}, {7, "", 0}, {persist.Normal, "h", 0},
		} {
			p.submit(h, part{Name: fmt.Sprint(i)}, persist.WithPriority(row.p), persist.WithGroup(row.g), persist.WithDelay(row.d))
		}
		must(t)(noteType.Submit(t.Context(), h.Queue, note{}, persist.WithPriority(persist.Background)))
		time.Sleep(time.Hour) // the delay of one is over, and it has its place by its number
		p.release(blocker, nil)
		time.Sleep(time.Second)
		want = []string{"blocker#1", "4#6", "7#9", "2#4", "5#7", "6#8", "0#2", "3#5", "8#10", "note", "1#3"}
		if got := p.was(); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
}

func TestAJobThatIsRetriedKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t, persist.WithBackoff(policy.Constant(time.Minute)))
		h := start(t, persist.Config{Workers: 1, Handlers: []persist.Handler{p.handler()}})
		p.submit(h, part{Name: "first", Fails: 1})
		synctest.Wait()
		blocker := p.submit(h, part{Name: "blocker", Hold: true}).ID
		synctest.Wait()
		p.submit(h, part{Name: "later"})
		time.Sleep(time.Hour)
		p.release(blocker, nil)
		time.Sleep(time.Second)
		if want := []string{"first#1", "blocker#2", "first#1", "later#3"}; !slices.Equal(p.was(), want) {
			t.Errorf("%v, want %v", p.was(), want)
		}
	})
}

func TestJobsExpireExactlyOnTime(t *testing.T) {
	const ttl = 10 * time.Minute
	fail := errors.New("oops")
	for _, row := range []struct {
		what    string
		opts    []persist.Option
		run     func(persist.Attempt) error
		busy    time.Duration // for how long the only worker is taken
		after   time.Duration // when it ends
		end     persist.Ending
		attempt int
	}{
		{"it runs at once", []persist.Option{persist.WithTTL(ttl)}, nil, 0, 0, persist.Completed, 1},
		{"it runs in time", []persist.Option{persist.WithTTL(ttl)}, nil, ttl - 1, ttl - 1, persist.Completed, 1},
		{"it runs too late", []persist.Option{persist.WithTTL(ttl)}, nil, ttl + 1, ttl, persist.Expired, 0},
		{"a place is free when it expires", []persist.Option{persist.WithTTL(ttl)}, nil, ttl, ttl, persist.Expired, 0},
		{"it is delayed for less", []persist.Option{persist.WithTTL(ttl), persist.WithDelay(ttl - 1)}, nil, 0, ttl - 1, persist.Completed, 1},
		{"it is delayed for longer", []persist.Option{persist.WithTTL(ttl), persist.WithDelay(time.Hour)}, nil, 0, ttl, persist.Expired, 0},
		{"it is delayed until then", []persist.Option{persist.WithTTL(ttl), persist.WithDelay(ttl)}, nil, 0, ttl, persist.Expired, 0},
		{"it waits for a retry", []persist.Option{persist.WithTTL(ttl)}, func(persist.Attempt) error { return fail }, 0, ttl, persist.Expired, 1},
		{"it waits for a retry in time", []persist.Option{persist.WithTTL(3 * time.Hour)}, func(a persist.Attempt) error {
			if a.Number() < 3 {
				return fail
			}
			return nil
		}, 0, 2 * time.Hour, persist.Completed, 3},
		{"it runs when it expires", []persist.Option{persist.WithTTL(ttl)}, func(persist.Attempt) error { time.Sleep(time.Hour); return nil }, 0, time.Hour, persist.Completed, 1},
		{"it fails after it should expire", []persist.Option{persist.WithTTL(ttl)}, func(persist.Attempt) error { time.Sleep(time.Hour); return fail }, 0, time.Hour, persist.Expired, 1},
		{"its time begins with the first attempt", []persist.Option{persist.WithTTLFromFirstAttempt(ttl)}, func(persist.Attempt) error { return fail }, time.Hour, time.Hour + ttl, persist.Expired, 1},
		{"before that it has no end", []persist.Option{persist.WithTTLFromFirstAttempt(ttl), persist.WithDelay(24 * time.Hour)}, nil, 0, 24 * time.Hour, persist.Completed, 1},
		{"its time is longer than anything", []persist.Option{persist.WithTTL(policy.Forever)}, nil, 0, 0, persist.Completed, 1},
		{"its time from the first attempt is longer than anything", []persist.Option{persist.WithTTLFromFirstAttempt(policy.Forever), persist.WithMaxRetries(1)}, func(persist.Attempt) error { return fail }, 0, time.Hour, persist.DeadLetter, 2},
		{"no time is for ever", []persist.Option{persist.WithTTL(0)}, nil, 100 * time.Hour, 100 * time.Hour, persist.Completed, 1},
	} {
		t.Run(row.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l timetable
				other := persist.Define[time.Duration]("other")
				h := start(t, persist.Config{Workers: 1, Handlers: []persist.Handler{
					l.handler(noteType, row.run),
					other.Handle(func(_ context.Context, d time.Duration) error { time.Sleep(d); return nil }),
				}, Defaults: []persist.Option{persist.WithBackoff(policy.Constant(time.Hour)), persist.WithTTL(time.Nanosecond)}})
				if row.busy > 0 {
					must(t)(other.Submit(t.Context(), h.Queue, row.busy))
					synctest.Wait()
				}
				began := time.Now()
				r := must(t)(noteType.Submit(t.Context(), h.Queue, note{1}, row.opts...))
				j := h.ended(r.ID, row.end)
				if after := j.End.At.Sub(began); after != row.after || j.Attempts != row.attempt {
					t.Errorf("it ended after %v and %d attempts, want %v and %d", after, j.Attempts, row.after, row.attempt)
				}
				if n := h.count(events.JobExpired); n != 0 != (row.end == persist.Expired) || n > 1 {
					t.Errorf("%d events", n)
				}
				for _, e := range h.rec.Events() {
					if e.Kind == events.JobExpired && e.Elapsed != row.after {
						t.Errorf("the event says after %v, want %v", e.Elapsed, row.after)
					}
				}
			})
		})
	}
}

func TestAFollowerExpiresBehindTheHolderOfItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setScene(t, "running")
		began := time.Now()
		r := s.submit(persist.WithTTL(time.Minute))
		if j := s.ended(r.ID, persist.Expired); j.End.At.Sub(began) != time.Minute {
			t.Errorf("after %v", j.End.At.Sub(began))
		}
		again := s.submit()
		if again.Kind != persist.Requeued || again.Other != s.holder {
			t.Errorf("then %+v", again)
		}
		s.finish(nil)
		s.ended(again.ID, persist.Completed)
	})
}

func TestAHolderThatExpiresLetsItsFollowerGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t, persist.WithBackoff(policy.Constant(time.Hour)))
		h := start(t, persist.Config{Handlers: []persist.Handler{p.handler()}})
		holder := p.submit(h, part{Name: "k", Hold: true}, persist.WithTTL(time.Minute)).ID
		synctest.Wait()
		follower := p.submit(h, part{Name: "k"}).ID
		p.release(holder, errors.New("oops"))
		began := time.Now()
		h.ended(holder, persist.Expired)
		if j := h.ended(follower, persist.Completed); j.End.At.Sub(began) != time.Minute {
			t.Errorf("after %v", j.End.At.Sub(began))
		}
	})
}

func TestAParkedJobExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		h := start(t, persist.Config{Store: m})
		began := time.Now()
		id := must(t)(noteType.Submit(t.Context(), h.Queue, note{}, persist.WithTTL(time.Hour))).ID
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		park(t, m, id)
		h = start(t, persist.Config{Store: m})
		if p := h.phase(id); p != persist.Parked {
			t.Errorf("it is %v", p)
		}
		if j := h.ended(id, persist.Expired); j.End.At.Sub(began) != time.Hour {
			t.Errorf("after %v", j.End.At.Sub(began))
		}
	})
}
