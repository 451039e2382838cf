package persist_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

// again runs a queue that may have run before, until stop is called.
func again(t *testing.T, q *persist.Queue) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- q.Run(ctx) }()
	if err := q.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error("run:", err)
		}
	}
}

// A child has left, has claimed the next job, and is not scheduled until the queue was stopped
// and runs again: supervisor.Provider says that Provide may be called "when the run is over already".
func TestAClaimOfTheLastRunDoesNotTouchTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		q := persist.New(persist.Config{Store: memstore.New(), Workers: persist.NoWorkers, Handlers: s.handlers()})
		stop := again(t, q)
		ids := map[string]persist.ID{}
		for _, in := range []string{"a", "b", "c"} {
			ids[in] = must(t)(chore.Submit(t.Context(), q, in)).ID
		}
		late := persist.HoldProvide(q, 1) // claims a
		if late == nil {
			t.Fatal("nothing was provided")
		}
		stop()
		stop = again(t, q)
		same(t, "inside", s.now(), "a") // one worker
		late.Receive()
		synctest.Wait()
		running, active := persist.Figures(q)
		same(t, "places taken", fmt.Sprint(running, active), "1 1")
		if err := q.SetWorkers(1); err != nil {
			t.Fatal(err)
		}
		same(t, "inside, of one worker", s.now(), "a")
		for range 4 {
			s.letAllGo()
			elapse(2 * time.Second)
		}
		for _, in := range []string{"a", "b", "c"} {
			same(t, "runs of "+in, s.count(in), 1)
		}
		same(t, "most at a time", s.most, 1)
		same(t, "counts", q.Counts()[persist.Ended], 3)
		stop()
	})
}

// The same, when only the workers run anew (Restart by hand, say): who has been refused leaves a
// place that nobody is told of.
func TestAPlaceIsNotLostAfterAStaleClaim(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		q := persist.New(persist.Config{Store: memstore.New(), Workers: persist.NoWorkers, Handlers: s.handlers()})
		stop := again(t, q)
		must(t)(chore.Submit(t.Context(), q, "a"))
		late := persist.HoldProvide(q, 1) // claims a
		if _, err := q.Head().Restart(t.Context(), "workers"); err != nil {
			t.Fatal(err)
		}
		elapse(time.Second)
		if err := q.SetWorkers(1); err != nil { // the workers look for jobs: the place is taken
			t.Fatal(err)
		}
		late.Receive()
		synctest.Wait()
		same(t, "inside", s.now(), "a")
		elapse(10 * time.Second)
		same(t, "inside after ten seconds", s.now(), "a")
		elapse(25 * time.Minute)
		same(t, "inside after 25 minutes", s.now(), "a")
		s.letAllGo()
		stop()
	})
}
