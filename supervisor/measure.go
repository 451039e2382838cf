package supervisor

import (
	"maps"
	"slices"
	"strings"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// Measure reports the figures of Metrics about a tree: counts since its root was
// made, through all of its runs, and what is the case now. Ask the root; a supervisor
// in a tree reports its part of it while it runs, and what it declares while it does
// not. The part of each supervisor is consistent in itself.
//
// It looks at each supervisor that runs under its lock, one after the other, and takes
// a time that grows with the declared children and with the supervisors, but not with
// the dynamic children. A supervisor that starts or ends meanwhile waits for it.
func (s *Supervisor) Measure(report func(m *events.Metric, value float64, labels ...string)) {
	c := census{
		tasks: map[string]*row{}, families: map[string]*family{}, subscribers: map[string]sums{},
		looked: map[*Supervisor]bool{},
	}
	r := s.current.Load()
	if r == nil {
		c.books, c.at = s.ownBooks(), strings.TrimSuffix(s.cfg.rootPath(), "/")
		c.readBooks()
		c.declared(place{s, c.at, s.cfg.Bus != nil})
	} else {
		c.books, c.at = r.env.books, r.pattern
		c.part = c.books != s.ownBooks()
		c.readBooks()
	}
	for _, p := range c.below {
		c.declared(p)
	}
	c.report(report)
}

// census is the figures of a tree by pattern, and by subscriber.
type census struct {
	books       *books
	at          string // only what has this pattern, or is below it
	part        bool   // it is not the root's
	tasks       map[string]*row
	families    map[string]*family
	subscribers map[string]sums
	looked      map[*Supervisor]bool // those that run, and those whose declarations were read
	below       []place              // supervisors below those that run
}

// place is a supervisor that may or may not run.
type place struct {
	head    *Supervisor
	pattern string
	foreign bool // its bus is for whoever made it
}

// family is the figures of the supervisors of one pattern.
type family struct {
	familyTally
	met                  bool // there is such a supervisor
	up, zombies          int
	restarts, allowed    int // of the intensity
	used, waiting, limit int // of the permits
}

func (c *census) task(pattern string) *row {
	t := entry(&c.tasks, pattern)
	t.pattern = pattern
	return t
}

func (c *census) subscriber(name string) sums {
	if c.subscribers[name] == nil {
		c.subscribers[name] = sums{}
	}
	return c.subscribers[name]
}

func (c *census) includes(pattern string) bool {
	below, ok := strings.CutPrefix(pattern, c.at)
	return ok && (below == "" || below[0] == '/')
}

// readBooks adds what the tree has counted, and what is the case in the runs that
// last.
func (c *census) readBooks() {
	b := c.books
	b.mu.Lock()
	defer b.mu.Unlock()
	for pattern, t := range b.tasks {
		if c.includes(pattern) {
			c.task(pattern).add(t)
		}
	}
	for pattern, t := range b.families {
		if c.includes(pattern) {
			entry(&c.families, pattern).add(t)
		}
	}
	if !c.part {
		for name, of := range b.subscribers {
			to := c.subscriber(name)
			for m, value := range of {
				to[m] += value
			}
		}
	}
	for r := range b.open {
		if c.includes(r.pattern) {
			c.looked[r.s] = true
			c.readRun(r)
		}
	}
}

func (c *census) readRun(r *run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.rows {
		from := &r.rows[i]
		to := c.task(from.pattern)
		to.add(&from.tally)
		for s, n := range from.states {
			to.states[s] += n
		}
	}
	f := c.met(r.cfg, r.pattern)
	f.add(&r.own)
	now := r.now()
	r.noteState(now)
	if r.shown == StateRunning || r.shown == StateRestarting {
		f.up++
	}
	f.restarts += r.window.InUse(r.cfg.Intensity, r.time(now))
	f.zombies += len(r.zombies)
	if r.cfg.Concurrency > 0 {
		used, waiting, limit := r.env.permits.inUse()
		f.used += used
		f.waiting += waiting
		f.limit += limit
	}
	if r.ownsBus {
		r.env.bus.Measure(func(m *events.Metric, value float64, labels ...string) {
			c.subscriber(labels[0])[m] += value
		})
	}
	for ch := range r.families {
		c.below = append(c.below, place{ch.set.head, ch.row().pattern, r.env.bus != nil})
	}
}

// met returns the figures of a supervisor that there is.
func (c *census) met(cfg *Config, pattern string) *family {
	f := entry(&c.families, pattern)
	f.met = true
	f.allowed += cfg.Intensity.Restarts
	return f
}

// declared adds what a supervisor declares that does not run, and those below it. It
// asks the user's Families, so no lock is held.
func (c *census) declared(p place) {
	if c.looked[p.head] {
		return
	}
	c.looked[p.head] = true
	cfg := &p.head.cfg
	c.met(cfg, p.pattern).limit += cfg.Concurrency
	c.task(p.pattern + "/*")
	p.foreign = p.foreign || cfg.Bus != nil
	if !p.foreign {
		for _, sub := range cfg.Subscribers {
			c.subscriber(sub.Name)
		}
	}
	for i := range cfg.Children {
		spec := &cfg.Children[i]
		pattern := c.books.pattern(p.pattern, spec.Name, i)
		c.task(pattern).states[StateStopped]++
		if head := headOf(spec.Task); head != nil {
			c.declared(place{head, pattern, p.foreign || len(cfg.Subscribers) > 0})
		}
	}
}

// report reports everything, in the order of the patterns.
func (c *census) report(report func(m *events.Metric, value float64, labels ...string)) {
	for _, pattern := range slices.Sorted(maps.Keys(c.tasks)) {
		c.tasks[pattern].report(report)
	}
	for _, pattern := range slices.Sorted(maps.Keys(c.families)) {
		name := pattern
		if name == "" {
			name = "/" // a root without a name
		}
		c.families[pattern].report(name, report)
	}
	for _, name := range slices.Sorted(maps.Keys(c.subscribers)) {
		for _, m := range busMetrics {
			report(m, c.subscribers[name][m], name)
		}
	}
}

func (t *row) report(report func(m *events.Metric, value float64, labels ...string)) {
	for _, s := range states.Values() {
		report(tasksMetric, float64(t.states[s]), t.pattern, s.String())
	}
	for o := events.Completed; o <= events.Abandoned; o++ {
		report(finishedMetric, float64(t.outcomes[o]), t.pattern, o.String())
	}
	for x := policy.Succeeded; x <= policy.Stopped; x++ {
		report(endedMetric, float64(t.exits[x]), t.pattern, x.String())
	}
	report(addedMetric, float64(t.added), t.pattern)
	report(startedMetric, float64(t.started), t.pattern)
	report(restartsMetric, float64(t.restarts), t.pattern)
	report(stuckMetric, float64(t.stuck), t.pattern)
	report(abandonedMetric, float64(t.abandoned), t.pattern)
}

func (f *family) report(name string, report func(m *events.Metric, value float64, labels ...string)) {
	report(runsMetric, float64(f.runs), name)
	report(groupsMetric, float64(f.groups), name)
	report(exceededMetric, float64(f.exceeded), name)
	if !f.met && !strings.Contains(name, "/*") { // it was removed; of dynamic ones, there may be none at the moment
		return
	}
	report(upMetric, float64(f.up), name)
	report(intensityMetric, float64(f.restarts), name)
	report(intensityLimitMetric, float64(f.allowed), name)
	report(zombiesMetric, float64(f.zombies), name)
	report(permitsUsedMetric, float64(f.used), name)
	report(permitsWaitingMetric, float64(f.waiting), name)
	report(permitsLimitMetric, float64(f.limit), name)
}
