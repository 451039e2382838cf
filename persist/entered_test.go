package persist_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/supervisor"
)

// An attempt begins when the handler is entered, and not when its job was claimed: in between it may wait for
// one of the places of its supervisor, or for the store.

// narrow is a queue in which one attempt runs at a time, and another job is claimed.
func narrow(s *stage, m *memstore.Memory) persist.Config {
	return persist.Config{Store: m, Handlers: s.handlers(), Workers: 2, Supervisor: supervisor.Config{Concurrency: 1}}
}

func TestATTLFromTheFirstAttemptDoesNotCountBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := memstore.New(), newStage()
		r := hang(t, narrow(s, m))
		r.submit("a")
		synctest.Wait()
		b := r.submit("b", persist.WithTTLFromFirstAttempt(10*time.Second), oneSecond)
		elapse(time.Minute)
		same(t, "inside", s.now(), "a")
		same(t, "b expires", r.why(b).Expires.IsZero(), true)
		_ = r.halt()

		elapse(time.Minute)
		s = newStage()
		r = hang(t, narrow(s, m))
		same(t, "inside", s.now(), "a")
		elapse(time.Minute)
		s.letGo(nil, "a")
		elapse(9 * time.Second)
		s.letGo(errOops, "b")
		same(t, "b after 9 s of its first attempt", r.look(b).Ended(), false)
		elapse(2 * time.Second)
		same(t, "b after 11 s", r.look(b).End.Kind, persist.Expired)
	})
}

func TestAJobThatWaitsForAPlaceExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, narrow(s, memstore.New()))
		r.submit("a")
		synctest.Wait()
		b := r.submit("b", persist.WithTTL(10*time.Second))
		elapse(time.Minute)
		s.letGo(nil, "a")
		synctest.Wait()
		j := r.look(b)
		same(t, "entered", s.count("b"), 0)
		same(t, "end", j.End.Kind, persist.Expired)
		same(t, "attempts", j.Attempts, 0)
		same(t, "told", r.told(events.JobExpired), 1)
		same(t, "waited", r.first(events.JobExpired).Elapsed, time.Minute)
		same(t, "running", r.Counts()[persist.Running], 0)
	})
}

func TestWhatAnAttemptTakesBeginsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		r := hang(t, narrow(s, memstore.New()))
		r.submit("a")
		synctest.Wait()
		b := r.submit("b")
		elapse(time.Minute)
		s.letGo(nil, "a")
		elapse(time.Second)
		same(t, "since", time.Since(r.Active()[0].Since), time.Second)
		same(t, "since, as Why says", time.Since(r.why(b).Since), time.Second)
		s.letGo(nil, "b")
		same(t, "elapsed", r.look(b).End.Elapsed, time.Second)
		for _, e := range r.rec.Events() {
			if e.Kind == events.JobStarted && e.Job.ID == uint64(b) {
				same(t, "ready before", e.Elapsed, time.Minute)
			}
		}
	})
}

// A store that cannot be read for a while keeps a job from being begun.
func TestAReadThatFailsBeginsNoTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage()
		began := time.Now()
		store := &reading{Backend: memstore.New(), read: func(context.Context) error {
			if time.Since(began) < 30*time.Second {
				return errOops
			}
			return nil
		}}
		r := hang(t, persist.Config{Store: store, Handlers: s.handlers(), Cache: persist.NoCache})
		r.submit("b", persist.WithTTLFromFirstAttempt(10*time.Second))
		elapse(40 * time.Second)
		same(t, "inside", s.now(), "b")
		s.letAllGo()
	})
}

func TestAStopWhileAJobIsReadPutsItBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := memstore.New(), newStage()
		store := &reading{Backend: m, read: func(ctx context.Context) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}}
		r := hang(t, persist.Config{Store: store, Handlers: s.handlers(), Cache: persist.NoCache})
		id := r.submit("a")
		synctest.Wait()
		same(t, "phase", r.why(id).Phase, persist.Running)
		isError(t, "stop", r.halt(), nil)
		same(t, "released", r.told(events.JobReleased), 1)
		same(t, "snoozed", r.told(events.JobSnoozed), 0)
		s = newStage()
		r = hang(t, persist.Config{Store: m, Handlers: s.handlers()})
		if j := r.look(id); j.Last != nil {
			t.Errorf("a failure is remembered: %+v", j.Last)
		}
		same(t, "inside", s.now(), "a")
		s.letAllGo()
	})
}
