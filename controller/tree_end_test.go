package controller_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

func TestAShutdownGivesEachItsOutcomeAndStartsNothing(t *testing.T) {
	inTree(t, supervisor.Config{}, controller.Config{Capacity: 3, TTL: time.Hour}, func(t *testing.T, _ *supervisor.Supervisor, s *stand) {
		var j journal
		for i := range 3 {
			key := fmt.Sprint("k", i)
			s.queue(key, key+"owner", j.note(slow(time.Duration(i)*time.Second)))
			s.queue(key, key+"w", j.note(serve))
		}
		s.replace("k0", "r", j.note(slow(time.Second))) // supersedes the only one that waits, and runs at once
		parked := []*parking{}
		for i := range 3 {
			parked = append(parked, s.parkQueue("k1", fmt.Sprint("p", i)))
		}
		s.wantParked(2)
		before := j.lines()
		closed := make(chan error)
		go func() { closed <- s.close() }()
		synctest.Wait()
		for _, p := range parked {
			p.want("rejected closing", nil)
		}
		wantFate(t, s.queue("k9", "late", j.note(serve)), "rejected closing")
		wantFate(t, s.replace("k1", "late", j.note(serve)), "rejected closing")
		if err := <-closed; err != nil {
			t.Error(err)
		}
		equal(t, "began", j.lines(), before)
		equal(t, "running owners", fate(s.all[0])+", "+fate(s.all[4]), "stopped replaced, stopped shutdown")
		equal(t, "rejected", strings.Count(allFates(s), "rejected closing"), 7)
	})
}

func allFates(s *stand) string {
	var fates []string
	for _, h := range s.all {
		fates = append(fates, fate(h))
	}
	return strings.Join(fates, "; ")
}

func TestALameDuckLetsItsOwnersServeAndNobodyIn(t *testing.T) {
	cfg := controller.Config{Workers: supervisor.Config{LameDuck: 10 * time.Second}}
	bubble(t, cfg, func(t *testing.T, s *stand) {
		owner := s.queue("k", "owner", serve)
		short := s.queue("l", "short", during(time.Second))
		w := s.queue("l", "w", serve)
		closed := make(chan error)
		go func() { closed <- s.close() }()
		synctest.Wait()
		wantFate(t, w, "rejected closing")
		wantFate(t, s.queue("m", "late", serve), "rejected closing")
		s.wantSlot("k", "owner |")
		pass(time.Second)
		wantFate(t, short, "completed")
		s.wantSlot("l", "")
		wantFate(t, s.queue("l", "late", serve), "rejected closing")

		// The verbs for what runs are heard still.
		if err := s.Cancel(context.Background(), owner.ID()); err != nil {
			t.Error(err)
		}
		wantFate(t, owner, "stopped stopped")
		if err := <-closed; err != nil {
			t.Error(err)
		}
	})
}

func TestAnOwnerThatEscalatesEndsTheController(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		s.queue("l", "other", serve)
		s.queue("k", "owner", func(context.Context) error { time.Sleep(time.Second); return actor.Escalate(errBoom) })
		w := s.queue("l", "w", serve)
		pass(time.Second)
		err := s.close()
		if !errors.Is(err, errBoom) {
			t.Errorf("Run returned %v", err)
		}
		as[*supervisor.EscalatedError](t, err)
		wantFate(t, w, "rejected closing")
		wantFate(t, s.all[0], "stopped shutdown")
	})
}

func TestAStuckOwnerIsNamedByTheRunThatLeavesItBehind(t *testing.T) {
	bubble(t, controller.Config{Workers: supervisor.Config{StopTimeout: 5 * time.Second}}, func(t *testing.T, s *stand) {
		gate := make(chan struct{})
		defer close(gate)
		sub := submission(controller.Queue, "k", "deaf", until(gate))
		sub.Spec.Grace, sub.Spec.OnStuck = time.Second, policy.StuckWait
		s.put(sub)
		r := s.replace("k", "r", serve)
		began := time.Now()
		left := as[*supervisor.StopError](t, s.close())
		equal(t, "took", time.Since(began), 5*time.Second)
		if len(left.Stuck) != 1 || left.Stuck[0].Path != "/desk/deaf" {
			t.Errorf("left behind: %v", left)
		}
		wantFate(t, s.all[0], "abandoned replaced")
		wantFate(t, r, "rejected closing")
	})
}

func TestAControllerRunsOnceAtATimeAndAgainAfterwards(t *testing.T) {
	bubble(t, controller.Config{}, func(t *testing.T, s *stand) {
		s.queue("k", "owner", serve)
		s.queue("k", "w", serve)
		if err := s.Run(context.Background()); !errors.Is(err, supervisor.ErrRunning) {
			t.Errorf("a second run: %v", err)
		}
		s.wantSlot("k", "owner | w") // the first knows nothing of it
		for range 3 {
			if err := s.close(); err != nil {
				t.Error(err)
			}
			s.run()
			if err := s.WaitReady(context.Background()); err != nil {
				t.Error(err)
			}
			s.wantSlot("k", "")
			s.queue("k", "owner", serve)
			s.wantSlot("k", "owner |")
		}
	})
}

// Each submission has its answer, whether it came before the end of the run, during
// it or after it.
func TestWhoSubmitsDuringARestartIsAnswered(t *testing.T) {
	inTree(t, supervisor.Config{}, controller.Config{}, func(t *testing.T, app *supervisor.Supervisor, s *stand) {
		handles := make(chan *actor.Handle, 10_000)
		stop := make(chan struct{})
		done := make(chan struct{})
		for i := range 4 {
			go func() {
				defer func() { done <- struct{}{} }()
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					case <-time.After(time.Millisecond):
					}
					h, err := s.Submit(context.Background(), submission(controller.Queue, "k", fmt.Sprint(i, "-", n), during(3*time.Millisecond)))
					if err == nil {
						handles <- h
					} else if !errors.Is(err, supervisor.ErrNotRunning) {
						t.Error(err)
					}
				}
			}()
		}
		for range 20 {
			pass(7 * time.Millisecond)
			if _, err := app.Restart(context.Background(), "desk"); err != nil {
				t.Error(err)
			}
		}
		close(stop)
		for range 4 {
			<-done
		}
		close(handles)
		for h := range handles {
			s.all = append(s.all, h)
			outcome(t, h)
		}
		if len(s.all) < 100 {
			t.Errorf("only %d were submitted", len(s.all))
		}
	})
}
