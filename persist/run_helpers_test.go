package persist_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/subscribers/recorder"
	"github.com/taskvisor/taskvisor/supervisor"
)

var errOops = errors.New("oops")

// chore is the type of most jobs here: its input is what the job is called.
var chore = persist.Define[string]("chore", persist.WithoutKey())

// oneSecond is a pause that a test can count with.
var oneSecond = persist.WithBackoff(policy.Constant(time.Second))

// rig is a queue that runs in a bubble, on a memory that outlives it.
type rig struct {
	*persist.Queue
	t     *testing.T
	mem   *memstore.Memory
	rec   *recorder.Recorder
	began time.Time
	end   func() error
	loose bool // how Run ends is not looked at
}

// hang runs a queue until the test ends, or halt is called.
func hang(t *testing.T, cfg persist.Config) *rig {
	t.Helper()
	r := launch(t, cfg)
	if err := r.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return r
}

// launch is hang without waiting until the queue is there.
func launch(t *testing.T, cfg persist.Config) *rig {
	t.Helper()
	r := &rig{t: t, rec: &recorder.Recorder{}, began: time.Now()}
	if cfg.Store == nil {
		cfg.Store = memstore.New()
	}
	r.mem, _ = cfg.Store.(*memstore.Memory)
	cfg.Supervisor.Subscribers = append(slices.Clip(cfg.Supervisor.Subscribers), r.rec.Subscriber())
	r.Queue = persist.New(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	r.end = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := r.end(); err != nil && !r.loose {
			t.Errorf("run: %v", err)
		}
	})
	return r
}

// halt ends the run and returns what Run returned.
func (r *rig) halt() error {
	r.loose = true
	return r.end()
}

// crash ends the run as the end of the process does: nothing of it is stored any more.
func (r *rig) crash() {
	r.mem.Crash()
	_ = r.halt()
}

// submit submits a chore.
func (r *rig) submit(in string, opts ...persist.Option) persist.ID {
	r.t.Helper()
	return must(r.t)(chore.Submit(r.t.Context(), r.Queue, in, opts...)).ID
}

// wait returns a job when it has ended.
func (r *rig) wait(id persist.ID) *persist.Job {
	r.t.Helper()
	j, err := r.Await(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	if !j.Ended() {
		r.t.Fatalf("job %d has not ended: %+v", id, j.State)
	}
	return j
}

// look returns a job as it stands.
func (r *rig) look(id persist.ID) *persist.Job {
	r.t.Helper()
	j, err := r.Job(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return j
}

// why returns what a job waits for.
func (r *rig) why(id persist.ID) persist.Wait {
	r.t.Helper()
	w, err := r.Why(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return w
}

// told counts the events of a kind that were told.
func (r *rig) told(k events.Kind) int {
	synctest.Wait()
	return r.rec.Count(k)
}

// first returns the first event of a kind.
func (r *rig) first(k events.Kind) events.Event {
	r.t.Helper()
	synctest.Wait()
	for _, e := range r.rec.Events() {
		if e.Kind == k {
			return e
		}
	}
	r.t.Fatalf("there was no %v", k)
	return events.Event{}
}

// figure returns what Measure says of a metric with those labels, but for the name of the queue.
func (r *rig) figure(name string, labels ...string) (value float64) {
	r.Measure(func(m *events.Metric, v float64, l ...string) {
		if m.Name == name && slices.Equal(l[1:], labels) {
			value = v
		}
	})
	return value
}

// elapse lets time pass, and what follows happen.
func elapse(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// same compares what there is with what should be.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: %s, want %s", what, g, w)
	}
}

// isError compares an error with what it should be.
func isError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// stage is where jobs run until they are let go, or told to stop.
type stage struct {
	mu     sync.Mutex
	began  time.Time
	inside map[string]chan error
	causes map[string]error // why the context ended
	runs   map[string]int
	log    []string
	most   int
	deaf   bool // they do not hear that they are told to stop
}

func newStage() *stage {
	return &stage{
		began: time.Now(), inside: map[string]chan error{}, causes: map[string]error{}, runs: map[string]int{},
	}
}

// act is the handler of chores.
func (s *stage) act(ctx context.Context, in string) error {
	out := s.enter(in)
	defer s.leave(in)
	done := ctx.Done()
	if s.deaf {
		done = nil
	}
	select {
	case err := <-out:
		return err
	case <-done:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.causes[in] = context.Cause(ctx)
		return ctx.Err()
	}
}

func (s *stage) enter(in string) chan error {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(chan error, 1)
	if s.inside[in] != nil {
		panic("there are two called " + in)
	}
	s.inside[in] = out
	s.runs[in]++
	s.log = append(s.log, fmt.Sprintf("%v %s", time.Since(s.began), in))
	s.most = max(s.most, len(s.inside))
	return out
}

func (s *stage) leave(in string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.inside, in)
}

// handlers returns the handlers of a queue in which jobs act on the stage.
func (s *stage) handlers() []persist.Handler { return []persist.Handler{chore.Handle(s.act)} }

// letGo has jobs end with an error, or nil.
func (s *stage) letGo(err error, ins ...string) {
	synctest.Wait()
	s.mu.Lock()
	for _, in := range ins {
		if s.inside[in] == nil {
			s.mu.Unlock()
			panic("nobody is called " + in)
		}
		s.inside[in] <- err
	}
	s.mu.Unlock()
	synctest.Wait()
}

// letAllGo has all jobs succeed, and those that come then, until none come.
func (s *stage) letAllGo() {
	for {
		synctest.Wait()
		now := s.now()
		if now == "" {
			return
		}
		s.letGo(nil, strings.Fields(now)...)
	}
}

// now names who is inside.
func (s *stage) now() string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(slices.Sorted(maps.Keys(s.inside)), " ")
}

// order names who has come in, in that order.
func (s *stage) order() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := make([]string, len(s.log))
	for i, line := range s.log {
		_, names[i], _ = strings.Cut(line, " ")
	}
	return strings.Join(names, " ")
}

func (s *stage) cause(in string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.causes[in]
}

func (s *stage) count(in string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs[in]
}

// crowd counts who is where, and remembers the most there ever were.
type crowd struct {
	mu        sync.Mutex
	now, most map[string]int
}

func newCrowd() *crowd { return &crowd{now: map[string]int{}, most: map[string]int{}} }

func (c *crowd) enter(where string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now[where]++
	c.most[where] = max(c.most[where], c.now[where])
}

func (c *crowd) leave(where string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now[where]--
}

// peak is the most that there were at one place.
func (c *crowd) peak(where string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most[where]
}

// startBeside starts a task of that name among those of which ctx is, for 30 seconds.
func startBeside(ctx context.Context, name string) error {
	_, err := supervisor.FromContext(ctx).Start(ctx, actor.Spec{Name: name, Restart: policy.Never, Task: actor.Func(func(ctx context.Context) error {
		select {
		case <-time.After(30 * time.Second):
		case <-ctx.Done():
		}
		return nil
	})})
	return err
}
