package boltstore

import (
	"errors"
	"fmt"

	berrors "go.etcd.io/bbolt/errors"

	"github.com/taskvisor/taskvisor/persist"
)

var (
	// ErrOutOfOrder means: the ID of a job to insert is not higher than all before.
	ErrOutOfOrder = errors.New("the ID is not higher than all before")
	// ErrInvalidStep means: a step says what no step can say.
	ErrInvalidStep = errors.New("the step makes no sense")
	// ErrNotRegular means: what is at the path is no file, but a device, say.
	ErrNotRegular = errors.New("is not a regular file")
	// ErrReplaced means: when the store was to be settled, there was another file at its path.
	ErrReplaced = errors.New("the file is another one than before")
	// ErrTaken means: while the store was settled, somebody else has used the file. It is a
	// persist.ErrClosed: it stays so until the store is closed and opened.
	ErrTaken = fmt.Errorf("%w: somebody else has used the file meanwhile", persist.ErrClosed)
)

// StepError means: a step cannot be made, so none of its commit was.
type StepError struct {
	// Index is the place of the step, from 0, and ID that of its job.
	Index int
	ID    persist.ID
	// Err says what is wrong, such as ErrOutOfOrder.
	Err error
}

func (e *StepError) Error() string { return fmt.Sprintf("step %d, job %d: %v", e.Index, e.ID, e.Err) }

// Unwrap returns what is wrong.
func (e *StepError) Unwrap() error { return e.Err }

// errLocked means: somebody else has the file.
var errLocked = errors.New("is locked")

// classify says what an error of a commit of bbolt means, when moved says whether the file
// shows the commit nevertheless.
//
// A commit writes its pages where nothing is, syncs, then writes the description of the
// file that makes them count, and syncs again. When there is no room for something, and the
// old description is still the newest, nothing has happened. Of everything else nobody
// knows: after a sync that has failed, what is read back need not be what is on the disk.
func classify(err error, moved bool) (full, unknown bool) {
	if err == nil {
		return false, false
	}
	full = isFull(err) && !moved
	return full, !full
}

func isFull(err error) bool { return errors.Is(err, berrors.ErrMaxSizeReached) || isAny(err, noRoom) }

func isAny(err error, targets []error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

// notOpened says what it means that a file cannot be opened.
func notOpened(path string, err error) error {
	var damaged *persist.CorruptError
	var newer *persist.FormatError
	switch {
	case errors.As(err, &damaged), errors.As(err, &newer):
		return err
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum):
		return &persist.CorruptError{Path: path, Err: err}
	case isAny(err, noWrite):
		return fmt.Errorf("store %s: %w: %w", path, persist.ErrReadOnly, err)
	case isFull(err):
		return fmt.Errorf("store %s: %w: %w", path, persist.ErrFull, err)
	}
	return fmt.Errorf("store %s: %w", path, err)
}

// caught turns a panic of bbolt, or a fault in the pages of its file, into an error.
func caught(path string, err *error) {
	if p := recover(); p != nil {
		*err = unreadable(path, p)
	}
}

func unreadable(path string, p any) error {
	return &persist.CorruptError{Path: path, Err: fmt.Errorf("reading it failed: %v", p)}
}

// errWedged says why a file is not touched any more.
var errWedged = errors.New("reading it has failed before")
