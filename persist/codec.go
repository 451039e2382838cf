package persist

import (
	"encoding/json"
	"fmt"
)

// Codec turns inputs into bytes and back. It is used by many goroutines.
type Codec interface {
	// Name is for people.
	Name() string
	Marshal(v any) ([]byte, error)
	// Unmarshal is given a pointer.
	Unmarshal(data []byte, v any) error
}

// JSON is the default codec.
var JSON Codec = jsonCodec{}

type jsonCodec struct{}

func (jsonCodec) Name() string                       { return "json" }
func (jsonCodec) Marshal(v any) ([]byte, error)      { return json.Marshal(v) }
func (jsonCodec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

// encode survives a codec, or a method of the input, that panics.
func encode(c Codec, v any) (data []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("codec %s panicked: %v", c.Name(), p)
		}
	}()
	return c.Marshal(v)
}
