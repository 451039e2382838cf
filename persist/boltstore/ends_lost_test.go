package boltstore

import (
	"errors"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/persist"
)

// setState puts a state into the file as no commit does.
func setState(t *testing.T, s *Store, id persist.ID, end *persist.End) {
	t.Helper()
	if err := s.update(0, func(b *batch) error {
		b.changed = true
		key := b.id.set(id)
		return b.bucket(states).Put(key, seal(appendState(nil, &persist.State{Fence: 1}, end), 0, states, key))
	}); err != nil {
		t.Fatal(err)
	}
}

func ended(seq uint64) *persist.End {
	return &persist.End{Kind: persist.Completed, Seq: seq, At: time.Now()}
}

// Of a file in which a job has ended where that cannot be, nothing is used.
func TestEndsAtPlacesThatCannotBeAreDamage(t *testing.T) {
	for name, seq := range map[string]uint64{"none": 0, "that of another": 1, "after the last": 50, "the highest there is": 1<<64 - 1} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			s := open(t, path, Options{})
			commit(t, s, insert(1, 10), insert(2, 10), resolve(1, persist.Completed), resolve(2, persist.Completed))
			setState(t, s, 2, ended(seq))
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, path, Options{})
			_, past := s.Past(ctx, persist.PastQuery{})
			_, recovered := s.Recover(ctx, func(*persist.Job) error { return nil })
			for what, err := range map[string]error{"Check": s.Check(ctx), "Recover": recovered, "Past": past} {
				if corrupt := (*persist.CorruptError)(nil); !errors.As(err, &corrupt) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

// What is lost from the file while it is open is not passed over.
func TestAnEndThatIsLostWhileTheFileIsOpenIsTold(t *testing.T) {
	for name, lose := range map[string]func(*testing.T, *Store){
		"another end": func(t *testing.T, s *Store) { setState(t, s, 2, ended(1)) },
		"not ended":   func(t *testing.T, s *Store) { setState(t, s, 2, nil) },
		"no state": func(t *testing.T, s *Store) {
			if err := s.update(0, func(b *batch) error {
				b.changed = true
				return b.bucket(states).Delete(b.id.set(2))
			}); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, newPath(t), Options{})
			commit(t, s, insert(1, 10), insert(2, 10), resolve(1, persist.Completed), resolve(2, persist.Completed))
			lose(t, s)
			_, past := s.Past(ctx, persist.PastQuery{})
			_, pruned := s.Commit(ctx, []persist.Step{prune(persist.Completed, 2)}) // it may live
			for what, err := range map[string]error{"Past": past, "Commit": pruned} {
				if corrupt := (*persist.CorruptError)(nil); !errors.As(err, &corrupt) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

// In one commit a job is revived, ends another way, and is forgotten.
func TestWhatIsRevivedAndForgottenInOneCommitIsNotListed(t *testing.T) {
	var e ends
	e.add(persist.DeadLetter, end{1, 1})
	e.begin(2)
	e.end()
	e.revive(persist.DeadLetter, 1)
	e.add(persist.Cancelled, end{2, 1})
	e.take(persist.Cancelled, 1, nil)
	e.begin(3)
	for tx, want := range map[int]int{2: 1, 3: 0} {
		if got, _, ok := e.latest(tx, persist.Endings(), 0, 10); !ok || len(got) != want {
			t.Errorf("transaction %d sees %v, want %d", tx, got, want)
		}
	}
}

// A job that ends and is revived again and again takes no more memory than once.
func TestRevivesLeaveNothingBehind(t *testing.T) {
	var e ends
	e.add(persist.DeadLetter, end{1, 1}) // which stays
	for i := range uint64(50_000) {
		e.add(persist.DeadLetter, end{i + 2, 2})
		e.begin(int(2 * i))
		e.end()
		e.revive(persist.DeadLetter, i+2)
		e.begin(int(2*i + 1))
		e.end()
	}
	if n := len(e.trails[persist.DeadLetter].list); n > 2*trailRest {
		t.Errorf("%d ends are held, of which one counts", n)
	}
	if n := e.count()[persist.DeadLetter]; n != 1 {
		t.Errorf("%d count", n)
	}
}

// However a limited file was filled, there is room to forget.
func TestAFileThatIsFullOfEndsCanForget(t *testing.T) {
	s := open(t, newPath(t), Options{MaxSize: 4 << 20, NoSync: true})
	id := persist.ID(0)
	var full error
	for full == nil {
		_, full = s.Commit(ctx, []persist.Step{insert(id+1, 300)})
		if full == nil {
			id++
		}
	}
	for full = nil; full == nil && id > 0; id-- { // those that came last first, for which pages are half empty
		_, full = s.Commit(ctx, []persist.Step{resolve(id, persist.Completed)})
	}
	if !errors.Is(full, persist.ErrFull) {
		t.Fatalf("%d jobs are left: %v", id, full)
	}
	for range 50 {
		commit(t, s, prune(persist.Completed, 10))
	}
	commit(t, s, resolve(id+1, persist.Completed))
}
