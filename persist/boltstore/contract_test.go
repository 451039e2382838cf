package boltstore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/storetest"
)

// What is asked of a store does not depend on its options: each backend has other ones
// than the one before, and few wait for the disk.
func TestTheStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	options := []Options{
		{}, {NoSync: true, sheets: 2}, {NoSync: true, InlinePayload: 1, sheets: 2}, {NoSync: true, MaxSize: 64 << 20, CheckOnOpen: true},
		{NoSync: true, InlinePayload: 100}, {NoSync: true, FileMode: 0o644, sheets: 3}, {NoSync: true, InlinePayload: 1, MaxSize: 64 << 20, sheets: 2},
	}
	n := 0
	storetest.Run(t, func(t *testing.T) persist.Backend {
		n++
		return newFrail(t, options[n%len(options)])
	})
}

func FuzzContract(f *testing.F) {
	storetest.Fuzz(f, func(t *testing.T) persist.Backend { return newFrail(t, Options{NoSync: true, sheets: 2}) })
}

// frail is a file that can crash, and whose disk can fail.
type frail struct {
	*Place
	open    *Store
	unknown *bool // what becomes of the next commit
}

func newFrail(t *testing.T, opts Options) *frail {
	f := &frail{Place: File(filepath.Join(t.TempDir(), "jobs.db"), opts)}
	t.Cleanup(func() { f.Crash() })
	return f
}

func (f *frail) Open(ctx context.Context) (persist.Store, error) {
	s, err := Open(ctx, f.path, f.opts)
	if err != nil {
		return nil, err
	}
	f.open = s
	return &frailStore{s, f}, nil
}

// Crash closes the file without a word in it, as the end of a process does.
func (f *frail) Crash() {
	if f.open != nil {
		f.open.crash()
		f.open = nil
	}
}

func (s *Store) crash() {
	s.used = false
	_ = s.Close()
}

func (f *frail) UnknownNext(committed bool) { f.unknown = &committed }

// rehearse returns why the steps cannot be made, and makes none of them.
func (s *Store) rehearse(steps []persist.Step) error {
	rehearsed := errors.New("rehearsed")
	s.writing.Lock()
	defer s.writing.Unlock()
	err := s.update(0, func(b *batch) error {
		for i := range steps {
			if err := b.step(i, &steps[i]); err != nil {
				return err
			}
		}
		return rehearsed
	})
	if errors.Is(err, rehearsed) {
		return nil
	}
	return err
}

type frailStore struct {
	*Store
	f *frail
}

// Commit fails as the backend was told to: in bbolt, or after everything was done.
func (s *frailStore) Commit(ctx context.Context, steps []persist.Step) ([]int, error) {
	committed := s.f.unknown
	if committed == nil || s.usable() != nil || s.rehearse(steps) != nil {
		return s.Store.Commit(ctx, steps)
	}
	s.f.unknown = nil
	owed := s.owed
	defer func() { s.owed = owed }() // what is not known notes nothing
	if *committed {
		if _, err := s.Store.Commit(ctx, steps); err != nil {
			return nil, err
		}
		s.doubtful.Store(s.serial)
		return nil, fmt.Errorf("%w: the disk has failed", persist.ErrUnknown)
	}
	s.file.Close()
	stale, err := s.Store.Commit(ctx, steps)
	if err == nil {
		// There was nothing to write, and so nothing to fail. Nobody knows that.
		s.doubtful.Store(s.serial)
		err = fmt.Errorf("%w: the disk has failed", persist.ErrUnknown)
	}
	return stale, err
}
