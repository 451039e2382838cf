package supervisortest

import (
	"context"
	"strings"
	"testing"

	"github.com/taskvisor/taskvisor/supervisor"
)

func TestARunThatLeaks(t *testing.T) {
	mayFail(t)
	Run(t, func() supervisor.Config {
		gate := make(chan struct{})
		return app(on("db", func(ctx context.Context) error { go waitDeaf(gate); return serve(ctx) }))
	}, func(*testing.T, *Tree) {})
	t.Error("and goes on")
}

func TestARunWhoseTestLeaks(t *testing.T) {
	mayFail(t)
	Run(t, func() supervisor.Config { return app() }, func(*testing.T, *Tree) { go waitDeaf(make(chan struct{})) })
}

func TestALeakFailsTheTestThatHasIt(t *testing.T) {
	t.Parallel()
	out := inProcess(t, "TestARunThatLeaks")
	expect(t, out, "/app/db has left behind 1 goroutine at", "waitDeaf", "deadlock", "--- FAIL: TestARunThatLeaks", "FAIL")
	for _, unwanted := range []string{"and goes on", "panic"} {
		if strings.Contains(out, unwanted) {
			t.Errorf("%q is said in\n%s", unwanted, out)
		}
	}
}

func TestALeakThatNoTaskHasIsThePanicOfTheBubble(t *testing.T) {
	t.Parallel()
	expect(t, inProcess(t, "TestARunWhoseTestLeaks"), "--- FAIL: TestARunWhoseTestLeaks", "panic: deadlock", "waitDeaf")
}
