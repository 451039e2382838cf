package supervisor

import (
	"maps"
	"slices"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// Measure reports the figures of Metrics about the supervisor and everything below
// it: counts since the Supervisor was made, through all of its runs, and what is the
// case now. The part of each supervisor is consistent in itself. What a supervisor
// counted that is forgotten, because it was added at run time or removed, is
// counted on by the one above. It takes a time that grows with the declared
// children and not with the dynamic ones, but for supervisors among them.
func (s *Supervisor) Measure(report func(m *events.Metric, value float64, labels ...string)) {
	c := census{
		tasks: map[string]*row{}, families: map[string]*family{},
		subscribers: map[string]map[*events.Metric]float64{},
	}
	at := s.cfg.rootPath()
	if r := s.current.Load(); r != nil {
		at = r.pattern
	}
	if at == "/" {
		at = ""
	}
	s.count(at, &c, false)
	c.report(report)
}

// census is the figures of a tree by pattern, and by subscriber.
type census struct {
	tasks       map[string]*row
	families    map[string]*family
	subscribers map[string]map[*events.Metric]float64
}

// family is the figures of the supervisors of one pattern.
type family struct {
	familyTally
	up, zombies          int
	restarts, allowed    int // of the intensity
	used, waiting, limit int // of the permits
}

func (c *census) task(pattern string) *row {
	t := c.tasks[pattern]
	if t == nil {
		t = &row{pattern: pattern}
		c.tasks[pattern] = t
	}
	return t
}

func (c *census) family(pattern string) *family {
	f := c.families[pattern]
	if f == nil {
		f = &family{}
		c.families[pattern] = f
	}
	return f
}

// subscriber returns the figures of a name, which is reported from now on.
func (c *census) subscriber(name string) map[*events.Metric]float64 {
	of := c.subscribers[name]
	if of == nil {
		of = map[*events.Metric]float64{}
		c.subscribers[name] = of
	}
	return of
}

// count adds what s and the supervisors below know, under the pattern at. Locks are
// held from the top down, so that what moves from one supervisor to the one above is
// found in exactly one of them. The subscribers of a foreign bus are for whoever made
// it.
func (s *Supervisor) count(at string, c *census, foreign bool) {
	foreign = foreign || s.cfg.Bus != nil
	if !foreign {
		for _, sub := range s.cfg.Subscribers {
			c.subscriber(sub.Name)
		}
	}
	f := c.family(at)
	f.allowed += s.cfg.Intensity.Restarts
	c.task(at + "/*")

	s.countMu.Lock()
	defer s.countMu.Unlock()
	c.over(at, &s.past)
	if r := s.current.Load(); r != nil {
		r.count(at, c, foreign)
		return
	}
	for i := range s.cfg.Children {
		c.task(at + "/" + rowName(s.cfg.Children[i].Name, i)).states[StateStopped]++
	}
	for head, name := range s.cfg.families() {
		head.count(at+"/"+name, c, foreign)
	}
}

// over adds what is over.
func (c *census) over(at string, p *past) {
	for key, t := range p.tasks {
		c.task(at + "/" + key).add(t)
	}
	for key, t := range p.families {
		c.family(under(at, key)).add(t)
	}
	for name, figures := range p.subscribers {
		addAll(c.subscriber(name), *figures)
	}
}

// count adds what the run and the supervisors below know.
func (r *run) count(at string, c *census, foreign bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ownsBus {
		r.env.bus.Measure(func(m *events.Metric, value float64, labels ...string) {
			c.subscriber(labels[0])[m] += value
		})
	}
	c.over(at, &r.gone)
	for i := range r.rows {
		from := &r.rows[i]
		to := c.task(at + "/" + r.key(from))
		to.add(&from.tally)
		for s, n := range from.states {
			to.states[s] += n
		}
	}
	r.countFamily(c.family(at), time.Now())
	for ch := range r.families {
		ch.set.head.count(at+"/"+r.key(ch.row()), c, foreign)
	}
}

func (r *run) countFamily(f *family, now time.Time) {
	f.add(&r.own)
	r.noteState(now)
	if r.shown == StateRunning || r.shown == StateRestarting {
		f.up++
	}
	f.restarts += r.window.InUse(r.cfg.Intensity, now)
	f.zombies += len(r.zombies)
	if r.cfg.Concurrency > 0 {
		used, waiting, limit := r.env.permits.inUse()
		f.used += used
		f.waiting += waiting
		f.limit += limit
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
	report(upMetric, float64(f.up), name)
	report(runsMetric, float64(f.runs), name)
	report(groupsMetric, float64(f.groups), name)
	report(exceededMetric, float64(f.exceeded), name)
	report(intensityMetric, float64(f.restarts), name)
	report(intensityLimitMetric, float64(f.allowed), name)
	report(zombiesMetric, float64(f.zombies), name)
	report(permitsUsedMetric, float64(f.used), name)
	report(permitsWaitingMetric, float64(f.waiting), name)
	report(permitsLimitMetric, float64(f.limit), name)
}
