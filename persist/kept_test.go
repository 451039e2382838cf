package persist_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/boltstore"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
)

// readByWorkers counts the jobs that are read in order to run.
type readByWorkers struct {
	persist.Backend
	n atomic.Int64
}

type readByWorkersStore struct {
	persist.Store
	n *atomic.Int64
}

func (r *readByWorkers) Open(ctx context.Context) (persist.Store, error) {
	store, err := r.Backend.Open(ctx)
	return readByWorkersStore{store, &r.n}, err
}

func (s readByWorkersStore) Job(ctx context.Context, id persist.ID) (*persist.Job, error) {
	if info, ok := actor.FromContext(ctx); ok && strings.Contains(info.Path, "/workers/") {
		s.n.Add(1)
	}
	return s.Store.Job(ctx, id)
}

func TestAJobThatWasKeptIsGivenAsIfItHadBeenRead(t *testing.T) {
	submissions := map[string][]persist.Option{
		"plain":    nil,
		"named":    {persist.WithKey("the key"), persist.WithLabel("the label"), persist.WithGroup("the group")},
		"tagged":   {persist.WithTag("b", "2"), persist.WithTag("a", "1")},
		"delayed":  {persist.WithDelay(time.Millisecond)},
		"timed":    {persist.WithRunAt(time.Now().Add(2 * time.Millisecond))},
		"mortal":   {persist.WithTTL(time.Hour)},
		"ruled":    {persist.WithMaxRetries(7), persist.WithTimeout(time.Hour), persist.WithBackoff(policy.Constant(time.Hour))},
		"upgraded": {persist.WithPriority(persist.Idle), persist.WithKey("upgraded")},
		"relaxed":  {persist.WithDurability(persist.Relaxed)},
	}
	job := persist.Define[string]("job")
	results := make(chan error, len(submissions))
	run := job.Handle(func(ctx context.Context, in string) error {
		a, _ := persist.FromContext(ctx)
		stored, err := a.Queue().Job(context.Background(), a.Job().ID)
		if err == nil && !reflect.DeepEqual(a.Job(), stored) {
			err = fmt.Errorf("%s:\nkept %s\nread %s", in, asText(a.Job()), asText(stored))
		}
		results <- err
		return nil
	})
	store := &readByWorkers{Backend: boltstore.File(filepath.Join(t.TempDir(), "jobs.db"), boltstore.Options{NoSync: true})}
	q := persist.New(persist.Config{Store: store, Workers: persist.NoWorkers, Handlers: []persist.Handler{run}})
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- q.Run(ctx) }()
	if err := q.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	for in, opts := range submissions {
		must(t)(job.Submit(ctx, q, in, opts...))
	}
	r := must(t)(job.Submit(ctx, q, "upgraded", persist.WithPriority(persist.High), persist.WithKey("upgraded")))
	same(t, "result", r.Kind, persist.Upgraded)
	must(t)(job.Submit(ctx, q, "last", persist.WithoutKey(), persist.WithPriority(persist.Idle))) // what came before is stored now
	if err := q.SetWorkers(1); err != nil {
		t.Fatal(err)
	}
	for range len(submissions) + 1 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	same(t, "jobs that were read", store.n.Load(), int64(0))
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func asText(j *persist.Job) string {
	b, err := json.Marshal(j)
	return fmt.Sprintf("%s %+v %v", b, j.Rules, err)
}

func TestJobsAreKeptAsFarAsThereIsRoom(t *testing.T) {
	for _, c := range []struct {
		cache int64
		read  int64 // of ten jobs, each of which fails once
	}{
		{0, 10},               // the second time
		{3 * 2048, 10 + 7},    // three are kept
		{2047, 10 + 10},       // none is
		{persist.NoCache, 20}, // nor here
	} {
		synctest.Test(t, func(t *testing.T) {
			store := &readByWorkers{Backend: memstore.New()}
			var mu sync.Mutex
			tried := map[string]int{}
			run := chore.Handle(func(_ context.Context, in string) error {
				mu.Lock()
				defer mu.Unlock()
				if tried[in[:1]]++; tried[in[:1]] == 1 {
					return errOops
				}
				return nil
			})
			r := hang(t, persist.Config{Store: store, Cache: c.cache, Workers: persist.NoWorkers, Handlers: []persist.Handler{run}, Defaults: []persist.Option{oneSecond}})
			for i := range 10 {
				r.submit(fmt.Sprint(i, strings.Repeat("x", 2048-600-3))) // a digit and two quotes more
			}
			if err := r.SetWorkers(4); err != nil {
				t.Fatal(err)
			}
			elapse(time.Minute)
			same(t, "ended", r.Counts()[persist.Ended], 10)
			same(t, fmt.Sprint("jobs read with a cache of ", c.cache), store.n.Load(), c.read)
		})
	}
}

// Room is given back by jobs that run, and by those that end without having run.
func TestTheRoomOfAJobThatIsGoneIsForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &readByWorkers{Backend: memstore.New()}
		s := newStage()
		r := hang(t, persist.Config{Store: store, Cache: 1000, Workers: persist.NoWorkers, Handlers: s.handlers()})
		gone := r.submit("cancelled")
		if err := r.Cancel(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
		r.submit("kept")
		if err := r.SetWorkers(1); err != nil {
			t.Fatal(err)
		}
		elapse(time.Second)
		r.submit("next")
		elapse(time.Second)
		s.letAllGo()
		same(t, "order", s.order(), "kept next")
		same(t, "jobs that were read", store.n.Load(), int64(0))
	})
}
