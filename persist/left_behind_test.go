package persist_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

// deafDisk is a memory whose commits are made and then take as long as a sync may that hangs:
// they heed no context. It is opened as a file is: who comes second waits a while.
type deafDisk struct {
	*memstore.Memory
	hold atomic.Pointer[chan struct{}]
}

func (d *deafDisk) Open(ctx context.Context) (persist.Store, error) {
	for {
		s, err := d.Memory.Open(ctx)
		if locked := (*persist.LockedError)(nil); !errors.As(err, &locked) {
			return &deafStore{s, d}, err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

type deafStore struct {
	persist.Store
	d *deafDisk
}

func (s *deafStore) Commit(ctx context.Context, steps []persist.Step) ([]int, error) {
	stale, err := s.Store.Commit(ctx, steps)
	if hold := s.d.hold.Load(); hold != nil {
		<-*hold
	}
	return stale, err
}

// A sync hangs, and the queue is stopped: its ledger is left behind. Nobody waits for that
// ledger any more, and nothing that it does at last concerns the next run.
func TestALedgerThatIsLeftBehindConcernsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &deafDisk{Memory: memstore.New()}
		runs := 0
		r := hang(t, persist.Config{Store: disk, Handlers: []persist.Handler{chore.Handle(func(context.Context, string) error {
			runs++
			time.Sleep(time.Second)
			return nil
		})}})
		hold := make(chan struct{})
		disk.hold.Store(&hold)
		told := map[string]chan error{"submit": make(chan error, 1), "cancel": make(chan error, 1), "await": make(chan error, 1)}
		go func() { _, err := chore.Submit(context.Background(), r.Queue, "b"); told["submit"] <- err }()
		synctest.Wait()
		go func() { told["cancel"] <- r.Cancel(context.Background(), 1) }()
		go func() { _, err := r.Await(context.Background(), 1); told["await"] <- err }()
		elapse(time.Second)
		if err := r.halt(); err == nil || !strings.Contains(err.Error(), "1 task left behind") {
			t.Errorf("the stop says %v", err)
		}
		synctest.Wait()
		for who, c := range told {
			select {
			case err := <-c:
				if !errors.Is(err, persist.ErrNotRunning) {
					t.Errorf("%s: %v", who, err)
				}
			default:
				t.Errorf("%s still waits, though the queue does not run", who)
			}
		}
		_, err := chore.Submit(t.Context(), r.Queue, "late")
		isError(t, "a submission to a queue that does not run", err, persist.ErrNotRunning)

		// The next run waits for the file, and gets it when the sync ends.
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Run(ctx) }()
		synctest.Wait()
		disk.hold.Store(nil)
		close(hold)
		elapse(time.Minute)
		same(t, "how often it ran", runs, 1)
		same(t, "ended", r.Counts()[persist.Ended], 1)
		j, err := r.Job(t.Context(), 1)
		if err != nil || !j.Ended() {
			t.Errorf("%+v, %v", j, err)
		}
		cancel()
		isError(t, "the next run", <-ended, nil)
	})
}

// The ledger alone is run again, while a job runs: that is one of the book before, and gives
// nothing back.
func TestALedgerThatIsRestartedAloneKeepsTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := make(chan struct{})
		now, most := 0, 0
		r := hang(t, persist.Config{Workers: 1, Handlers: []persist.Handler{chore.Handle(func(_ context.Context, in string) error {
			if in == "first" && first != nil {
				hold := first
				first = nil
				<-hold
				return nil
			}
			now++
			most = max(most, now)
			time.Sleep(time.Minute)
			now--
			return nil
		})}})
		hold := first
		r.submit("first")
		synctest.Wait()
		if _, err := r.Head().Restart(t.Context(), "ledger"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for range 6 {
			r.submit("x")
		}
		close(hold)
		elapse(time.Hour)
		same(t, "jobs at a time", most, 1)
		same(t, "how often its end was told", strings.Count(r.ofJob(1), "job_completed"), 1)
		same(t, "places taken", r.figure("queue_workers_used"), 0)
	})
}
