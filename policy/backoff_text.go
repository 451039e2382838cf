package policy

import "fmt"

// String says how long the pauses are, with the defaults in place of zeros, such as
// "exponential 200ms to 30s, factor 2, equal jitter".
func (b Backoff) String() string {
	if b.Custom != nil {
		return "custom"
	}
	b = b.resolved()
	jitter := fmt.Sprintf(", %v jitter", b.Jitter)
	if b.Jitter == NoJitter {
		jitter = ""
	}
	switch b.Shape {
	case ShapeNone:
		return "none"
	case ShapeConstant:
		return fmt.Sprintf("constant %v%s", b.First, jitter)
	case ShapeLinear:
		return fmt.Sprintf("linear %v to %v, step %v%s", b.First, b.Max, b.Step, jitter)
	}
	if b.Jitter == DecorrelatedJitter {
		return fmt.Sprintf("exponential %v to %v%s", b.First, b.Max, jitter)
	}
	return fmt.Sprintf("exponential %v to %v, factor %v%s", b.First, b.Max, b.Factor, jitter)
}
