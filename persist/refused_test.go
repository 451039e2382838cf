package persist_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAStoreThatCannotBeUsedIsRefusedBeforeAnythingRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jobs.db")
	for name, store := range map[string]persist.Backend{
		"nil":         nil,
		"typed nil":   (*memstore.Memory)(nil),
		"no path":     boltstore.File("", boltstore.Options{}),
		"too small":   boltstore.File(path, boltstore.Options{MaxSize: 5}),
		"no patience": boltstore.File(path, boltstore.Options{LockTimeout: -1}),
	} {
		q := persist.New(persist.Config{Store: store})
		app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{q.Spec("")}})
		for what, err := range map[string]error{
			"Validate": q.Validate(), "Run": q.Run(t.Context()), "WaitReady": q.WaitReady(t.Context()),
			"Validate above": app.Validate(), "Run above": app.Run(t.Context()),
		} {
			var field *policy.FieldError
			if !errors.As(err, &field) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
	}
}

// oddBackend finds out late what it cannot use.
type oddBackend struct{}

func (oddBackend) Open(context.Context) (persist.Store, error) {
	return nil, &policy.FieldError{Field: "Odd", Value: 1, Reason: "cannot be used"}
}

func TestASettingThatTheStoreRefusesIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := persist.New(persist.Config{Store: oddBackend{}})
		app := supervisor.New(supervisor.Config{Name: "app", Children: []actor.Spec{q.Spec("")}})
		began := time.Now()
		err := app.Run(t.Context())
		var field *policy.FieldError
		if !errors.As(err, &field) || field.Field != "Odd" {
			t.Errorf("it ended with %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAZeroQueueIsRefused(t *testing.T) {
	q, ctx := new(persist.Queue), context.Background()
	_, submitErr := q.Submit(ctx, persist.Raw("t", nil))
	for what, err := range map[string]error{
		"Validate": q.Validate(), "Run": q.Run(ctx), "Submit": submitErr, "WaitReady": q.WaitReady(ctx),
		"above": supervisor.New(supervisor.Config{Children: []actor.Spec{q.Spec("q")}}).Run(ctx),
	} {
		if err == nil {
			t.Errorf("%s is nil", what)
		}
	}
}

// lazy is a store whose commits take a while, whoever waits for them.
type lazy struct {
	persist.Backend
	take *atomic.Int64
}

type lazyStore struct {
	persist.Store
	take *atomic.Int64
}

func (s lazy) Open(ctx context.Context) (persist.Store, error) {
	store, err := s.Backend.Open(ctx)
	return lazyStore{store, s.take}, err
}

func (s lazyStore) Commit(ctx context.Context, steps []persist.Step) ([]int, error) {
	time.Sleep(time.Duration(s.take.Load()))
	return s.Store.Commit(context.WithoutCancel(ctx), steps)
}

// A store that does nothing wrong but takes its time is the cause too.
func TestALostErrorSaysThatTheStoreWasTooSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var take atomic.Int64
		first, second := make(chan struct{}), make(chan struct{})
		r := hang(t, persist.Config{Store: lazy{memstore.New(), &take}, Handlers: []persist.Handler{
			chore.Handle(func(_ context.Context, in string) error {
				if <-first; in == "second" {
					<-second
				}
				return nil
			}),
		}})
		r.submit("first")
		r.submit("second")
		take.Store(int64(10 * time.Second))
		close(first)
		elapse(time.Second)
		close(second) // while the end of the first is being stored
		elapse(time.Millisecond)
		var lost *persist.LostError
		if err := r.halt(); !errors.As(err, &lost) || lost.Count != 1 || !strings.Contains(err.Error(), "last commit took 10s") {
			t.Errorf("it ended with %v", err)
		}
	})
}

// What could not be stored is said together with what was wrong with the store, and not only that
// the queue had to stop at last.
func TestALostErrorSaysWhatWasWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onFire := errors.New("the disk is on fire")
		m := memstore.New()
		typ := persist.Define[int]("t")
		q := persist.New(persist.Config{Store: m, Handlers: []persist.Handler{typ.Handle(func(context.Context, int) error {
			m.FailNext(1_000_000, onFire)
			return nil
		})}})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- q.Run(ctx) }()
		if err := q.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := typ.Submit(ctx, q, 1); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		stop()
		var lost *persist.LostError
		if err := <-ended; !errors.As(err, &lost) || lost.Count != 1 || !errors.Is(lost.Err, onFire) {
			t.Errorf("it ended with %v", err)
		}
	})
}
