package supervisor

import (
	"cmp"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// Config is what a supervisor is told once. The zero Config runs: one for one,
// no children, no limits.
type Config struct {
	// Name is the first part of the paths when the supervisor is the root of a
	// tree. In a tree it is the default name of Spec.
	Name string
	// Strategy says who is restarted with whom; zero is OneForOne.
	Strategy Strategy
	// Children are started in this order by each Run, each after its elders
	// are ready.
	Children []actor.Spec
	// Intensity is how many restarts are too many; zero sets no limit.
	Intensity policy.Intensity
	// AutoShutdown says whether significant children end the supervisor.
	AutoShutdown AutoShutdown
	// EndWhenEmpty ends the run when its last child has ended, with the joined
	// errors of those that failed for good. Without children it ends at once.
	EndWhenEmpty bool
	// Limit is how many dynamic children there may be at a time, those that
	// back off included. Zero sets no limit.
	Limit int
	// Concurrency is how many attempts may run at a time in the whole tree
	// below, whose own limits count in addition. Waiting is first come, first
	// served. Zero sets no limit; policy.Unlimited sets one that SetConcurrency
	// can change. Supervisors, and specs with NoPermit, do not count.
	Concurrency int
	// Defaults are inherited by the specs of the children.
	Defaults Defaults
	// StopTimeout bounds a stop as a whole, LameDuck included. Zero means a minute
	// at a root, and what the parent leaves in a tree. A supervisor below that is
	// late is waited for up to ten seconds more, and subscribers are given five to
	// catch up.
	StopTimeout time.Duration
	// LameDuck is how long a stop waits before it stops anything: not ready
	// any more, but still serving. Zero means not at all. A supervisor with a door
	// waits at most that long for those inside to finish, see NewGuarded.
	LameDuck time.Duration
	// Bus is where events go; nil means the parent's. Run drains it at the end of
	// a tree, but never closes it. It tells the figures of its subscribers itself:
	// Measure leaves them out.
	Bus *events.Bus
	// Subscribers are subscribed to the bus for the length of each Run, and
	// drained at its end. Without a bus, here or above, they get one of their own. A
	// handler that takes longer than that may still be busy when the next Run begins,
	// and is called concurrently then. No two on one bus, which is mostly that of a tree, have
	// the same name.
	Subscribers []events.Subscriber
	// Around is put around every attempt of the tasks in the tree below, inside of
	// what the supervisors above put there.
	Around []actor.Around
	// Logger is the base of what actor.Logger returns; nil means the parent's,
	// and slog.Default at a root.
	Logger *slog.Logger
}

// Defaults are the settings that a spec inherits where its own are zero. Zero
// here means the constants of package policy. Supervisors below inherit Backoff
// and ResetAfter only: the rest is meant for tasks. Their StartTimeout is the sum
// of their children's, and their Grace is Forever.
type Defaults struct {
	// Backoff: zero means 200 ms to 30 s, doubled each time, half at random.
	Backoff policy.Backoff
	// MaxRetries: zero means unlimited. It does not concern Restart: Never.
	MaxRetries int
	// ResetAfter: zero means a minute, and that a healthy run does not give back
	// the retries.
	ResetAfter time.Duration
	// Timeout: zero means none.
	Timeout time.Duration
	// Stall: zero means that nothing is expected.
	Stall time.Duration
	// Grace: zero means 10 s.
	Grace time.Duration
	// StartTimeout: zero means a minute.
	StartTimeout time.Duration
}

// Family is a task that supervises other tasks: a Supervisor, or something
// built around one. Its grace is theirs, it is ready when they are, its
// attempts need no permit, and listings show what is below.
type Family interface {
	actor.Task
	// Head returns the supervisor of what is below.
	Head() *Supervisor
}

// Validate returns a *ConfigError for the first thing that cannot be used, the
// children's specs and the supervisors below included, or nil. Run and Start do
// the same before they do anything else.
func (s *Supervisor) Validate() error {
	err := s.circle(nil)
	if err == nil {
		err = s.cfg.check()
	}
	if err == nil {
		err = s.namesakes(nil, map[*events.Bus]map[string]bool{})
	}
	if err != nil {
		return &ConfigError{Name: s.cfg.Name, Err: err}
	}
	return nil
}

// namesakes returns an error if two subscribers of one bus have one name. Taken are the names on
// that of the supervisors above, or nil if they have none; given are the names on those that are
// given.
func (s *Supervisor) namesakes(taken map[string]bool, given map[*events.Bus]map[string]bool) error {
	if bus := s.cfg.Bus; bus != nil {
		if given[bus] == nil {
			given[bus] = map[string]bool{}
		}
		taken = given[bus]
	} else if taken == nil && len(s.cfg.Subscribers) > 0 {
		taken = map[string]bool{}
	}
	for i, sub := range s.cfg.Subscribers {
		if taken[sub.Name] {
			return &policy.FieldError{
				Field: fmt.Sprintf("Subscribers[%d].Name", i), Value: sub.Name,
				Reason: "is that of another subscriber of the same bus, which is one for a tree",
			}
		}
		taken[sub.Name] = true
	}
	for i := range s.cfg.Children {
		if head := headOf(s.cfg.Children[i].Task); head != nil {
			if err := head.namesakes(taken, given); err != nil {
				return err
			}
		}
	}
	return nil
}

// circle returns an error if a supervisor is below itself.
func (s *Supervisor) circle(above []*Supervisor) error {
	above = append(above, s)
	for i := range s.cfg.Children {
		spec := &s.cfg.Children[i]
		if v := reflect.ValueOf(spec.Task); !v.IsValid() || (v.Kind() == reflect.Pointer && v.IsNil()) {
			continue // is refused for that
		}
		head := headOf(spec.Task)
		switch {
		case head == nil:
			continue
		case slices.Contains(above, head):
			return &actor.SpecError{Name: spec.Name, Err: &policy.FieldError{
				Field: "Task", Value: head, Reason: "is a supervisor above itself",
			}}
		}
		if err := head.circle(above); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) check() error {
	bad := func(field string, value any, reason string) error {
		return &policy.FieldError{Field: field, Value: value, Reason: reason}
	}
	switch {
	case c.Strategy > OneForAll:
		return bad("Strategy", c.Strategy, "is not a known strategy")
	case c.AutoShutdown > AutoShutdownAll:
		return bad("AutoShutdown", c.AutoShutdown, "is not a known choice")
	case c.Limit < 0:
		return bad("Limit", c.Limit, "must not be negative")
	case c.Concurrency < 0:
		return bad("Concurrency", c.Concurrency, "must not be negative")
	case c.StopTimeout < 0:
		return bad("StopTimeout", c.StopTimeout, "must not be negative")
	case c.LameDuck < 0:
		return bad("LameDuck", c.LameDuck, "must not be negative")
	case c.StopTimeout > 0 && c.LameDuck >= c.StopTimeout:
		return bad("LameDuck", c.LameDuck, "leaves nothing of the StopTimeout")
	}
	if c.Name != "" {
		if err := actor.CheckName(c.Name); err != nil {
			return err
		}
	}
	if err := c.Intensity.Validate(); err != nil {
		return err
	}
	if err := c.Defaults.check(); err != nil {
		return err
	}
	for i, f := range c.Around {
		if f == nil {
			return bad(fmt.Sprintf("Around[%d]", i), nil, "must not be nil")
		}
	}
	for _, sub := range c.Subscribers {
		if err := sub.Validate(); err != nil {
			return fmt.Errorf("subscriber %q: %w", sub.Name, err)
		}
	}
	return c.checkChildren()
}

func (c *Config) checkChildren() error {
	names := make(map[string]bool, len(c.Children))
	heads := map[*Supervisor]string{}
	for i := range c.Children {
		spec := &c.Children[i]
		if err := c.admissible(spec); err != nil {
			return fmt.Errorf("child %d: %w", i+1, err)
		}
		if fam, ok := spec.Task.(Family); ok {
			if other, there := heads[fam.Head()]; there {
				return &actor.SpecError{Name: spec.Name, Err: &policy.FieldError{
					Field: "Task", Value: other, Reason: "is the same supervisor",
				}}
			}
			heads[fam.Head()] = spec.Name
		}
		if names[spec.Name] {
			return twice(spec.Name)
		}
		names[spec.Name] = true
	}
	return nil
}

// twice refuses the second of two children of one name.
func twice(name string) error {
	return &actor.SpecError{Name: name, Err: &policy.FieldError{Field: "Name", Value: name, Reason: "is there twice"}}
}

// admissible checks a spec by itself and against the supervisor's settings.
func (c *Config) admissible(spec *actor.Spec) error {
	if err := spec.Validate(); err != nil {
		return err
	}
	if fam, ok := spec.Task.(Family); ok && fam.Head() == nil {
		return &actor.SpecError{Name: spec.Name, Err: &policy.FieldError{
			Field: "Task", Value: nil, Reason: "is a Family without a Head",
		}}
	}
	if spec.Significant && c.AutoShutdown == AutoShutdownNever {
		return &actor.SpecError{Name: spec.Name, Err: &policy.FieldError{
			Field: "Significant", Value: true, Reason: "needs a supervisor with AutoShutdown",
		}}
	}
	return nil
}

func (d *Defaults) check() error {
	probe := actor.Spec{
		Name: "defaults", Task: actor.Func(nothing),
		Backoff: d.Backoff, MaxRetries: d.MaxRetries, ResetAfter: d.ResetAfter,
		Timeout: d.Timeout, Stall: d.Stall, Grace: d.Grace,
		AwaitReady: true, StartTimeout: d.StartTimeout,
	}
	return probe.Validate()
}

// headOf returns the supervisor of a Family, or nil.
func headOf(t actor.Task) *Supervisor {
	if fam, ok := t.(Family); ok {
		return fam.Head()
	}
	return nil
}

// Config returns what the supervisor was told. Its Children are a copy.
func (s *Supervisor) Config() Config {
	cfg := s.cfg
	cfg.Children = slices.Clone(cfg.Children)
	return cfg
}

// Resolve returns the spec of a child as the supervisor would run it: with what
// it inherits, and the defaults, in place of the zeros.
func (s *Supervisor) Resolve(spec actor.Spec) actor.Spec {
	resolved := s.cfg.Defaults.resolve(spec).spec
	resolved.Name, resolved.Task = spec.Name, spec.Task
	return resolved
}

// settings are a spec with its defaults filled in, shared by children that
// differ only in name and task. Read only. What a restart asks for stands first.
type settings struct {
	rules      policy.Rules
	resetAfter time.Duration // as in spec
	head       *Supervisor   // of a family, else nil
	// atOnce: a failure is followed at once.
	atOnce bool
	// budgetHeals: a healthy run gives back the retry budget.
	budgetHeals bool
	// described: the task is an actor.Described.
	described bool
	terms     actor.Terms
	spec      actor.Spec  // Name and Task have no meaning
	given     *actor.Spec // as it was before the defaults, to compare with
}

// resolve fills in what spec leaves open.
func (d *Defaults) resolve(spec actor.Spec) *settings {
	head, described, reviewed := headOf(spec.Task), isDescribed(spec.Task), isReviewed(spec.Task)
	spec.Name, spec.Task = "", nil // of one child only: it shall not be kept for the others
	given := spec
	if head != nil {
		d = &Defaults{Backoff: d.Backoff, ResetAfter: d.ResetAfter, StartTimeout: head.startBound()}
	}
	set := &settings{given: &given, head: head, described: described, budgetHeals: spec.ResetAfter != 0 || d.ResetAfter != 0}
	if spec.Backoff.IsZero() {
		spec.Backoff = d.Backoff
	}
	if spec.Restart != policy.Never {
		spec.MaxRetries = cmp.Or(spec.MaxRetries, d.MaxRetries, policy.Unlimited)
	}
	spec.ResetAfter = cmp.Or(spec.ResetAfter, d.ResetAfter, policy.DefaultResetAfter)
	spec.StartTimeout = cmp.Or(spec.StartTimeout, d.StartTimeout, policy.DefaultStartTimeout)
	if head != nil {
		spec.AwaitReady, spec.NoPermit = true, true
		spec.Timeout = cmp.Or(spec.Timeout, policy.NoTimeout)
		spec.Stall = policy.NoTimeout // its loop does not beat
		spec.Grace = cmp.Or(spec.Grace, policy.Forever)
	} else {
		spec.Timeout = cmp.Or(spec.Timeout, d.Timeout, policy.NoTimeout)
		spec.Stall = cmp.Or(spec.Stall, d.Stall, policy.NoTimeout)
		spec.Grace = cmp.Or(spec.Grace, d.Grace, policy.DefaultGrace)
	}
	set.spec, set.rules, set.resetAfter = spec, spec.Rules(), spec.ResetAfter
	set.atOnce = spec.Backoff.Shape == policy.ShapeNone && spec.Backoff.Custom == nil
	set.terms.Reviewed = reviewed
	set.terms.AwaitReady, set.terms.Timeout, set.terms.Stall = spec.AwaitReady, limit(spec.Timeout), limit(spec.Stall)
	return set
}

// limit turns a setting into a bound: Forever is none.
func limit(d time.Duration) time.Duration {
	if d == policy.Forever {
		return 0
	}
	return d
}

func isDescribed(t actor.Task) bool {
	_, described := t.(actor.Described)
	return described
}

func isReviewed(t actor.Task) bool {
	_, reviewed := t.(actor.Reviewed)
	return reviewed
}

// startBound is how long a start may take that leaves each declared child the
// time that its own settings give it.
func (s *Supervisor) startBound() time.Duration {
	var sum time.Duration
	for i := range s.cfg.Children {
		spec := s.cfg.Defaults.resolve(s.cfg.Children[i]).spec
		if spec.AwaitReady {
			sum += min(spec.StartTimeout, policy.Forever-sum)
		}
	}
	return max(sum, policy.DefaultStartTimeout)
}

// fits says that spec would resolve to the same settings. It compares what was
// given, field by field, because a Backoff may hold a function. Families share
// nothing.
func (set *settings) fits(spec *actor.Spec) bool {
	if _, family := spec.Task.(Family); family || isDescribed(spec.Task) != set.described ||
		set.described && isReviewed(spec.Task) != set.terms.Reviewed {
		return false
	}
	g := set.given
	return spec.Restart == g.Restart && spec.Every == g.Every && spec.MaxRetries == g.MaxRetries &&
		spec.ResetAfter == g.ResetAfter && spec.Timeout == g.Timeout && spec.Stall == g.Stall &&
		spec.Grace == g.Grace && spec.AwaitReady == g.AwaitReady && spec.StartTimeout == g.StartTimeout &&
		spec.OnGiveUp == g.OnGiveUp && spec.OnPanic == g.OnPanic && spec.OnStuck == g.OnStuck &&
		spec.Significant == g.Significant && spec.Optional == g.Optional && spec.NoPermit == g.NoPermit &&
		spec.Backoff.Equal(g.Backoff) && set.head == nil
}
