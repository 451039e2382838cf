package persist_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

func TestAStopWithoutDrainTellsAllAtOnceAndTheyRunAgainAtTheNextStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := memstore.New(), newStage()
		r := hang(t, persist.Config{Store: m, Handlers: s.handlers()})
		for i := range 6 {
			r.submit(fmt.Sprint(i))
		}
		same(t, "running", s.now(), "0 1 2 3")
		isError(t, "run", r.halt(), nil)
		same(t, "took", time.Since(r.began), "0s")
		for i := range 4 {
			isError(t, "cause", s.cause(fmt.Sprint(i)), actor.ErrShutdown)
		}
		same(t, "released", r.rec.Count(events.JobReleased), 4)

		s2 := newStage()
		r2 := hang(t, persist.Config{Store: m, Handlers: s2.handlers()})
		same(t, "running again", s2.now(), "0 1 2 3")
		s2.letAllGo()
		for id := range persist.ID(6) {
			same(t, "attempts", r2.wait(id+1).Attempts, 1)
		}
	})
}

func TestWhatSucceedsOnItsWayOutIsNotRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, c := memstore.New(), newCrowd()
		cfg := persist.Config{Store: m, Workers: 10, Handlers: []persist.Handler{chore.Handle(func(ctx context.Context, in string) error {
			c.enter(in)
			if c.peak(in) > 1 {
				return nil
			}
			<-ctx.Done()
			switch in {
			case "nil":
				return nil
			case "panic":
				panic("aargh")
			case "snooze":
				return persist.Snooze(time.Hour)
			case "cancel":
				return persist.Cancel(nil)
			case "fatal":
				return actor.Fatal(errOops)
			}
			return errOops
		})}}
		r := hang(t, cfg)
		ins := strings.Fields("nil panic snooze cancel fatal error")
		for _, in := range ins {
			r.submit(in)
		}
		synctest.Wait()
		isError(t, "run", r.halt(), nil)
		r2 := hang(t, cfg)
		synctest.Wait()
		got := map[string]string{}
		for i, in := range ins {
			j := r2.look(persist.ID(i + 1))
			got[in] = fmt.Sprint(c.peak(in), " ", j.Attempts)
			if j.Ended() {
				got[in] += " " + j.End.Kind.String()
			}
		}
		same(t, "runs, attempts, ends", got, map[string]string{
			"nil": "1 1 completed", "panic": "2 1 completed", "snooze": "1 0", "cancel": "1 1 cancelled", "fatal": "2 1 completed", "error": "2 1 completed",
		})
	})
}

func TestAStopWithDrainLetsThoseFinishThatHaveBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := memstore.New(), newStage()
		r := hang(t, persist.Config{Store: m, Handlers: s.handlers(), Workers: 3, Drain: 30 * time.Second})
		for i := range 5 {
			r.submit(fmt.Sprint(i))
		}
		synctest.Wait()
		ended := make(chan error, 1)
		go func() { ended <- r.halt() }()
		elapse(10 * time.Second)
		s.letGo(nil, "0")
		s.letGo(errOops, "1")
		same(t, "running while it drains", s.now(), "2")
		same(t, "end of one that has finished", r.look(1).End.Kind, persist.Completed)
		same(t, "failures of another", r.look(2).Failures, 1)
		w := r.why(4)
		same(t, "phase of one that waits", w.Phase, persist.Ready)
		elapse(20*time.Second - 1)
		same(t, "running before the drain is over", s.now(), "2")
		elapse(1)
		isError(t, "run", <-ended, nil)
		isError(t, "cause", s.cause("2"), actor.ErrShutdown)
		same(t, "took", time.Since(r.began), 30*time.Second)

		s2 := newStage()
		r2 := hang(t, persist.Config{Store: m, Handlers: s2.handlers()})
		elapse(time.Second)
		same(t, "running again", s2.now(), "1 2 3 4")
		s2.letAllGo()
		same(t, "attempts of the one told to stop", r2.wait(3).Attempts, 1)
		same(t, "attempts of the one that failed", r2.wait(2).Attempts, 2)
	})
}

func TestADrainIsOverWhenNobodyRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Handlers: s.handlers(), Workers: 1, Drain: 30 * time.Second})
		r.submit("a")
		r.submit("b")
		synctest.Wait()
		ended := make(chan error, 1)
		go func() { ended <- r.halt() }()
		elapse(time.Second)
		s.letGo(nil, "a")
		isError(t, "run", <-ended, nil)
		same(t, "took", time.Since(r.began), time.Second)
		same(t, "order", s.order(), "a")
	})
}

func TestJobsMaySubmitWhileTheQueueDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, ids := memstore.New(), []persist.ID{}
		parent := persist.Define[string]("parent")
		r := hang(t, persist.Config{Store: m, Drain: time.Minute, Handlers: []persist.Handler{
			parent.Handle(func(ctx context.Context, _ string) error {
				a, _ := persist.FromContext(ctx)
				time.Sleep(10 * time.Second)
				for i := range 3 {
					res, err := chore.Submit(ctx, a.Queue(), fmt.Sprint("child", i))
					isError(t, "submit", err, nil)
					ids = append(ids, res.ID)
				}
				return nil
			}),
			chore.Handle(func(context.Context, string) error { t.Error("a child ran while the queue drained"); return nil }),
		}})
		must(t)(parent.Submit(t.Context(), r.Queue, "it"))
		synctest.Wait()
		isError(t, "run", r.halt(), nil)
		_, err := chore.Submit(t.Context(), r.Queue, "too late")
		isError(t, "submit afterwards", err, persist.ErrNotRunning)

		s := newStage()
		r2 := hang(t, persist.Config{Store: m, Handlers: s.handlers()})
		s.letAllGo()
		same(t, "the parent", r2.wait(1).End.Kind, persist.Completed)
		for _, id := range ids {
			same(t, "a child", r2.wait(id).End.Kind, persist.Completed)
		}
		same(t, "children", len(ids), 3)
	})
}

func TestAJobThatIsDeafIsLeftBehindInBoundedTimeAndNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := memstore.New(), newStage()
		s.deaf = true
		r := hang(t, persist.Config{Store: m, Handlers: s.handlers(), Defaults: []persist.Option{persist.WithGrace(3 * time.Second)}})
		r.submit("deaf")
		synctest.Wait()
		err := r.halt()
		var left *supervisor.StopError
		if !errors.As(err, &left) || len(left.Stuck) != 1 || left.Stuck[0].Path != "/queue/workers/1" {
			t.Errorf("run: %v", err)
		}
		same(t, "took", time.Since(r.began), 3*time.Second)
		if !strings.Contains(fmt.Sprint(err), "run_helpers_test.go") {
			t.Errorf("the stack is missing: %v", err)
		}

		// It is still there when the queue begins again, and returns then: that changes nothing.
		s2 := newStage()
		r2 := hang(t, persist.Config{Store: m, Handlers: s2.handlers()})
		same(t, "running again", s2.now(), "deaf")
		s.letGo(nil, "deaf")
		same(t, "running still", s2.now(), "deaf")
		same(t, "figure", r2.figure("queue_workers_used"), 1)
		s2.letAllGo()
		same(t, "end", r2.wait(1).End.Kind, persist.Completed)
	})
}

func TestAJobThatWasLeftBehindByAnEscalationIsNotRunBesideItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := newStage(), newStage()
		b.deaf = true
		deaf := persist.Define[string]("deaf", persist.WithGrace(time.Second))
		r := hang(t, persist.Config{Handlers: append(s.handlers(), deaf.Handle(b.act)), GroupLimit: 1})
		id := must(t)(deaf.Submit(t.Context(), r.Queue, "deaf", persist.WithGroup("g"))).ID
		r.submit("bad", persist.WithMaxRetries(0))
		same(t, "running", s.now(), "bad")
		s.letGo(actor.Escalate(errOops), "bad")
		elapse(time.Minute)
		r.submit("beside", persist.WithGroup("g"))
		r.submit("free")
		same(t, "running when the workers are back", s.now()+" "+b.now(), "free deaf")
		same(t, "order", b.order(), "deaf")
		b.deaf = false
		b.letGo(errOops, "deaf") // late: it was told to stop, so this is noise
		same(t, "running when it has returned", s.now()+" "+b.now(), "free deaf")
		same(t, "attempts", r.look(id).Attempts, 0)
		b.letGo(nil, "deaf")
		same(t, "end", r.wait(id).End.Kind, persist.Completed)
		same(t, "running then", s.now(), "beside free")
		s.letAllGo()
	})
}

func TestAQueueRunsOnceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Handlers: s.handlers()})
		r.submit("a")
		isError(t, "a second run", r.Run(t.Context()), supervisor.ErrRunning)
		same(t, "running", s.now(), "a")
		s.letAllGo()
		same(t, "end", r.wait(1).End.Kind, persist.Completed)
	})
}

func TestAQueueCanBeRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		q := persist.New(persist.Config{Store: memstore.New(), Handlers: s.handlers(), Workers: 10})
		_, err := chore.Submit(t.Context(), q, "too early")
		isError(t, "submit before", err, persist.ErrNotRunning)
		for i := range 5 {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- q.Run(ctx) }()
			isError(t, "ready", q.WaitReady(ctx), nil)
			res := must(t)(chore.Submit(ctx, q, fmt.Sprint(i)))
			same(t, "job", res.ID, i+1)
			synctest.Wait()
			cancel()
			isError(t, "run", <-ended, nil)
		}
		same(t, "runs", []int{s.count("0"), s.count("1"), s.count("2"), s.count("3"), s.count("4")}, []int{5, 4, 3, 2, 1})
	})
}

// inTree runs a queue among others.
func inTree(t *testing.T, q *persist.Queue, cfg supervisor.Config) (*supervisor.Supervisor, func() error) {
	t.Helper()
	cfg.Name = "app"
	cfg.Children = append(cfg.Children, q.Spec(""))
	app := supervisor.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	isError(t, "ready", app.WaitReady(t.Context()), nil)
	return app, func() error { cancel(); return <-ended }
}

func TestAQueueHangsInATreeWithItsJobsAtTheirPaths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		q := persist.New(persist.Config{Name: "work", Store: memstore.New(), Handlers: s.handlers(), Drain: time.Minute})
		app, stop := inTree(t, q, supervisor.Config{})
		must(t)(chore.Submit(t.Context(), q, "a"))
		same(t, "running", s.now(), "a")
		same(t, "path", q.Active()[0].Path, "/app/work/workers/1")
		if _, err := app.Handle("work/workers/1"); err != nil {
			t.Error(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- stop() }()
		elapse(time.Second)
		s.letGo(nil, "a")
		isError(t, "run", <-ended, nil)
		same(t, "runs", s.count("a"), 1)
	})
}

func TestAQueueThatItsParentRestartsGoesOnWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		q := persist.New(persist.Config{Store: memstore.New(), Handlers: s.handlers(), Workers: 2})
		app, stop := inTree(t, q, supervisor.Config{})
		for i := range 4 {
			must(t)(chore.Submit(t.Context(), q, fmt.Sprint(i)))
		}
		answers := make(chan error, 4)
		for i := range 4 {
			go func() {
				_, err := q.Await(context.Background(), persist.ID(i+1))
				answers <- err
			}()
		}
		same(t, "running", s.now(), "0 1")
		s.letGo(nil, "0")
		isError(t, "await of one that has completed", <-answers, nil)
		_, err := app.Restart(t.Context(), "queue")
		isError(t, "restart", err, nil)
		synctest.Wait()
		same(t, "running again", s.now(), "1 2")
		s.letAllGo()
		for range 3 { // who notices that the queue stops is told so, who does not waits on
			if err := <-answers; err != nil && !errors.Is(err, persist.ErrClosing) && !errors.Is(err, persist.ErrNotRunning) {
				t.Errorf("await of one that has not: %v", err)
			}
		}
		for i := range 4 {
			j, err := q.Await(t.Context(), persist.ID(i+1))
			isError(t, "await", err, nil)
			same(t, "end", j.End.Kind, persist.Completed)
			same(t, "attempts", j.Attempts, 1)
		}
		isError(t, "run", stop(), nil)
	})
}

func TestAQueueThatFailsWithItsSiblingIsRestartedWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		fail := make(chan error)
		q := persist.New(persist.Config{Store: memstore.New(), Handlers: s.handlers()})
		_, stop := inTree(t, q, supervisor.Config{Strategy: supervisor.OneForAll, Children: []actor.Spec{{
			Name: "elder", Backoff: policy.Constant(time.Second),
			Task: actor.Func(func(ctx context.Context) error {
				select {
				case err := <-fail:
					return err
				case <-ctx.Done():
					return nil
				}
			}),
		}}})
		id := must(t)(chore.Submit(t.Context(), q, "a")).ID
		same(t, "running", s.now(), "a")
		fail <- errOops
		synctest.Wait()
		isError(t, "cause", s.cause("a"), actor.ErrShutdown)
		elapse(time.Second)
		same(t, "running again", s.now(), "a")
		s.letAllGo()
		j, err := q.Await(t.Context(), id)
		isError(t, "await", err, nil)
		same(t, "attempts", j.Attempts, 1)
		isError(t, "run", stop(), nil)
	})
}

func TestWhoWaitsWhenTheQueueStopsForGoodIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Handlers: s.handlers(), Workers: 1})
		r.submit("runs")
		r.submit("waits")
		synctest.Wait()
		answers := make(chan error, 2)
		for id := range persist.ID(2) {
			go func() {
				_, err := r.Await(context.Background(), id+1)
				answers <- err
			}()
		}
		synctest.Wait()
		isError(t, "run", r.halt(), nil)
		synctest.Wait()
		for range 2 {
			select {
			case err := <-answers:
				if !errors.Is(err, persist.ErrClosing) && !errors.Is(err, persist.ErrNotRunning) {
					t.Errorf("await: %v", err)
				}
			default:
				t.Error("somebody waits for ever")
			}
		}
		_, err := r.Await(context.Background(), 1)
		isError(t, "await afterwards", err, persist.ErrNotRunning)
		isError(t, "cancel afterwards", r.Cancel(context.Background(), 1), persist.ErrNotRunning)
		_, err = r.Why(context.Background(), 1)
		isError(t, "why afterwards", err, persist.ErrNotRunning)
	})
}

func TestNothingIsLeftOfAQueueThatHasStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a bubble does not end before its goroutines
		r := hang(t, persist.Config{Workers: 20, Handlers: []persist.Handler{chore.Handle(func(ctx context.Context, _ string) error {
			_ = actor.Go(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
			<-ctx.Done()
			return ctx.Err()
		})}})
		for range 50 {
			r.submit("it", persist.WithTimeout(time.Hour), persist.WithStall(time.Hour))
		}
		synctest.Wait()
		isError(t, "run", r.halt(), nil)
		same(t, "released", r.rec.Count(events.JobReleased), 20)
	})
}
