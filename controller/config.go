package controller

import (
	"cmp"
	"errors"
	"math"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

const (
	// DefaultWidth is how many tasks may run at a time for a key.
	DefaultWidth = 1
	// DefaultDepth is how many submissions may wait for a key.
	DefaultDepth = 100
	// NoQueue lets nothing wait for a key, except what replaces an owner.
	NoQueue int = math.MinInt
	// DefaultCapacity is how many submissions may wait in all.
	DefaultCapacity = 65_536
	// MaxKey is the length in bytes that a key may have.
	MaxKey = 1024
)

// Config is what a controller is told once. The zero Config works: one owner per key,
// default bounds, nothing expires.
type Config struct {
	// Name is the default name of Spec, the first part of the paths when the
	// controller is the root of a tree, and the label of its figures.
	Name string
	// Width is how many tasks may run at a time for a key, unless SetWidth has given it
	// a width of its own. Zero means 1; policy.Unlimited sets no limit.
	Width int
	// Depth is how many submissions may wait for a key. It is one for all keys: another
	// depth is another controller. Zero means 100; NoQueue and policy.Unlimited are named.
	Depth int
	// Capacity is how many submissions may wait in all. What replaces an owner needs no
	// room and does not count. Zero means 65,536; policy.Unlimited sets no limit.
	Capacity int
	// TTL is how long a submission may wait for its turn, unless it has a TTL of its
	// own. Zero means for ever.
	TTL time.Duration
	// Workers is the supervisor of the owners: their defaults, how many may run at a
	// time in all (Concurrency), how many failures are too many (Intensity). It
	// restarts them one for one. Children, Limit, AutoShutdown and EndWhenEmpty are not
	// for a controller, and the name is the controller's.
	Workers supervisor.Config
}

// Submission is a task and the key for which it runs.
type Submission struct {
	// Spec is the task. Its name is the last part of its path. While a task of that name
	// runs for another key, the submission is rejected at its turn; while one runs for
	// the same key, it waits until that has ended. An empty name is the number of the
	// submission, which is never taken; then the Key has to be said.
	Spec actor.Spec
	// Key is what the task runs for; empty means the name of the Spec.
	Key string
	// Admission says what becomes of it when the key has no free place; zero is Queue.
	Admission Admission
	// TTL is how long it may wait for its turn before it is rejected as expired. Zero
	// means the TTL of the controller; policy.Forever has no end.
	TTL time.Duration
}

// Validate returns a *supervisor.ConfigError for the first thing that cannot be used,
// or nil.
func (c *Controller) Validate() error {
	if c.workers == nil {
		return &supervisor.ConfigError{Err: errNotNew}
	}
	if c.invalid != nil {
		return &supervisor.ConfigError{Name: c.cfg.Name, Err: c.invalid}
	}
	return c.workers.Validate()
}

// errNotNew means: it is a zero Controller.
var errNotNew = errors.New("the controller was not made by New")

func (c *Config) check() error {
	bad := func(field string, value any, reason string) error {
		return &policy.FieldError{Field: field, Value: value, Reason: reason}
	}
	const notHere = "is not for the workers of a controller"
	w := &c.Workers
	switch {
	case c.Width < 0:
		return bad("Width", c.Width, "must not be negative")
	case c.Depth < 0 && c.Depth != NoQueue:
		return bad("Depth", c.Depth, "must not be negative")
	case c.Capacity < 0:
		return bad("Capacity", c.Capacity, "must not be negative")
	case c.TTL < 0:
		return bad("TTL", c.TTL, "must not be negative")
	case w.Name != "" && w.Name != c.Name:
		return bad("Workers.Name", w.Name, "is not the controller's name")
	case len(w.Children) > 0:
		return bad("Workers.Children", len(w.Children), notHere+": it runs what is submitted")
	case w.Strategy != supervisor.OneForOne:
		return bad("Workers.Strategy", w.Strategy, notHere+": they have nothing to do with each other")
	case w.Limit != 0:
		return bad("Workers.Limit", w.Limit, notHere+": Concurrency lets owners wait instead")
	case w.AutoShutdown != supervisor.AutoShutdownNever:
		return bad("Workers.AutoShutdown", w.AutoShutdown, notHere)
	case w.EndWhenEmpty:
		return bad("Workers.EndWhenEmpty", true, notHere)
	}
	return nil
}

// resolved returns c with defaults in place of its zeros.
func (c Config) resolved() Config {
	c.Workers.Name = c.Name
	c.Width = cmp.Or(c.Width, DefaultWidth)
	c.Capacity = cmp.Or(c.Capacity, DefaultCapacity)
	c.TTL = cmp.Or(c.TTL, policy.Forever)
	c.Depth = max(cmp.Or(c.Depth, DefaultDepth), 0) // NoQueue is less
	return c
}

// check returns a *actor.SpecError for what cannot be used, but for the Spec itself.
func (s *Submission) check() error {
	bad := func(field string, value any, reason string) error {
		return &actor.SpecError{Name: s.Spec.Name, Err: &policy.FieldError{Field: field, Value: value, Reason: reason}}
	}
	switch {
	case s.Admission > DropIfRunning:
		return bad("Admission", s.Admission, "is not a known choice")
	case s.TTL < 0:
		return bad("TTL", s.TTL, "must not be negative")
	case s.Key == "" && s.Spec.Name == "":
		return bad("Key", "", "must not be empty when there is no name")
	case len(s.Key) > MaxKey:
		return bad("Key", len(s.Key), "is longer than the 1024 bytes of MaxKey")
	}
	return nil
}
