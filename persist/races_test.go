package persist_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
)

// sluggish is a store whose commits take time, so that what happens meanwhile can be arranged.
type sluggish struct {
	persist.Backend
	takes time.Duration
}

type sluggishStore struct {
	persist.Store
	takes time.Duration
}

func (s sluggish) Open(ctx context.Context) (persist.Store, error) {
	store, err := s.Backend.Open(ctx)
	return sluggishStore{store, s.takes}, err
}

func (s sluggishStore) Commit(ctx context.Context, steps []persist.Step) ([]int, error) {
	time.Sleep(s.takes)
	return s.Store.Commit(ctx, steps)
}

var (
	keyedType = persist.Define[note]("keyed", persist.WithMaxRetries(0))
	bareType  = persist.Define[note]("bare", persist.WithoutKey())
	softType  = persist.Define[note]("soft", persist.WithDurability(persist.Relaxed))
)

// works handles the types above; each job takes a second, and fails if its N is negative.
func works() []persist.Handler {
	run := func(ctx context.Context, n note) error {
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if n.N < 0 {
			return errors.New("as planned")
		}
		return nil
	}
	return []persist.Handler{keyedType.Handle(run), bareType.Handle(run), softType.Handle(run)}
}

func (h *harness) submit(t *persist.Type[note], n int, opts ...persist.Option) persist.Result {
	h.t.Helper()
	return must(h.t)(t.Submit(h.t.Context(), h.Queue, note{n}, opts...))
}

func (h *harness) is(id persist.ID, want persist.Ending) *persist.Job {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 24*time.Hour)
	defer cancel()
	j, err := h.Await(ctx, id)
	if err != nil {
		h.t.Fatal(err)
	}
	if j.End == nil || j.End.Kind != want {
		h.t.Errorf("job %d is to be %v: %+v %+v", id, want, j.End, j.State)
	}
	return j
}

func TestWhatIsReadyWhenTheStoreIsOpenedRunsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memstore.New()
		first := start(t, persist.Config{Store: store})
		id := first.submit(bareType, 1).ID
		if err := first.stop(); err != nil {
			t.Fatal(err)
		}
		h := start(t, persist.Config{Store: store, Handlers: works()})
		h.is(id, persist.Completed)
	})
}

func TestASubmissionThatSupersedesTwoTakesTheirPlace(t *testing.T) {
	supersede := persist.WithDuplicates(persist.Supersede)
	for name, wait := range map[string]time.Duration{"one runs": 0, "one waits for its retry": 1100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := start(t, persist.Config{Handlers: works()})
				key := persist.WithKey("k")
				retried := persist.WithMaxRetries(1)
				slowly := persist.WithBackoff(policy.Constant(time.Minute))
				a := h.submit(keyedType, -1, key, retried, slowly).ID
				synctest.Wait()
				b := h.submit(keyedType, 2, key)
				if b.Kind != persist.Requeued {
					t.Fatal(b)
				}
				time.Sleep(wait)
				c := h.submit(keyedType, 3, key, supersede)
				h.is(a, persist.Superseded)
				h.is(b.ID, persist.Superseded)
				h.is(c.ID, persist.Completed)
			})
		})
	}
}

func TestAFollowerThatExpiresIsNotWaitedForNorSuperseded(t *testing.T) {
	for name, strategy := range map[string]persist.Duplicates{"skip": persist.Skip, "supersede": persist.Supersede} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := start(t, persist.Config{Handlers: works(), Store: sluggish{memstore.New(), 100 * time.Millisecond}})
				key := persist.WithKey("k")
				a := h.submit(keyedType, 1, key).ID
				b := h.submit(keyedType, 2, key, persist.WithTTL(150*time.Millisecond))
				time.Sleep(20 * time.Millisecond)
				go h.submit(bareType, 0) // a commit is under way when it expires
				time.Sleep(40 * time.Millisecond)
				c := h.submit(keyedType, 3, key, persist.WithDuplicates(strategy))
				h.is(b.ID, persist.Expired)
				if strategy == persist.Skip {
					h.is(a, persist.Completed)
				}
				h.is(c.ID, persist.Completed)
				time.Sleep(5 * time.Second)
				n := h.Counts()
				if n[persist.Ready]+n[persist.Running]+n[persist.Blocked]+n[persist.Delayed] != 0 {
					t.Error(n)
				}
			})
		})
	}
}

func TestWhatIsAcknowledgedAtOnceIsStoredBeforeWhatComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, persist.Config{Handlers: works(), Store: sluggish{memstore.New(), 100 * time.Millisecond}, Workers: 10_000})
		go h.submit(bareType, 0)
		synctest.Wait() // its commit is under way
		go func() {
			if _, err := bareType.SubmitAll(t.Context(), h.Queue, make([]note, 5000)); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait()
		r := h.submit(softType, 1)
		h.is(r.ID, persist.Completed)
	})
}

func TestAwaitReturnsWhatHasEndedForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, persist.Config{Handlers: works(), Store: sluggish{memstore.New(), 100 * time.Millisecond}})
		a := h.submit(softType, 1, persist.WithKey("k"), persist.WithDurability(persist.Strict), persist.WithDelay(time.Hour))
		go func() { // while it is awaited
			time.Sleep(time.Second)
			h.submit(softType, 2, persist.WithKey("k"), persist.WithDuplicates(persist.Supersede))
		}()
		h.is(a.ID, persist.Superseded)
	})
}

func TestATimeToRunSurvivesAnotherPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, persist.Config{Handlers: works()})
		key, at := persist.WithKey("k"), time.Now().Add(time.Hour)
		h.submit(keyedType, 1, key)
		synctest.Wait()
		b := h.submit(keyedType, 2, key, persist.WithRunAt(at))
		up := h.submit(keyedType, 3, key, persist.WithPriority(persist.High))
		if b.Kind != persist.Requeued || up.Kind != persist.Upgraded || up.ID != b.ID {
			t.Fatal(b, up)
		}
		j, err := h.Job(t.Context(), b.ID)
		if err != nil || !j.State.RunAt.Equal(at) {
			t.Error(j, err)
		}
	})
}

func TestARevivedJobStillHasItsTimeToRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, persist.Config{Handlers: works()})
		at := time.Now().Add(time.Hour)
		id := h.submit(bareType, 1, persist.WithRunAt(at)).ID
		if err := errors.Join(h.Cancel(t.Context(), id), h.Revive(t.Context(), id)); err != nil {
			t.Fatal(err)
		}
		h.is(id, persist.Completed)
		if time.Now().Before(at) {
			t.Error("it has run before")
		}
	})
}

func TestWhatIsForgottenMeanwhileIsNotRevived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, persist.Config{Handlers: works(), Store: sluggish{memstore.New(), 100 * time.Millisecond}, DeadLetters: 1})
		a := h.submit(keyedType, -1).ID
		h.is(a, persist.DeadLetter)
		b := h.submit(keyedType, -2).ID
		time.Sleep(1050 * time.Millisecond) // its end is being stored, and what was dead before forgotten
		if err := h.Revive(t.Context(), a); !errors.Is(err, persist.ErrPruned) {
			t.Errorf("revived: %v", err)
		}
		h.is(b, persist.DeadLetter)
		if n := h.Counts(); n[persist.Ready]+n[persist.Delayed]+n[persist.Running] != 0 {
			t.Error(n)
		}
	})
}
