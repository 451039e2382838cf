package supervisortest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/recorder"
	"github.com/taskvisor/taskvisor/supervisor"
)

// DefaultPatience is the Patience of a Tree that does not say one, and how long a start
// may take: enough for several pauses of 30 s and children that are ready after a minute.
const DefaultPatience = 10 * time.Minute

// Tree is a tree under test. Its methods, but for those of its Supervisor, are for the
// goroutine of the test, and fail that test when they are not answered. Paths may be
// given as to a Supervisor: "/app/db/pool", or "db/pool".
type Tree struct {
	*supervisor.Supervisor
	// Events has recorded everything since the start, and what is awaited and
	// asserted is looked for there. After Events.Reset() that is what follows only.
	Events *recorder.Recorder
	// Patience is how much virtual time may pass until what is awaited is there.
	// Zero means DefaultPatience.
	Patience time.Duration

	t        testing.TB
	attempts attempts
	news     chan struct{} // has room for one: events have been recorded
	stop     context.CancelFunc
	ended    chan struct{} // closed when Run has returned
	err      error         // what it returned
	told     bool          // the test knows err
}

// Start runs a tree in the bubble that it is called in, and returns when it is up and at
// rest. It is stopped at the cleanup of t, which is the t of that bubble, and fails it as
// [Run] does. Here the bubble's panic over what is left behind is not held up.
func Start(t testing.TB, cfg supervisor.Config) *Tree {
	t.Helper()
	tree := &Tree{
		Events: &recorder.Recorder{Limit: eventLimit}, t: t,
		attempts: attempts{of: map[string]attempt{}, doomed: map[string]error{}},
		news:     make(chan struct{}, 1), ended: make(chan struct{}),
	}
	cfg.Subscribers = append(slices.Clip(cfg.Subscribers), tree.subscriber())
	cfg.Around = append([]actor.Around{tree.attempts.around}, cfg.Around...)
	tree.Supervisor = supervisor.New(cfg)
	if err := tree.Validate(); err != nil {
		t.Fatalf("the tree is refused: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	tree.stop = stop
	t.Cleanup(tree.close)
	go tree.run(ctx)
	tree.awaitStart()
	return tree
}

// eventLimit is more than the recorder's default, because a task that succeeds once per
// millisecond fills that during one pause of its sibling.
const eventLimit = 1 << 20

func (tree *Tree) run(ctx context.Context) {
	defer close(tree.ended)
	tree.err = tree.Run(ctx)
}

// subscriber records, and pokes who waits for something to change.
func (tree *Tree) subscriber() events.Subscriber {
	return events.Subscriber{Name: "supervisortest", Queue: events.MaxQueue, Handler: events.HandlerFunc(func(e events.Event) {
		tree.Events.Handle(e)
		select {
		case tree.news <- struct{}{}:
		default:
		}
	})}
}

// awaitStart returns when the tree is up. One that has ended by then is only a failure if
// that was one.
func (tree *Tree) awaitStart() {
	tree.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), tree.patience())
	defer cancel()
	err := tree.WaitReady(ctx)
	synctest.Wait()
	switch {
	case err == nil:
	case !tree.isOver():
		tree.t.Fatalf("the tree has not started after %v\n%s", tree.patience(), tree.report())
	case tree.err != nil:
		tree.told = true
		tree.t.Fatalf("the tree did not start: %v\n%s", tree.err, tree.report())
	}
}

// Shutdown stops the tree and returns what Run has returned, which the test answers for
// from then on. For a tree that has ended by itself it returns that at once.
func (tree *Tree) Shutdown() error {
	tree.t.Helper()
	tree.told = true
	if !tree.end() {
		tree.t.Fatalf("the tree has not stopped\n%s", tree.dump())
	}
	return tree.err
}

// end stops the tree and says whether Run has returned. A stop is bounded by the tree
// itself, unless it is told to wait for ever.
func (tree *Tree) end() bool {
	tree.stop()
	limit := tree.patience() + policy.DefaultStopTimeout
	if own := tree.Config().StopTimeout; own != policy.Forever {
		limit += own
	}
	select {
	case <-tree.ended:
		return true
	case <-time.After(limit):
		return false
	}
}

// close is the end of the test: it says what the tree has left behind.
func (tree *Tree) close() {
	tree.t.Helper()
	if !tree.end() {
		if !tree.told {
			tree.t.Errorf("the tree has not stopped\n%s", tree.dump())
		}
		return
	}
	if tree.err != nil && !tree.told {
		tree.t.Errorf("the tree did not end cleanly: %v", tree.err)
	}
	synctest.Wait()
	for _, g := range tree.Leaks() {
		if tree.told || !names(tree.err, g.Label) {
			tree.t.Errorf("%s has left behind %v", g.Path, g)
		}
	}
}

// names says that err tells of the task with that label already.
func names(err error, label string) bool {
	var left *supervisor.StopError
	return errors.As(err, &left) && slices.ContainsFunc(left.Stuck, func(stuck *actor.StuckError) bool {
		return len(stuck.Goroutines) > 0 && stuck.Goroutines[0].Label == label
	})
}

func (tree *Tree) isOver() bool {
	select {
	case <-tree.ended:
		return true
	default:
		return false
	}
}

func (tree *Tree) patience() time.Duration { return cmp.Or(tree.Patience, DefaultPatience) }

// full returns the path of an address.
func (tree *Tree) full(address string) string {
	if strings.HasPrefix(address, "/") {
		return address
	}
	return strings.TrimSuffix(tree.Tree().Path, "/") + "/" + address
}

// find returns what the listing says about a path, or nil.
func (tree *Tree) find(path string) *supervisor.Node {
	for n := range tree.Tree().All() {
		if n.Path == path {
			return n
		}
	}
	return nil
}
