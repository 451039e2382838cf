package persist

import "context"

// kind is a type as a queue knows it. All is guarded by book.mu.
type kind struct {
	name     string // the full one
	number   int    // how many were known before
	domain   *domain
	def      *definition // nil if only the name is known
	set      settings    // of queue, domain and type; replaced, never changed
	rules    *Rules      // those of set
	run      func(ctx context.Context, c Codec, payload []byte) error
	lanes    map[*group]*lane
	count    [Ended]int // of the jobs that have not ended, by phase
	jobs     int        // that have not ended
	borrowed bool       // run is that of an alias
	told     bool       // that there is no handler
}

// domain is a domain as a queue knows it.
type domain struct {
	name    string
	def     *Domain // nil if only the name is known
	limit   int
	limited bool // its limit was set while the queue was there, and is not that of def
	running int
	kinds   int         // of types that are known
	lanes   pile[*lane] // those whose jobs may run, but for the domain's own limit
	at      int         // in the pile of domains, or -1
}

// adopt gives the type its settings.
func (k *kind) adopt(set settings) {
	k.set = set
	k.rules = &set.rules
}

func (d *domain) full() bool { return d.limit > 0 && d.running >= d.limit }

// group is whose jobs share a limit.
type group struct {
	name    string
	own     int // its own limit, 0 for none
	running int
	jobs    int     // that have not ended
	parked  []*lane // those that wait for a place of the group
}

// lane holds the jobs of one type and one group that are ready, by priority, and then in
// the order of their IDs. Lanes that are empty are forgotten.
type lane struct {
	kind  *kind
	group *group
	tiers []tier // in the order of their priorities; none is empty
	n     int    // jobs in it
	at    int    // in the pile of its domain, or -1
	held  bool   // it waits for a place of its group, and is in its list
}

// tier holds the jobs of one priority.
type tier struct {
	priority Priority
	heap     heap
}

// add puts a job into the lane.
func (l *lane) add(e *entry) {
	e.lane = l
	l.n++
	l.tier(e.priority).heap.push(int64(e.id), e)
}

func (l *lane) tier(p Priority) *tier {
	i := 0
	for i < len(l.tiers) && l.tiers[i].priority < p {
		i++
	}
	if i == len(l.tiers) || l.tiers[i].priority != p {
		l.tiers = append(l.tiers, tier{})
		copy(l.tiers[i+1:], l.tiers[i:])
		l.tiers[i] = tier{priority: p}
	}
	return &l.tiers[i]
}

// drop takes a job out that is somewhere in the lane. Its place has changed already.
func (l *lane) drop(e *entry) {
	l.n--
	t := l.tier(e.priority)
	t.heap.drop(func(s slot) bool { return l.holds(s, t.priority) })
}

// holds reports whether a slot of a tier counts.
func (l *lane) holds(s slot, p Priority) bool {
	return s.job.place == ready && s.job.lane == l && s.job.priority == p
}

// head returns the job that goes first, or nil.
func (l *lane) head() *entry {
	for len(l.tiers) > 0 {
		t := &l.tiers[0]
		if s, ok := t.heap.first(func(s slot) bool { return l.holds(s, t.priority) }); ok {
			return s.job
		}
		l.tiers = append(l.tiers[:0], l.tiers[1:]...)
	}
	return nil
}

// before says whose head goes first.
func (l *lane) before(o *lane) bool {
	a, b := l.head(), o.head()
	if b == nil || a == nil {
		return a != nil
	}
	if a.priority != b.priority {
		return a.priority < b.priority
	}
	return a.id < b.id
}

// laneOf returns the lane of a job, which is made if there is none.
func (k *kind) laneOf(g *group) *lane {
	l := k.lanes[g]
	if l == nil {
		l = &lane{kind: k, group: g, at: -1}
		k.lanes[g] = l
	}
	return l
}
