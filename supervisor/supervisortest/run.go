package supervisortest

import (
	"testing"
	"testing/synctest"

	"github.com/taskvisor/taskvisor/supervisor"
)

// Run runs the tree that build describes in a bubble of its own, calls f when it is up
// and at rest, and stops it. The test fails if the tree does not start, does not stop
// cleanly, or leaves goroutines behind. build is called in the bubble; the t of f is the
// bubble's.
func Run(t *testing.T, build func() supervisor.Config, f func(t *testing.T, tree *Tree)) {
	t.Helper()
	bubble(t, func(t *testing.T) {
		t.Helper()
		f(t, Start(t, build()))
	})
}

// bubble runs f in a bubble. The bubble panics over goroutines that are left in it,
// which would end the process and with it all other tests: where they have been named
// by a failure, that is enough.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	over := false
	defer func() {
		if !over || !t.Failed() {
			return // the panic says something new
		}
		if left := recover(); left != nil {
			t.Fatal(left)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		t.Cleanup(func() { over = true }) // the first to be registered is the last to run
		f(t)
	})
}
