package inspect

import (
	"math"
	"time"

	"github.com/taskvisor/taskvisor/policy"
)

// delays are the ranges of a backoff's delays, each reckoned once.
type delays struct {
	of    policy.Backoff
	known []delay
	flat  bool // all further ones are like the last that is known
}

// delay is the range in which one delay lies.
type delay struct{ low, high time.Duration }

// exactly is how many delays are told apart. Only a factor next to 1 still grows
// then: what follows is one wide range.
const exactly = 1 << 12

// at returns the delay before a retry, of which the first is number 0.
func (d *delays) at(retry int) delay {
	for len(d.known) <= retry && !d.flat {
		d.learn()
	}
	return d.known[min(retry, len(d.known)-1)]
}

// learn adds the next delay. Two that are alike at their upper ends have come to the
// maximum, since a delay never shrinks.
func (d *delays) learn() {
	var next delay
	n := len(d.known)
	next.low, next.high = d.of.Bounds(n)
	switch {
	case n == exactly:
		_, next.high = d.of.Bounds(math.MaxInt)
		d.flat = true
	case n > 0:
		d.flat = next == d.known[n-1]
	}
	d.known = append(d.known, next)
}

// slowest returns the longest that n delays may take together.
func (d *delays) slowest(n int) (sum time.Duration) {
	for i := range n {
		if d.flat && i >= len(d.known) {
			return plus(sum, times(d.at(i).high, n-i))
		}
		sum = plus(sum, d.at(i).high)
	}
	return sum
}

// most returns how many failures can be a window apart or less when each but the
// first comes as early as the delays allow, and enough if there are more.
func (d *delays) most(within time.Duration, enough int) int {
	for n := 1; n < enough; n++ {
		low := d.at(n - 1).low
		if low > within {
			return n
		}
		if d.flat && n >= len(d.known) {
			return evenly(low, within, enough-n) + n
		}
		within -= low
	}
	return enough
}

// evenly returns how often an interval fits, and enough if that is less.
func evenly(interval, within time.Duration, enough int) int {
	if interval == 0 || within/interval >= time.Duration(enough) {
		return enough
	}
	return int(within / interval)
}

// plus adds durations; Forever and more is Forever.
func plus(a, b time.Duration) time.Duration {
	if a > policy.Forever-b {
		return policy.Forever
	}
	return a + b
}

// minus is what b leaves of a. Nothing can be taken from Forever.
func minus(a, b time.Duration) time.Duration {
	if a == policy.Forever {
		return a
	}
	return max(a-b, 0)
}

// times multiplies a duration, up to Forever.
func times(d time.Duration, n int) time.Duration {
	if n > 0 && d > policy.Forever/time.Duration(n) {
		return policy.Forever
	}
	return d * time.Duration(n)
}
