package persist

import "time"

// instant is a moment as a book counts it: in nanoseconds since the book was made, plus one, so
// that zero is none. It goes on evenly, whatever happens to the wall clock.
type instant int64

// clock turns moments into instants and back. Pauses are kept by an even clock; only what is to
// happen at a time of day follows the wall clock when that is set.
type clock struct {
	base  time.Time     // with its monotonic reading
	drift time.Duration // how far the wall clock was set since

}

func newClock() clock { return clock{base: time.Now()} }

func (c *clock) now() instant { return instant(time.Since(c.base)) + 1 }

// at returns the instant of a wall time. What is past, or zero, may become zero or less.
func (c *clock) at(t time.Time) instant {
	if t.IsZero() {
		return 0
	}
	return max(instant(t.Round(0).Sub(c.base.Round(0))-c.drift)+1, 1)
}

// wall returns the wall time of an instant.
func (c *clock) wall(i instant) time.Time {
	if i == 0 {
		return time.Time{}
	}
	return c.base.Round(0).Add(time.Duration(i-1) + c.drift)
}

// look returns how far the wall clock was set since the last look, if that is worth
// mentioning.
func (c *clock) look(now time.Time) time.Duration {
	even := now.Sub(c.base)                                 // by the monotonic readings
	wall := now.Round(0).Sub(c.base.Round(0)) - c.drift     // by the wall
	if by := wall - even; by > maxDrift || by < -maxDrift { // slewing is not setting
		c.drift += by
		return by
	}
	return 0
}

// maxDrift is by how much the clocks may differ before times of day are set anew.
const maxDrift = 500 * time.Millisecond
