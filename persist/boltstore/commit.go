package boltstore

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
)

// Commit implements persist.Store. A step that cannot be made is a *StepError, and then
// none is. Once it has begun to write, it does not heed ctx any more.
func (s *Store) Commit(ctx context.Context, steps []persist.Step) (stale []int, err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.usable(); err != nil {
		return nil, err
	}
	s.ahead.changing(steps)
	defer s.ahead.changed()
	err = s.update(len(steps), func(b *batch) error {
		b.shares = s.opts.shares(steps)
		for i := range steps {
			if err := b.step(i, &steps[i]); err != nil {
				return err
			}
		}
		stale = b.stale
		return b.fits()
	})
	if err != nil {
		return nil, err
	}
	s.owed = false
	return stale, nil
}

// mark says durably that the file is in use by this store, or that it is not any more.
func (s *Store) mark(open bool) error {
	err := s.update(0, func(b *batch) error {
		b.changed = true
		if open {
			return b.bucket(meta).Put(openKey, markOf(s.token))
		}
		return b.bucket(meta).Delete(openKey)
	})
	if err != nil {
		return err
	}
	if s.used, s.known.mark = open, nil; open {
		s.known.mark = markOf(s.token)
	}
	return nil
}

// update makes one commit of what change does. The caller holds writing, and the store is
// usable.
func (s *Store) update(steps int, change func(*batch) error) error {
	began := time.Now()
	s.serial++
	tx, err := s.begin(true)
	if err != nil {
		if s.wedged.Load() {
			return err // and nothing is written
		}
		return s.failed(err, 0)
	}
	s.high = tx.Size()
	s.db.AllocSize, s.db.MaxSize = s.opts.stride(s.high), s.top
	before, b := tx.ID()-1, &s.batch
	b.reset(s, tx)
	defer b.release()

	// Until here nothing is written.
	if err := s.apply(b, change); err != nil || !b.changed {
		s.takeBack()
		s.rollback(tx)
		s.refused(err)
		return err
	}
	s.ends.begin(tx.ID())
	if err := s.commit(tx); err != nil {
		s.takeBack() // if it has come to pass after all, the file is opened anew
		s.rollback(tx)
		return s.failed(err, before)
	}
	s.tally = b.tally
	s.known.serial = s.tally.serial
	s.untouched.keep()
	s.ends.end()
	s.committed(b, steps, time.Since(began))
	return nil
}

// takeBack undoes what is known of a commit that has not come to pass.
func (s *Store) takeBack() {
	s.untouched.takeBack()
	s.ends.takeBack()
}

// apply does what is to be committed, and the tally.
func (s *Store) apply(b *batch, change func(*batch) error) (err error) {
	defer caught(s.path, &err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	if err := change(b); err != nil || !b.changed {
		return err
	}
	return b.finish()
}

var errPanic = errors.New("bbolt panicked")

func (s *Store) commit(tx *bbolt.Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return tx.Commit()
}

// rollback ends a transaction, unless it has ended. If that fails, bbolt still holds its
// lock, and is abandoned when the store is settled or closed.
func (s *Store) rollback(tx *bbolt.Tx) {
	defer func() {
		if recover() != nil {
			s.wedged.Store(true)
		}
	}()
	_ = tx.Rollback() // that it has ended is no error
}

// failed says what an error of a commit means, when before is the number of the last
// transaction that was committed.
func (s *Store) failed(err error, before int) error {
	moved := true
	if seen := s.see(func(tx *bbolt.Tx) error { moved = tx.ID() != before; return nil }); seen != nil {
		moved = true
	}
	if !moved && !isFull(err) {
		err = errors.Join(err, s.probe())
	}
	full, unknown := classify(err, moved)
	s.counting.Lock()
	defer s.counting.Unlock()
	switch {
	case unknown:
		s.figures.Doubtful++
		s.doubtful.Store(s.serial)
		return fmt.Errorf("store %s: %w: %w", s.path, persist.ErrUnknown, err)
	case full:
		s.figures.Refused++
		return fmt.Errorf("store %s: %w: %w", s.path, persist.ErrFull, err)
	}
	return err
}

// probe finds out whether the file can grow: when it cannot, bbolt keeps the text of the
// error only. What it has grown is taken back.
func (s *Store) probe() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if err := s.file.Truncate(info.Size() + int64(s.opts.stride(s.high))); err != nil {
		return err
	}
	return s.file.Truncate(info.Size())
}

func (s *Store) refused(err error) {
	if errors.Is(err, persist.ErrFull) {
		s.counting.Lock()
		s.figures.Refused++
		s.counting.Unlock()
	}
}

func (s *Store) committed(b *batch, steps int, took time.Duration) {
	written := b.tx.Stats()
	s.counting.Lock()
	defer s.counting.Unlock()
	f := &s.figures
	f.Commits++
	f.Steps += uint64(steps - len(b.stale))
	f.Took, f.Longest, f.Last = f.Took+took, max(f.Longest, took), took
	f.Written += written.GetPageAlloc() + int64(f.PageSize)
	f.count(&s.tally)
}

// The steps in which a file grows: to twice its size, within bounds, for each costs a sync.
const (
	minStride, maxStride = 1 << 20, 16 << 20
	// limitedStride is how much less of a limit can be used than there is.
	limitedStride = 64 << 10
)

// stride is how much a file grows at a time that is used up to high.
func (o *Options) stride(high int64) int {
	n := min(max(high, minStride), maxStride)
	if o.MaxSize > 0 {
		n = min(n, max(o.MaxSize/64, limitedStride))
	}
	return int(n)
}
