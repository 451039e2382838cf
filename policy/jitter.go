package policy

import (
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/taskvisor/taskvisor/internal/label"
)

// Jitter is what chance does to the delays of a [Backoff], so that tasks which
// failed together do not come back together.
type Jitter uint8

const (
	// EqualJitter keeps half of the delay and draws the other half: it spreads
	// well and still leaves a pause.
	EqualJitter Jitter = iota
	// NoJitter leaves the delay as it is.
	NoJitter
	// FullJitter draws from zero to the delay: it spreads best, and may not wait
	// at all.
	FullJitter
	// DecorrelatedJitter draws from First to three times the delay before. It grows
	// by itself, so it takes the place of the exponential and of its factor.
	DecorrelatedJitter
)

var jitters = label.Table[Jitter]{Type: "jitter", Labels: []string{
	EqualJitter:        "equal",
	NoJitter:           "none",
	FullJitter:         "full",
	DecorrelatedJitter: "decorrelated",
}}

// String returns the label of j.
func (j Jitter) String() string { return jitters.String(j) }

// MarshalText returns the label of j; a value without one is an error.
func (j Jitter) MarshalText() ([]byte, error) { return jitters.Marshal(j) }

// UnmarshalText sets j to the value with that label; an unknown label is an error.
func (j *Jitter) UnmarshalText(text []byte) error { return jitters.Unmarshal(j, text) }

// low returns the least that the jitter may leave of a delay.
func (j Jitter) low(delay time.Duration) time.Duration {
	switch j {
	case NoJitter:
		return delay
	case FullJitter:
		return 0
	default:
		return delay / 2
	}
}

// jittered caps the delays of another backoff and lets chance shorten them.
type jittered struct {
	base   backoff.BackOff
	jitter Jitter
	max    time.Duration
}

func (j *jittered) NextBackOff() time.Duration {
	delay := clamp(j.base.NextBackOff(), j.max)
	return draw(j.jitter.low(delay), delay)
}

func (j *jittered) Reset() { j.base.Reset() }

// decorrelated follows "decorrelated jitter" as Marc Brooker described it on the
// AWS architecture blog: each delay is drawn from a range that ends at three times
// the delay before. The cap comes after the draw, as it does there, so that a long
// streak mostly waits for max instead of spreading below it.
type decorrelated struct {
	first, max time.Duration
	prev       time.Duration
}

func (d *decorrelated) NextBackOff() time.Duration {
	d.prev = min(draw(d.first, triple(d.prev)), d.max)
	return d.prev
}

func (d *decorrelated) Reset() { d.prev = d.first }

// draw returns a random duration from low to high, both included.
func draw(low, high time.Duration) time.Duration {
	if low == high {
		return low
	}
	// Unsigned, because the number of values in 0…Forever overflows an int64.
	return low + time.Duration(rand.Uint64N(uint64(high-low)+1))
}

func triple(d time.Duration) time.Duration {
	if d > Forever/3 {
		return Forever
	}
	return 3 * d
}
