package health

import (
	"time"

	"github.com/taskvisor/taskvisor/policy"
)

// What a setting is when it is zero.
const (
	// DefaultTolerate is how long a critical task that was good may be down before
	// readiness falls.
	DefaultTolerate = 3 * time.Second
	// DefaultSettle is how long a task in trouble must be up to be good again.
	DefaultSettle = 5 * time.Second
	// DefaultStuckAfter is how long a critical task may be stuck before liveness
	// fails.
	DefaultStuckAfter = time.Minute
	// DefaultMaxProblems is how many problems a report names.
	DefaultMaxProblems = 100
)

// What zero cannot say, because zero means the default. Each is one nanosecond.
const (
	// NoTolerance has readiness fall as soon as a critical task is down.
	NoTolerance time.Duration = 1
	// NoSettle has a task be good again as soon as it is up.
	NoSettle time.Duration = 1
)

// Config says how patient a Checker is. The zero Config has the defaults.
type Config struct {
	// Tolerate is how long a critical task that was good may be down before
	// readiness falls. Zero means 3 s; NoTolerance and policy.Forever are named.
	Tolerate time.Duration
	// Settle is how long a task in trouble, critical or optional, must be up without
	// a break to be good again. Zero means 5 s; NoSettle is named.
	Settle time.Duration
	// StuckAfter is how long a critical task may be stuck before liveness fails,
	// from when its grace was over. Zero means a minute; policy.Forever means never.
	StuckAfter time.Duration
	// MaxProblems is how many problems a report names, the worst first; the rest
	// are counted. Zero means 100.
	MaxProblems int
	// HideErrors leaves the texts of errors out of what the handlers answer, for
	// probes that strangers can reach. Reports in code have them all the same.
	HideErrors bool
}

// Validate returns a *policy.FieldError for the first field that cannot be used,
// or nil.
func (c Config) Validate() error {
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"Tolerate", c.Tolerate},
		{"Settle", c.Settle},
		{"StuckAfter", c.StuckAfter},
	} {
		if d.value < 0 {
			return &policy.FieldError{Field: d.field, Value: d.value, Reason: "must not be negative"}
		}
	}
	if c.MaxProblems < 0 {
		return &policy.FieldError{Field: "MaxProblems", Value: c.MaxProblems, Reason: "must not be negative"}
	}
	return nil
}

// resolved returns c as it is meant: here zero is zero.
func (c Config) resolved() Config {
	c.Tolerate = meant(c.Tolerate, DefaultTolerate, NoTolerance)
	c.Settle = meant(c.Settle, DefaultSettle, NoSettle)
	if c.StuckAfter == 0 {
		c.StuckAfter = DefaultStuckAfter
	}
	if c.MaxProblems == 0 {
		c.MaxProblems = DefaultMaxProblems
	}
	return c
}

func meant(d, byDefault, none time.Duration) time.Duration {
	switch d {
	case 0:
		return byDefault
	case none:
		return 0
	}
	return d
}
