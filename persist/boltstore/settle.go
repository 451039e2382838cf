package boltstore

import (
	"context"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
)

// Settle implements persist.Store. While it is under way, those who read wait.
//
// A sync that has failed leaves three versions of a page: what was written, what the
// system has in memory and will show to who reads, and what is on the disk. They need not
// be equal, the next sync says nothing of it, and after a crash the last one counts. So
// what reads back decides whether there was a commit, but it is not answered before it
// is durable: all of it is copied into a fresh file, which is synced and put in the place
// of the old one. The old one is one whole state in any case, since no page is described
// before it has been synced, and no sync that failed was followed by another commit. As
// long as the copy cannot be made, nobody is told anything.
func (s *Store) Settle(ctx context.Context) (committed bool, err error) {
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false, persist.ErrClosed
	}
	if s.usable() == nil {
		return false, nil // there is nothing to find out
	}

	s.ahead.forget()
	// Open the file again: what bbolt has in memory is in doubt too. An error of closing
	// says nothing that is not known.
	_ = s.detach()
	if err := s.attach(ctx); err != nil {
		return false, err
	}
	if err := s.rewrite(ctx); err != nil {
		return false, err
	}
	doubtful := s.doubtful.Swap(0)
	s.used = s.marked()
	return doubtful != 0 && s.tally.serial == doubtful, nil
}

// marked reports whether the file says that it is in use.
func (s *Store) marked() (open bool) {
	_ = s.see(func(tx *bbolt.Tx) error {
		open = tx.Bucket(bucketNames[meta]).Get(openKey) != nil
		return nil
	})
	return open
}
