package supervisor

import (
	"strings"
	"sync"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// maxRows is how many of a supervisor's declared children are counted each by
// itself, and how many names below dynamic children of a tree are. What comes on top
// is counted with the dynamic children: an observer has to keep dozens of series for
// each row.
const maxRows = 1000

// dynamicRow is the row of all dynamic children together.
const dynamicRow = 0

// row is what a run counts about one declared child, or about all that are counted
// together. A child's events are published under the row's pattern.
type row struct {
	tally
	states  [StateFailed + 1]int32
	pattern string // read only
}

// tally is what has happened to the tasks of one pattern. It only grows. What a restart
// counts stands first, since it is fetched together.
type tally struct {
	started, restarts       uint64
	exits                   [policy.Stopped + 1]uint64
	added, stuck, abandoned uint64
	outcomes                [events.Abandoned + 1]uint64
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

// familyTally is what has happened to the supervisors of one pattern.
type familyTally struct {
	runs, groups, exceeded uint64
}

func (t *familyTally) add(u *familyTally) {
	t.runs += u.runs
	t.groups += u.groups
	t.exceeded += u.exceeded
}

// books are what a tree has counted. A run counts in its own rows, under its own
// lock, and is entered here while it lasts; at its end its counts come into the
// totals. So counts go on through lives, runs and supervisors that are forgotten, and
// whoever reads them finds each in exactly one place.
//
// The root keeps them; all supervisors below have them from their context.
type books struct {
	mu          sync.Mutex // taken before a run's own
	tasks       map[string]*tally
	families    map[string]*familyTally
	subscribers map[string]sums // of buses that runs have made
	open        map[*run]bool   // runs that last
	folded      map[string]bool // patterns of declared children below dynamic ones
}

// sums are the figures of one subscriber.
type sums map[*events.Metric]float64

func (b *books) begin(r *run) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open == nil {
		b.open = map[*run]bool{}
	}
	b.open[r] = true
}

// settle takes over what a run has counted, since it is over.
func (b *books) settle(r *run) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, r)
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.rows {
		entry(&b.tasks, r.rows[i].pattern).add(&r.rows[i].tally)
	}
	entry(&b.families, r.pattern).add(&r.own)
	if !r.ownsBus {
		return
	}
	if b.subscribers == nil {
		b.subscribers = map[string]sums{}
	}
	r.env.bus.Measure(func(m *events.Metric, value float64, labels ...string) {
		name := labels[0]
		if b.subscribers[name] == nil {
			b.subscribers[name] = sums{}
		}
		if m.Counter {
			b.subscribers[name][m] += value
		}
	})
}

// entry returns the value of a key, which is made if there is none.
func entry[T any](m *map[string]*T, key string) *T {
	t := (*m)[key]
	if t == nil {
		t = new(T)
		if *m == nil {
			*m = map[string]*T{}
		}
		(*m)[key] = t
	}
	return t
}

// fold says whether a declared child below a dynamic one may be counted by name: who
// gives such children ever new names shall not make ever new series.
func (b *books) fold(pattern string) (asDynamic bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.folded[pattern] {
		return false
	}
	if len(b.folded) >= maxRows {
		return true
	}
	if b.folded == nil {
		b.folded = map[string]bool{}
	}
	b.folded[pattern] = true
	return false
}

// pattern returns the pattern of the i-th declared child of a supervisor, which has
// the pattern at.
func (b *books) pattern(at, name string, i int) string {
	pattern := at + "/" + name
	if i >= maxRows || (strings.Contains(at, "/*") && b.fold(pattern)) {
		return at + "/*"
	}
	return pattern
}

// openRows finds the pattern of the run and makes the row of the dynamic children.
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

// openRow gives the i-th declared child a row of its own, if there is room.
func (r *run) openRow(c *child, i int) {
	pattern := r.env.books.pattern(r.pattern, c.Name(), i)
	if pattern == r.rows[dynamicRow].pattern {
		return
	}
	if pattern == c.Path() {
		pattern = c.Path() // shares its memory
	}
	c.rowAt = uint32(len(r.rows))
	r.rows = append(r.rows, row{pattern: pattern})
}

// row is where c is counted.
func (c *child) row() *row { return &c.run.rows[c.rowAt] }
