package persisttest

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
	"time"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/policy"
)

var errBoom = errors.New("boom")

type note struct{ N int }

var (
	notes  = persist.Define[note]("note")
	others = persist.Define[note]("other")
	// renamed had the names of both before.
	renamed = persist.Define[note]("new", persist.WithAliases("note", "other"))
	// steady pauses for a second before each retry.
	steady = []persist.Option{persist.WithBackoff(policy.Constant(time.Second))}
)

// handling is a configuration in which notes are handled.
func handling(run func(ctx context.Context, n note) error) persist.Config {
	return persist.Config{Handlers: []persist.Handler{notes.Handle(run)}, Defaults: steady}
}

func succeed(context.Context, note) error { return nil }
func fail(context.Context, note) error    { return errBoom }

// nothing is a handler that is given no note.
func nothing(context.Context, []byte) error { return nil }

// inBoth runs a test in a bubble and outside of one.
func inBoth(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Run("bubble", func(t *testing.T) { synctest.Test(t, f) })
	t.Run("real", f)
}

// witness is a test that writes down its failures.
type witness struct {
	testing.TB
	mu       sync.Mutex
	said     []string
	cleanups []func()
}

func (w *witness) Helper() {}

func (w *witness) Cleanup(f func()) { w.cleanups = append(w.cleanups, f) }

func (w *witness) say(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, text)
}

func (w *witness) Errorf(format string, args ...any) { w.say(fmt.Sprintf(format, args...)) }

func (w *witness) Fatalf(format string, args ...any) {
	w.Errorf(format, args...)
	runtime.Goexit()
}

func (w *witness) Fatal(args ...any) { w.Fatalf("%s", fmt.Sprint(args...)) }

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

// inProcess runs the test of that name in a process of its own, where it may fail, and
// returns what it printed.
func inProcess(t *testing.T, name string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+name+"$", "-test.v")
	cmd.Env = append(os.Environ(), "PERSISTTEST_FAIL=1")
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
	if os.Getenv("PERSISTTEST_FAIL") == "" {
		t.Skip("fails, and is run by another test")
	}
}
