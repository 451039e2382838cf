package boltstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"

	"github.com/taskvisor/taskvisor/persist"
)

// tmpSuffix is the end of the name of a backup that is not complete.
const tmpSuffix = ".tmp"

// BackupFile copies the store, as it was at one moment, into a file at path, while it is
// in use. What is there is replaced when the copy is complete and on the disk. The copy
// counts as closed.
func (s *Store) BackupFile(ctx context.Context, path string) error {
	if isSame(path, s.path) {
		return fmt.Errorf("backup: %s is the store itself", path)
	}
	tmp, err := s.snapshot(ctx, filepath.Dir(path), filepath.Base(path))
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return errors.Join(err, dropFile(tmp))
	}
	return syncFolder(path)
}

// Backup writes a copy of the store as it was at one moment to w, while it is in use. The
// copy is made in the folder of the store first: while a file is read, what is freed in
// it cannot be used again, and w may be slow.
func (s *Store) Backup(ctx context.Context, w io.Writer) (err error) {
	tmp, err := s.snapshot(ctx, filepath.Dir(s.path), filepath.Base(s.path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dropFile(tmp)) }()
	f, err := os.Open(tmp)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, heeding{ctx, f})
	return errors.Join(err, f.Close())
}

func isSame(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// snapshot copies the store into a file in folder, and syncs it.
func (s *Store) snapshot(ctx context.Context, folder, name string) (path string, err error) {
	f, err := os.CreateTemp(folder, name+".*"+tmpSuffix)
	if err != nil {
		return "", err
	}
	w := &heedingWriter{ctx: ctx, w: f}
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(w)
		return err
	})
	switch {
	case w.err != nil: // of which bbolt keeps the text only, in part
		err = w.err
	case errors.Is(err, io.EOF):
		err = s.corrupt(io.ErrUnexpectedEOF)
	}
	if err == nil {
		_, err = inspectFile(f, s.path) // what is damaged in the copy is so in the store
	}
	err = errors.Join(err, f.Chmod(s.opts.FileMode), f.Close())
	if err == nil {
		err = unmark(f.Name(), s.opts.LockTimeout)
	}
	if isFull(err) {
		err = fmt.Errorf("backup: %w: %w", persist.ErrFull, err)
	}
	if err != nil {
		return "", errors.Join(err, dropFile(f.Name()))
	}
	return f.Name(), nil
}

// unmark has a copy say that it was closed, and syncs all of it.
func unmark(path string, timeout time.Duration) (err error) {
	defer caught(path, &err)
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	db, err := bbolt.Open(path, 0, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, Timeout: timeout})
	if err != nil {
		return err
	}
	db.AllocSize = 1 // no larger than it has to be
	err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketNames[meta]).Delete(openKey) })
	return errors.Join(err, db.Sync(), db.Close())
}

// heeding and heedingWriter end a copy when its context ends.
type heeding struct {
	ctx context.Context
	r   io.Reader
}

func (h heeding) Read(p []byte) (int, error) {
	if h.ctx.Err() != nil {
		return 0, context.Cause(h.ctx)
	}
	return h.r.Read(p)
}

type heedingWriter struct {
	ctx context.Context
	w   io.Writer
	err error // the first
}

func (h *heedingWriter) Write(p []byte) (n int, err error) {
	if h.ctx.Err() != nil {
		err = context.Cause(h.ctx)
	} else {
		n, err = h.w.Write(p)
	}
	h.err = cmp.Or(h.err, err)
	return n, err
}
