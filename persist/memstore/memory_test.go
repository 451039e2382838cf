package memstore_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/persist/storetest"
)

var (
	bg      = context.Background()
	errDisk = errors.New("the disk is on fire")
)

func TestMemoryIsAStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) persist.Backend { return memstore.New() })
}

// open opens m and recovers it.
func open(t *testing.T, m *memstore.Memory) (persist.Store, persist.Recovery) {
	t.Helper()
	s, err := m.Open(bg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Recover(bg, func(*persist.Job) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

func insert(id persist.ID) []persist.Step {
	return []persist.Step{{Verb: persist.Insert, Record: &persist.Record{ID: id, Type: "t", Payload: []byte("p")}}}
}

// ends says how a commit of one new job ends, and whether the job is there afterwards.
func ends(t *testing.T, s persist.Store, id persist.ID, want error, there bool) {
	t.Helper()
	if _, err := s.Commit(bg, insert(id)); !errors.Is(err, want) {
		t.Errorf("commit of job %d: error %v, want %v", id, err, want)
	}
	if _, err := s.Job(bg, id); (err == nil) != there {
		t.Errorf("job %d: error %v, want it to be there: %v", id, err, there)
	}
}

func settles(t *testing.T, s persist.Store, want bool) {
	t.Helper()
	if got, err := s.Settle(bg); err != nil || got != want {
		t.Errorf("settle: %v, error %v, want %v", got, err, want)
	}
}

func TestAsManyCommitsFailAsAreOrdered(t *testing.T) {
	m := memstore.New()
	s, _ := open(t, m)
	m.FailNext(2, errDisk)
	ends(t, s, 1, errDisk, false)
	ends(t, s, 1, errDisk, false)
	ends(t, s, 1, nil, true)
}

func TestAnUnknownCommitHasToBeSettled(t *testing.T) {
	m := memstore.New()
	s, _ := open(t, m)

	m.UnknownNext(false)
	ends(t, s, 1, persist.ErrUnknown, false)
	ends(t, s, 1, persist.ErrUnknown, false) // not before it is settled
	settles(t, s, false)
	m.UnknownNext(true)
	ends(t, s, 1, persist.ErrUnknown, true)
	settles(t, s, true)
	settles(t, s, false) // there is nothing left
	m.FailNext(1, persist.ErrUnknown)
	ends(t, s, 2, persist.ErrUnknown, false)
	m.FailSettle(1, errDisk)
	if _, err := s.Settle(bg); !errors.Is(err, errDisk) {
		t.Errorf("settle: error %v, want %v", err, errDisk)
	}
	settles(t, s, false)
	ends(t, s, 2, nil, true)
}

func TestWhatWasUnknownIsDecidedWhenTheMemoryIsOpenedAgain(t *testing.T) {
	m := memstore.New()
	s, _ := open(t, m)
	m.UnknownNext(true)
	ends(t, s, 1, persist.ErrUnknown, true)
	m.Crash()
	s, r := open(t, m)
	if want := (persist.Recovery{Next: 2}); r != want {
		t.Errorf("recovery %+v, want %+v", r, want)
	}
	ends(t, s, 2, nil, true)
}

func TestAFullMemoryTakesNoMoreJobs(t *testing.T) {
	m := memstore.New()
	s, _ := open(t, m)
	m.Limit(1)
	ends(t, s, 1, nil, true)
	ends(t, s, 2, persist.ErrFull, false)
	end := persist.Step{Verb: persist.Resolve, ID: 1, End: persist.End{Kind: persist.Completed}}
	if _, err := s.Commit(bg, []persist.Step{end, {Verb: persist.Prune, Kind: persist.Completed, Count: 1}}); err != nil {
		t.Errorf("what needs no room: %v", err)
	}
	ends(t, s, 2, nil, true)
	m.Limit(0)
	ends(t, s, 3, nil, true)
}

func TestACommitCanBeHeldUpWhileOthersRead(t *testing.T) {
	m := memstore.New()
	s, _ := open(t, m)
	ends(t, s, 1, nil, true)

	held, release := make(chan []persist.Step), make(chan error)
	m.BeforeCommit(func(_ context.Context, steps []persist.Step) error {
		held <- steps
		return <-release
	})
	for _, want := range []error{errDisk, nil} {
		done := make(chan error)
		go func() {
			_, err := s.Commit(bg, insert(2))
			done <- err
		}()
		if steps := <-held; len(steps) != 1 || steps[0].Record.ID != 2 {
			t.Errorf("steps %+v", steps)
		}
		if _, err := s.Job(bg, 1); err != nil {
			t.Error(err)
		}
		release <- want
		if err := <-done; !errors.Is(err, want) {
			t.Errorf("commit: error %v, want %v", err, want)
		}
	}
	m.BeforeCommit(nil)
	ends(t, s, 3, nil, true)
}

func TestAStoreThatHasCrashedAnswersNothing(t *testing.T) {
	m := memstore.New()
	s, r := open(t, m)
	if !r.Clean {
		t.Error("a new memory is not clean")
	}
	m.Crash()
	ends(t, s, 1, persist.ErrClosed, false)
	if err := s.Close(); !errors.Is(err, persist.ErrClosed) {
		t.Errorf("close: error %v, want %v", err, persist.ErrClosed)
	}
	if _, r := open(t, m); r.Clean {
		t.Error("clean after a crash")
	}
	if err := s.Close(); !errors.Is(err, persist.ErrClosed) {
		t.Errorf("close: error %v, want %v", err, persist.ErrClosed)
	}
}

// Who could not recover leaves it to the next to be told of a crash.
func TestARecoverThatFailsLeavesNoMark(t *testing.T) {
	m := memstore.New()
	s, _ := open(t, m)
	ends(t, s, 1, nil, true)
	m.Crash()
	s, err := m.Open(bg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Recover(bg, func(*persist.Job) error { return errDisk }); !errors.Is(err, errDisk) {
		t.Errorf("recover: error %v, want %v", err, errDisk)
	}
	s.Close()
	if _, r := open(t, m); r.Clean {
		t.Error("the crash is forgotten")
	}
}

// Whatever is done to what went in or came out, what is stored stays as it is.
func TestNothingIsShared(t *testing.T) {
	m := memstore.New()
	s, _ := open(t, m)
	tags := []persist.Tag{{Key: "k", Value: "v"}}
	last := &persist.Failure{At: time.Now(), Text: "it failed"}
	r := &persist.Record{ID: 1, Tags: tags, Payload: []byte("p")}
	_, err := s.Commit(bg, []persist.Step{
		{Verb: persist.Insert, Record: r},
		{Verb: persist.Resolve, ID: 1, State: persist.State{Last: last}, End: persist.End{Kind: persist.Failed}},
	})
	if err != nil {
		t.Fatal(err)
	}
	spoil := func(r *persist.Record, last *persist.Failure) {
		clear(r.Tags)
		clear(r.Payload)
		last.Text = ""
	}
	spoil(r, last)
	for range 2 {
		j, err := s.Job(bg, 1)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(j.Tags, []persist.Tag{{Key: "k", Value: "v"}}) || string(j.Payload) != "p" || j.Last.Text != "it failed" || j.End.Seq != 1 {
			t.Fatalf("job %+v", j)
		}
		spoil(&j.Record, j.Last)
		j.End.Seq = 9
	}
}
