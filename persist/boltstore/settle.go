package boltstore

import (
	"bytes"
	"context"

	"go.etcd.io/bbolt"
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
//
// For a moment nobody has the file, and somebody else may take it. As long as he has it, that is a
// *persist.LockedError; if he has used it, ErrTaken, for good. If it was replaced, that is
// ErrReplaced, until it is there again.
func (s *Store) Settle(ctx context.Context) (committed bool, err error) {
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch err := s.usable(); {
	case s.closed, s.taken:
		return false, err
	case err == nil:
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
	if err := s.see(func(tx *bbolt.Tx) error { s.known.mark = markIn(tx); return nil }); err != nil {
		return false, err
	}
	doubtful := s.doubtful.Swap(0)
	committed = doubtful != 0 && s.tally.serial == doubtful
	if committed && s.used { // else it was the mark itself
		s.owed = false
	}
	s.known.serial = s.tally.serial
	s.used = bytes.Equal(s.known.mark, markOf(s.token))
	return committed, nil
}
