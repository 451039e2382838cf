package policy

import (
	"errors"
	"fmt"

	"github.com/taskvisor/taskvisor/internal/label"
)

// ErrInvalid is what every refused setting Is, whichever field it is about.
var ErrInvalid = errors.New("invalid setting")

// FieldError tells which setting was refused, and why. It is returned as a
// pointer, and errors.Is(err, ErrInvalid) holds for it.
type FieldError struct {
	// Field is the path of the setting, such as "Backoff.Factor".
	Field string
	// Value is what the setting was.
	Value any
	// Reason says what is wrong with it, such as "must be at least 1".
	Reason string
}

// Error returns field, value and reason in one line, without a value that says
// nothing.
func (e *FieldError) Error() string {
	switch v := e.Value.(type) {
	case nil:
		return fmt.Sprintf("%s: %s", e.Field, e.Reason)
	case string:
		if v == "" {
			return fmt.Sprintf("%s: %s", e.Field, e.Reason)
		}
		return fmt.Sprintf("%s: %q: %s", e.Field, v, e.Reason)
	}
	return fmt.Sprintf("%s: %v: %s", e.Field, e.Value, e.Reason)
}

// Is reports whether target is [ErrInvalid].
func (e *FieldError) Is(target error) bool { return target == ErrInvalid }

func refuse(field string, value any, reason string) error {
	return &FieldError{Field: field, Value: value, Reason: reason}
}

// known refuses a value of an enum that has no label.
func known[T ~uint8](field string, v T, labels label.Table[T]) error {
	if !labels.Known(v) {
		return refuse(field, v, "is not a known value")
	}
	return nil
}
