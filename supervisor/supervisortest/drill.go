package supervisortest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/taskvisor/taskvisor/supervisor"
	"github.com/taskvisor/taskvisor/supervisor/inspect"
)

// ErrDrill is what everything fails with in a Drill.
var ErrDrill = errors.New("failed by a drill")

// Drill checks that a tree heals whatever fails in it. Each declared task and supervisor
// but the root is made to fail once, as by [Tree.Fail], in a subtest named by its path
// and in a fresh tree of its own, when that is up and at rest. Then
//
//   - everything that was ready before has to be ready again within Patience, and to stay
//     so for ten seconds,
//   - what its failure restarts by the settings above it, as [inspect.Explain] says, has to
//     have been restarted,
//   - in the families with an ordered strategy that are restarted, each child has to stop
//     after its younger siblings, and to start after the older ones are ready,
//   - nothing else may have been stopped, or have failed, and
//   - when the tree is stopped, nothing may be left behind.
//
// Not failed are tasks that are not up at the start, or that have completed, and those
// with Restart: policy.Never that would not come back; their subtests are skipped and say
// so. Children that are added at run time are neither failed nor looked after.
//
// build is called for each tree, in its bubble, and once more to see what there is.
func Drill(t *testing.T, build func() supervisor.Config, opts ...Option) {
	t.Helper()
	o := options{}
	for _, opt := range opts {
		opt(&o)
	}
	var targets []target
	bubble(t, func(t *testing.T) {
		t.Helper()
		targets = Start(t, build()).targets(o.spared)
	})
	for _, target := range targets {
		t.Run(strings.TrimPrefix(target.path, "/"), func(t *testing.T) {
			if target.spared != "" {
				t.Skipf("%s %s", target.path, target.spared)
			}
			bubble(t, func(t *testing.T) {
				t.Helper()
				drill(t, build(), target.path, o)
			})
		})
	}
}

// Option changes a Drill.
type Option func(*options)

type options struct {
	spared   []string
	patience time.Duration
}

// Skip leaves out tasks and supervisors, but not what is below them.
func Skip(addresses ...string) Option {
	return func(o *options) { o.spared = append(o.spared, addresses...) }
}

// Patience is how much virtual time a tree may take to heal; without it that is
// DefaultPatience.
func Patience(d time.Duration) Option {
	return func(o *options) { o.patience = d }
}

// target is something to be failed, or to be spared for a reason.
type target struct{ path, spared string }

// targets returns what there is to fail in a tree. What is at these addresses is spared.
func (tree *Tree) targets(addresses []string) (targets []target) {
	tree.t.Helper()
	if tree.isOver() {
		tree.t.Fatalf("nothing can be failed in a tree that ends by itself\n%s", tree.report())
	}
	spared := map[string]bool{}
	for _, address := range addresses {
		spared[tree.full(address)] = true
	}
	for k := range tree.kinship().all() {
		switch {
		case k.up == nil:
			continue
		case spared[k.Path]:
			targets = append(targets, target{k.Path, "is to be skipped"})
		default:
			targets = append(targets, target{k.Path, tree.sparedFor(k)})
		}
		delete(spared, k.Path)
	}
	for path := range spared {
		tree.t.Errorf("there is no %s that could be skipped", path)
	}
	return targets
}

// sparedFor says why a failure of k makes no sense, or nothing.
func (tree *Tree) sparedFor(k *kin) string {
	tree.t.Helper()
	switch {
	case k.State == supervisor.StateCompleted:
		return "has completed"
	case !k.Ready:
		return "is " + k.State.String() + " before anything has failed"
	case !k.runsOnce():
		return ""
	}
	switch said := tree.explain(k.Path); {
	case said.RunsAgain: // with a supervisor that ends by it
		return ""
	case slices.Contains(said.Ends, tree.Tree().Path):
		return "has Restart: never, and its failure ends the tree"
	}
	return "has Restart: never, and its failure is for good"
}

// explain returns what the settings say about a failure.
func (tree *Tree) explain(path string) *inspect.Explanation {
	tree.t.Helper()
	said, err := inspect.Explain(tree.Supervisor, path)
	if err != nil {
		tree.t.Fatalf("there is no %s this time: is the tree not always the same?\n%s", path, tree.report())
	}
	return said
}

// steady is how long a tree has to stay healed. What fails again as soon as it is used
// does so within seconds.
const steady = 10 * time.Second

// drill fails one node of a fresh tree and says what is wrong with what follows.
func drill(t testing.TB, cfg supervisor.Config, path string, o options) {
	t.Helper()
	tree := Start(t, cfg)
	tree.Patience = o.patience
	said := tree.explain(path)
	j := newJudge(tree.kinship(), said)

	tree.Events.Reset()
	tree.Fail(path, ErrDrill)
	if tree.untilOn(nil, func() bool { return len(j.unhealed(tree.Tree())) == 0 }) {
		tree.pass(steady)
	}

	var wrong []string
	switch {
	case tree.isOver():
		tree.told = true
		wrong = []string{fmt.Sprintf("it has ended the tree: %v", tree.err)}
	case tree.Events.Dropped() > 0:
		wrong = []string{"it makes more events than can be kept"}
	default:
		seen := tree.Events.Events()
		wrong = slices.Concat(j.unhealed(tree.Tree()), j.disturbed(seen), j.disordered(seen))
	}
	if len(wrong) > 0 {
		t.Errorf("after a failure of %s:\n\t%s\nbefore it, inspect.Explain said: %v\n%s",
			path, strings.Join(wrong, "\n\t"), said, tree.report())
	}
}

// pass lets virtual time pass, or the tree end.
func (tree *Tree) pass(d time.Duration) {
	select {
	case <-time.After(d):
	case <-tree.ended:
	}
	tree.Settle()
}
