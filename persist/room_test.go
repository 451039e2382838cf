package persist_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

// What is remembered of the past makes room for what is to be done.
func TestAFileFullOfHistoryTakesJobs(t *testing.T) {
	for _, row := range []struct {
		limit   int64
		payload int
		jobs    int
	}{
		{4 << 20, 3000, 1500},
		{8 << 20, 900_000, 20},
	} {
		t.Run(fmt.Sprint(row.payload, " bytes each"), func(t *testing.T) {
			typ := persist.Define[string]("big", persist.WithoutKey())
			q := persist.New(persist.Config{
				Store:    boltstore.File(filepath.Join(t.TempDir(), "jobs.db"), boltstore.Options{MaxSize: row.limit, NoSync: true}),
				Handlers: []persist.Handler{typ.Handle(func(context.Context, string) error { return nil })},
			})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- q.Run(ctx) }()
			if err := q.WaitReady(t.Context()); err != nil {
				t.Fatal(err)
			}
			in := strings.Repeat("x", row.payload)
			for i := range row.jobs {
				res, err := typ.Submit(t.Context(), q, in)
				if err != nil {
					t.Fatalf("job %d, while nothing waits: %v", i, err)
				}
				if _, err := q.Await(t.Context(), res.ID); err != nil && !errors.Is(err, persist.ErrPruned) {
					t.Fatal(err)
				}
			}
			if n := q.Counts()[persist.Ended]; n == 0 || n >= row.jobs {
				t.Errorf("%d of %d are remembered", n, row.jobs)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// For what could not be stored even then, nothing is forgotten.
func TestASubmissionThatIsTooLargeForTheFileCostsNoHistory(t *testing.T) {
	typ := persist.Define[string]("big", persist.WithoutKey())
	q := persist.New(persist.Config{
		Store:      boltstore.File(filepath.Join(t.TempDir(), "jobs.db"), boltstore.Options{MaxSize: 4 << 20, NoSync: true}),
		MaxPayload: 8 << 20,
		Handlers:   []persist.Handler{typ.Handle(func(context.Context, string) error { return nil })},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	if err := q.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	res := must(t)(typ.Submit(t.Context(), q, "small"))
	if _, err := q.Await(t.Context(), res.ID); err != nil {
		t.Fatal(err)
	}
	_, err := typ.Submit(t.Context(), q, strings.Repeat("x", 5<<20))
	isError(t, "a submission that is larger than the file may be", err, persist.ErrFull)
	if j, err := q.Job(t.Context(), res.ID); err != nil || !j.Ended() {
		t.Errorf("%+v, %v", j, err)
	}
	cancel()
	isError(t, "run", <-ended, nil)
}

// Dead letters are kept, even if there is no room for anything else then.
func TestAFullStoreKeepsItsDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		s := newStage()
		r := hang(t, persist.Config{Store: m, Handlers: s.handlers(), Defaults: []persist.Option{persist.WithMaxRetries(0)}})
		dead, done := r.submit("dead"), r.submit("done")
		s.letGo(errOops, "dead")
		s.letGo(nil, "done")
		r.wait(dead)
		r.wait(done)
		m.Limit(2)
		r.submit("fits") // since one is forgotten
		_, err := r.Job(t.Context(), done)
		isError(t, "the one that has completed", err, persist.ErrPruned)
		same(t, "the dead letter", r.look(dead).End.Kind, persist.DeadLetter)
		_, err = chore.Submit(t.Context(), r.Queue, "does not")
		isError(t, "one more", err, persist.ErrFull)
		same(t, "the dead letter", r.look(dead).End.Kind, persist.DeadLetter)
		m.Limit(0)
		s.letAllGo()
	})
}

func TestASmallerHistoryCountsAfterAReopening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		ok := []persist.Handler{chore.Handle(func(context.Context, string) error { return nil })}
		r := hang(t, persist.Config{Store: m, Handlers: ok})
		results, err := chore.SubmitAll(t.Context(), r.Queue, make([]string, 6000))
		isError(t, "submit", err, nil)
		r.wait(results[len(results)-1].ID)
		elapse(time.Second)
		same(t, "remembered", r.Counts()[persist.Ended], 6000)
		isError(t, "stop", r.halt(), nil)
		r = hang(t, persist.Config{Store: m, Handlers: ok, History: 10})
		elapse(time.Second)
		same(t, "remembered of ten", r.Counts()[persist.Ended], 10)
		for range 20 {
			r.wait(r.submit("a"))
		}
		same(t, "remembered after more", r.Counts()[persist.Ended], 10)
	})
}

// doubtfulDisk is a memory of which it is not known, once, what has become of a commit that only
// forgets.
type doubtfulDisk struct {
	*memstore.Memory
	armed bool
}

type doubtfulStore struct {
	persist.Store
	d *doubtfulDisk
}

func (d *doubtfulDisk) Open(ctx context.Context) (persist.Store, error) {
	s, err := d.Memory.Open(ctx)
	return &doubtfulStore{s, d}, err
}

func (s *doubtfulStore) Commit(ctx context.Context, steps []persist.Step) ([]int, error) {
	if s.d.armed && len(steps) == 1 && steps[0].Verb == persist.Prune {
		s.d.armed = false
		s.d.UnknownNext(true)
		s.d.FailSettle(1, errOops)
	}
	return s.Store.Commit(ctx, steps)
}

// What becomes of a commit that only forgets is not taken for that of the next one.
func TestRoomThatIsMadeInDoubtAcknowledgesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &doubtfulDisk{Memory: memstore.New()}
		s := newStage()
		r := hang(t, persist.Config{Store: d, Handlers: s.handlers()})
		done := r.submit("done")
		s.letGo(nil, "done")
		r.wait(done)
		d.Limit(1)
		d.armed = true
		_, err := chore.Submit(t.Context(), r.Queue, "first")
		isError(t, "the first", err, persist.ErrFull)
		for range 2 {
			res, err := chore.Submit(t.Context(), r.Queue, "next")
			if err != nil {
				isError(t, "the next", err, persist.ErrFull)
				continue
			}
			if _, err := r.Job(t.Context(), res.ID); err != nil {
				t.Errorf("acknowledged, and %v", err)
			}
		}
		d.Limit(0)
		s.letAllGo()
	})
}

// A queue that has less to remember, and much that ends meanwhile, forgets no more than it must.
func TestWhatIsOverdueIsForgottenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memstore.New()
		ok := []persist.Handler{chore.Handle(func(context.Context, string) error { time.Sleep(time.Millisecond); return nil })}
		r := hang(t, persist.Config{Store: m, Handlers: ok, Workers: 100})
		submit := func(n int, opts ...persist.Option) {
			_, err := chore.SubmitAll(t.Context(), r.Queue, make([]string, n), opts...)
			isError(t, "submit", err, nil)
		}
		submit(6000)
		elapse(10 * time.Second)
		same(t, "remembered", r.Counts()[persist.Ended], 6000)
		submit(200, persist.WithDelay(time.Hour))
		isError(t, "stop", r.halt(), nil)
		elapse(2 * time.Hour)
		r = hang(t, persist.Config{Store: sluggish{m, 10 * time.Millisecond}, Handlers: ok, Workers: 100, History: 1500})
		for range 40 {
			elapse(10 * time.Millisecond)
			if n := r.Counts()[persist.Ended]; n < 1500 {
				t.Fatalf("%d are remembered of 1500", n)
			}
		}
	})
}
