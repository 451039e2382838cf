package supervisor

import (
	"iter"
	"strings"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// maxRows is how many of a supervisor's declared children are counted each by
// itself. Those that come after are counted with the dynamic ones: an observer has
// to keep a dozen series for each.
const maxRows = 1000

// dynamicRow is the row of all dynamic children together.
const dynamicRow = 0

// row is what is counted about one declared child, or about all that are counted
// together. A child's events are published under the row's pattern.
type row struct {
	pattern string // read only
	states  [StateFailed + 1]int32
	tally
}

// tally is what has happened to the tasks of one row. It only grows: through all
// lives of a task and, kept by the Supervisor, through all of its runs.
type tally struct {
	added, started, restarts, stuck, abandoned uint64
	exits                                      [policy.Stopped + 1]uint64
	outcomes                                   [events.Abandoned + 1]uint64
}

func (t *tally) add(u *tally) {
	t.added += u.added
	t.started += u.started
	t.restarts += u.restarts
	t.stuck += u.stuck
	t.abandoned += u.abandoned
	for i := range u.exits {
		t.exits[i] += u.exits[i]
	}
	for i := range u.outcomes {
		t.outcomes[i] += u.outcomes[i]
	}
}

// familyTally is what has happened to a supervisor.
type familyTally struct {
	runs, groups, exceeded uint64
}

func (t *familyTally) add(u *familyTally) {
	t.runs += u.runs
	t.groups += u.groups
	t.exceeded += u.exceeded
}

// past holds tallies of what is over, by pattern below a supervisor: "db" for its
// child, "*/db" for that of a dynamic one, "" for itself.
type past struct {
	tasks    map[string]*tally
	families map[string]*familyTally
	// subscribers are those of the buses that runs have made, by name.
	subscribers map[string]*map[*events.Metric]float64
}

// maxPast bounds what is kept by name about supervisors that are gone. What comes on
// top is kept together with the dynamic children.
const maxPast = 10 * maxRows

func (p *past) task(key string) *tally         { return entry(&p.tasks, key) }
func (p *past) family(key string) *familyTally { return entry(&p.families, key) }

func (p *past) subscriber(name string) map[*events.Metric]float64 {
	of := entry(&p.subscribers, name)
	if *of == nil {
		*of = map[*events.Metric]float64{}
	}
	return *of
}

func addAll(to, from map[*events.Metric]float64) {
	for m, value := range from {
		to[m] += value
	}
}

func entry[T any](m *map[string]*T, key string) *T {
	if *m == nil {
		*m = map[string]*T{}
	}
	if t := (*m)[key]; t != nil {
		return t
	}
	if len(*m) >= maxPast {
		if key = "*"; (*m)[key] != nil {
			return (*m)[key]
		}
	}
	t := new(T)
	(*m)[key] = t
	return t
}

// add takes over what q holds about a child whose key is below.
func (p *past) add(below string, q *past) {
	for key, t := range q.tasks {
		p.task(under(below, key)).add(t)
	}
	for key, t := range q.families {
		p.family(under(below, key)).add(t)
	}
	for name, figures := range q.subscribers {
		addAll(p.subscriber(name), *figures)
	}
}

// under joins two patterns, either of which may be empty.
func under(below, key string) string {
	if below == "" || key == "" {
		return below + key
	}
	return below + "/" + key
}

// openRows makes the row of the dynamic children.
func (r *run) openRows() {
	r.pattern = r.path
	if r.self != nil {
		r.pattern = patternOf(r.self.Actor())
		if !r.isSelf() && r.cfg.Name != "" {
			r.pattern += "/" + r.cfg.Name
		}
	}
	r.rows = make([]row, 1, 1+min(len(r.cfg.Children), maxRows))
	r.rows[dynamicRow].pattern = r.pattern + "/*"
	r.own.runs = 1
}

// patternOf returns the pattern of a task that runs.
func patternOf(a *actor.Actor) string {
	if c, ok := a.Parent().(*child); ok {
		return c.row().pattern
	}
	return a.Path()
}

// openRow gives a declared child a row of its own, if there is room.
func (r *run) openRow(c *child) {
	if len(r.rows) > maxRows {
		return
	}
	pattern := c.Path()
	if r.pattern != r.path {
		pattern = r.pattern + "/" + c.Name()
	}
	c.rowAt = uint32(len(r.rows))
	r.rows = append(r.rows, row{pattern: pattern})
}

// row is where c is counted.
func (c *child) row() *row { return &c.run.rows[c.rowAt] }

// key is the row's pattern below its supervisor.
func (r *run) key(of *row) string { return strings.TrimPrefix(of.pattern, r.pattern+"/") }

// settle keeps what the run has counted, now that it is over.
func (s *Supervisor) settle(r *run) {
	s.countMu.Lock()
	defer s.countMu.Unlock()
	r.mu.Lock()
	r.yield("", &s.past)
	r.mu.Unlock()
	s.current.Store(nil)
}

// yield moves what the run has counted, and begins again at zero.
func (r *run) yield(key string, to *past) {
	for i := range r.rows {
		row := &r.rows[i]
		to.task(under(key, r.key(row))).add(&row.tally)
		row.tally = tally{}
	}
	to.family(key).add(&r.own)
	to.add(key, &r.gone)
	r.own, r.gone = familyTally{}, past{}
	if r.ownsBus {
		r.env.bus.Measure(func(m *events.Metric, value float64, labels ...string) {
			if m.Counter {
				addAll(to.subscriber(labels[0]), map[*events.Metric]float64{m: value})
			}
		})
	}
}

// keepCounts takes over what a supervisor below has counted, since it is forgotten.
func (r *run) keepCounts(c *child) {
	if c.set.head != nil {
		c.set.head.yield(r.key(c.row()), &r.gone)
	}
}

// yield moves what s and the supervisors below it have counted. One that still runs
// was abandoned: what it counts from now on is lost.
func (s *Supervisor) yield(key string, to *past) {
	s.countMu.Lock()
	defer s.countMu.Unlock()
	to.add(key, &s.past)
	s.past = past{}
	r := s.current.Load()
	if r == nil {
		for head, name := range s.cfg.families() {
			head.yield(under(key, name), to)
		}
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.yield(key, to)
	for c := range r.families {
		c.set.head.yield(under(key, r.key(c.row())), to)
	}
}

// families yields the declared supervisors, and the keys under which they are
// counted.
func (c *Config) families() iter.Seq2[*Supervisor, string] {
	return func(yield func(*Supervisor, string) bool) {
		for i := range c.Children {
			spec := &c.Children[i]
			if fam, ok := spec.Task.(Family); ok && fam.Head() != nil && !yield(fam.Head(), rowName(spec.Name, i)) {
				return
			}
		}
	}
}

// rowName is the key of the i-th declared child.
func rowName(name string, i int) string {
	if i >= maxRows {
		return "*"
	}
	return name
}
