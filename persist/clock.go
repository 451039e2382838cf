package persist

import "time"

// instant is a moment as a book counts it: in nanoseconds since the book was made, plus one, so
// that zero is none. It goes on evenly, whatever happens to the wall clock.
type instant int64

// clock turns moments into instants and back. Delays, pauses and times to live are kept by an even
// clock; what is to happen at a time of day follows the wall clock when that is set. Of what was
// read from a store all times are times of day: nothing else goes on between two processes.
type clock struct {
	base  time.Time     // with its monotonic reading
	drift time.Duration // how far the wall clock was set since
}

func newClock() clock { return clock{base: time.Now()} }

func (c *clock) now() instant { return instant(time.Since(c.base)) + 1 }

// after returns the instant that is so long after now.
func (c *clock) after(d time.Duration) instant { return c.now() + min(instant(d), never) }

// at returns the instant of a wall time: zero of zero, and the first of what is past.
func (c *clock) at(t time.Time) instant {
	if t.IsZero() {
		return 0
	}
	base := c.base.Round(0).Add(c.drift) // by what the wall clock shows now
	return min(max(instant(t.Round(0).Sub(base)), 0), never-1) + 1
}

// never is so far away, some 146 years, that it does not matter when it is; and not so far that
// adding to it could overflow. It is farther than [MaxWait], by more than a clock is ever wrong.
const never instant = 1 << 62

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
