package boltstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
)

// Store is a file that is open. It implements persist.Store.
type Store struct {
	path   string
	opts   Options
	ladder ladder

	// writing is held by who changes the file, and by who must not see it change.
	writing sync.Mutex
	// tally is what the file holds, and serial the highest that was given to a commit.
	// used says that the file is marked as in use by this store. owed says that the one before
	// has crashed, and that nothing was committed since. high is where its used pages end, and
	// limit how large it may become, or zero, and top how large bbolt may make it, but for inserts. Guarded by
	// writing.
	tally  tally
	serial uint64
	used   bool
	owed   bool
	high   int64
	limit  int64
	top    int
	batch  batch
	// token is that of the mark, and known by what the file is known again. Guarded by writing.
	token uint64
	known identity
	// untouched and ends are what is known of the file. Guarded by writing, but for Recover, which
	// comes before all commits, and for ends, which others read too.
	untouched untouched
	ends      ends
	highest   persist.ID // that has a state, or had

	// mu is held for reading while db is used, and is taken after writing. Who holds
	// writing may use db without it.
	mu     sync.RWMutex
	db     *bbolt.DB
	file   *os.File
	closed bool
	taken  bool // somebody else has used the file meanwhile

	// wedged says that bbolt has panicked, and may hold its locks for ever: db is not touched any
	// more. beginning is held while a transaction begins, so that nobody waits for those locks.
	wedged    atomic.Bool
	beginning sync.Mutex

	// doubtful is the serial of the commit of which nobody knows, or zero.
	doubtful atomic.Uint64

	ahead ahead

	// counting guards figures, and is held for a moment only.
	counting sync.Mutex
	figures  Stats
}

// usable returns why the store cannot be used, or nil. The caller holds mu or writing.
func (s *Store) usable() error {
	switch {
	case s.closed:
		return persist.ErrClosed
	case s.taken:
		return fmt.Errorf("store %s: %w", s.path, ErrTaken)
	case s.doubtful.Load() != 0 || s.db == nil:
		return fmt.Errorf("store %s: %w: settle it first", s.path, persist.ErrUnknown)
	case s.wedged.Load():
		return s.corrupt(errWedged)
	}
	return nil
}

// view calls read with the file as it was committed last. What read finds is copied: it
// lasts for as long as read, which has to be short, for no page that is freed meanwhile
// can be used again.
func (s *Store) view(ctx context.Context, read func(tx *bbolt.Tx) error) (err error) {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.usable(); err != nil {
		return err
	}
	return s.see(read)
}

// see is view for who holds writing.
func (s *Store) see(read func(tx *bbolt.Tx) error) (err error) {
	defer caught(s.path, &err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	tx, err := s.begin(false)
	if err != nil {
		return err
	}
	defer func() {
		if !s.wedged.Load() { // else ending it might wait for ever
			_ = tx.Rollback()
		}
	}()
	return read(tx)
}

// begin begins a transaction. Of a file that was emptied, bbolt panics in that, and keeps its locks. To
// look at the size of the file before would make the next sync slower by a fifth.
func (s *Store) begin(write bool) (tx *bbolt.Tx, err error) {
	s.beginning.Lock()
	defer s.beginning.Unlock()
	if s.wedged.Load() {
		return nil, s.corrupt(errWedged)
	}
	defer s.abandoned(&err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return s.db.Begin(write)
}

// abandoned is caught for panics that may leave bbolt with its locks.
func (s *Store) abandoned(err *error) {
	if p := recover(); p != nil {
		s.wedged.Store(true)
		*err = unreadable(s.path, p)
	}
}

func (s *Store) corrupt(err error) error { return &persist.CorruptError{Path: s.path, Err: err} }

// damaged says that a value cannot be right.
func (s *Store) damaged(in bucket, key []byte, err error) error {
	return s.corrupt(fmt.Errorf("bucket %s, key %s: %w", in, keyText(key), err))
}

// Close ends the use of the file. It waits for who reads, and a second one does nothing.
// The store counts as closed whatever the error is.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}

	// Say that nothing was left undone, unless it is still to be noted that the one before has
	// crashed.
	var err error
	if s.used && !s.owed && s.usable() == nil {
		err = s.mark(false)
	}
	if s.opts.NoSync && s.usable() == nil {
		err = errors.Join(err, s.db.Sync())
	}

	s.ahead.forget()
	// The next owner comes with the end of the lock, and its file must stay.
	if s.db != nil {
		removeOwner(s.path)
	}
	s.closed = true
	return errors.Join(err, s.detach())
}

func (s *Store) isClosed() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.closed
}

// Stats are the figures of a store.
type Stats struct {
	// Bytes is how large the file is. Free is how many of its pages can be used again,
	// and Pending how many can when nobody reads any more that still sees them.
	Bytes         int64
	PageSize      int
	Free, Pending int
	// Waiting is how many jobs have not ended, and Past how many have and are known.
	Waiting, Past uint64
	// Commits is how many commits there were since Open, Refused how many of them were
	// persist.ErrFull, and Doubtful how many persist.ErrUnknown. Steps is how many steps
	// there were in those that came to pass.
	Commits, Refused, Doubtful, Steps uint64
	// Took is how long those that came to pass took in all. Longest and Last are of one.
	Took, Longest, Last time.Duration
	// Written is how many bytes they wrote.
	Written int64
	// Readers is how many look into the file at present.
	Readers int
}

// Stats returns the figures. After Close, those of the file are zero.
func (s *Store) Stats() Stats {
	f, _ := s.stats()
	return f
}

// stats returns also where the pages end that were ever used.
func (s *Store) stats() (f Stats, high int64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	s.counting.Lock()
	f = s.figures
	s.counting.Unlock()
	if s.db == nil {
		return f, 0
	}
	b := s.db.Stats()
	f.Free, f.Pending, f.Readers = b.FreePageN, b.PendingPageN, b.OpenTxN
	if info, err := s.file.Stat(); err == nil {
		f.Bytes = info.Size()
	}
	_ = s.see(func(tx *bbolt.Tx) error { high = tx.Size(); return nil })
	return f, high
}

// Usage says how large the file is. Free includes what was never used.
//
// Under Options.MaxSize the store is full for inserts before Bytes is Limit and Free is
// zero: there is a reserve of a sixteenth of the limit (512 KiB to 4 MiB), and of
// 192 bytes for each job that has not ended.
func (s *Store) Usage() persist.Usage {
	f, high := s.stats()
	free := int64(f.Free+f.Pending)*int64(f.PageSize) + max(f.Bytes-high, 0)
	return persist.Usage{Bytes: f.Bytes, Free: free, Limit: s.opts.MaxSize}
}

// measure takes down how far the file is used. The caller holds writing.
func (s *Store) measure(tx *bbolt.Tx) {
	s.counting.Lock()
	defer s.counting.Unlock()
	f := &s.figures
	s.high, f.PageSize = tx.Size(), s.db.Info().PageSize
	f.count(&s.tally)
}

func (f *Stats) count(t *tally) {
	f.Waiting, f.Past = t.pending, 0
	for _, n := range t.past {
		f.Past += n
	}
}
