package policy

import (
	"math"

	"github.com/taskvisor/taskvisor/internal/label"
)

// Shape is how the delays of a [Backoff] grow from one retry to the next.
type Shape uint8

const (
	// ShapeExponential multiplies the delay by a factor.
	ShapeExponential Shape = iota
	// ShapeLinear adds a step to the delay.
	ShapeLinear
	// ShapeConstant keeps the delay.
	ShapeConstant
	// ShapeNone has no delay at all.
	ShapeNone
)

// shapeMissing marks what Custom(nil) returns. It must differ from the zero
// Backoff, which would be a good one.
const shapeMissing Shape = math.MaxUint8

var shapes = label.Table[Shape]{Type: "shape", Labels: []string{
	ShapeExponential: "exponential",
	ShapeLinear:      "linear",
	ShapeConstant:    "constant",
	ShapeNone:        "none",
}}

// String returns the label of s.
func (s Shape) String() string { return shapes.String(s) }

// MarshalText returns the label of s; a value without one is an error.
func (s Shape) MarshalText() ([]byte, error) { return shapes.Marshal(s) }

// UnmarshalText sets s to the value with that label; an unknown label is an error.
func (s *Shape) UnmarshalText(text []byte) error { return shapes.Unmarshal(s, text) }
