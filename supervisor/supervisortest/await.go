package supervisortest

import (
	"context"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
)

// Settle returns when everything that can happen without time passing has happened.
func (tree *Tree) Settle() { synctest.Wait() }

// Await returns the first event that is like want: the first of those recorded, or the
// first to come. An event is like want if it has what want says: a zero field says
// nothing, an Err is looked for with errors.Is, and a Path is the full one.
//
//	tree.Await(events.Event{Kind: events.AttemptEnded, Path: "/app/db", Exit: policy.Panicked})
//
// For what cannot be said so, there is Events.Wait.
func (tree *Tree) Await(want events.Event) events.Event {
	tree.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), tree.patience())
	defer cancel()
	e, err := tree.Events.Wait(ctx, func(e events.Event) bool { return isLike(want, e) })
	if err != nil {
		tree.t.Fatalf("there was no %s within %v\n%s", describe(want), tree.patience(), tree.report())
	}
	tree.Settle()
	return e
}

// AwaitState returns when a task or a supervisor is in that state.
func (tree *Tree) AwaitState(address string, state supervisor.State) {
	tree.t.Helper()
	path := tree.full(address)
	if !tree.until(func() bool { n := tree.find(path); return n != nil && n.State == state }) {
		tree.t.Fatalf("%s was not %v within %v\n%s", path, state, tree.patience(), tree.report())
	}
}

// AwaitReady returns when the tree is ready: when it has started, and every declared
// child that is not optional is up.
func (tree *Tree) AwaitReady() {
	tree.t.Helper()
	if !tree.until(func() bool { return tree.Tree().Ready }) {
		tree.t.Fatalf("the tree was not ready within %v\n%s", tree.patience(), tree.report())
	}
}

// glance is how long until reads a listing again by itself: not every change of one is
// an event.
const glance = 100 * time.Millisecond

// until lets time pass until reached says so, at rest, and says whether it did. It asks
// at once, again at each event, and at each glance.
func (tree *Tree) until(reached func() bool) bool { return tree.untilOn(tree.news, reached) }

// untilOn is until with other news; nil is for who only glances, which costs less where
// much happens. Nothing is reached any more when the tree has ended.
func (tree *Tree) untilOn(news <-chan struct{}, reached func() bool) bool {
	late := time.After(tree.patience())
	for {
		synctest.Wait()
		if reached() {
			return true
		}
		select {
		case <-news:
		case <-time.After(glance):
		case <-tree.ended:
			return reached()
		case <-late:
			return false
		}
	}
}
