package boltstore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/taskvisor/taskvisor/persist"
)

// Open opens the file at path, and makes it if there is none. The errors are
// *persist.LockedError, *persist.FormatError, *persist.CorruptError, persist.ErrReadOnly,
// persist.ErrFull, a *policy.FieldError in opts, and those of the file system.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	return migrations.open(ctx, path, opts)
}

func (l ladder) open(ctx context.Context, path string, opts Options) (*Store, error) {
	if err := opts.check(path); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	opts, path = opts.resolved(), resolvedPath(path)
	if !opts.NoDirCreate {
		if err := os.MkdirAll(filepath.Dir(path), opts.folderMode()); err != nil {
			return nil, notOpened(path, err)
		}
	}
	s := &Store{path: path, opts: opts, ladder: l, token: rand.Uint64() | 1}
	if err := s.attach(ctx); err != nil {
		return nil, err
	}
	err := s.prepare(ctx)
	if err == nil {
		err = s.acquaint()
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// resolvedPath names the file itself, wherever the process goes: a link to it must not be
// replaced by a smaller copy.
func resolvedPath(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return path
}

// attach opens the file, and reads what is always in memory. After an error it is closed.
func (s *Store) attach(ctx context.Context) error {
	db, f, err := openFile(ctx, s.path, s.opts, s.known.file)
	if err != nil {
		return err
	}
	s.db, s.file = db, f
	if s.known.file == nil {
		s.path = resolvedPath(s.path) // which a link may be only since there is a file
	}
	if err := s.load(); err != nil {
		return errors.Join(notOpened(s.path, err), s.detach())
	}
	writeOwner(s.path, s.opts.FileMode)
	return nil
}

// bound sets how large the file may become. One that is larger already stays as it is, but for a
// little that it takes to forget something. The caller holds writing.
func (s *Store) bound(size int64, tx *bbolt.Tx) {
	s.db.AllocSize = s.opts.stride(tx.Size())
	s.top = s.db.MaxSize
	if s.limit = s.opts.MaxSize; s.limit > 0 && s.limit < size {
		s.limit = size
		s.top = int(min(size+int64(s.db.AllocSize)+reserveOf(size), math.MaxInt))
	}
}

// detach closes the file, and forgets it.
func (s *Store) detach() error {
	db, f := s.db, s.file
	s.db, s.file = nil, nil
	switch {
	case db == nil:
		return nil
	case s.wedged.Swap(false):
		// bbolt may hold its locks, and closing would wait for them for ever.
		return errors.Join(unlock(f), f.Close())
	}
	return db.Close()
}

// load reads the tally of a file that is as new as this program, or is made so.
func (s *Store) load() (err error) {
	defer s.abandoned(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if err := s.see(func(tx *bbolt.Tx) error { s.bound(info.Size(), tx); return nil }); err != nil {
		return err
	}
	if err := s.ladder.climb(s.db, s.path); err != nil {
		return err
	}
	return s.see(func(tx *bbolt.Tx) error {
		for _, name := range bucketNames {
			if tx.Bucket(name) == nil {
				return s.corrupt(fmt.Errorf("there is no bucket %q", name))
			}
		}
		b, err := unseal(meta, tallyKey, tx.Bucket(bucketNames[meta]).Get(tallyKey))
		var found tally
		if err == nil {
			found, err = readTally(b)
		}
		if err != nil {
			return s.damaged(meta, tallyKey, err)
		}
		if err := s.recognize(tx, found.serial); err != nil {
			return err
		}
		s.tally = found
		s.serial = max(s.serial, s.tally.serial)
		s.untouched = untouched{}
		k, _ := tx.Bucket(bucketNames[states]).Cursor().Last()
		s.highest, _ = readID(k) // if it is none, Recover says so
		s.ends.load(tx, s.tally.seq)
		s.measure(tx)
		return nil
	})
}

// prepare does what the options want done before the store is used.
func (s *Store) prepare(ctx context.Context) error {
	if s.opts.CompactOnOpen && s.roomy() {
		if err := s.compact(ctx); err != nil {
			return err
		}
	}
	if s.opts.CheckOnOpen {
		return s.Check(ctx)
	}
	return nil
}

// openFile opens a file of bbolt that is whole, and locks it. If it has to be the same as one
// before, it is not made.
func openFile(ctx context.Context, path string, o Options, same os.FileInfo) (*bbolt.DB, *os.File, error) {
	began := time.Now()
	for {
		info, err := os.Stat(path)
		if err == nil && !info.Mode().IsRegular() { // to open it might do something
			return nil, nil, notOpened(path, ErrNotRegular)
		}
		fresh := errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0
		db, f, err := openBolt(ctx, path, o, same)
		switch {
		case errors.Is(err, errLocked), errors.Is(err, berrors.ErrTimeout):
			locked := &persist.LockedError{Path: path, Owner: owner(path), Waited: time.Since(began).Round(time.Millisecond)}
			if ctx.Err() != nil {
				return nil, nil, fmt.Errorf("%w: %w", locked, context.Cause(ctx))
			}
			return nil, nil, locked
		case err != nil:
			return nil, nil, notOpened(path, err)
		}
		if isAt(f, path) {
			if fresh {
				err = syncFolder(resolvedPath(path))
			}
			if err == nil {
				return db, f, nil
			}
			return nil, nil, notOpened(path, errors.Join(err, db.Close()))
		}
		// While it was waited for, the file was replaced by a smaller one. Go on with that.
		if err := db.Close(); err != nil {
			return nil, nil, notOpened(path, err)
		}
		if ctx.Err() != nil {
			return nil, nil, notOpened(path, context.Cause(ctx))
		}
	}
}

// openBolt has bbolt open the file, after it has been locked and looked through.
func openBolt(ctx context.Context, path string, o Options, same os.FileInfo) (db *bbolt.DB, f *os.File, err error) {
	var fresh os.FileInfo // of a file that was empty when it was locked
	defer func() {
		if err != nil && f != nil {
			// If bbolt has panicked, it has not, and its mapping keeps the lock.
			_ = unlock(f)
			_ = f.Close()
		}
		if err != nil && fresh != nil {
			emptyAgain(path, fresh, o.LockTimeout)
		}
	}()
	defer caught(path, &err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	db, err = bbolt.Open(path, o.FileMode, &bbolt.Options{
		Timeout:         o.LockTimeout,
		NoSync:          o.NoSync,
		NoFreelistSync:  true, // else a drained backlog makes each commit write megabytes
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: initialMap(),
		MaxSize:         int(min(o.MaxSize, math.MaxInt)),
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			var err error
			if same != nil {
				flag &^= os.O_CREATE
			}
			if f, err = os.OpenFile(name, flag, mode); err != nil {
				return nil, err
			}
			if err = isSameAs(f, same); err == nil {
				err = lock(ctx, f, o.LockTimeout)
			}
			empty := false
			if err == nil {
				empty, err = inspectFile(f, path)
			}
			switch {
			case err == nil && empty && same != nil:
				err = &persist.CorruptError{Path: path, Err: errEmpty}
			case err == nil && empty:
				fresh, err = f.Stat()
			}
			if err != nil {
				return nil, errors.Join(err, f.Close())
			}
			return f, nil
		},
	})
	return db, f, err
}

// isSameAs returns ErrReplaced if f is not the file that it has to be. Nil is any.
func isSameAs(f *os.File, same os.FileInfo) error {
	if same == nil {
		return nil
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(info, same) {
		err = ErrReplaced
	}
	return err
}

var errEmpty = errors.New("it is empty")

// inspectFile looks through a file, unless it is empty.
func inspectFile(f *os.File, path string) (empty bool, err error) {
	info, err := f.Stat()
	switch {
	case err != nil:
		return false, err
	case !info.Mode().IsRegular():
		return false, ErrNotRegular
	case info.Size() == 0:
		return true, nil
	}
	if err := inspect(f, info.Size()); err != nil {
		return false, &persist.CorruptError{Path: path, Err: err}
	}
	return false, nil
}

// emptyAgain makes a file empty that was, and could not be made a store: a part of one, for which
// there was room, would be damaged for ever. bbolt has given its lock back, so it is taken again, and
// the file looked at.
func emptyAgain(path string, was os.FileInfo, timeout time.Duration) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	if isSameAs(f, was) != nil || lock(context.Background(), f, timeout) != nil {
		return
	}
	var damaged *persist.CorruptError
	if _, err := inspectFile(f, path); errors.As(err, &damaged) {
		_ = f.Truncate(0)
	}
	_ = unlock(f)
}

// initialMap is how much of the address space is used from the beginning. Growing beyond
// it has to wait for all who read, so it is large where there is enough. On Windows the
// file would become as large.
func initialMap() int {
	if strconv.IntSize < 64 || runtime.GOOS == "windows" {
		return 0
	}
	return 256 << 20
}

// isAt reports whether f is the file at path.
func isAt(f *os.File, path string) bool {
	have, err := f.Stat()
	if err != nil {
		return false
	}
	want, err := os.Stat(path)
	return err == nil && os.SameFile(have, want)
}

// syncFolder makes durable that there is a file of that name.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil // a folder cannot be synced there
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
