package persist

import (
	"fmt"
	"runtime/debug"

	"github.com/taskvisor/taskvisor/actor"
)

// Codec turns inputs into bytes and back. It is used by many goroutines.
type Codec interface {
	// Name is for people.
	Name() string
	// Marshal may return bytes that belong to v: they are copied.
	Marshal(v any) ([]byte, error)
	// Unmarshal is given a pointer to a zero value. Data is shared: it is not to be changed, and what is kept of
	// it is to be copied.
	Unmarshal(data []byte, v any) error
}

// decode survives a codec that panics.
func decode(c Codec, data []byte, v any) (err error) {
	defer survive(c, &err)
	return c.Unmarshal(data, v)
}

// survive makes a panic of a codec an error.
func survive(c Codec, err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("codec %v: %w", named{c}, &actor.PanicError{Value: p, Stack: debug.Stack()})
	}
}

// named is a codec as a text has it: fmt survives a name that panics.
type named struct{ Codec }

func (n named) String() string { return n.Name() }
