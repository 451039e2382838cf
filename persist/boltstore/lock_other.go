//go:build !unix || solaris || aix || android

package boltstore

import (
	"context"
	"errors"
	"os"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// unlock does nothing: closing gives back the lock of bbolt.
func unlock(*os.File) error { return nil }

// lock finds out whether somebody else has the file. A lock of ours would be in the way of
// that of bbolt here, so it is that of bbolt, given back at once: who comes in between is
// found when bbolt locks again.
func lock(ctx context.Context, f *os.File, timeout time.Duration) error {
	if info, err := f.Stat(); err != nil || info.Size() == 0 {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, max(time.Until(deadline), 1))
	}
	db, err := bbolt.Open(f.Name(), 0, &bbolt.Options{ReadOnly: true, Timeout: timeout})
	if errors.Is(err, berrors.ErrTimeout) {
		return errLocked
	}
	if err != nil {
		return nil // what is wrong is found by who looks through the file
	}
	return db.Close()
}
