package boltstore

import (
	"errors"
	"testing"

	"github.com/taskvisor/taskvisor/persist"
)

// large makes a file of some MiB, of which a part is free, and 100 jobs have ended.
func large(t *testing.T) (path string) {
	t.Helper()
	path = newPath(t)
	s := open(t, path, Options{NoSync: true})
	mustRead(t, s)
	for id := persist.ID(1); id <= 400; id++ {
		commit(t, s, insert(id, 30_000))
	}
	for id := persist.ID(1); id <= 250; id++ {
		commit(t, s, resolve(id, persist.Completed))
	}
	commit(t, s, prune(persist.Completed, 150))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAFileThatIsLargerThanItsLimitIsUsedAndDoesNotGrow(t *testing.T) {
	s := open(t, large(t), Options{MaxSize: MinMaxSize, NoSync: true})
	mustRead(t, s)
	before := s.Usage().Bytes
	if before <= 2*MinMaxSize {
		t.Fatalf("it has %d bytes", before)
	}
	for id := persist.ID(251); id <= 400; id++ {
		commit(t, s, amend(id, 1))
		commit(t, s, resolve(id, persist.Failed), insert(id+150, 1000))
	}
	commit(t, s, prune(persist.Completed, 50))
	commit(t, s, prune(persist.Failed, 150))
	_, err := until(s, 1000)
	if !errors.Is(err, persist.ErrFull) {
		t.Error(err)
	}
	commit(t, s, prune(persist.Completed, 50))
	if after := s.Usage().Bytes; after > before {
		t.Errorf("it has grown from %d to %d bytes", before, after)
	}
	check(t, s)
}

// A file that has become as small as it can be, and is too large all the same, has nothing free.
func TestAFileWithoutAFreePageCanForget(t *testing.T) {
	path := large(t)
	if err := Compact(ctx, path, Options{}); err != nil {
		t.Fatal(err)
	}
	s := open(t, path, Options{MaxSize: MinMaxSize, NoSync: true})
	mustRead(t, s)
	before := s.Usage().Bytes
	if _, err := s.Commit(ctx, []persist.Step{insert(500, 10)}); !errors.Is(err, persist.ErrFull) {
		t.Error(err)
	}
	for range 100 {
		commit(t, s, prune(persist.Completed, 1))
	}
	for id := persist.ID(251); id <= 400; id++ {
		commit(t, s, resolve(id, persist.Failed))
	}
	if after := s.Usage().Bytes; after > before+MinMaxSize/8 {
		t.Errorf("it has grown from %d to %d bytes", before, after)
	}
	check(t, s)
}
