package persist

import (
	"errors"
	"fmt"
	"strings"
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
	// ErrNotParked means: the job is not set aside.
	ErrNotParked = errors.New("the job is not parked")
	// ErrCompleted means: the job has done what it should.
	ErrCompleted = errors.New("the job has completed")
	// ErrNotRunning means: the queue has not been started, or has ended.
	ErrNotRunning = errors.New("the queue does not run")
	// ErrClosing means: the queue stops, those that ran have ended, and nothing is taken in any more.
	ErrClosing = errors.New("the queue stops")
	// ErrFull means: the store has no room for more, not even if it forgets what is remembered
	// of jobs that have ended.
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
	// ErrUnknownType means: the queue knows no type of that name.
	ErrUnknownType = errors.New("no type of that name is known")
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

// PayloadError means: an input cannot be stored.
type PayloadError struct {
	// Size is how large it is, and Limit how large it may be, if that is what is wrong.
	// It is ErrTooLarge then.
	Size, Limit int
	// Err is what the codec says otherwise.
	Err error
}

func (e *PayloadError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("payload cannot be encoded: %v", e.Err)
	}
	return fmt.Sprintf("payload of %d bytes %v: the limit is %d", e.Size, ErrTooLarge, e.Limit)
}

// Unwrap returns what is wrong.
func (e *PayloadError) Unwrap() error {
	if e.Err != nil {
		return e.Err
	}
	return ErrTooLarge
}

// JobError says what could not be done with a job.
type JobError struct {
	// Act is what was asked for, such as "cancel".
	Act string
	ID  ID
	Err error
}

func (e *JobError) Error() string { return fmt.Sprintf("%s job %d: %v", e.Act, e.ID, e.Err) }

// Unwrap returns why.
func (e *JobError) Unwrap() error { return e.Err }

// KeyError means: another job that has not ended has the key of the one in question.
type KeyError struct{ Holder ID }

func (e *KeyError) Error() string { return fmt.Sprintf("%v: job %d", ErrKeyHeld, e.Holder) }

// Unwrap returns ErrKeyHeld.
func (e *KeyError) Unwrap() error { return ErrKeyHeld }

// LostError means: the queue has stopped without having been able to store all that it owed.
type LostError struct {
	// Count is how many attempts have ended without that being stored. They will be made
	// again.
	Count int
	// Submissions is how many Relaxed submissions were accepted and are lost.
	Submissions int
	// Err is why.
	Err error
}

func (e *LostError) Error() string {
	var what []string
	switch {
	case e.Count == 1:
		what = append(what, "the end of 1 attempt")
	case e.Count > 1:
		what = append(what, fmt.Sprintf("the ends of %d attempts", e.Count))
	}
	switch {
	case e.Submissions == 1:
		what = append(what, "1 relaxed submission")
	case e.Submissions > 1:
		what = append(what, fmt.Sprintf("%d relaxed submissions", e.Submissions))
	}
	return fmt.Sprintf("%s could not be stored: %v", strings.Join(what, " and "), e.Err)
}

// Unwrap returns why.
func (e *LostError) Unwrap() error { return e.Err }
