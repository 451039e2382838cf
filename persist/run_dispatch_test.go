package persist_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
)

func TestAll256PrioritiesGoInTheirOrderAndEachFirstInFirstOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Workers: 1, Handlers: s.handlers()})
		r.submit("plug")
		var subs []persist.Submission
		var want []string
		for i, p := range rand.Perm(512) {
			subs = append(subs, chore.New(fmt.Sprintf("%03d-%03d", p/2, i), persist.WithPriority(persist.Priority(p/2))))
			want = append(want, fmt.Sprintf("%03d-%03d", p/2, i))
		}
		slices.Sort(want)
		if _, err := r.SubmitAll(t.Context(), subs); err != nil {
			t.Fatal(err)
		}
		s.letAllGo()
		same(t, "order", s.order(), "plug "+strings.Join(want, " "))
	})
}

func TestJobsThatWaitWhenTheQueueBeginsRunAtOnce(t *testing.T) {
	for range 20 { // who comes first is for the scheduler
		synctest.Test(t, func(t *testing.T) {
			m := memstore.New()
			r := hang(t, persist.Config{Store: m})
			r.submit("a")
			r.submit("b")
			isError(t, "stop", r.halt(), nil)
			s := newStage()
			hang(t, persist.Config{Store: m, Handlers: s.handlers()})
			same(t, "running", s.now(), "a b")
			same(t, "log", s.log[0][:2], "0s")
			s.letAllGo()
		})
	}
}

func TestNeverMoreJobsRunThanThereAreWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Workers: 3, Handlers: s.handlers()})
		for i := range 10 {
			r.submit(fmt.Sprint(i))
		}
		same(t, "running", s.now(), "0 1 2")
		same(t, "figure", r.figure("queue_workers_used"), 3)
		s.letGo(nil, "1")
		same(t, "running", s.now(), "0 2 3")
		s.letAllGo()
		same(t, "most", s.most, 3)
	})
}

func TestSetWorkersLetsMoreInAtOnceAndLeavesThoseAloneThatRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Workers: 1, Handlers: s.handlers()})
		for i := range 9 {
			r.submit(fmt.Sprint(i))
		}
		same(t, "running with 1", s.now(), "0")
		isError(t, "to 4", r.SetWorkers(4), nil)
		same(t, "running with 4", s.now(), "0 1 2 3")
		isError(t, "to 2", r.SetWorkers(2), nil)
		same(t, "running with 2", s.now(), "0 1 2 3")
		s.letGo(nil, "0")
		s.letGo(nil, "1")
		same(t, "running then", s.now(), "2 3")
		s.letGo(nil, "2")
		same(t, "running in the end", s.now(), "3 4")
		isError(t, "to none", r.SetWorkers(0), policy.ErrInvalid)
		s.letAllGo()
	})
}

func TestAGroupHasItsOwnLimitOrTheDefaultOrNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{
			Workers: 100, Handlers: s.handlers(), GroupLimit: 2, GroupLimits: map[string]int{"own": 1, "free": policy.Unlimited},
		})
		for i := range 4 {
			for _, g := range []string{"own", "free", "other", ""} {
				r.submit(fmt.Sprint(g, i), persist.WithGroup(g))
			}
		}
		same(t, "running", s.now(), "0 1 2 3 free0 free1 free2 free3 other0 other1 own0")
		s.letGo(nil, "other1", "own0", "free2")
		same(t, "running then", s.now(), "0 1 2 3 free0 free1 free3 other0 other2 own1")
		s.letAllGo()
	})
}

func TestGroupLimitsChangeAtRunTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Workers: 100, Handlers: s.handlers(), GroupLimit: 1})
		for i := range 9 {
			r.submit(fmt.Sprint("a", i), persist.WithGroup("a"))
			r.submit(fmt.Sprint("b", i), persist.WithGroup("b"))
		}
		same(t, "at first", s.now(), "a0 b0")
		isError(t, "own", r.SetGroupLimit("a", 3), nil)
		same(t, "with a limit of its own", s.now(), "a0 a1 a2 b0")
		isError(t, "default", r.SetDefaultGroupLimit(2), nil)
		same(t, "with another default", s.now(), "a0 a1 a2 b0 b1")
		isError(t, "less", r.SetGroupLimit("a", 1), nil)
		s.letGo(nil, "a0")
		s.letGo(nil, "a1")
		same(t, "with less", s.now(), "a2 b0 b1")
		s.letGo(nil, "a2")
		same(t, "with less, then", s.now(), "a3 b0 b1")
		isError(t, "back", r.SetGroupLimit("a", 0), nil)
		same(t, "with the default again", s.now(), "a3 a4 b0 b1")
		isError(t, "unlimited", r.SetGroupLimit("b", policy.Unlimited), nil)
		same(t, "without a limit", s.now(), "a3 a4 b0 b1 b2 b3 b4 b5 b6 b7 b8")
		isError(t, "no default", r.SetDefaultGroupLimit(0), nil)
		same(t, "without any", s.now(), "a3 a4 a5 a6 a7 a8 b0 b1 b2 b3 b4 b5 b6 b7 b8")
		s.letAllGo()
		for name, n := range map[string]int{"a": -1, "": 1, strings.Repeat("x", 201): 1} {
			isError(t, "refused", r.SetGroupLimit(name, n), policy.ErrInvalid)
		}
	})
}

func TestTheJobsOfAGroupShareItsLimitWhateverTheirTypes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, types := newStage(), []*persist.Type[string]{}
		cfg := persist.Config{Workers: 100, GroupLimits: map[string]int{"g": 2}}
		for i := range 4 {
			d := &persist.Domain{Name: fmt.Sprint("d", i%2)}
			types = append(types, persist.DefineIn[string](d, fmt.Sprint("t", i), persist.WithoutKey()))
		}
		types[2] = persist.DefineIn[string](nil, "t2", persist.WithoutKey())
		types[3] = persist.DefineIn[string](nil, "t3", persist.WithoutKey())
		for _, k := range types {
			cfg.Handlers = append(cfg.Handlers, k.Handle(s.act))
		}
		r := hang(t, cfg)
		for i := range 12 {
			must(t)(types[i%4].Submit(t.Context(), r.Queue, fmt.Sprintf("%02d", i), persist.WithGroup("g")))
		}
		same(t, "running", s.now(), "00 01")
		s.letAllGo()
		same(t, "most", s.most, 2)
	})
}

func TestAThousandGroupsOfOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd()
		r := hang(t, persist.Config{Workers: 2000, GroupLimit: 1, Handlers: []persist.Handler{
			chore.Handle(func(_ context.Context, g string) error {
				c.enter(g)
				c.enter("")
				time.Sleep(time.Second)
				c.leave(g)
				c.leave("")
				return nil
			}),
		}})
		var subs []persist.Submission
		for i := range 3000 {
			g := fmt.Sprint("g", i%1000)
			subs = append(subs, chore.New(g, persist.WithGroup(g)))
		}
		if _, err := r.SubmitAll(t.Context(), subs); err != nil {
			t.Fatal(err)
		}
		elapse(3*time.Second - 1)
		same(t, "completed before the third round is over", r.Counts()[persist.Ended], 2000)
		elapse(1)
		same(t, "completed", r.Counts()[persist.Ended], 3000)
		same(t, "most at a time", c.peak(""), 1000)
		for i := range 1000 {
			if g := fmt.Sprint("g", i); c.peak(g) != 1 {
				t.Errorf("group %s ran %d", g, c.peak(g))
			}
		}
	})
}

func TestADomainHasALimitNextToThatOfItsGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		d := &persist.Domain{Name: "d", Limit: 2}
		a := persist.DefineIn[string](d, "a", persist.WithoutKey())
		b := persist.DefineIn[string](d, "b", persist.WithoutKey())
		r := hang(t, persist.Config{
			Workers: 100, GroupLimits: map[string]int{"g": 1}, Handlers: []persist.Handler{a.Handle(s.act), b.Handle(s.act), chore.Handle(s.act)},
		})
		for i := range 3 {
			must(t)(a.Submit(t.Context(), r.Queue, fmt.Sprint("a", i), persist.WithGroup("g")))
		}
		for i := range 3 {
			must(t)(b.Submit(t.Context(), r.Queue, fmt.Sprint("b", i)))
		}
		r.submit("x")
		same(t, "running", s.now(), "a0 b0 x")
		isError(t, "more", r.SetDomainLimit("d", 3), nil)
		same(t, "with three", s.now(), "a0 b0 b1 x")
		isError(t, "less", r.SetDomainLimit("d", 1), nil)
		s.letGo(nil, "a0")
		s.letGo(nil, "b0")
		same(t, "with one", s.now(), "b1 x")
		s.letGo(nil, "b1")
		same(t, "with one, then", s.now(), "a1 x")
		isError(t, "none", r.SetDomainLimit("d", 0), nil)
		same(t, "without a limit", s.now(), "a1 b2 x")
		s.letAllGo()
		isError(t, "refused", r.SetDomainLimit("d", -1), policy.ErrInvalid)
	})
}

func TestWhatCannotRunAtTheHeadHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		d := &persist.Domain{Name: "d", Limit: 1}
		in := persist.DefineIn[string](d, "in", persist.WithoutKey())
		r := hang(t, persist.Config{
			Workers: 5, GroupLimits: map[string]int{"g": 1}, Handlers: []persist.Handler{in.Handle(s.act), chore.Handle(s.act)},
		})
		urgent := persist.WithPriority(persist.Realtime)
		for i := range 20 {
			r.submit(fmt.Sprint("g", i), urgent, persist.WithGroup("g"))
			must(t)(in.Submit(t.Context(), r.Queue, fmt.Sprint("d", i), urgent))
			must(t)(r.Submit(t.Context(), persist.Raw("unknown", fmt.Append(nil, i), urgent)))
			must(t)(r.Submit(t.Context(), persist.Raw("d/unknown", fmt.Append(nil, i), urgent)))
			r.submit(fmt.Sprint("later", i), urgent, persist.WithDelay(time.Hour))
		}
		r.submit("x0")
		r.submit("x1", persist.WithPriority(persist.Idle))
		same(t, "running", s.now(), "d0 g0 x0 x1")
		s.letGo(nil, "d0")
		same(t, "running then", s.now(), "d1 g0 x0 x1")
		s.letGo(nil, "g0")
		same(t, "running then", s.now(), "d1 g1 x0 x1")
		s.letAllGo()
		elapse(time.Hour)
		s.letAllGo()
		same(t, "those without a handler", r.Counts()[persist.Ready], 40)
	})
}

func TestJobsRunAtTheNanosecondThatTheyWaitFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := map[string]time.Duration{}
		began := time.Now()
		r := hang(t, persist.Config{Workers: 1, Handlers: []persist.Handler{chore.Handle(func(_ context.Context, in string) error {
			got[in] = time.Since(began)
			return nil
		})}})
		want := map[string]time.Duration{}
		for _, d := range []time.Duration{1, 2, 999, time.Microsecond, time.Second + 1, time.Second, time.Hour - 1, time.Hour, 24 * time.Hour, 500*time.Hour + 7} {
			r.submit(fmt.Sprint(d), persist.WithDelay(d))
			r.submit(fmt.Sprint("at ", d), persist.WithRunAt(began.Add(d)))
			want[fmt.Sprint(d)], want[fmt.Sprint("at ", d)] = d, d
		}
		elapse(600 * time.Hour)
		same(t, "times", got, want)
	})
}

func TestAnIdleQueueDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		r := hang(t, persist.Config{Store: m, Handlers: newStage().handlers()})
		commits := 0
		m.BeforeCommit(func(context.Context, []persist.Step) error { commits++; return nil })
		before := len(r.rec.Events())
		elapse(365 * 24 * time.Hour)
		same(t, "commits in a year without jobs", commits, 0)
		same(t, "events", len(r.rec.Events())-before, 0)
		r.submit("far away", persist.WithDelay(20000*time.Hour))
		elapse(24 * time.Hour)
		same(t, "commits in a day with one that waits", commits, 1)
	})
}

func TestThousandsOfJobsEndOnceEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd()
		r := hang(t, persist.Config{Workers: 50, Handlers: []persist.Handler{chore.Handle(func(_ context.Context, in string) error {
			c.enter(in)
			time.Sleep(time.Millisecond)
			c.leave("")
			return nil
		})}})
		ins := make([]string, 6_000)
		for i := range ins {
			ins[i] = fmt.Sprint(i)
		}
		results, err := chore.SubmitAll(t.Context(), r.Queue, ins)
		isError(t, "submit", err, nil)
		elapse(120 * time.Millisecond)
		same(t, "ended", r.figure("queue_ended_total", "completed"), 6_000)
		for i, in := range ins {
			if c.now[in] != 1 {
				t.Fatalf("job %d ran %d times", results[i].ID, c.now[in])
			}
		}
	})
}

func TestAHandlerThatIsAddedLetsThoseGoOnThatWaitForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{})
		r.submit("a")
		r.submit("b")
		same(t, "running", s.now(), "")
		isError(t, "handle", r.Handle(chore.Handle(s.act)), nil)
		same(t, "running then", s.now(), "a b")
		s.letAllGo()
	})
}

func TestAFailedCommitOfASubmissionLeavesNoPlaceTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Workers: 1, GroupLimit: 1, Handlers: s.handlers()})
		for range 100 {
			r.mem.FailNext(1, errOops)
			_, err := chore.Submit(t.Context(), r.Queue, "none", persist.WithGroup("g"))
			isError(t, "submit", err, errOops)
		}
		r.submit("a", persist.WithGroup("g"))
		same(t, "running", s.now(), "a")
		s.letAllGo()
		same(t, "counts", r.Counts(), map[persist.Phase]int{persist.Delayed: 0, persist.Ready: 0, persist.Running: 0, persist.Blocked: 0, persist.Parked: 0, persist.Ended: 1})
	})
}
