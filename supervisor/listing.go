package supervisor

import (
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
)

// Node is one task as a listing shows it: what its supervisor itself knows at
// that moment, not what events have told. The JSON names and labels are stable.
type Node struct {
	Path  string    `json:"path"`
	Name  string    `json:"name"`
	ID    events.ID `json:"id,omitempty"` // 0 for a root
	State State     `json:"state"`
	// Since is when the task came into its state.
	Since time.Time `json:"since"`
	// UpSince is when the present attempt began, or said that it is ready, if it has to.
	// What counts as healthy is reckoned from there.
	UpSince time.Time `json:"up_since,omitzero"`
	// Ready: it runs and is up, has completed, or pauses after a success. A supervisor is ready when it
	// has started, does not stop, and its declared children are ready, but for
	// those that are optional or that someone stopped.
	Ready bool `json:"ready"`
	// Attempt is the number of the present attempt, or of the last.
	Attempt    int `json:"attempt,omitempty"`
	Generation int `json:"generation,omitempty"`
	// Restarts counts the failures after which it is, or was, to run again.
	Restarts int `json:"restarts"`
	// Failures is the length of the present streak of failures.
	Failures int `json:"failures,omitempty"`
	// Err is the last error of this life of the task, and Error its text.
	Err   error  `json:"-"`
	Error string `json:"error,omitempty"`
	// NextRetry is when a task that backs off, or a group that restarts, goes on.
	NextRetry time.Time `json:"next_retry,omitzero"`
	// Reason says why the task is stopping, or was stopped.
	Reason      events.Reason `json:"reason,omitzero"`
	Declared    bool          `json:"declared,omitempty"`
	Significant bool          `json:"significant,omitempty"`
	// Optional says that its supervisor is ready without it: its spec says so, or
	// it was added at run time.
	Optional bool `json:"optional,omitempty"`

	// IsSupervisor says that what follows has a meaning.
	IsSupervisor bool     `json:"supervisor,omitempty"`
	Strategy     Strategy `json:"strategy,omitzero"`
	// Waiting is the path of the child for which a start, a stop or a group
	// restart waits.
	Waiting string `json:"waiting,omitempty"`
	// RestartsInWindow counts against the supervisor's Intensity.
	RestartsInWindow int `json:"restarts_in_window,omitempty"`
	// Abandoned is how many attempts were given up and have not returned.
	Abandoned int `json:"abandoned,omitempty"`
	// PermitsUsed and PermitsWaiting are those of the supervisor's own
	// Concurrency.
	PermitsUsed    int `json:"permits_used,omitempty"`
	PermitsWaiting int `json:"permits_waiting,omitempty"`
	// Queued is how many were submitted to it and wait for their key, for a controller.
	Queued   int    `json:"queued,omitempty"`
	Children []Node `json:"children,omitempty"` // in start order

	// At is when the listing was made. Only the node has it that Tree returns.
	At time.Time `json:"at,omitzero"`
}

// All yields the node and everything below it, elders first.
func (n Node) All() iter.Seq[*Node] {
	return func(yield func(*Node) bool) { n.walk(yield) }
}

func (n *Node) walk(yield func(*Node) bool) bool {
	if !yield(n) {
		return false
	}
	for i := range n.Children {
		if !n.Children[i].walk(yield) {
			return false
		}
	}
	return true
}

// Tree returns the supervisor and everything below it as it is now. Each
// supervisor's part is consistent in itself. Before Run and after it the state
// is StateStopped and there are no children.
func (s *Supervisor) Tree() Node {
	r := s.current.Load()
	if r == nil {
		return Node{
			Path: s.cfg.rootPath(), Name: s.cfg.Name, State: StateStopped,
			IsSupervisor: true, Strategy: s.cfg.Strategy, At: time.Now(),
		}
	}
	n := Node{Path: r.name(), Name: s.cfg.Name}
	if r.isSelf() {
		n.Name, n.ID, n.Attempt = r.self.Actor().Name(), r.self.Actor().ID(), r.self.Number()
	}
	r.describe(&n)
	n.At = time.Now() // after all of it: nothing in it is later
	return n
}

// Children returns the children in start order, with everything below them. It
// is empty while the supervisor does not run.
func (s *Supervisor) Children() []Node { return s.Tree().Children }

// describe fills in what concerns the supervisor of n and what is below.
func (r *run) describe(n *Node) {
	n.IsSupervisor, n.Strategy = true, r.cfg.Strategy
	r.mu.Lock()
	now, epoch := r.now(), r.epoch()
	r.noteState(now)
	n.State, n.Since = r.shown, r.since.after(epoch)
	n.RestartsInWindow = r.window.InUse(r.cfg.Intensity, r.time(now))
	n.Abandoned = len(r.zombies)
	n.Waiting = r.waitingFor()
	if r.group != nil {
		n.NextRetry = r.group.at.after(epoch)
	}
	if r.guard != nil {
		n.Queued = r.guard.Waiting()
	}
	if r.cfg.Concurrency > 0 {
		n.PermitsUsed, n.PermitsWaiting, _ = r.env.permits.inUse()
	}
	n.Children = make([]Node, 0, len(r.names))
	families := map[int]*run{}
	for c := r.first; c != nil; c = c.next {
		if below := c.below(); below != nil && c.attempt != nil {
			families[len(n.Children)] = below
		}
		n.Children = append(n.Children, c.node(epoch))
	}
	r.mu.Unlock()

	n.Ready = n.State == StateRunning
	for i := range n.Children {
		c := &n.Children[i]
		if c.Err != nil {
			c.Error = fmt.Sprint(c.Err) // a user's error may panic; fmt does not
		}
		if below := families[i]; below != nil {
			below.describeChild(c)
		}
		if c.Declared && !c.Optional && !c.Ready && c.State != StateStopped {
			n.Ready = false
		}
	}
}

// describeChild adds what a supervisor knows about itself to what its parent
// knows about it.
func (r *run) describeChild(n *Node) {
	state, since, ready := n.State, n.Since, n.Ready
	r.describe(n)
	n.Ready = n.Ready && ready
	if state != StateRunning {
		n.State, n.Since = state, since
	}
}

// node describes one child of a run that began at epoch; it is called with mu held.
func (c *child) node(epoch time.Time) Node {
	n := Node{
		Path: c.Path(), Name: c.Name(), ID: c.ID(),
		State: c.state, Since: c.since.after(epoch), Ready: c.up(),
		Attempt: int(c.attempts), Generation: int(c.generation),
		Restarts: int(c.restarts), Failures: int(c.failures),
		Err: c.lastErr(), Reason: c.reason,
		Declared: c.declared, Significant: c.set.spec.Significant,
		Optional: c.set.spec.Optional || !c.declared,
	}
	if c.attempt != nil {
		if after, up := c.attempt.UpAfter(); up {
			n.UpSince = instantAt(c.attempt.Began() + after).after(epoch)
		}
	}
	if c.state == StateBackingOff {
		n.NextRetry = c.trouble.next.after(epoch)
	}
	n.IsSupervisor = c.set.head != nil
	return n
}

// below is the present run of a child that is a supervisor, or nil.
func (c *child) below() *run {
	if c.set.head == nil {
		return nil
	}
	return c.set.head.current.Load()
}

// up says that the child does what it is there for, or has done it.
func (c *child) up() bool {
	switch c.state {
	case StateCompleted:
		return true
	case StateBackingOff:
		return c.failures == 0 // the pause after a success
	}
	return c.state == StateRunning && c.ready
}

// waitingFor is the path of the child that the conductor waits for.
func (r *run) waitingFor() string {
	switch {
	case r.stop != nil && r.stop.ordered && r.stop.cursor != nil:
		return r.stop.cursor.Path()
	case r.stop == nil && r.group != nil && r.group.cursor != nil:
		return r.group.cursor.Path()
	case r.stop == nil && r.unready != nil:
		return r.unready.Path()
	}
	return ""
}

// Leaks returns the goroutines of this tree whose task has ended, or was
// abandoned: what tasks have started by themselves and left behind. A goroutine
// is ignored when a function in its stack begins with one of the given
// prefixes, such as "net/http.(*persistConn)" for the pool of an HTTP client,
// whose goroutines inherit the label of the task that happened to need them.
// It reads a goroutine profile, see actor.Goroutines.
func (s *Supervisor) Leaks(ignore ...string) []actor.Goroutine {
	live := map[string]bool{}
	if r := s.current.Load(); r != nil {
		r.labels(live)
	}
	var leaks []actor.Goroutine
	for _, g := range actor.Goroutines() {
		if s.owns(g) && !live[g.Label] && !leaving(g) && !g.Calls(ignore...) {
			leaks = append(leaks, g)
		}
	}
	return leaks
}

// owns says that a goroutine is one of a task below s.
func (s *Supervisor) owns(g actor.Goroutine) bool {
	tree, path := s.treeNumber(), strings.TrimSuffix(s.cfg.rootPath(), "/")
	if r := s.current.Load(); r != nil {
		tree, path = r.env.tree, r.path // it may be below another
	}
	return g.Tree() == tree && strings.HasPrefix(g.Path, path+"/")
}

// leaving says that a goroutine is an actor's own and on its way out: it has
// left the task, or even its last function.
func leaving(g actor.Goroutine) bool {
	const actors = "github.com/taskvisor/taskvisor/actor."
	if strings.HasPrefix(g.Stack, "runtime.") { // nothing else is in the stack
		return true
	}
	own := strings.Contains(g.Stack, actors+"begun") || strings.Contains(g.Stack, actors+"(*Actor).Resume")
	return own && !strings.Contains(g.Stack, actors+"(*Attempt).run")
}

// labels adds the labels of all tasks that have a goroutine.
func (r *run) labels(into map[string]bool) {
	var below []*run
	r.mu.Lock()
	for c := r.first; c != nil; c = c.next {
		if !c.alive {
			continue
		}
		into[c.LabelOf(int(c.generation))] = true
		if b := c.below(); b != nil {
			below = append(below, b)
		}
	}
	r.mu.Unlock()
	for _, b := range below {
		b.labels(into)
	}
}
