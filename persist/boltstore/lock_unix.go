//go:build unix && !solaris && !aix && !android

package boltstore

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// lockPause is how long a try to lock is away from the next.
const lockPause = 10 * time.Millisecond

// unlock gives the lock back of a file that bbolt has not closed. Closing is not enough: as
// long as the file is mapped, it counts as open.
func unlock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }

// lock takes the lock that bbolt will take, which then finds it taken by itself. So the
// file can be looked through before bbolt reads it, and who waits can be told to stop.
func lock(ctx context.Context, f *os.File, timeout time.Duration) error {
	var timer *time.Timer
	for began := time.Now(); ; {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR):
			continue
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return &os.PathError{Op: "lock", Path: f.Name(), Err: err}
		case time.Since(began) >= timeout:
			return errLocked
		}
		if timer == nil {
			timer = time.NewTimer(lockPause)
			defer timer.Stop()
		} else {
			timer.Reset(lockPause)
		}
		select {
		case <-ctx.Done():
			return errLocked
		case <-timer.C:
		}
	}
}
