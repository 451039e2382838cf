package inspect_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/recorder"
	"github.com/taskvisor/taskvisor/supervisor"
)

var errBoom = errors.New("boom")

// serve runs until it is told to stop.
func serve(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func service(name string) actor.Spec { return actor.Spec{Name: name, Task: actor.Func(serve)} }

// announced is a service that says when it is ready.
func announced(name string) actor.Spec {
	return actor.Spec{Name: name, AwaitReady: true, Task: actor.Func(func(ctx context.Context) error {
		actor.Ready(ctx)
		return serve(ctx)
	})}
}

// with returns a spec that is changed.
func with(spec actor.Spec, change func(*actor.Spec)) actor.Spec {
	change(&spec)
	return spec
}

// house is a tree that runs in a bubble.
type house struct {
	*supervisor.Supervisor
	t        *testing.T
	recorder *recorder.Recorder
	cancel   context.CancelFunc
	ended    chan struct{}
	err      error
}

// open runs a tree until it has come to rest for the first time. It is stopped at the
// end of the test.
func open(t *testing.T, cfg supervisor.Config) *house {
	t.Helper()
	h := &house{t: t, recorder: &recorder.Recorder{Limit: events.MaxQueue}, ended: make(chan struct{})}
	sub := h.recorder.Subscriber()
	sub.Queue = events.MaxQueue
	cfg.Subscribers = append(cfg.Subscribers, sub)
	h.Supervisor = supervisor.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel = cancel
	go func() {
		defer close(h.ended)
		h.err = h.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-h.ended
	})
	synctest.Wait()
	return h
}

// wait returns when the tree has ended by itself, or fails the test.
func (h *house) wait(within time.Duration) error {
	h.t.Helper()
	select {
	case <-h.ended:
		return h.err
	case <-time.After(within):
		h.t.Fatalf("Run has not returned within %v", within)
		return nil
	}
}

// paths are those of the recorded events of a kind that a test wants to see.
func (h *house) paths(kind events.Kind) []string {
	synctest.Wait()
	var paths []string
	for _, e := range h.recorder.Events() {
		if e.Kind == kind {
			paths = append(paths, e.Path)
		}
	}
	return paths
}

// fuse is a task that serves until it is lit; then each attempt fails at once, until
// it is put out again.
type fuse struct {
	mu     sync.Mutex
	lit    chan struct{}
	left   int // how many more attempts fail
	failed int
}

func newFuse() *fuse { return &fuse{lit: make(chan struct{}, 1)} }

func (f *fuse) Run(ctx context.Context) error {
	actor.Ready(ctx)
	if f.burn() {
		return errBoom
	}
	select {
	case <-f.lit:
		if f.burn() {
			return errBoom
		}
		return errors.New("lit for no failure")
	case <-ctx.Done():
		return nil
	}
}

func (f *fuse) burn() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left == 0 {
		return false
	}
	f.left--
	f.failed++
	return true
}

// light has it fail so many times in a row.
func (f *fuse) light(times int) {
	f.mu.Lock()
	f.left = times
	f.mu.Unlock()
	f.lit <- struct{}{}
}

// failures is how often it has failed.
func (f *fuse) failures() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

// pass lets virtual time pass, and what happens then come to rest.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// endless is more failures than any test makes.
const endless = 1 << 30

var second = policy.Constant(time.Second)

func equalPaths(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, " "), strings.Join(want, " "))
	}
}
