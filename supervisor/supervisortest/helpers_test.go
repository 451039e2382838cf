package supervisortest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

var errBoom = errors.New("boom")

// witness is a test that writes down its failures.
type witness struct {
	testing.TB
	mu       sync.Mutex
	said     []string
	cleanups []func()
}

func (w *witness) Helper() {}

func (w *witness) Cleanup(f func()) { w.cleanups = append(w.cleanups, f) }

func (w *witness) Errorf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, fmt.Sprintf(format, args...))
}

func (w *witness) Fatalf(format string, args ...any) {
	w.Errorf(format, args...)
	runtime.Goexit()
}

// verdict runs f as a test with its cleanups, and returns what it failed with.
func verdict(f func(t testing.TB)) string {
	w := &witness{}
	alone := func(f func()) {
		var over sync.WaitGroup
		over.Go(f) // which Goexit may end
		over.Wait()
	}
	alone(func() { f(w) })
	for i := len(w.cleanups) - 1; i >= 0; i-- {
		alone(w.cleanups[i])
	}
	return strings.Join(w.said, "\n\n")
}

// expect compares a verdict with what it has to mention, in this order; nothing means
// that there has to be none.
func expect(t *testing.T, verdict string, mentions ...string) {
	t.Helper()
	if len(mentions) == 0 && verdict != "" {
		t.Errorf("it fails with\n%s", verdict)
	}
	rest := verdict
	for _, word := range mentions {
		_, after, found := strings.Cut(rest, word)
		if !found {
			t.Errorf("%q is not said, or not there, in\n%s", word, verdict)
			return
		}
		rest = after
	}
}

// inBubble calls f in a bubble, with a gate that is opened at its end, for what would
// not return by itself.
func inBubble(t *testing.T, f func(t *testing.T, gate chan struct{})) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		defer close(gate)
		f(t, gate)
	})
}

// serve is a task that runs until it is stopped; with AwaitReady it is up at once.
func serve(ctx context.Context) error {
	actor.Ready(ctx)
	<-ctx.Done()
	return nil
}

// deaf is a task that ignores its context.
func deaf(gate chan struct{}) actor.Func {
	return func(context.Context) error { waitDeaf(gate); return nil }
}

func waitDeaf(gate chan struct{}) { <-gate }

// on is a spec of a task whose n-th run does the n-th step, and the last one from then on.
func on(name string, steps ...actor.Func) actor.Spec {
	var mu sync.Mutex
	n := 0
	return actor.Spec{Name: name, Task: actor.Func(func(ctx context.Context) error {
		mu.Lock()
		step := steps[min(n, len(steps)-1)]
		n++
		mu.Unlock()
		return step(ctx)
	})}
}

// with changes a spec.
func with(spec actor.Spec, change func(*actor.Spec)) actor.Spec {
	change(&spec)
	return spec
}

func awaited(s *actor.Spec) { s.AwaitReady = true }
func never(s *actor.Spec)   { s.Restart = policy.Never }
func noRetry(s *actor.Spec) { s.MaxRetries = policy.NoRetry }

// app is a root named app.
func app(children ...actor.Spec) supervisor.Config {
	return supervisor.Config{Name: "app", Children: children}
}

// family is a supervisor below.
func family(name string, strategy supervisor.Strategy, children ...actor.Spec) actor.Spec {
	return supervisor.New(supervisor.Config{Name: name, Strategy: strategy, Children: children}).Spec("")
}

// inProcess runs the test of that name in a process of its own, where it may fail, and
// returns what it printed.
func inProcess(t *testing.T, name string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+name+"$", "-test.v")
	cmd.Env = append(os.Environ(), "SUPERVISORTEST_FAIL=1")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("%s has not failed: %v\n%s", name, err, out)
	}
	return string(out)
}

// mayFail skips a test that is meant to fail, but in a process of its own.
func mayFail(t *testing.T) {
	t.Helper()
	if os.Getenv("SUPERVISORTEST_FAIL") == "" {
		t.Skip("fails, and is run by another test")
	}
}
