package persist

import (
	"cmp"
	"math"
	"sync"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/internal/register"
)

// book is all that a queue knows in memory: the jobs that have not ended, in the order in
// which they may run, and who waits for what. What it says is true only together with the
// store: what changes a job is decided here, committed there, and takes effect here then.
//
// Its lock is taken under that of a supervisor's run, and never the other way round. It is not
// held while waiting, nor while a user's code is called.
type book struct {
	mu    sync.Mutex
	clock clock

	// What the queue is told. It outlives runs.
	kinds      map[string]*kind // by full name and by aliases
	kindsMade  int
	numbers    []int // of types that were forgotten, to be given again
	domains    map[string]*domain
	groups     map[string]*group // those that have jobs, or a limit of their own
	groupLimit int               // of groups without one; 0 for none
	workers    int
	room       int64 // for jobs that are kept
	queueSet   settings
	state      []any
	counts     counts
	past       [DependencyFailed + 1]int
	watch      *events.Bus
	path       string // of the queue

	// What is known of one run.
	run      uint64 // its number: who has another was left behind by it
	phase    runPhase
	next     ID
	jobs     register.Of[ID, *entry]
	keys     map[Digest]ID // who holds the key: of this nothing is to be looked through by collections
	open     pile[*domain] // those that have lanes, and a place for them
	agenda   heap          // by entry.due
	active   []*claim      // that run, in no order
	running  int           // places taken
	owing    int           // attempts that have ended without that being durable
	revivals uint64        // jobs that were revived
	kept     int64         // about how much memory the jobs take that are kept
	unstored int           // how many were accepted and are not stored yet
	pledged  int           // bytes of the payloads that were submitted so

	// After a crash claims are durable until survivors have finished, and those that ran are
	// run alone.
	cautious bool
	suspects []*entry
	alone    bool // a suspect runs

	about   map[ID]*events.Job // while a commit takes effect: what is known of those that it is about
	inbox   []op               // for the writer
	asking  int                // of those, submissions that somebody waits for
	patient bool               // it will be woken
	resting bool               // it waits for more, and is to be woken for what hurries only
	wake    chan struct{}
	alarm   chan struct{} // the agenda has a new first, or there may be a place
	opened  *gate         // of the workers, until it is known to who sends jobs there
	broken  error         // the last commit failed
}

// runPhase is how far a run of the queue has come.
type runPhase uint8

const (
	notRunning runPhase = iota
	opening             // the store is being read
	inService
	closing // nothing is taken in any more
)

func newBook() *book {
	b := &book{
		clock: newClock(), kinds: map[string]*kind{}, domains: map[string]*domain{}, groups: map[string]*group{},
		wake: make(chan struct{}, 1), alarm: make(chan struct{}, 1),
	}
	b.reset()
	return b
}

// reset forgets what is known of a run.
func (b *book) reset() {
	b.run++
	b.clock = newClock()
	b.jobs, b.keys = register.Of[ID, *entry]{}, map[Digest]ID{}
	b.active = nil
	b.open = pile[*domain]{
		before: func(a, o *domain) bool { return a.lanes.members[0].before(o.lanes.members[0]) },
		at:     func(d *domain) *int { return &d.at },
	}
	b.agenda, b.running, b.owing = heap{}, 0, 0
	b.cautious, b.suspects, b.alone = false, nil, false
	b.inbox, b.asking, b.resting, b.broken = nil, 0, false, nil
	b.kept, b.unstored, b.pledged = 0, 0, 0
	for _, d := range b.domains {
		d.running, d.at = 0, -1
		d.lanes = newLanes()
	}
	for _, k := range b.kinds {
		k.lanes, k.count, k.jobs, k.told = map[*group]*lane{}, [Ended]int{}, 0, false
		b.tidyKind(k)
	}
	for name, g := range b.groups {
		g.running, g.jobs, g.parked = 0, 0, nil
		b.tidy(name, g)
	}
}

// during calls f with the book locked. If the book is that of another run by now, who calls was
// left behind: he has nothing to say any more, and f is not called.
func (b *book) during(run uint64, f func()) (still bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.run != run {
		return false
	}
	f()
	return true
}

func newLanes() pile[*lane] {
	return pile[*lane]{before: (*lane).before, at: func(l *lane) *int { return &l.at }}
}

// group returns the group of a name, or nil for none.
func (b *book) group(name string) *group {
	if name == "" {
		return nil
	}
	g := b.groups[name]
	if g == nil {
		g = &group{name: name}
		b.groups[name] = g
	}
	return g
}

// tidy forgets a group of which nothing is known.
func (b *book) tidy(name string, g *group) {
	if g.jobs == 0 && g.own == 0 {
		delete(b.groups, name)
	}
}

// tidyKind forgets a type of which nothing is known but its name.
func (b *book) tidyKind(k *kind) {
	if k.jobs == 0 && k.def == nil && k.run == nil {
		delete(b.kinds, k.name)
		b.numbers = append(b.numbers, k.number)
		k.domain.kinds--
		b.tidyDomain(k.domain)
	}
}

// tidyDomain forgets a domain of which nothing is known but its name.
func (b *book) tidyDomain(d *domain) {
	if d.def == nil && !d.limited && d.running == 0 && d.kinds == 0 {
		delete(b.domains, d.name)
	}
}

// full reports whether there is no place in a group. For who is in none, there always is.
func (b *book) full(g *group) bool {
	if g == nil {
		return false
	}
	limit := cmp.Or(g.own, b.groupLimit)
	return limit > 0 && g.running >= limit
}

// newEntry makes an entry of a job, which nobody knows yet.
func (b *book) newEntry(j *Record, s *State, k *kind) *entry {
	e := new(entry)
	b.fill(e, j, s, k)
	return e
}

func (b *book) fill(e *entry, j *Record, s *State, k *kind) {
	*e = entry{
		id: j.ID, kind: k, group: b.group(j.Group), digest: j.Digest, submitted: j.Submitted.UnixNano(),
		when: b.clock.at(s.RunAt), fence: uint32(s.Fence), attempts: clip(s.Attempts), failures: clip(s.Failures), priority: s.Priority,
		absolute: !s.RunAt.IsZero(),
	}
	if hasMore(j, s) {
		e.more = &more{
			rules: j.Rules, ttl: j.TTL, ttlFrom: j.TTLFrom, expires: b.clock.at(s.Expires), pause: s.Pause, last: s.Last,
			verdict: s.Verdict, crashes: s.Crashes, parked: s.Parked, putOff: s.PutOff, by: s.By,
		}
	}
}

func hasMore(j *Record, s *State) bool {
	return j.TTL != 0 || !s.Expires.IsZero() || s.Pause != 0 || s.Last != nil || s.Verdict != 0 || s.Crashes != 0 || s.Parked != "" ||
		!j.Rules.isZero()
}

func (r *Rules) isZero() bool {
	return r.MaxRetries == 0 && r.Timeout == 0 && r.Stall == 0 && r.Grace == 0 && r.Backoff.IsZero()
}

func clip(n int) uint32 { return uint32(min(uint64(max(n, 0)), math.MaxUint32)) }

// register makes an entry known, at a place where nothing happens to it yet. It has its key,
// unless it returns who has that.
func (b *book) register(e *entry) (holder *entry) {
	b.jobs.Add(e.id, e)
	if !e.digest.IsZero() {
		if holder = b.holding(e.digest); holder == nil {
			b.keys[e.digest] = e.id
		}
	}
	if e.group != nil {
		e.group.jobs++
	}
	e.place = arriving
	e.kind.count[phaseOf[arriving]]++
	e.kind.jobs++
	return holder
}

// find returns the entry of a job, or nil.
func (b *book) find(id ID) *entry {
	if at := b.jobs.Find(id); at != nil {
		return *at
	}
	return nil
}

// holding returns who holds a key, or nil.
func (b *book) holding(d Digest) *entry {
	if id := b.keys[d]; id != 0 {
		return b.find(id)
	}
	return nil
}

// forget undoes register. Who waits for the job's key has it now.
func (b *book) forget(e *entry) {
	b.move(e, leaving, 0)
	b.jobs.Remove(e.id)
	b.letGo(e)
	e.kind.count[phaseOf[leaving]]--
	e.place = gone
	if x := e.more; x != nil {
		if x.ahead != nil && x.ahead.more.follower == e { // else another has taken its place
			x.ahead.more.follower = x.follower // nil: there is one at most
		}
		if f := x.follower; f != nil {
			f.more.ahead = x.ahead
		}
	}
	if !e.digest.IsZero() && b.keys[e.digest] == e.id {
		if f := e.follower(); f != nil {
			b.keys[e.digest] = f.id
		} else {
			delete(b.keys, e.digest)
		}
	}
	if g := e.group; g != nil {
		g.jobs--
		b.tidy(g.name, g)
	}
	if x := e.more; x != nil && x.ended != nil {
		close(x.ended)
		x.ended = nil
	}
	e.kind.jobs--
	b.tidyKind(e.kind)
	if f := e.follower(); f != nil && f.place == blocked {
		b.settleIn(f)
	}
}

// follow has one job wait for another.
func follow(f, ahead *entry) {
	f.extend().ahead = ahead
	ahead.extend().follower = f
}

// settleIn puts a job where it waits.
func (b *book) settleIn(e *entry) { b.settleInAt(e, b.clock.now()) }

func (b *book) settleInAt(e *entry, now instant) {
	switch {
	case e.more != nil && e.more.parked != "":
		b.move(e, parked, 0)
	case e.more != nil && e.more.ahead != nil:
		b.move(e, blocked, e.when)
	case e.when > now:
		b.move(e, delayed, e.when)
	default:
		b.move(e, ready, now)
	}
}

// move puts a job at another place. When is what it waits for, or since when.
func (b *book) move(e *entry, to place, when instant) {
	from, due := e.place, e.due()
	e.kind.count[phaseOf[from]]--
	e.kind.count[phaseOf[to]]++
	e.place = to
	if from == ready {
		l := e.lane
		e.lane = nil
		l.drop(e)
		b.laneChanged(l)
	}
	e.when = when
	if to == ready {
		e.absolute = false
		l := e.kind.laneOf(e.group)
		l.add(e)
		b.laneChanged(l)
	}
	b.remind(e, due)
}

// poke wakes who waits on a channel.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// phases counts the jobs by phase.
func (b *book) phases() (n [Ended]int) {
	for name, k := range b.kinds {
		if name != k.name {
			continue // an alias
		}
		for p, c := range k.count {
			n[p] += c
		}
	}
	return n
}
