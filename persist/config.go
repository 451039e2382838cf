package persist

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// Config is what a queue is told once. Store is required; the zeros of all else have a
// meaning.
type Config struct {
	// Name is the name of the queue where its Spec is not given one, and tells it from others
	// in figures. Empty means "queue".
	Name string
	// Store is where the jobs are kept.
	Store Backend
	// Types are told about so that they can be submitted by name, and their settings
	// explained, though nothing here handles them. Those of Handlers need not be told.
	Types []Known
	// Handlers run jobs. Queue.Handle adds others. Jobs of a type without one wait.
	Handlers []Handler
	// Middleware is put around every attempt, the first outermost.
	Middleware []Middleware
	// State are values that handlers find by their types, see [StateOf]. Queue.Provide adds
	// others.
	State []any
	// Defaults are settings of all jobs, where nothing nearer says otherwise.
	Defaults []Option

	// Workers is how many jobs run at a time. Zero means DefaultWorkers, NoWorkers that jobs are
	// taken in and wait. Queue.SetWorkers changes it.
	Workers int
	// GroupLimit is how many jobs of a group run at a time, for groups that have no limit of
	// their own in GroupLimits. Zero means that there is none.
	GroupLimit int
	// GroupLimits are by the names of groups.
	GroupLimits map[string]int
	// Drain is for how long a stop lets jobs run that have been begun, before it tells them to
	// stop. Zero tells them at once. It is part of the time that a stop may take as a whole.
	Drain time.Duration

	// MaxPayload is how large a payload may be, in bytes. Zero means the constant of that
	// name.
	MaxPayload int
	// History is how many jobs are remembered that have ended, of each kind of end but dead
	// letters. Zero means DefaultHistory. There may be a hundredth more, but no more than 100;
	// and there are less when a store that is full needs the room for jobs.
	History int
	// DeadLetters is how many dead letters are kept. Zero means DefaultDeadLetters.
	DeadLetters int
	// RelaxedDelay is for how long what was submitted as Relaxed may wait for its commit, which
	// takes longer while the store fails, is full, or has more to do than it can. Zero means
	// DefaultRelaxedDelay.
	RelaxedDelay time.Duration
	// Cache is about how much memory may hold jobs that wait, in bytes, so that they need not be read
	// from the store when they run. Zero means DefaultCache, NoCache that all are read. What was
	// submitted as Relaxed and is not stored yet is kept in any case: about 16 MiB of payloads at most.
	Cache int64
	// Crashes is in how many crashes of the process a job may have been the only one that ran
	// before it is parked. Zero means DefaultCrashes, policy.Unlimited that it never is. With
	// policy.Unlimited the jobs that ran at a crash are not run alone either, nor are their
	// claims stored.
	Crashes int

	// Supervisor are the settings of the supervisor of the queue: its Name, Bus, Subscribers, Around and
	// Logger, its Intensity, StopTimeout and Concurrency. Others are refused.
	Supervisor supervisor.Config
}

// NoCache as a Cache means that no job is kept in memory, but those that are not stored yet.
const NoCache int64 = math.MinInt64

// NoWorkers as a number of workers means that no job is begun.
const NoWorkers int = math.MinInt

// Known is anything that names a type: a *Type.
type Known interface{ definition() *definition }

func (t *Type[In]) definition() *definition { return &t.def }

// Middleware is put around attempts. It calls next, once, and returns its error or another.
type Middleware func(ctx context.Context, job *Job, next func(context.Context) error) error

// resolved returns the config with its defaults.
func (c Config) resolved() Config {
	c.Name = cmp.Or(c.Name, c.Supervisor.Name, "queue")
	c.Workers = workers(cmp.Or(c.Workers, DefaultWorkers))
	c.MaxPayload = cmp.Or(c.MaxPayload, MaxPayload)
	c.History = cmp.Or(c.History, DefaultHistory)
	c.DeadLetters = cmp.Or(c.DeadLetters, DefaultDeadLetters)
	c.RelaxedDelay = cmp.Or(c.RelaxedDelay, DefaultRelaxedDelay)
	c.Cache = cmp.Or(c.Cache, DefaultCache)
	c.Crashes = cmp.Or(c.Crashes, DefaultCrashes)
	c.GroupLimits = maps.Clone(c.GroupLimits)
	return c
}

// workers is how many there are, where NoWorkers is a word for none.
func workers(n int) int {
	if n == NoWorkers {
		return 0
	}
	return n
}

// check returns the first thing that cannot be used.
func (c *Config) check() error {
	bad := func(field string, value any, reason string) error {
		return &policy.FieldError{Field: field, Value: value, Reason: reason}
	}
	if v := reflect.ValueOf(c.Store); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return bad("Store", nil, "must be given")
	}
	if s, ok := c.Store.(interface{ Validate() error }); ok {
		if err := s.Validate(); err != nil {
			return err
		}
	}
	if err := actor.CheckName(c.Name); err != nil {
		return err
	}
	for _, n := range []struct {
		field string
		value int64
	}{
		{"Workers", int64(c.Workers)}, {"GroupLimit", int64(c.GroupLimit)}, {"MaxPayload", int64(c.MaxPayload)}, {"History", int64(c.History)},
		{"DeadLetters", int64(c.DeadLetters)}, {"Crashes", int64(c.Crashes)}, {"Drain", int64(c.Drain)}, {"RelaxedDelay", int64(c.RelaxedDelay)},
	} {
		if n.value < 0 {
			return bad(n.field, n.value, "must not be negative")
		}
	}
	if c.Cache < 0 && c.Cache != NoCache {
		return bad("Cache", c.Cache, "must not be negative")
	}
	for _, name := range slices.Sorted(maps.Keys(c.GroupLimits)) {
		if c.GroupLimits[name] < 0 {
			return bad("GroupLimits", name, "has a limit that is negative")
		}
		if len(name) > MaxName || name == "" {
			return bad("GroupLimits", name, "is no name of a group")
		}
	}
	for i, m := range c.Middleware {
		if m == nil {
			return bad(fmt.Sprintf("Middleware[%d]", i), nil, "must not be nil")
		}
	}
	if err := c.checkSupervisor(); err != nil {
		return err
	}
	set := base().with(ofQueue, c.Defaults)
	return set.err()
}

// checkSupervisor refuses what would not count.
func (c *Config) checkSupervisor() error {
	const notHere = "is not for the supervisor of a queue"
	s := &c.Supervisor
	bad := func(field string, value any, reason string) error {
		return &policy.FieldError{Field: "Supervisor." + field, Value: value, Reason: reason}
	}
	switch {
	case s.Name != "" && s.Name != c.Name:
		return bad("Name", s.Name, "is not the queue's name")
	case len(s.Children) > 0:
		return bad("Children", len(s.Children), "must be empty: the queue has its own")
	case s.Strategy != supervisor.OneForOne:
		return bad("Strategy", s.Strategy, notHere+", which has one")
	case s.Limit != 0:
		return bad("Limit", s.Limit, notHere+": Workers says how many jobs run")
	case s.LameDuck != 0:
		return bad("LameDuck", s.LameDuck, notHere+": see Drain")
	case s.AutoShutdown != supervisor.AutoShutdownNever:
		return bad("AutoShutdown", s.AutoShutdown, notHere)
	case s.EndWhenEmpty:
		return bad("EndWhenEmpty", true, notHere)
	case !reflect.ValueOf(s.Defaults).IsZero():
		return bad("Defaults", nil, notHere+": see Config.Defaults")
	}
	return nil
}
