package persist

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNotFound means: there never was a job of that ID.
	ErrNotFound = errors.New("no such job")
	// ErrPruned means: the job has ended so long ago that it has been forgotten.
	ErrPruned = errors.New("the job has ended and is forgotten")
	// ErrEnded means: the job has ended.
	ErrEnded = errors.New("the job has ended")
	// ErrNotEnded means: the job has not ended.
	ErrNotEnded = errors.New("the job has not ended")
	// ErrNotRunning means: the queue has not been started, or has ended.
	ErrNotRunning = errors.New("the queue does not run")
	// ErrClosing means: the queue stops, and takes nothing in any more.
	ErrClosing = errors.New("the queue stops")
	// ErrFull means: the store has no room for more.
	ErrFull = errors.New("the store is full")
	// ErrUnknown means: it is not known whether what was asked for is durable.
	ErrUnknown = errors.New("it is not known whether that was stored")
	// ErrReadOnly means: the store cannot be written.
	ErrReadOnly = errors.New("the store is read-only")
	// ErrClosed means: the store was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrTooLarge means: a payload, or what was made of it, is larger than allowed.
	ErrTooLarge = errors.New("is too large")
	// ErrKeyHeld means: another job that has not ended has the key.
	ErrKeyHeld = errors.New("another job has the key")
	// ErrUnknownType means: there is no handler for that type.
	ErrUnknownType = errors.New("there is no handler for the type")
)

// LockedError means: somebody else has the store open.
type LockedError struct {
	// Path is where the store is.
	Path string
	// Owner is who has it open, as far as is known, such as "pid 4711 (server)".
	Owner string
	// Waited is for how long it was tried.
	Waited time.Duration
}

func (e *LockedError) Error() string {
	owner := e.Owner
	if owner == "" {
		owner = "another process, or this one"
	}
	return fmt.Sprintf("store %s is in use by %s (waited %v)", e.Path, owner, e.Waited)
}

// FormatError means: the store has a format that this version does not read.
type FormatError struct {
	Path string
	// Format is that of the store, Newest the newest that can be read.
	Format, Newest uint64
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("store %s has format %d, and this version reads formats up to %d: use a newer version", e.Path, e.Format, e.Newest)
}

// CorruptError means: the store is damaged. It is left as it is.
type CorruptError struct {
	Path string
	// Err says what is wrong.
	Err error
}

func (e *CorruptError) Error() string { return fmt.Sprintf("store %s is damaged: %v", e.Path, e.Err) }

// Unwrap returns what is wrong.
func (e *CorruptError) Unwrap() error { return e.Err }
