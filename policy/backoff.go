package policy

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Backoff describes how long a task waits before each retry. The zero value is
// exponential from 200 ms to 30 s, doubling, with equal jitter; so is every field
// of it that is zero.
//
// A Backoff is a description and keeps no state: [Backoff.New] makes the thing
// that counts retries. It is safe to copy, to share and to use again.
type Backoff struct {
	// Shape is how the delay grows. Zero is exponential.
	Shape Shape
	// Jitter is what chance does to the delay. Zero is equal jitter.
	Jitter Jitter
	// First is the delay before the first retry, without jitter. Zero is
	// [DefaultFirst], or Max where that is less.
	First time.Duration
	// Max is what no delay exceeds, jitter included. Zero is [DefaultMax], or
	// First where that is more.
	Max time.Duration
	// Factor is what an exponential delay is multiplied by, at least 1. Zero is
	// [DefaultFactor].
	Factor float64
	// Step is what is added to a linear delay. Zero is First.
	Step time.Duration
	// Custom makes a backoff of the user's own, one for each task, and excludes
	// every other field. Nil means that the other fields describe the backoff.
	Custom func() backoff.BackOff
}

// Exponential returns a backoff that starts at first and doubles up to max, with
// equal jitter. Zeros are defaults.
func Exponential(first, max time.Duration) Backoff {
	return Backoff{Shape: ShapeExponential, First: first, Max: max}
}

// Linear returns a backoff that starts at first and grows by step up to max, with
// equal jitter. Zeros are defaults: a step of zero adds first.
func Linear(first, step, max time.Duration) Backoff {
	return Backoff{Shape: ShapeLinear, First: first, Step: step, Max: max}
}

// Constant returns a backoff that waits d every time, without jitter. A d of zero
// is [NoBackoff].
func Constant(d time.Duration) Backoff {
	if d == 0 {
		return NoBackoff()
	}
	return Backoff{Shape: ShapeConstant, Jitter: NoJitter, First: d}
}

// NoBackoff returns a backoff that does not wait. A task that fails at once and
// is retried without limit then keeps a processor busy.
func NoBackoff() Backoff {
	return Backoff{Shape: ShapeNone}
}

// Custom returns a backoff that is whatever factory makes. Factory is called once
// for each task, perhaps from several goroutines; what it makes is used by one
// goroutine at a time. A nil factory is refused by [Backoff.Validate].
func Custom(factory func() backoff.BackOff) Backoff {
	if factory == nil {
		return Backoff{Shape: shapeMissing}
	}
	return Backoff{Custom: factory}
}

// WithJitter returns b with jitter j.
func (b Backoff) WithJitter(j Jitter) Backoff {
	b.Jitter = j
	return b
}

// IsZero reports whether nothing in b is set, so that it may be inherited.
func (b Backoff) IsZero() bool { return b.Equal(Backoff{}) }

// Equal reports whether b and o have the same settings. A field that is zero
// differs from one that states the default, since only the first inherits.
// Functions cannot be compared: what has a Custom equals nothing, not even itself.
func (b Backoff) Equal(o Backoff) bool {
	return b.Custom == nil && o.Custom == nil &&
		b.Shape == o.Shape && b.Jitter == o.Jitter &&
		b.First == o.First && b.Max == o.Max &&
		b.Factor == o.Factor && b.Step == o.Step
}
