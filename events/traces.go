package events

import "errors"

// Traced is an error that knows the stacks of what it is about: where a panic
// happened, where a stuck task is.
type Traced interface {
	error
	// Traces returns the stacks as text, one frame or place per line.
	Traces() string
}

// Traces returns the stacks that err or an error in its chain knows, or "". So a
// subscriber can show them without knowing the error.
func Traces(err error) string {
	var t Traced
	if errors.As(err, &t) {
		return t.Traces()
	}
	return ""
}
