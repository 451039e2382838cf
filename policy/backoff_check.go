package policy

import (
	"cmp"
	"math"
	"time"
)

// Validate refuses numbers out of range, unknown values, and settings that would
// have no effect beside the others. The error is a [*FieldError] whose Field
// starts with "Backoff.".
func (b Backoff) Validate() error {
	return cmp.Or(
		b.checkCustom(),
		known("Backoff.Shape", b.Shape, shapes),
		known("Backoff.Jitter", b.Jitter, jitters),
		b.checkRanges(),
		b.checkShape(),
		b.checkDecorrelated(),
	)
}

// checkCustom refuses Custom(nil), and any other setting beside a Custom.
func (b Backoff) checkCustom() error {
	const beside = "must not be set together with Custom"
	switch {
	case b.Shape == shapeMissing:
		return refuse("Backoff.Custom", nil, "must not be nil")
	case b.Custom == nil:
		return nil
	case b.Shape != 0:
		return refuse("Backoff.Shape", b.Shape, beside)
	case b.Jitter != 0:
		return refuse("Backoff.Jitter", b.Jitter, beside)
	case b.First != 0:
		return refuse("Backoff.First", b.First, beside)
	case b.Max != 0:
		return refuse("Backoff.Max", b.Max, beside)
	case b.Factor != 0:
		return refuse("Backoff.Factor", b.Factor, beside)
	case b.Step != 0:
		return refuse("Backoff.Step", b.Step, beside)
	}
	return nil
}

// checkRanges refuses numbers that no shape could use.
func (b Backoff) checkRanges() error {
	const negative = "must not be negative"
	switch {
	case b.First < 0:
		return refuse("Backoff.First", b.First, negative)
	case b.Max < 0:
		return refuse("Backoff.Max", b.Max, negative)
	case b.Step < 0:
		return refuse("Backoff.Step", b.Step, negative)
	case b.Max > 0 && b.First > b.Max:
		return refuse("Backoff.First", b.First, "must not exceed Max, "+b.Max.String())
	case math.IsNaN(b.Factor), math.IsInf(b.Factor, 0):
		return refuse("Backoff.Factor", b.Factor, "must be finite")
	case b.Factor != 0 && b.Factor < 1:
		return refuse("Backoff.Factor", b.Factor, "must be at least 1")
	}
	return nil
}

// checkShape refuses numbers that this shape does not use.
func (b Backoff) checkShape() error {
	switch {
	case b.Factor != 0 && b.Shape != ShapeExponential:
		return refuse("Backoff.Factor", b.Factor, "needs the exponential shape, not "+b.Shape.String())
	case b.Step != 0 && b.Shape != ShapeLinear:
		return refuse("Backoff.Step", b.Step, "needs the linear shape, not "+b.Shape.String())
	case b.First != 0 && b.Shape == ShapeNone:
		return refuse("Backoff.First", b.First, "needs a shape other than none")
	case b.Max != 0 && b.Shape == ShapeNone:
		return refuse("Backoff.Max", b.Max, "needs a shape other than none")
	}
	return nil
}

// checkDecorrelated refuses what decorrelated jitter would ignore: it grows the
// delay itself, in place of the exponential and of its factor.
func (b Backoff) checkDecorrelated() error {
	switch {
	case b.Jitter != DecorrelatedJitter:
		return nil
	case b.Shape == ShapeLinear, b.Shape == ShapeConstant:
		return refuse("Backoff.Jitter", b.Jitter, "needs the exponential shape, not "+b.Shape.String())
	case b.Factor != 0:
		return refuse("Backoff.Factor", b.Factor, "must not be set with decorrelated jitter, which does not use it")
	}
	return nil
}

// resolved returns b with its defaults filled in. What Validate refuses becomes a
// default too, so that every Backoff is safe to run.
func (b Backoff) resolved() Backoff {
	b.Shape = knownOr(b.Shape, ShapeNone, ShapeExponential)
	b.Jitter = knownOr(b.Jitter, DecorrelatedJitter, EqualJitter)
	if b.Jitter == DecorrelatedJitter && (b.Shape == ShapeLinear || b.Shape == ShapeConstant) {
		b.Jitter = EqualJitter
	}

	// The one of First and Max that is set bends the default of the other.
	b.First, b.Max = max(b.First, 0), max(b.Max, 0)
	switch {
	case b.First == 0 && b.Max == 0:
		b.First, b.Max = DefaultFirst, DefaultMax
	case b.First == 0:
		b.First = min(DefaultFirst, b.Max)
	case b.Max == 0:
		b.Max = max(DefaultMax, b.First)
	}
	b.First = min(b.First, b.Max)

	if !(b.Factor >= 1) || math.IsInf(b.Factor, 0) { // the negation catches NaN
		b.Factor = DefaultFactor
	}
	if b.Step <= 0 {
		b.Step = b.First
	}
	return b
}

func knownOr[T ~uint8](v, last, otherwise T) T {
	if v > last {
		return otherwise
	}
	return v
}

// clamp returns d, or limit where d is out of 0…limit. A negative d comes from an
// overflow, so it stands for more than the limit as well.
func clamp(d, limit time.Duration) time.Duration {
	if d < 0 || d > limit {
		return limit
	}
	return d
}
