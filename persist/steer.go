package persist

import (
	"errors"
	"fmt"
	"time"
)

// Snooze returns an error by which a handler has its job run again after a while, as if it
// had not run yet: no attempt is used up.
func Snooze(d time.Duration) error { return &SnoozeError{After: max(d, 0)} }

// SnoozeError is what Snooze returns.
type SnoozeError struct{ After time.Duration }

func (e *SnoozeError) Error() string { return fmt.Sprintf("snoozed for %v", e.After) }

// Cancel returns an error by which a handler ends its job as Cancelled. Err says why, and may
// be nil.
func Cancel(err error) error { return &CancelError{Err: err} }

// CancelError is what Cancel returns.
type CancelError struct{ Err error }

func (e *CancelError) Error() string {
	if e.Err == nil {
		return "cancelled by its handler"
	}
	return fmt.Sprintf("cancelled by its handler: %v", e.Err)
}

// Unwrap returns why.
func (e *CancelError) Unwrap() error { return e.Err }

// asSnooze and asCancel look into the chain of err.
func asSnooze(err error) (d time.Duration, ok bool) {
	var s *SnoozeError
	if errors.As(err, &s) {
		return s.After, true
	}
	return 0, false
}

func asCancel(err error) bool {
	var c *CancelError
	return errors.As(err, &c)
}
