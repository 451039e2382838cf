package controller_test

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
	"github.com/taskvisor/taskvisor/controller"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/recorder"
	"github.com/taskvisor/taskvisor/supervisor"
)

var errBoom = errors.New("boom")

// forAges is longer than anything takes in a bubble.
const forAges = 24 * time.Hour

// stand is a controller that is the root of its tree and runs inside a bubble.
type stand struct {
	*controller.Controller
	t      *testing.T
	seen   recorder.Recorder
	all    []*actor.Handle // of everything that was put
	cancel context.CancelFunc
	ended  chan struct{}
	err    error
}

// bubble runs a test against a controller, and audits what has become of all that
// was put there when the test is over.
func bubble(t *testing.T, cfg controller.Config, test func(t *testing.T, s *stand)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &stand{t: t}
		cfg.Workers.Subscribers = append(slices.Clone(cfg.Workers.Subscribers), s.seen.Subscriber())
		if cfg.Name == "" {
			cfg.Name = "desk"
		}
		s.Controller = controller.New(cfg)
		s.run()
		test(t, s)
		s.close()
		s.audit()
	})
}

// run begins a run, which ends with the test at the latest.
func (s *stand) run() {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	s.cancel, s.ended = cancel, ended
	go func() {
		defer close(ended)
		s.err = s.Run(ctx)
	}()
	s.t.Cleanup(cancel)
	synctest.Wait()
}

// close stops the controller and returns what Run returned.
func (s *stand) close() error {
	s.t.Helper()
	s.cancel()
	select {
	case <-s.ended:
	case <-time.After(forAges):
		s.t.Fatal("Run does not return")
	}
	return s.err
}

// put submits what is to have room, and notes its handle.
func (s *stand) put(sub controller.Submission) *actor.Handle {
	s.t.Helper()
	h, err := s.Submit(context.Background(), sub)
	if err != nil {
		s.t.Fatalf("submit %s: %v", sub.Spec.Name, err)
	}
	s.all = append(s.all, h)
	synctest.Wait()
	return h
}

func (s *stand) queue(key, name string, task actor.Func) *actor.Handle {
	s.t.Helper()
	return s.put(submission(controller.Queue, key, name, task))
}

func (s *stand) replace(key, name string, task actor.Func) *actor.Handle {
	s.t.Helper()
	return s.put(submission(controller.Replace, key, name, task))
}

func (s *stand) drop(key, name string, task actor.Func) *actor.Handle {
	s.t.Helper()
	return s.put(submission(controller.DropIfRunning, key, name, task))
}

// submission is of a task that is run once.
func submission(a controller.Admission, key, name string, task actor.Func) controller.Submission {
	return controller.Submission{
		Key: key, Admission: a,
		Spec: actor.Spec{Name: name, Task: task, Restart: policy.Never},
	}
}

// slot shows a key in one line: who runs, and who waits.
func (s *stand) slot(key string) string {
	synctest.Wait()
	slot, ok := s.Slot(key)
	if !ok {
		return ""
	}
	return show(slot)
}

func show(slot controller.Slot) string {
	var words []string
	for _, o := range slot.Owners {
		word := last(o.Path)
		if o.State != supervisor.StateRunning {
			word += ":" + o.State.String()
		}
		words = append(words, word)
	}
	words = append(words, "|")
	for _, w := range slot.Queue {
		word := last(w.Path)
		if w.Parked {
			word += ":parked"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func last(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

func (s *stand) wantSlot(key, want string) {
	s.t.Helper()
	if got := s.slot(key); strings.TrimSpace(got) != strings.TrimSpace(want) {
		s.t.Errorf("slot %q:\n got %s\nwant %s", key, got, want)
	}
}

// fate says what has become of a submission, or nothing.
func fate(h *actor.Handle) string {
	o, ok := h.Outcome()
	switch {
	case !ok:
		return ""
	case o.Reason == 0:
		return o.Kind.String()
	}
	return fmt.Sprintf("%v %v", o.Kind, o.Reason)
}

func wantFate(t *testing.T, h *actor.Handle, want string) {
	t.Helper()
	synctest.Wait()
	if got := fate(h); got != want {
		t.Errorf("%s: %q, want %q", h.Name(), got, want)
	}
}

// outcome waits for the end of a task.
func outcome(t *testing.T, h *actor.Handle) actor.Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), forAges)
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

// serve runs until it is told to stop.
func serve(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// during runs for d, if it may.
func during(d time.Duration) actor.Func {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		return nil
	}
}

// slow takes d to stop.
func slow(d time.Duration) actor.Func {
	return func(ctx context.Context) error {
		<-ctx.Done()
		time.Sleep(d)
		return nil
	}
}

// until runs until the gate is open, and hears nothing else.
func until(gate <-chan struct{}) actor.Func {
	return func(context.Context) error {
		<-gate
		return nil
	}
}

// once does nothing.
func once(context.Context) error { return nil }

// journal notes who began, in order.
type journal struct {
	mu    sync.Mutex
	began []string
}

// note has a task written down when it begins.
func (j *journal) note(task actor.Func) actor.Func {
	return func(ctx context.Context) error {
		info, _ := actor.FromContext(ctx)
		j.mu.Lock()
		j.began = append(j.began, info.Name)
		j.mu.Unlock()
		return task(ctx)
	}
}

func (j *journal) lines() string {
	synctest.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Join(j.began, " ")
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// as returns the error of type E in the chain of err, or fails the test.
func as[E error](t *testing.T, err error) (target E) {
	t.Helper()
	if !errors.As(err, &target) {
		t.Fatalf("got %v (%T), want a %T", err, err, target)
	}
	return target
}
