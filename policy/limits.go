package policy

import (
	"math"
	"time"
)

// What zero cannot say, because zero means "inherit, or take the default".
const (
	// Forever is a duration that does not end.
	Forever time.Duration = math.MaxInt64

	// NoTimeout is the timeout of an attempt that may take as long as it likes.
	NoTimeout = Forever

	// NoGrace gives a stopped task no time: it is told to stop and, unless it has
	// ended by then, given up at once. It is one nanosecond, because zero is taken.
	NoGrace time.Duration = 1

	// Unlimited is a count without a limit.
	Unlimited int = math.MaxInt

	// NoRetry as a number of retries means that the first failure is the last.
	NoRetry int = math.MinInt
)

// What a setting is when neither it nor anything it inherits from is said.
const (
	// DefaultFirst is the delay before the first retry.
	DefaultFirst = 200 * time.Millisecond

	// DefaultMax is the delay that a backoff does not exceed.
	DefaultMax = 30 * time.Second

	// DefaultFactor is what an exponential backoff multiplies its delay by.
	DefaultFactor = 2.0

	// DefaultResetAfter is how long an attempt must have run to count as healthy,
	// so that the next failure is delayed like a first one.
	DefaultResetAfter = 60 * time.Second

	// DefaultGrace is how long a task that was told to stop may take to end.
	DefaultGrace = 10 * time.Second

	// DefaultStopTimeout is how long the stop of a whole tree may take.
	DefaultStopTimeout = 60 * time.Second

	// DefaultStartTimeout is how long a task may take to say that it is ready.
	DefaultStartTimeout = 60 * time.Second
)

// MinRepeat is the least time from the start of one successful attempt to the
// start of the next under [Always]. It keeps a task that returns at once from
// occupying a processor.
const MinRepeat = time.Millisecond
