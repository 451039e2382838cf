package actor

import (
	"context"
	"runtime/pprof"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/events"
)

// Label is the key of the pprof label that every goroutine of a task carries.
// Its value is path#tree.id, and path#tree.id.generation for the goroutines that
// replaced an abandoned one.
const Label = "task"

// Parent is what an actor asks and tells. It is for supervisors.
type Parent interface {
	// Next is called on the actor's own goroutine when an attempt has ended
	// and returns the attempt to make next, after whatever waiting that takes,
	// or nil to end the goroutine.
	Next(last *Attempt, res Result) *Attempt
	// Ready tells that an attempt has called Ready, once per attempt.
	Ready(a *Attempt)
	// Overdue tells that the context of an attempt has ended by timeout or
	// stall, so that its grace begins.
	Overdue(a *Attempt, r events.Reason)
	// Pattern is what events call the actor's Pattern.
	Pattern() string
	// Around returns what is around each attempt, the outermost first.
	Around() []Around
}

// Actor is one life of a task: its identity and the goroutine that makes its
// attempts. Programs see only its Handle.
type Actor struct {
	Handle

	base   context.Context // values and labels of every attempt; never ends
	task   Task
	spec   *Spec // resolved; Name and Task are not used; shared and read only
	parent Parent
}

// lastID is the last identity given in this process.
var lastID atomic.Uint64

// Init gives the actor its identity. base is where its values come from and
// must never end; tree tells trees of one process apart; spec is read only
// from now on.
func (a *Actor) Init(base context.Context, parent Parent, path string, tree uint64, task Task, spec *Spec, name string) {
	id := lastID.Add(1)
	var room [96]byte
	b := append(room[:0], path...)
	b = append(b, '/')
	b = append(b, name...)
	n := len(b)
	b = append(b, '#')
	b = strconv.AppendUint(b, tree, 10)
	b = append(b, '.')
	b = strconv.AppendUint(b, id, 10)

	a.label = string(b)
	a.name, a.ends = int32(n-len(name)), int32(n)
	a.id = events.ID(id)
	a.task, a.spec, a.parent = task, spec, parent
	a.base = pprof.WithLabels(base, pprof.Labels(Label, a.label))
}

// Spec returns the resolved settings, without name and task.
func (a *Actor) Spec() *Spec { return a.spec }

// Task returns what runs.
func (a *Actor) Task() Task { return a.task }

// Parent returns whom the actor asks.
func (a *Actor) Parent() Parent { return a.parent }

// Attempt makes an attempt, whose timers start when it runs. It has to be ready
// within start, if that is not zero.
func (a *Actor) Attempt(number, generation int, now time.Time, start time.Duration) *Attempt {
	return &Attempt{
		actor:      a,
		base:       a.base,
		number:     int32(number),
		generation: int32(generation),
		began:      now,
		watch:      newWatch(now, limit(a.spec.Timeout), limit(a.spec.Stall), limit(start)),
	}
}

// Begin starts a goroutine for the actor that makes the attempts from first on.
func (a *Actor) Begin(first *Attempt) { go a.live(first) }

// Resume starts a goroutine for the actor that begins with the question what
// follows the attempt last.
func (a *Actor) Resume(last *Attempt, res Result) { a.proceed(last, res) }

// Relabel gives the goroutines of the next generation a label of their own.
func (a *Actor) Relabel(generation int) {
	a.base = pprof.WithLabels(a.base, pprof.Labels(Label, a.LabelOf(generation)))
}

// LabelOf returns the label of a generation's goroutines.
func (a *Actor) LabelOf(generation int) string {
	if generation <= 1 {
		return a.label
	}
	return a.label + "." + strconv.Itoa(generation)
}

// MarkReady lets those go on who wait for the handle to be ready.
func (a *Actor) MarkReady() { a.markReady() }

// Resolve delivers the outcome to all who wait, once. It must not be changed
// any more.
func (a *Actor) Resolve(o *Outcome) { a.resolve(o) }

// live is the actor's goroutine.
func (a *Actor) live(at *Attempt) {
	pprof.SetGoroutineLabels(at.base)
	for at != nil {
		res := at.run()
		at = a.parent.Next(at, res)
	}
}

// proceed is live on a new goroutine, after an attempt that lost the old one, or
// before the first.
func (a *Actor) proceed(last *Attempt, res Result) {
	var base context.Context
	if last != nil {
		base = last.base // not the actor's: a lost attempt may be of an earlier generation
	} else {
		base = a.base
	}
	go func() {
		pprof.SetGoroutineLabels(base)
		if at := a.parent.Next(last, res); at != nil {
			a.live(at)
		}
	}()
}
