package boltstore

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/taskvisor/taskvisor/persist"
)

// letGo gives the file of a store to others, as for a moment when it is settled.
func (s *Store) letGo() {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.detach()
}

// inDoubt makes a store whose last commit is in doubt, and lets its file go. Beside that is an older copy.
func inDoubt(t *testing.T) (s *Store, path, older string) {
	t.Helper()
	path = newPath(t)
	older = path + ".older"
	s = open(t, path, Options{})
	sample(t, s)
	mustRead(t, s)
	if err := s.BackupFile(ctx, older); err != nil {
		t.Fatal(err)
	}
	commit(t, s, insert(70, 10))
	doubt(t, s)
	s.letGo()
	return s, path, older
}

// What a store has told is in its file, and it goes on with no other one.
func TestSettleGoesOnWithNoOtherFile(t *testing.T) {
	older := func(t *testing.T, path, older string) {
		if err := os.Rename(older, path); err != nil {
			t.Fatal(err)
		}
	}
	for name, row := range map[string]struct {
		replace func(t *testing.T, path, older string)
		want    error
	}{
		"none":     {func(*testing.T, string, string) {}, fs.ErrNotExist},
		"an older": {older, ErrReplaced},
		"an empty": {func(t *testing.T, path, _ string) { os.WriteFile(path, nil, 0o600) }, ErrReplaced},
		"another": {func(t *testing.T, path, _ string) {
			s := open(t, path, Options{})
			sample(t, s)
			s.Close()
		}, ErrReplaced},
	} {
		t.Run(name, func(t *testing.T) {
			s, path, older := inDoubt(t)
			if err := os.Rename(path, path+".kept"); err != nil {
				t.Fatal(err)
			}
			row.replace(t, path, older)
			for range 2 {
				if committed, err := s.Settle(ctx); committed || !errors.Is(err, row.want) {
					t.Fatal(committed, err)
				}
				if _, err := s.Job(ctx, 70); !errors.Is(err, persist.ErrUnknown) {
					t.Error(err)
				}
			}

			// When its own is there again, that is the one.
			if err := os.Rename(path+".kept", path); err != nil {
				t.Fatal(err)
			}
			settle(t, s, false)
			job(t, s, 70)
		})
	}
}

// The same with a file that is the same one, and holds something else.
func TestSettleGoesOnWithNoOtherContents(t *testing.T) {
	s, path, copied := inDoubt(t)
	older, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		contents []byte
		want     error
	}{{nil, errEmpty}, {older, ErrReplaced}, {older[:len(older)/2], nil}} {
		if err := os.WriteFile(path, row.contents, 0o600); err != nil {
			t.Fatal(err)
		}
		if committed, err := s.Settle(ctx); committed || err == nil || row.want != nil && !errors.Is(err, row.want) {
			t.Errorf("%d bytes: %v %v", len(row.contents), committed, err)
		}
	}
}

// Who waits for the file may get it in the midst of Settle. If he has used it, it is his.
func TestWhoHasUsedTheFileMeanwhileKeepsIt(t *testing.T) {
	for name, use := range map[string]func(t *testing.T, s *Store){
		"looked":                  nil,
		"recovered":               func(t *testing.T, s *Store) { mustRead(t, s) },
		"recovered and committed": func(t *testing.T, s *Store) { mustRead(t, s); commit(t, s, insert(100, 10)) },
	} {
		for _, crash := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				path := newPath(t)
				s := open(t, path, Options{LockTimeout: 1})
				sample(t, s)
				mustRead(t, s)
				doubt(t, s)
				s.letGo()

				other := open(t, path, Options{})
				if use != nil {
					use(t, other)
				}
				var locked *persist.LockedError
				if _, err := s.Settle(ctx); !errors.As(err, &locked) {
					t.Fatal(err)
				}
				if crash {
					other.crash()
				} else {
					other.Close()
				}
				if use == nil {
					settle(t, s, false)
					job(t, s, 1)
					return
				}
				for range 2 {
					_, settled := s.Settle(ctx)
					_, job := s.Job(ctx, 1)
					_, commit := s.Commit(ctx, []persist.Step{insert(101, 10)})
					for _, err := range []error{settled, job, commit} {
						if !errors.Is(err, ErrTaken) {
							t.Error(err)
						}
					}
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// The mark of a store before that has crashed is not that of this one, and is not taken away.
func TestSettleBeforeRecoverLeavesTheMarkOfOthers(t *testing.T) {
	path := newPath(t)
	s := open(t, path, Options{})
	mustRead(t, s)
	s.crash()
	s = open(t, path, Options{})
	doubt(t, s)
	settle(t, s, false)
	s.Close()
	if mustRead(t, open(t, path, Options{})).Recovery.Clean {
		t.Error("it is clean")
	}
}
