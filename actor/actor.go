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
	// or nil to end the goroutine; or Vacant.
	Next(last *Attempt, res Result) *Attempt
	// Left is called at once when Next has returned Vacant, with hardly any of the stack in
	// use. It returns an attempt of another actor, which has no goroutine yet and gets
	// this one, or nil.
	Left() *Attempt
	// Ready tells that an attempt has called Ready, once per attempt.
	Ready(a *Attempt)
	// Overdue tells that the context of an attempt has ended by timeout or
	// stall, so that its grace begins.
	Overdue(a *Attempt, r events.Reason)
	// Pattern is what events call the actor's Pattern.
	Pattern() string
}

// Terms are what children that are alike have in common. Read only. What each attempt
// needs stands first, since it is fetched together.
type Terms struct {
	// AwaitReady says that attempts are up only when they have called Ready.
	AwaitReady bool
	// Timeout and Stall are limits of each attempt, zero for none.
	Timeout, Stall time.Duration
	// Epoch is a time before the first attempt; attempts keep theirs in relation
	// to it.
	Epoch time.Time
	// Around is put around each attempt, the outermost first.
	Around []Around
	// Reviewed says that the task is a Reviewed one, and is to be told how its attempts ended.
	Reviewed bool
	// Base is where the values of every attempt come from. It never ends.
	Base context.Context
}

// Actor is one life of a task: its identity and the goroutine that makes its
// attempts. Programs see only its Handle.
type Actor struct {
	Handle

	terms  *Terms
	task   Task
	parent Parent
	first  Attempt // many actors make only one
}

// lastID is the last identity given in this process.
var lastID atomic.Uint64

// Init gives the actor its identity; tree tells trees of one process apart. Without a
// name it is called by its number.
func (a *Actor) Init(parent Parent, path string, tree uint64, task Task, terms *Terms, name string) {
	id := lastID.Add(1)
	var room [96]byte
	b := append(room[:0], path...)
	b = append(b, '/')
	at := len(b)
	b = append(b, name...)
	if name == "" {
		b = strconv.AppendUint(b, id, 10)
	}
	n := len(b)
	b = append(b, '#')
	b = strconv.AppendUint(b, tree, 10)
	b = append(b, '.')
	b = strconv.AppendUint(b, id, 10)

	a.label = string(b)
	a.name, a.ends = int32(at), int32(n)
	a.id = events.ID(id)
	a.task, a.terms, a.parent = task, terms, parent
}

// Task returns what runs.
func (a *Actor) Task() Task { return a.task }

// Parent returns whom the actor asks.
func (a *Actor) Parent() Parent { return a.parent }

// Attempt makes an attempt, each with a number of its own, whose timers start when it
// runs. After the first one it needs room, which is an Attempt that was never used. Now is
// how long after the epoch of the actor's terms it is made. The attempt has to be ready
// within start, if that is not zero.
func (a *Actor) Attempt(room *Attempt, number, generation int, now, start time.Duration) *Attempt {
	at := room
	if number == 1 {
		at = &a.first
	}
	at.actor, at.number, at.generation, at.began = a, int32(number), int32(generation), now
	if a.terms.Timeout > 0 || a.terms.Stall > 0 || start > 0 {
		at.watch = newWatch(at, start)
	}
	return at
}

// Vacant is returned by Parent.Next when the actor needs its goroutine no more, and another may.
// It is an attempt of nobody.
var Vacant = new(Attempt)

// Begin starts a goroutine for the actor that makes the attempts from first on.
func (a *Actor) Begin(first *Attempt) { go begun(first) }

// begun is the bottom of the goroutine, first of one actor and then of those who take it over.
func begun(at *Attempt) {
	for at != nil {
		a := at.actor
		if at = a.live(at); at == Vacant {
			at = a.parent.Left()
		}
	}
}

// Resume starts a goroutine for the actor that begins with the question what
// follows the attempt last, which is nil before the first.
func (a *Actor) Resume(last *Attempt, res Result, generation int) {
	go func() {
		pprof.SetGoroutineLabels(a.labelled(generation))
		at := a.parent.Next(last, res)
		if at == Vacant {
			at = a.parent.Left()
		}
		begun(at)
	}()
}

// LabelOf returns the label of a generation's goroutines.
func (a *Actor) LabelOf(generation int) string {
	if generation <= 1 {
		return a.label
	}
	return a.label + "." + strconv.Itoa(generation)
}

// labelled returns the base with the labels of a generation's goroutines.
func (a *Actor) labelled(generation int) context.Context {
	return pprof.WithLabels(a.terms.Base, pprof.Labels(Label, a.LabelOf(generation)))
}

// labelsKey is the key under which package pprof keeps labels in a context. It has
// no name, but who asks for a label tells it.
var labelsKey = func() any {
	asked := &askedFor{Context: context.Background()}
	pprof.Label(asked, Label)
	return asked.key
}()

// askedFor notes the key of the value that it is asked for.
type askedFor struct {
	context.Context
	key any
}

func (a *askedFor) Value(key any) any {
	a.key = key
	return nil
}

// MarkReady lets those go on who wait for the handle to be ready.
func (a *Actor) MarkReady() { a.markReady() }

// Resolve delivers the outcome to all who wait, once. It must not be changed
// any more.
func (a *Actor) Resolve(o *Outcome) { a.resolve(o) }

// live makes the attempts, and returns nil or Vacant. Its frame shall not be there any more when
// Left is called.
//
//go:noinline
func (a *Actor) live(at *Attempt) *Attempt {
	pprof.SetGoroutineLabels(a.labelled(at.Generation()))
	for at != nil && at.actor != nil {
		var res Result
		at.run(&res)
		at = a.parent.Next(at, res)
	}
	return at
}
