package persist

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"runtime/debug"

	jsonv2 "github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"

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

// JSON is the default codec.
var JSON Codec = jsonCodec{}

type jsonCodec struct{}

func (jsonCodec) Name() string                  { return "json" }
func (jsonCodec) Marshal(v any) ([]byte, error) { return json.Marshal(v) }

// Unmarshal decodes as encoding/json does from Go 1.27 on, which takes a fifth of the time. What
// is refused so is for the encoding/json that there is: it has a Number of its own, and the
// errors that people know.
func (jsonCodec) Unmarshal(data []byte, v any) error {
	if jsonv2.Unmarshal(data, v, likeV1) == nil {
		return nil
	}
	if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer && !p.IsNil() {
		p.Elem().SetZero() // it begins anew
	}
	return json.Unmarshal(data, v)
}

// likeV1 means the same as in encoding/json, but for its errors, to find which it reads all
// twice.
var likeV1 = jsonv2.JoinOptions(jsonv1.DefaultOptionsV1(), jsonv1.ReportErrorsWithLegacySemantics(false))

// encode survives a codec, or a method of the input, that panics. The bytes are nobody else's:
// they may be stored after the caller has gone on.
func encode(c Codec, v any) (data []byte, err error) {
	defer survive(c, &err)
	data, err = c.Marshal(v)
	if _, own := c.(jsonCodec); !own {
		data = bytes.Clone(data)
	}
	return data, err
}

// decode survives as encode does.
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
