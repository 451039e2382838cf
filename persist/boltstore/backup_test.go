package boltstore

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"github.com/taskvisor/taskvisor/persist"
)

func TestABackupIsAStoreThatCanBeOpened(t *testing.T) {
	s := open(t, newPath(t), Options{})
	sample(t, s)
	want := mustRead(t, s)

	var b bytes.Buffer
	if err := s.Backup(ctx, &b); err != nil {
		t.Fatal(err)
	}
	path := newPath(t)
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	other := newPath(t)
	for range 2 { // the second replaces the first
		if err := s.BackupFile(ctx, other); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{path, other} {
		if got := mustRead(t, open(t, path, Options{CheckOnOpen: true})); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	commit(t, s, insert(100, 10))
	check(t, s)
}

func TestABackupThatFailsLeavesNothing(t *testing.T) {
	path := newPath(t)
	s := open(t, path, Options{})
	sample(t, s)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	refuses := errors.New("refuses")
	if err := s.BackupFile(ctx, path); err == nil {
		t.Error("a store was its own backup")
	}
	if err := s.BackupFile(ended, path+".copy"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := s.BackupFile(ctx, filepath.Join(path, "nowhere")); err == nil {
		t.Error("there is no such folder")
	}
	if err := s.Backup(ctx, writerFunc(func([]byte) (int, error) { return 0, refuses })); !errors.Is(err, refuses) {
		t.Error(err)
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if len(left) != 2 { // with the owner
		t.Errorf("left: %v", left)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// While a backup is read slowly, nothing is held: neither commits nor pages.
func TestASlowBackupHoldsNothing(t *testing.T) {
	s := open(t, newPath(t), Options{})
	sample(t, s)
	id := persist.ID(100)
	wrote := false
	err := s.Backup(ctx, writerFunc(func(p []byte) (int, error) {
		wrote = true
		if n := s.Stats().Readers; n != 0 {
			t.Errorf("%d transactions are open", n)
		}
		commit(t, s, insert(id, 100))
		id++
		return len(p), nil
	}))
	if err != nil || !wrote {
		t.Fatal(err)
	}
}

func TestBackupsWhileEverythingIsInUse(t *testing.T) {
	path := newPath(t)
	s := open(t, path, Options{InlinePayload: 100})
	mustRead(t, s)
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := s.Past(ctx, persist.PastQuery{Limit: 50}); err != nil {
					t.Error(err)
				}
				if _, err := s.Job(ctx, 10); err != nil && !errors.Is(err, persist.ErrNotFound) {
					t.Error(err)
				}
				s.Usage()
			}
		})
	}
	readers.Go(func() {
		defer close(stop)
		for i := range 5 {
			name := filepath.Join(filepath.Dir(path), "copy.db")
			if err := s.BackupFile(ctx, name); err != nil {
				t.Error(err)
				return
			}
			c := open(t, name, Options{CheckOnOpen: true})
			c.Close()
			if i == 2 {
				if err := s.compact(ctx); err != nil {
					t.Error(err)
				}
			}
			check(t, s)
		}
	})
	for id := persist.ID(1); ; id += 2 {
		select {
		case <-stop:
			readers.Wait()
			check(t, s)
			return
		default:
		}
		commit(t, s, insert(id, 150), insert(id+1, 50), resolve(id+1, persist.Completed))
	}
}

func TestCompactGivesRoomBack(t *testing.T) {
	path := newPath(t)
	s := open(t, path, Options{})
	for id := persist.ID(1); id <= 4000; id += 100 {
		var steps []persist.Step
		for i := range persist.ID(100) {
			steps = append(steps, insert(id+i, 2000), resolve(id+i, persist.Completed))
		}
		commit(t, s, steps...)
	}
	commit(t, s, prune(persist.Completed, 3990), insert(4001, 100), amend(4001, 3), insert(4002, 30_000))
	want := mustRead(t, s)
	before := s.Usage()
	if before.Free < before.Bytes/2 {
		t.Fatalf("%+v", before)
	}
	if err := Compact(ctx, path, Options{LockTimeout: 1}); err == nil {
		t.Fatal("a store was compacted that is open")
	}
	s.Close()

	link := filepath.Join(filepath.Dir(path), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := Compact(ctx, link, Options{}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced", err)
	}
	s = open(t, path, Options{CheckOnOpen: true})
	got := mustRead(t, s)
	if !reflect.DeepEqual(got, want) {
		t.Error("jobs have changed")
	}
	if after := s.Usage(); after.Bytes > before.Bytes/4 {
		t.Errorf("from %+v to %+v", before, after)
	}
	commit(t, s, insert(4003, 10))
	check(t, s)
	s.Close()

	if err := Compact(ctx, newPath(t), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	if len(left) != 2 {
		t.Errorf("left: %v", left)
	}
}

func TestCompactOnOpenIsForLargeFilesThatAreMostlyFree(t *testing.T) {
	path := newPath(t)
	s := open(t, path, Options{NoSync: true})
	payload := make([]byte, 1<<20)
	for id := persist.ID(1); id <= 70; id++ {
		step := insert(id, 0)
		step.Record.Payload = payload
		commit(t, s, step, resolve(id, persist.Completed))
	}
	s.Close()
	size := func() int64 {
		s := open(t, path, Options{CompactOnOpen: true})
		defer s.Close()
		check(t, s)
		return s.Usage().Bytes
	}
	full := size()
	if full < 70<<20 {
		t.Fatal(full)
	}
	s = open(t, path, Options{NoSync: true})
	commit(t, s, prune(persist.Completed, 69))
	s.Close()
	if n := size(); n > 16<<20 {
		t.Errorf("%d bytes of %d are left", n, full)
	}
}

// Who waits for the lock of a file that is replaced must not get the old one.
func TestWhoWaitsForAFileThatIsReplacedGetsTheNewOne(t *testing.T) {
	path := newPath(t)
	s := open(t, path, Options{})
	sample(t, s)
	opened := make(chan error, 1)
	go func() {
		_, err := Open(ctx, path, Options{})
		opened <- err
	}()
	for range 20 {
		if err := s.compact(ctx); err != nil {
			var locked *persist.LockedError
			if errors.As(err, &locked) {
				break // it was faster, and that is said
			}
			t.Fatal(err)
		}
	}
	err := <-opened
	var locked *persist.LockedError
	if s.usable() == nil && !errors.As(err, &locked) {
		t.Fatalf("both have the file: %v", err)
	}
}
