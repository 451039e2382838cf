package persist_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/subscribers/recorder"
	"github.com/taskvisor/taskvisor/supervisor"
)

// A job that is cancelled between its claim and its beginning: the event says its key all the same.
func TestTheEventOfAJobCancelledInTheWindowSaysItsKey(t *testing.T) {
	for _, cache := range []int64{0, persist.NoCache} {
		synctest.Test(t, func(t *testing.T) {
			rec := &recorder.Recorder{}
			s := newStage()
			q := persist.New(persist.Config{Store: memstore.New(), Cache: cache, Workers: persist.NoWorkers, Handlers: s.handlers(), Supervisor: supervisor.Config{Subscribers: []events.Subscriber{rec.Subscriber()}}})
			stop := again(t, q)
			r := must(t)(chore.Submit(t.Context(), q, "a", persist.WithKey("k"), persist.WithLabel("l"), persist.WithGroup("g"), persist.WithTag("t", "v")))
			late := persist.HoldProvide(q, 1)
			for _, a := range q.Active() {
				same(t, fmt.Sprint("the group of who is active, cache ", cache), a.Group, "g")
			}
			done := make(chan error, 1)
			go func() { done <- q.Cancel(t.Context(), r.ID) }()
			synctest.Wait()
			late.Receive()
			if err := <-done; err != nil {
				t.Error(err)
			}
			synctest.Wait()
			for _, e := range rec.Events() {
				if e.Kind == events.JobCancelled {
					same(t, fmt.Sprint("cache ", cache), fmt.Sprintf("%s %s %s %v", e.Job.Key, e.Job.Label, e.Job.Group, e.Job.Tags), "k l g [{t v}]")
				}
			}
			stop()
		})
	}
}

// An hour after many jobs have ended together one ends alone.
func TestWhatEndsAloneLongAfterAFlowIsStoredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var commits []time.Time
		m := memstore.New()
		m.BeforeCommit(func(context.Context, []persist.Step) error {
			mu.Lock()
			commits = append(commits, time.Now())
			mu.Unlock()
			return nil
		})
		r := hang(t, persist.Config{Store: m, Workers: persist.NoWorkers, Handlers: []persist.Handler{
			chore.Handle(func(_ context.Context, in string) error {
				d, _ := time.ParseDuration(in)
				time.Sleep(d)
				return nil
			}),
		}})
		ins := []string{"1h", "2h"}
		for range 200 {
			ins = append(ins, "1s")
		}
		if _, err := chore.SubmitAll(t.Context(), r.Queue, ins); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := r.SetWorkers(300); err != nil {
			t.Fatal(err)
		}
		elapse(time.Hour)
		same(t, "ended at an hour", r.Counts()[persist.Ended], 201)
		elapse(2 * time.Hour)
		mu.Lock()
		defer mu.Unlock()
		for _, at := range commits {
			t.Log(at.Sub(began))
		}
	})
}
