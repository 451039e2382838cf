package supervisor

import (
	"context"
	"log/slog"
	"runtime/pprof"
	"slices"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// run is one run of a supervisor: all of its state, so that the next run begins
// afresh.
//
// Two kinds of goroutine act on it, under one lock that is never held while
// waiting. The children's own goroutines decide what concerns only themselves:
// what follows an attempt, their end. The conductor, which is the goroutine of
// Supervisor.Run, moves the family: it starts in order, restarts groups, stops,
// and looks after those whose grace is over. It is poked when it may have
// something to do, looks at everything, and sleeps until the next due time.
type run struct {
	s       *Supervisor
	base    context.Context // values for the children; never ends
	path    string          // "" for a root without a name
	pattern string          // as events.Event.Pattern, "" for a root without a name
	self    *actor.Attempt  // the attempt that this run is, nil at a root
	subs    []*events.Subscription
	ownsBus bool
	// settings are those of the last spec, shared if the next is alike.
	settings atomic.Pointer[settings]

	began time.Time     // read only
	wake  chan struct{} // pokes the conductor
	cfg   *Config       // read only

	// What a restart looks at stands together from here on, so that it is fetched together.
	env      env      // its last fields, that is
	strategy Strategy // as in cfg
	limited  bool     // cfg has an Intensity

	mu mutex
	// All below is guarded by mu, but for the door and the guard.
	rows     []row    // the slice itself is read only
	group    *group   // a group restart under way, until its members have ended
	stop     *stop    // the stop under way; it never goes away again
	cancels  []cancel // to be done after mu is released
	announce bool     // to be ready, after mu is released
	wanted   bool     // the conductor is to be poked, after mu is released
	halted   bool     // a member of the group has left its goroutine, see goOnHalting
	vacant   bool     // a goroutine has nothing to do any more, and can be had by who comes in
	started  bool     // the first start is over
	again    bool     // it ended to make room for the next run
	over     bool     // the stop is over
	gone     []*child // of whom the guard is to be told, see admitNext

	door     Door           // read only
	guard    Guard          // read only; nil without a keeper
	provider Provider       // the guard, if it is one
	rejected int            // how many had waited at it when it was closed
	heir     *actor.Attempt // the one that has got the vacant goroutine
	unready  *child         // started, and its younger siblings wait for it
	window   policy.Window

	names        map[string]*child
	families     map[*child]bool // those that are supervisors
	first, last  *child          // start order
	starting     *child          // next to look at in it; nil when all were started
	readyBy      instant         // when unready has taken too long
	lastPosition uint64
	dynamic      int
	alive        int   // children that have a goroutine
	significant  int   // significant children that have not ended
	shown        State // see noteState
	since        instant
	regroup      instant // since when a group restarts, until its members have started again
	asked        instant // when the context of Run ended, with a lame-duck delay
	lame         instant // when the lame-duck delay is over, unless the deadline is near

	watched []watched
	dueAt   instant // when the first of the watched is due
	zombies map[*actor.Attempt]zombie
	left    []*actor.StuckError // by runs of supervisors below that are over
	failed  []error             // of children, kept with EndWhenEmpty
	own     familyTally
	note    events.Event // see blank

	lastTold instant   // what was told last, see wall
	lastTime time.Time // and with which time

	reset atomic.Pointer[time.Time] // when it began, since the wall clock was set; see epoch
}

// env is what a tree shares, carried by the context.
type env struct {
	logger  *slog.Logger
	around  []actor.Around
	books   *books
	tree    uint64
	bus     *events.Bus
	permits *permits
}

type envKey struct{}

// cancel is an attempt whose context is to be ended.
type cancel struct {
	attempt *actor.Attempt
	reason  events.Reason
}

func newRun(s *Supervisor, ctx context.Context, subs []events.Subscriber) *run {
	r := &run{
		s: s, cfg: &s.cfg, strategy: s.cfg.Strategy, limited: !s.cfg.Intensity.IsZero(),
		wake:  make(chan struct{}, 1),
		names: make(map[string]*child, len(s.cfg.Children)),
		shown: StateStarting, since: beginning, began: time.Now(),
	}
	r.env, _ = ctx.Value(envKey{}).(env)
	if r.self = actor.Current(ctx); r.self != nil {
		r.path = r.self.Actor().Path()
		if !r.isSelf() && s.cfg.Name != "" {
			r.path += "/" + s.cfg.Name // run by hand from inside some other task
		}
	} else if s.cfg.Name != "" {
		r.path = "/" + s.cfg.Name
	}
	if !r.isSelf() {
		r.env.tree = s.treeNumber() // also when some task runs it by hand: its parent does not know it
	}
	if s.cfg.Bus != nil {
		r.env.bus = s.cfg.Bus
	} else if r.env.bus == nil && len(subs) > 0 {
		r.env.bus, r.ownsBus = &events.Bus{}, true
	}
	if r.env.books == nil {
		r.env.books = s.ownBooks()
	}
	if s.cfg.Concurrency > 0 {
		r.env.permits = &permits{limit: s.cfg.Concurrency, up: r.env.permits}
	}
	if s.cfg.Logger != nil {
		r.env.logger = s.cfg.Logger
	}
	r.env.around = slices.Concat(r.env.around, s.cfg.Around)
	r.base = context.WithValue(context.WithoutCancel(ctx), envKey{}, r.env)
	if s.cfg.Logger != nil {
		r.base = actor.WithLogger(r.base, s.cfg.Logger)
	}
	r.base = pprof.WithLabels(r.base, pprof.Labels()) // those of ctx: nobody has to look for them further up
	r.openRows()
	r.declare()
	return r
}

// isSelf says that the run is the attempt of a child, and not one that some
// task makes by hand, or a root.
func (r *run) isSelf() bool {
	if r.self == nil {
		return false
	}
	c, ok := r.self.Actor().Parent().(*child)
	return ok && c.set.head == r.s
}

// declare links the declared children, so that their names are taken before
// anything runs.
func (r *run) declare() {
	for i := range r.cfg.Children {
		spec := &r.cfg.Children[i]
		set, _ := r.known(spec) // has been validated
		c := r.newChild(spec, set)
		c.declared = true
		r.openRow(c, i)
		r.link(c)
		if c.set.spec.Significant {
			r.significant++
		}
	}
	r.starting = r.first
}

// newChild makes a child that is not linked yet. It needs no lock.
func (r *run) newChild(spec *actor.Spec, set *settings) *child {
	c := &child{run: r, set: set, generation: 1, state: StateStarting, since: beginning}
	c.Init(c, r.path, r.env.tree, spec.Task, &set.terms, spec.Name)
	return c
}

// known returns the settings of an admissible spec, or why it is not.
func (r *run) known(spec *actor.Spec) (*settings, error) {
	set := r.settings.Load()
	if set != nil && set.fits(spec) {
		return set, spec.ValidateTask()
	}
	if err := r.cfg.admissible(spec); err != nil {
		return nil, err
	}
	set = r.cfg.Defaults.resolve(*spec)
	set.terms.Base, set.terms.Epoch = r.base, r.began
	if set.head == nil { // what is around a supervisor would be around everything below
		set.terms.Around = r.env.around
	}
	r.settings.Store(set)
	return set, nil
}

// name is the path for people: a root without a name is "/".
func (r *run) name() string {
	if r.path == "" {
		return "/"
	}
	return r.path
}

// patternName is the pattern for people.
func (r *run) patternName() string {
	if r.pattern == "" {
		return "/"
	}
	return r.pattern
}
