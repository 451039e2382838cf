package boltstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	berrors "go.etcd.io/bbolt/errors"

	"github.com/taskvisor/taskvisor/persist"
)

func TestClassify(t *testing.T) {
	disk := &os.PathError{Op: "write", Err: noRoom[0]}
	for _, row := range []struct {
		err           error
		moved         bool
		full, unknown bool
	}{
		{err: nil},
		{err: nil, moved: true},
		{err: disk, full: true},
		{err: fmt.Errorf("spill: %w", disk), full: true},
		{err: noRoom[1], full: true},
		{err: errors.Join(errors.New("file resize error: too large"), noRoom[1]), full: true},
		{err: berrors.ErrMaxSizeReached, full: true},
		// The description was written, and its sync found no room.
		{err: disk, moved: true, unknown: true},
		{err: berrors.ErrMaxSizeReached, moved: true, unknown: true},
		// What is not known to be harmless.
		{err: errors.New("input/output error"), unknown: true},
		{err: io.ErrShortWrite, unknown: true},
		{err: os.ErrClosed, unknown: true},
		{err: berrors.ErrInvalidMapping, unknown: true},
		{err: errPanic, unknown: true},
		{err: errPanic, moved: true, unknown: true},
	} {
		if full, unknown := classify(row.err, row.moved); full != row.full || unknown != row.unknown {
			t.Errorf("%v, moved %v: full %v, unknown %v", row.err, row.moved, full, unknown)
		}
	}
}

func TestAFullStoreRefusesInsertsAndTakesEnds(t *testing.T) {
	t.Parallel()
	for _, size := range []int{300, 3000, 40_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			const limit = 4 << 20
			path := newPath(t)
			s := open(t, path, Options{MaxSize: limit, NoSync: true})
			mustRead(t, s)
			next := persist.ID(1)
			fill := func() (n int) {
				for {
					steps := make([]persist.Step, 1+400/(1+size/100))
					for i := range steps {
						steps[i] = insert(next+persist.ID(i), size)
					}
					before := s.tally
					stale, err := s.Commit(ctx, steps)
					if err == nil {
						next += persist.ID(len(steps))
						n += len(steps)
						continue
					}
					if !errors.Is(err, persist.ErrFull) || errors.Is(err, persist.ErrUnknown) || stale != nil || s.tally.last != before.last {
						t.Fatal(err)
					}
					return n
				}
			}
			first := fill()
			u := s.Usage()
			if u.Limit != limit || u.Bytes > limit || s.high < limit/2 || s.Stats().Refused == 0 {
				t.Fatalf("%+v, used up to %d", u, s.high)
			}
			t.Logf("%d jobs in %d bytes", first, s.high)

			// What is there can be changed, and can end, without anything being forgotten.
			for id := persist.ID(1); id < next; id += 50 {
				var steps []persist.Step
				for i := id; i < min(id+50, next); i++ {
					steps = append(steps, amend(i, 1), resolve(i, persist.Completed))
				}
				commit(t, s, steps...)
			}
			check(t, s)

			// What is forgotten makes room, for about as many.
			for range 3 {
				commit(t, s, prune(persist.Completed, first))
				again := fill()
				if again < first*3/4 {
					t.Fatalf("%d jobs had room, and now %d", first, again)
				}
				for id := next - persist.ID(again); id < next; id += 50 {
					var steps []persist.Step
					for i := id; i < min(id+50, next); i++ {
						steps = append(steps, resolve(i, persist.Completed))
					}
					commit(t, s, steps...)
				}
			}
			check(t, s)
			if n := s.Usage().Bytes; n > limit {
				t.Errorf("%d bytes", n)
			}
			s.Close()
			open(t, path, Options{MaxSize: limit, CheckOnOpen: true})
		})
	}
}

// doubt has the next commits of s fail in the middle, and makes one.
func doubt(t *testing.T, s *Store) {
	t.Helper()
	s.file.Close()
	if _, err := s.Commit(ctx, []persist.Step{insert(500, 10)}); !errors.Is(err, persist.ErrUnknown) || errors.Is(err, persist.ErrFull) {
		t.Fatal(err)
	}
}

func TestAStoreInDoubtAnswersNothingUntilItIsSettled(t *testing.T) {
	path := newPath(t)
	s := open(t, path, Options{})
	sample(t, s)
	want := mustRead(t, s)
	want.Recovery.Clean = false
	doubt(t, s)

	_, commit := s.Commit(ctx, []persist.Step{insert(501, 10)})
	_, job := s.Job(ctx, 1)
	_, past := s.Past(ctx, persist.PastQuery{})
	for _, err := range []error{commit, job, past, s.Check(ctx), s.Backup(ctx, io.Discard), s.compact(ctx)} {
		if !errors.Is(err, persist.ErrUnknown) {
			t.Error(err)
		}
	}

	// As long as what is there cannot be made durable, nothing is said.
	obstacle := filepath.Join(path+newSuffix, "obstacle")
	if err := os.MkdirAll(obstacle, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if committed, err := s.Settle(ctx); err == nil || committed {
			t.Fatal(committed, err)
		}
		if _, err := s.Job(ctx, 1); !errors.Is(err, persist.ErrUnknown) {
			t.Error(err)
		}
	}
	os.Remove(obstacle)
	if committed, err := s.Settle(ctx); err != nil || committed {
		t.Fatal(committed, err)
	}
	if got := mustRead(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if committed, err := s.Settle(ctx); err != nil || committed {
		t.Error(committed, err)
	}
	if f := s.Stats(); f.Doubtful != 1 {
		t.Errorf("%+v", f)
	}
	if _, err := s.Commit(ctx, []persist.Step{insert(500, 10)}); err != nil {
		t.Fatal(err)
	}
	check(t, s)
	s.Close()
	if r := mustRead(t, open(t, path, Options{})).Recovery; !r.Clean || r.Next != 501 {
		t.Errorf("%+v", r)
	}
}

func TestACommitThatIsThereAfterAllIsFound(t *testing.T) {
	path := newPath(t)
	s := open(t, path, Options{})
	mustRead(t, s)
	commit(t, s, insert(1, 10))
	s.doubtful.Store(s.serial) // as when the last sync has failed
	if committed, err := s.Settle(ctx); err != nil || !committed {
		t.Fatal(committed, err)
	}
	if _, err := s.Job(ctx, 1); err != nil {
		t.Fatal(err)
	}
	// The file that it is in now is the one at the path.
	if !isAt(s.file, path) {
		t.Error("it was not replaced")
	}
}

func TestAStoreThatIsClosedInDoubtIsNotClean(t *testing.T) {
	path := newPath(t)
	s := open(t, path, Options{})
	sample(t, s)
	mustRead(t, s)
	doubt(t, s)
	s.Close()
	if _, err := s.Settle(ctx); !errors.Is(err, persist.ErrClosed) {
		t.Error(err)
	}
	if r := mustRead(t, open(t, path, Options{CheckOnOpen: true})).Recovery; r.Clean || r.Next != 64 {
		t.Errorf("%+v", r)
	}
}

// A transaction that bbolt cannot end keeps its lock: the file is abandoned, not waited for.
func TestATransactionThatCannotBeEndedIsAbandoned(t *testing.T) {
	for _, settle := range []bool{true, false} {
		path := newPath(t)
		s := open(t, path, Options{})
		sample(t, s)
		if _, err := s.db.Begin(true); err != nil {
			t.Fatal(err)
		}
		s.wedged.Store(true)
		s.serial++
		s.doubtful.Store(s.serial)
		if settle {
			if committed, err := s.Settle(ctx); err != nil || committed {
				t.Fatal(committed, err)
			}
			check(t, s)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		check(t, open(t, path, Options{}))
	}
}

func TestAnOrderThatMakesNoSenseNamesItsStep(t *testing.T) {
	s := open(t, newPath(t), Options{})
	commit(t, s, insert(7, 1))
	for want, bad := range map[error]persist.Step{
		ErrOutOfOrder:  insert(7, 1),
		ErrInvalidStep: resolve(7, 0),
	} {
		_, err := s.Commit(ctx, []persist.Step{insert(8, 1), bad})
		var step *StepError
		if !errors.As(err, &step) || step.Index != 1 || step.ID != 7 || !errors.Is(err, want) {
			t.Errorf("%v", err)
		}
	}
	commit(t, s, insert(8, 1))
}

func TestADamagedValueNamesItsBucketAndKey(t *testing.T) {
	s := open(t, newPath(t), Options{})
	sample(t, s)
	tx, err := s.db.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	key := (&idKey{}).set(4)
	v := tx.Bucket(bucketNames[states]).Get(key)
	broken := append([]byte{}, v...)
	broken[1] ^= 1
	tx.Bucket(bucketNames[states]).Put(key, broken)
	tx.Commit()
	for _, ask := range []func() error{
		func() error { _, err := s.Job(ctx, 4); return err },
		func() error { _, err := s.Commit(ctx, []persist.Step{insert(100, 1), amend(4, 9)}); return err },
		func() error { _, err := read(s); return err },
		func() error { return s.Check(ctx) },
	} {
		var corrupt *persist.CorruptError
		err := ask()
		if want := "bucket states, key 4: the checksum does not fit"; !errors.As(err, &corrupt) || !strings.Contains(corrupt.Err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := s.Job(ctx, 100); !errors.Is(err, persist.ErrNotFound) {
		t.Error("a part of a commit was made", err)
	}
}
