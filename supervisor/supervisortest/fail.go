package supervisortest

import (
	"context"
	"sync"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// Fail makes a task or a supervisor fail with err, and returns when the bubble is at
// rest again. What follows a pause has not happened then.
//
// Of a task, the present attempt fails, as if a helper of it had: its context ends with
// err as the cause, and when it has returned, err is how it ended. What steers in err
// ([actor.Fatal], [actor.Escalate]) has its effect. Of a task that pauses after a
// success, it is the next attempt. Of a supervisor, a child that is added for this
// escalates, so that its family is stopped and it fails as a whole; the root, too.
func (tree *Tree) Fail(address string, err error) {
	tree.t.Helper()
	tree.Settle()
	path := tree.full(address)
	node := tree.find(path)
	switch {
	case err == nil:
		tree.t.Fatalf("%s cannot fail without an error", path)
	case node == nil:
		tree.t.Fatalf("there is no %s to fail\n%s", path, tree.report())
	case node.IsSupervisor:
		tree.failFamily(path, err)
	case node.State == supervisor.StateBackingOff && node.Ready:
		tree.failNext(path, err)
	case node.State != supervisor.StateRunning && node.State != supervisor.StateStarting:
		tree.t.Fatalf("%s is %v and has no attempt that could fail\n%s", path, node.State, tree.report())
	default:
		if refused := tree.attempts.fail(path, err); refused != nil {
			tree.t.Fatalf("%s has no attempt that could fail: %v\n%s", path, refused, tree.report())
		}
	}
	tree.Settle()
}

// failNext lets time pass until the next attempt of a task has begun, and failed.
func (tree *Tree) failNext(path string, err error) {
	tree.t.Helper()
	tree.attempts.doom(path, err)
	if !tree.until(func() bool { return !tree.attempts.isDoomed(path) }) {
		tree.t.Fatalf("%s has not made an attempt within %v\n%s", path, tree.patience(), tree.report())
	}
}

// failFamily fails a supervisor, by a child that asks for it.
func (tree *Tree) failFamily(path string, err error) {
	tree.t.Helper()
	head := tree.Supervisor
	if path != tree.Tree().Path {
		spec, _ := tree.Settings(path) // it has just been listed
		head = spec.Task.(supervisor.Family).Head()
	}
	_, refused := head.Start(context.Background(), actor.Spec{
		Name: "supervisortest", Restart: policy.Never, NoPermit: true,
		Task: actor.Func(func(context.Context) error { return actor.Escalate(err) }),
	})
	if refused != nil {
		tree.t.Fatalf("%s cannot be made to fail, which takes one more child: %v\n%s", path, refused, tree.report())
	}
}

// attempts knows the attempts that run. It is put around every task of a tree.
type attempts struct {
	mu     sync.Mutex
	of     map[string]attempt // guarded by mu, by path
	doomed map[string]error   // guarded by mu: what the next attempt fails with
}

// attempt is one that runs.
type attempt struct {
	ctx context.Context // belongs to it, for actor.Go
	at  actor.Info
}

func (a *attempts) around(ctx context.Context, at actor.Info) (context.Context, func(actor.Result)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.of[at.Path] = attempt{ctx, at}
	if err := a.doomed[at.Path]; err != nil {
		delete(a.doomed, at.Path)
		_ = failing(ctx, err) // an attempt that begins has not ended
	}
	return nil, func(actor.Result) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.of[at.Path].at == at { // and not the next generation beside one that was abandoned
			delete(a.of, at.Path)
		}
	}
}

func (a *attempts) fail(path string, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	present, ok := a.of[path]
	if !ok {
		return actor.ErrNoTask
	}
	return failing(present.ctx, err)
}

func (a *attempts) doom(path string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.doomed[path] = err
}

func (a *attempts) isDoomed(path string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.doomed[path] != nil
}

// failing gives the attempt of ctx a helper that fails.
func failing(ctx context.Context, err error) error {
	return actor.Go(ctx, func(context.Context) error { return err })
}
