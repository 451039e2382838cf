package policy

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

// New returns the delays that b describes, from the first. It draws from the
// global source of math/rand/v2, reads no clock and never ends a series by
// [backoff.Stop]; no delay is negative or exceeds Max. That holds
// even for a b that [Backoff.Validate] refuses: a number out of range is cut to it
// or counts as not set.
//
// With a Custom, New returns what that makes, unchanged; the defaults if that is
// nil.
//
// The result keeps count and is not safe for concurrent use.
func (b Backoff) New() backoff.BackOff {
	if b.Custom != nil {
		if own := b.Custom(); own != nil {
			return own
		}
	}

	b = b.resolved()
	switch b.Shape {
	case ShapeNone:
		return &backoff.ZeroBackOff{}
	case ShapeConstant:
		return b.jittered(backoff.NewConstantBackOff(b.First))
	case ShapeLinear:
		return b.jittered(&linear{first: b.First, step: b.Step, max: b.Max, next: b.First})
	}
	if b.Jitter == DecorrelatedJitter {
		return &decorrelated{first: b.First, max: b.Max, prev: b.First}
	}
	return b.jittered(b.exponential())
}

func (b Backoff) jittered(base backoff.BackOff) backoff.BackOff {
	return &jittered{base: base, jitter: b.Jitter, max: b.Max}
}

// exponential returns the undisturbed growth. Its own randomization is off since
// it would exceed the maximum, and so is its limit on the time elapsed.
func (b Backoff) exponential() backoff.BackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(b.First),
		backoff.WithMaxInterval(b.Max),
		backoff.WithMultiplier(b.Factor),
		backoff.WithRandomizationFactor(0),
		backoff.WithMaxElapsedTime(0),
		backoff.WithClockProvider(noClock{}),
	)
}

// noClock stands still. The exponential asks for the time elapsed on each call,
// and without a limit does nothing with it.
type noClock struct{}

func (noClock) Now() time.Time { return time.Time{} }

// linear adds a step to its delay up to a maximum.
type linear struct {
	first, step, max time.Duration
	next             time.Duration
}

func (l *linear) NextBackOff() time.Duration {
	delay := l.next
	l.next = clamp(l.next+l.step, l.max)
	return delay
}

func (l *linear) Reset() { l.next = l.first }

// Bounds returns the range in which the delay before a retry lies, both ends
// included; the first retry is number 0, and so is any below it. What it returns
// holds for every series that [Backoff.New] makes, and high is never more than
// Max. A Custom may do as it likes: 0 and [Forever].
func (b Backoff) Bounds(retry int) (low, high time.Duration) {
	if b.Custom != nil {
		return 0, Forever
	}

	b, retry = b.resolved(), max(retry, 0)
	switch b.Shape {
	case ShapeNone:
		return 0, 0
	case ShapeConstant:
		low, high = b.First, b.First
	case ShapeLinear:
		low = b.linearAt(retry)
		high = low
	default:
		if b.Jitter == DecorrelatedJitter {
			return b.First, b.decorrelatedAt(retry)
		}
		low, high = b.exponentialAt(retry)
	}
	return b.Jitter.low(low), high
}

func (b Backoff) linearAt(retry int) time.Duration {
	if time.Duration(retry) > (b.Max-b.First)/b.Step {
		return b.Max
	}
	return b.First + time.Duration(retry)*b.Step
}

// decorrelatedAt returns the most that a series of luckiest draws can reach.
func (b Backoff) decorrelatedAt(retry int) time.Duration {
	high := triple(b.First)
	for ; retry > 0 && high < b.Max; retry-- {
		high = triple(high)
	}
	return min(high, b.Max)
}

// exponentialAt repeats the growth step by step, since a power would round
// differently. A factor next to 1 may take very many steps: after enough of them
// the range is left wide instead, from what was reached to the maximum.
func (b Backoff) exponentialAt(retry int) (low, high time.Duration) {
	const enough = 1 << 16

	delay := b.First
	for range min(retry, enough) {
		grown := b.grow(delay)
		if grown == delay {
			return delay, delay
		}
		delay = grown
	}
	if retry > enough {
		return delay, b.Max
	}
	return delay, delay
}

// grow is one step of cenkalti's exponential, bit for bit.
func (b Backoff) grow(delay time.Duration) time.Duration {
	if float64(delay) >= float64(b.Max)/b.Factor {
		return b.Max
	}
	return clamp(time.Duration(float64(delay)*b.Factor), b.Max)
}

// Pause draws the delay before a retry, the first of which is number 0, for who keeps no
// series but remembers the delay before, of which zero means that there was none. Delays drawn
// so are distributed as those of a series that [Backoff.New] makes. A Custom is made anew, and
// asked as often as the number says; when it ends its series, Pause returns backoff.Stop.
func (b Backoff) Pause(retry int, before time.Duration) time.Duration {
	retry = max(retry, 0)
	if b.Custom != nil {
		series, delay := b.New(), time.Duration(0)
		for range retry + 1 {
			if delay = series.NextBackOff(); delay == backoff.Stop {
				break
			}
		}
		return delay
	}
	if r := b.resolved(); r.Shape == ShapeExponential && r.Jitter == DecorrelatedJitter {
		d := decorrelated{first: r.First, max: r.Max, prev: max(before, r.First)}
		return d.NextBackOff()
	}
	return draw(b.Bounds(retry))
}
