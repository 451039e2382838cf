package persist_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/subscribers/recorder"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestACompletionThatCannotBeStoredIsStoredLaterAndTheJobIsNotRunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Workers: 1, Handlers: s.handlers()})
		r.submit("a", persist.WithKey("k"))
		r.submit("b")
		synctest.Wait()
		r.mem.FailNext(5, errOops)
		s.letGo(nil, "a")
		same(t, "running meanwhile", s.now(), "b")
		same(t, "completed", r.told(events.JobCompleted), 0)
		if j := r.look(1); j.Ended() {
			t.Error("it has ended")
		}
		same(t, "owing", r.figure("queue_uncommitted"), 1)
		elapse(time.Minute)
		same(t, "end", r.wait(1).End.Kind, persist.Completed)
		same(t, "told", []int{r.told(events.StoreFailed), r.told(events.StoreRecovered), r.told(events.JobCompleted)}, []int{1, 1, 1})
		isError(t, "told why", r.first(events.StoreFailed).Err, errOops)
		same(t, "failures", r.figure("queue_commit_failures_total"), 5)
		s.letAllGo()
		same(t, "runs", s.count("a"), 1)
	})
}

func TestSubmissionsFailWhileTheStoreDoesAndSucceedAfterwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Handlers: s.handlers()})
		r.submit("a")
		synctest.Wait()
		var broken atomic.Bool
		broken.Store(true)
		r.mem.BeforeCommit(func(context.Context, []persist.Step) error {
			if broken.Load() {
				return errOops
			}
			return nil
		})
		s.letGo(nil, "a")
		for range 3 {
			_, err := chore.Submit(t.Context(), r.Queue, "b")
			isError(t, "submit", err, errOops)
			isError(t, "cancel", r.Cancel(t.Context(), 99), errOops)
		}
		elapse(time.Hour)
		same(t, "told", []int{r.told(events.StoreFailed), r.told(events.StoreRecovered)}, []int{1, 0})
		broken.Store(false)
		elapse(time.Second)
		same(t, "told", []int{r.told(events.StoreFailed), r.told(events.StoreRecovered)}, []int{1, 1})
		same(t, "end", r.wait(1).End.Kind, persist.Completed)
		r.submit("b")
		s.letAllGo()
		same(t, "order", s.order(), "a b")
	})
}

func TestWhatStoresNothingDoesNotSayThatTheStoreHasRecovered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{})
		r.mem.FailNext(1, errOops)
		_, err := chore.Submit(t.Context(), r.Queue, "a")
		isError(t, "submit", err, errOops)
		isError(t, "cancel of nothing", r.Cancel(t.Context(), 99), persist.ErrNotFound)
		same(t, "told", []int{r.told(events.StoreFailed), r.told(events.StoreRecovered)}, []int{1, 0})
		r.submit("a")
		same(t, "told then", []int{r.told(events.StoreFailed), r.told(events.StoreRecovered)}, []int{1, 1})
	})
}

func TestNoMoreIsBegunWhenTooManyEndsCouldNotBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := hang(t, persist.Config{Workers: 8})
		const extra = 100
		var subs []persist.Submission
		for i := range persist.DefaultBacklog + extra {
			subs = append(subs, chore.New(fmt.Sprint(i)))
		}
		if _, err := r.SubmitAll(t.Context(), subs); err != nil {
			t.Fatal(err)
		}
		var broken atomic.Bool
		broken.Store(true)
		r.mem.BeforeCommit(func(context.Context, []persist.Step) error {
			if broken.Load() {
				return errOops
			}
			return nil
		})
		isError(t, "handle", r.Handle(chore.Handle(func(context.Context, string) error { return nil })), nil)
		elapse(10 * time.Second)
		owing := int(r.figure("queue_uncommitted"))
		if owing < persist.DefaultBacklog || owing >= persist.DefaultBacklog+8 {
			t.Errorf("%d ends wait", owing)
		}
		same(t, "ready", r.Counts()[persist.Ready], len(subs)-owing)
		w := r.why(persist.ID(len(subs)))
		same(t, "why", fmt.Sprint(w.Reason, w.Used, w.Limit), fmt.Sprint(persist.WaitsForStore, owing, persist.DefaultBacklog))
		broken.Store(false)
		elapse(time.Minute)
		same(t, "completed", r.figure("queue_ended_total", "completed"), len(subs))
	})
}

func TestAFullStoreRefusesSubmissionsAndTakesCompletions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, persist.Config{Handlers: s.handlers()})
		r.submit("a")
		r.mem.Limit(1)
		_, err := chore.Submit(t.Context(), r.Queue, "b")
		isError(t, "submit", err, persist.ErrFull)
		s.letGo(nil, "a")
		same(t, "end", r.wait(1).End.Kind, persist.Completed)
		r.mem.Limit(0)
		r.submit("b")
		s.letAllGo()
	})
}

func TestACommitOfWhichNobodyKnowsIsSettledBeforeAnythingElse(t *testing.T) {
	for _, committed := range []bool{true, false} {
		t.Run(fmt.Sprint("committed ", committed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				r := hang(t, persist.Config{Handlers: s.handlers()})
				r.submit("a")
				synctest.Wait()
				r.mem.UnknownNext(committed)
				r.mem.FailSettle(4, errOops)
				s.letGo(nil, "a")
				same(t, "completed while nobody knows", r.told(events.JobCompleted), 0)
				ctx, cancel := context.WithTimeout(t.Context(), 1)
				_, err := chore.Submit(ctx, r.Queue, "b")
				cancel()
				isError(t, "submit meanwhile", err, context.DeadlineExceeded)
				elapse(time.Minute)
				same(t, "end", r.wait(1).End.Kind, persist.Completed)
				same(t, "told", []int{r.told(events.StoreFailed), r.told(events.StoreRecovered), r.told(events.JobCompleted)}, []int{1, 1, 1})
				same(t, "runs", s.count("a"), 1)
				same(t, "history", r.figure("queue_history", "completed"), 1)
				same(t, "failures", r.figure("queue_commit_failures_total"), 1)
				r.submit("c")
				s.letAllGo()
				same(t, "order", s.order(), "a c")
			})
		})
	}
}

func TestASubmissionOfWhichNobodyKnowsSaysSo(t *testing.T) {
	for _, committed := range []bool{true, false} {
		t.Run(fmt.Sprint("committed ", committed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage()
				r := hang(t, persist.Config{Handlers: s.handlers()})
				r.mem.UnknownNext(committed)
				r.mem.FailSettle(2, errOops)
				_, err := chore.Submit(t.Context(), r.Queue, "a")
				isError(t, "submit", err, persist.ErrUnknown)
				elapse(time.Minute)
				same(t, "running", s.now(), map[bool]string{true: "a", false: ""}[committed])
				s.letAllGo()
			})
		})
	}
}

// opener is a backend whose first opens fail.
type opener struct {
	persist.Backend
	errs []error
}

func (o *opener) Open(ctx context.Context) (persist.Store, error) {
	if len(o.errs) > 0 {
		err := o.errs[0]
		o.errs = o.errs[1:]
		if !strings.HasPrefix(err.Error(), "recover") {
			return nil, err
		}
		s, err2 := o.Backend.Open(ctx)
		return &badStore{s, err}, err2
	}
	return o.Backend.Open(ctx)
}

// badStore cannot be recovered.
type badStore struct {
	persist.Store
	err error
}

func (s *badStore) Recover(context.Context, func(*persist.Job) error) (persist.Recovery, error) {
	return persist.Recovery{}, s.err
}

func TestAStoreThatCannotBeOpenedIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		q := persist.New(persist.Config{Store: &opener{memstore.New(), []error{errOops, errors.New("recover: no"), errOops}}, Handlers: s.handlers()})
		var rec recorder.Recorder
		app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{q.Spec("")}, Subscribers: []events.Subscriber{rec.Subscriber()}})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- app.Run(ctx) }()
		isError(t, "ready", app.WaitReady(t.Context()), nil)
		synctest.Wait()
		retries := 0
		for _, e := range rec.Events() {
			if e.Kind == events.RetryScheduled && e.Path == "/app/queue" {
				retries++
			}
		}
		same(t, "attempts to open", retries, 3)
		_, err := chore.Submit(t.Context(), q, "a")
		isError(t, "submit", err, nil)
		synctest.Wait()
		same(t, "running", s.now(), "a")
		s.letAllGo()
		cancel()
		isError(t, "run", <-ended, nil)
	})
}

func TestAStoreOfAnotherFormatOrADamagedOneEndsTheQueue(t *testing.T) {
	for name, err := range map[string]error{
		"format":  &persist.FormatError{Path: "x", Format: 9, Newest: 1},
		"damaged": &persist.CorruptError{Path: "x", Err: errOops},
		"damaged, as is found out when it is read": &recoverError{&persist.CorruptError{Path: "x", Err: errOops}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := launch(t, persist.Config{Store: &opener{memstore.New(), []error{err}}})
				synctest.Wait()
				got := r.halt()
				if !errors.Is(got, err) {
					t.Errorf("run: %v", got)
				}
				same(t, "took", time.Since(r.began), "0s")
				_, err := chore.Submit(t.Context(), r.Queue, "a")
				isError(t, "submit", err, persist.ErrNotRunning)
			})
		})
	}
}

// recoverError has Recover fail.
type recoverError struct{ err error }

func (e *recoverError) Error() string { return "recover: " + e.err.Error() }
func (e *recoverError) Unwrap() error { return e.err }

func TestARunThatCannotStoreItsLastEndsSaysHowMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := memstore.New(), newStage()
		r := hang(t, persist.Config{Store: m, Handlers: s.handlers()})
		for i := range 3 {
			r.submit(fmt.Sprint(i))
		}
		synctest.Wait()
		m.BeforeCommit(func(context.Context, []persist.Step) error { return errOops })
		s.letGo(nil, "0", "1")
		err := r.halt()
		var lost *persist.LostError
		if !errors.As(err, &lost) || lost.Count != 2 {
			t.Errorf("run: %v", err)
		}
		report := fmt.Sprint(r.Head().StopReport())
		if !strings.Contains(report, "the ends of 2 attempts could not be stored: ") || !strings.Contains(report, "oops") {
			t.Errorf("run: %v; report: %s", err, report)
		}
		if took := time.Since(r.began); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		m.BeforeCommit(nil)
		r2, s2 := reopen(t, persist.Config{Store: m})
		same(t, "running again", s2.now(), "0 1 2")
		s2.letAllGo()
		same(t, "attempts", r2.wait(1).Attempts, 1)
	})
}

func TestAStopStoresWhatWaitsForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := memstore.New(), newStage()
		r := hang(t, persist.Config{Store: m, Handlers: s.handlers()})
		r.submit("a")
		r.submit("b")
		synctest.Wait()
		m.FailNext(4, errOops)
		s.letGo(nil, "a")
		isError(t, "run", r.halt(), nil)
		r2, s2 := reopen(t, persist.Config{Store: m})
		same(t, "running again", s2.now(), "b")
		same(t, "end", r2.look(1).End.Kind, persist.Completed)
		s2.letAllGo()
	})
}

func TestAStopAnswersAllWhoWaitForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		r := hang(t, persist.Config{Store: m})
		m.BeforeCommit(func(ctx context.Context, _ []persist.Step) error { <-ctx.Done(); return ctx.Err() })
		const many = 10_000 // more than one commit takes
		answers := make(chan error, many)
		for i := range many {
			go func() {
				_, err := chore.Submit(context.Background(), r.Queue, fmt.Sprint(i))
				answers <- err
			}()
		}
		synctest.Wait()
		_ = r.halt()
		synctest.Wait()
		same(t, "answers", len(answers), many)
		for range len(answers) {
			if <-answers == nil {
				t.Fatal("a submission succeeded")
			}
		}
	})
}

func TestAJobThatCannotBeReadIsPutOffAndDoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bad atomic.Bool
		s, b := newStage(), &reading{Backend: memstore.New(), read: func(context.Context) error {
			if bad.Load() {
				return errOops
			}
			return nil
		}}
		bad.Store(true)
		r := hang(t, persist.Config{Store: b, Handlers: s.handlers(), Cache: persist.NoCache, Defaults: []persist.Option{persist.WithMaxRetries(0)}})
		id := must(t)(chore.Submit(t.Context(), r.Queue, "a")).ID
		elapse(10*time.Second + time.Millisecond)
		same(t, "snoozed", r.told(events.JobSnoozed), 11)
		if w := r.why(id); !strings.Contains(w.Evidence, "oops") || w.Reason != persist.WaitsForTime {
			t.Errorf("why: %+v", w)
		}
		bad.Store(false)
		elapse(time.Second)
		s.letGo(nil, "a")
		same(t, "attempts", r.wait(id).Attempts, 1)
	})
}

// reading opens stores whose jobs are read as a test wants it.
type reading struct {
	persist.Backend
	read func(context.Context) error
}

func (r *reading) Open(ctx context.Context) (persist.Store, error) {
	s, err := r.Backend.Open(ctx)
	return &readStore{s, r}, err
}

type readStore struct {
	persist.Store
	r *reading
}

func (s *readStore) Job(ctx context.Context, id persist.ID) (*persist.Job, error) {
	if err := s.r.read(ctx); err != nil {
		return nil, err
	}
	return s.Store.Job(ctx, id)
}

func TestAStoreThatPanicsHasFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := memstore.New(), newStage()
		r := hang(t, persist.Config{Store: m, Handlers: s.handlers()})
		r.submit("a")
		synctest.Wait()
		var once atomic.Bool
		m.BeforeCommit(func(context.Context, []persist.Step) error {
			if !once.Swap(true) {
				panic("no disk")
			}
			return nil
		})
		_, err := chore.Submit(t.Context(), r.Queue, "b")
		var p *actor.PanicError
		if !errors.As(err, &p) || p.Value != "no disk" || errors.Is(err, persist.ErrUnknown) { // since it is settled
			t.Errorf("submit: %v", err)
		}
		same(t, "told", r.told(events.StoreFailed), 1)
		r.submit("c")
		same(t, "running still", s.now(), "a c")
		s.letAllGo()
		same(t, "end", r.wait(1).End.Kind, persist.Completed)
	})
}
