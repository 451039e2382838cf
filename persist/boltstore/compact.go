package boltstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// newSuffix is the end of the name of a file that will take the place of a store.
const newSuffix = ".new"

// Compact makes the file at path as small as what it holds. Nobody may have it open. The
// file that is there is replaced when its copy is on the disk, and so needs room for both.
func Compact(ctx context.Context, path string, opts Options) error {
	if _, err := os.Stat(path); err != nil {
		return notOpened(path, err)
	}
	opts.CompactOnOpen = false // once is enough
	s, err := Open(ctx, path, opts)
	if err != nil {
		return err
	}
	return errors.Join(s.compact(ctx), s.Close())
}

// roomy reports whether so much of the file is free that a smaller one is worth it.
func (s *Store) roomy() bool {
	u := s.Usage()
	return u.Free > CompactFree && float64(u.Free) > CompactShare*float64(u.Bytes)
}

func (s *Store) compact(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	return s.rewrite(ctx)
}

// rewrite copies the file into a fresh one, puts that in its place and opens it. After an
// error, the store has to be settled, which does it again. The caller holds both locks.
func (s *Store) rewrite(ctx context.Context) error {
	fresh := s.path + newSuffix
	mode := s.opts.FileMode
	if info, err := s.file.Stat(); err == nil {
		mode = info.Mode().Perm()
	}
	info, err := s.copyTo(ctx, fresh, mode)
	if err != nil {
		return errors.Join(notOpened(s.path, err), dropFile(fresh))
	}

	// Who waits for the lock gets it when the old file has been replaced, and sees that.
	// Windows does not replace a file that is open, for whoever it is.
	if runtime.GOOS == "windows" {
		err = s.detach()
	}
	if err = errors.Join(err, os.Rename(fresh, s.path)); err == nil {
		if s.known.file != nil {
			s.known.file = info
		}
		err = syncFolder(s.path)
	}
	err = errors.Join(err, s.detach())
	if err != nil {
		return notOpened(s.path, err)
	}
	return s.attach(ctx)
}

// dropFile removes a file that is of no use.
func dropFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// copySlice is how many bytes are copied in one transaction.
const copySlice = 16 << 20

// copyTo makes a file of what is in this one, and no larger. When there is no error, that is
// on the disk.
func (s *Store) copyTo(ctx context.Context, path string, mode fs.FileMode) (fs.FileInfo, error) {
	if err := dropFile(path); err != nil {
		return nil, err
	}
	size, err := s.copyInto(ctx, path, mode)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, mode)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	return info, errors.Join(err, f.Truncate(size), f.Sync(), f.Close())
}

// copyInto puts what is in this file into another, and says where its pages end.
func (s *Store) copyInto(ctx context.Context, path string, mode fs.FileMode) (size int64, err error) {
	defer caught(s.path, &err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	to, err := bbolt.Open(path, mode, &bbolt.Options{
		NoSync: true, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
		Timeout: s.opts.LockTimeout, InitialMmapSize: initialMap(),
	})
	if err != nil {
		return 0, err
	}
	w := &copier{ctx: ctx, to: to}
	err = s.see(func(tx *bbolt.Tx) error { return tx.ForEach(w.bucket) })
	err = errors.Join(err, w.end())
	if err == nil {
		err = to.View(func(tx *bbolt.Tx) error { size = tx.Size(); return nil })
	}
	return size, errors.Join(err, to.Close())
}

// copier copies buckets, in transactions that fit into memory.
type copier struct {
	ctx  context.Context
	to   *bbolt.DB
	tx   *bbolt.Tx
	size int
}

func (w *copier) bucket(name []byte, from *bbolt.Bucket) error {
	if err := w.begin(); err != nil {
		return err
	}
	to, err := w.tx.CreateBucket(name)
	if err != nil {
		return err
	}
	if err := to.SetSequence(from.Sequence()); err != nil {
		return err
	}
	to.FillPercent = fill
	return from.ForEach(func(k, v []byte) error {
		if v == nil {
			return fmt.Errorf("there is a bucket in bucket %q", name)
		}
		if w.size += len(k) + len(v); w.size > copySlice {
			if err := errors.Join(w.end(), w.begin()); err != nil {
				return err
			}
			to = w.tx.Bucket(name)
			to.FillPercent = fill
		}
		return to.Put(k, v)
	})
}

func (w *copier) begin() (err error) {
	if w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	if w.tx != nil {
		return nil
	}
	if w.tx, err = w.to.Begin(true); err == nil {
		w.size, w.to.AllocSize = 0, (&Options{}).stride(w.tx.Size())
	}
	return err
}

func (w *copier) end() error {
	tx := w.tx
	if w.tx = nil; tx == nil {
		return nil
	}
	return tx.Commit()
}
