package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/supervisor"
)

var errBoom = errors.New("boom")

// house is a supervisor that runs inside a bubble.
type house struct {
	*supervisor.Supervisor
	t      *testing.T
	cancel context.CancelFunc
	ended  chan struct{}
	err    error
}

// open runs a supervisor until the bubble has come to rest for the first time.
// Whatever a test does, it is stopped at the end of it.
func open(t *testing.T, cfg supervisor.Config) *house {
	t.Helper()
	return reopen(t, supervisor.New(cfg))
}

func reopen(t *testing.T, s *supervisor.Supervisor) *house {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	h := &house{Supervisor: s, t: t, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(h.ended)
		h.err = s.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-h.ended
	})
	synctest.Wait()
	return h
}

// close stops the supervisor and returns what Run returned.
func (h *house) close() error {
	h.t.Helper()
	h.cancel()
	return h.wait()
}

// wait returns what Run returned, as soon as it has by itself.
func (h *house) wait() error {
	h.t.Helper()
	select {
	case <-h.ended:
		return h.err
	case <-time.After(time.Hour):
		h.t.Fatalf("Run has not returned after an hour; the tree is %+v", h.Tree())
		return nil
	}
}

func (h *house) isUp() bool {
	synctest.Wait()
	select {
	case <-h.ended:
		return false
	default:
		return true
	}
}

// child returns the listing of one child, or a zero Node.
func (h *house) child(name string) supervisor.Node {
	for _, n := range h.Children() {
		if n.Name == name {
			return n
		}
	}
	return supervisor.Node{}
}

func (h *house) start(spec actor.Spec) *actor.Handle {
	h.t.Helper()
	hd, err := h.Start(context.Background(), spec)
	if err != nil {
		h.t.Fatal(err)
	}
	return hd
}

func (h *house) handle(path string) *actor.Handle {
	h.t.Helper()
	hd, err := h.Handle(path)
	if err != nil {
		h.t.Fatal(err)
	}
	return hd
}

// outcome waits for the end of a task.
func outcome(t *testing.T, h *actor.Handle) actor.Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	o, err := h.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// pass lets virtual time pass, and what happens then come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// rest is a sleep in a bubble, for tests and for the tasks in them.
func rest(d time.Duration) { time.Sleep(d) }

// linger is what a task does that takes its time outside of a bubble.
func linger(d time.Duration) { <-time.After(d) }

// journal writes down what tasks do, with the time since it was made.
type journal struct {
	began time.Time
	mu    sync.Mutex
	lines []string
	runs  map[string]int
}

func newJournal() *journal { return &journal{began: time.Now(), runs: map[string]int{}} }

func (j *journal) write(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, fmt.Sprintf("%v %s", time.Since(j.began), line))
}

// take returns the lines since the last call.
func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := j.lines
	j.lines = nil
	return lines
}

// count says how often the named task was run.
func (j *journal) count(name string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.runs[name]
}

// spec is a task whose n-th run, over all its lives, does the n-th step, and
// the last step from then on. Its runs are written down as "+name" and "-name".
func (j *journal) spec(name string, steps ...actor.Func) actor.Spec {
	return actor.Spec{Name: name, Task: actor.Func(func(ctx context.Context) error {
		j.mu.Lock()
		n := j.runs[name]
		j.runs[name]++
		j.mu.Unlock()
		j.write("+" + name)
		defer j.write("-" + name)
		return steps[min(n, len(steps)-1)](ctx)
	})}
}

// ear is a subscriber that remembers.
type ear struct {
	mu    sync.Mutex
	heard []events.Event
}

func (e *ear) Handle(ev events.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, ev)
}

func (e *ear) subscriber(kinds ...events.Kind) []events.Subscriber {
	return []events.Subscriber{{Name: "ear", Handler: e, Kinds: kinds, Queue: events.MaxQueue}}
}

// of returns the events about a path; the empty path means all.
func (e *ear) of(path string) []events.Event {
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(e.heard), func(ev events.Event) bool {
		return path != "" && ev.Path != path
	})
}

// kinds returns the labels of the events about a path, in one line.
func (e *ear) kinds(path string) string {
	var words []string
	for _, ev := range e.of(path) {
		words = append(words, ev.Kind.String())
	}
	return strings.Join(words, " ")
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// equalLines compares journals. What happens at the same instant happens on
// different goroutines, so its order does not count.
func equalLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	got, want = byInstant(got), byInstant(want)
	if !slices.Equal(got, want) {
		t.Errorf("\n got %q\nwant %q", got, want)
	}
}

func byInstant(lines []string) []string {
	lines = slices.Clone(lines)
	for from := 0; from < len(lines); {
		at, _, _ := strings.Cut(lines[from], " ")
		to := from
		for to < len(lines) && strings.HasPrefix(lines[to], at+" ") {
			to++
		}
		slices.Sort(lines[from:to])
		from = to
	}
	return lines
}

// as returns the error of type E in the chain of err, or fails the test.
func as[E error](t *testing.T, err error) (target E) {
	t.Helper()
	if !errors.As(err, &target) {
		t.Fatalf("got %v (%T), want a %T", err, err, target)
	}
	return target
}
