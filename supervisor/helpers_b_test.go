package supervisor_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
	"github.com/taskvisor/taskvisor/supervisor"
)

// bTree is a supervisor that runs in the present bubble, and what it told.
type bTree struct {
	*supervisor.Supervisor
	t      *testing.T
	cancel context.CancelFunc
	done   chan struct{}
	err    error // what Run returned; read after done
	log    *bLog
	began  time.Time
}

// bRun runs a supervisor until the test, or stop, ends it.
func bRun(t *testing.T, cfg supervisor.Config) *bTree {
	t.Helper()
	log := &bLog{}
	cfg.Subscribers = append(cfg.Subscribers, events.Subscriber{Name: "log", Handler: log, Queue: 1 << 16})
	if cfg.Name == "" {
		cfg.Name = "app"
	}
	ctx, cancel := context.WithCancel(t.Context())
	b := &bTree{
		Supervisor: supervisor.New(cfg), t: t, cancel: cancel,
		done: make(chan struct{}), log: log, began: time.Now(),
	}
	go func() {
		defer close(b.done)
		b.err = b.Run(ctx)
	}()
	t.Cleanup(cancel)
	synctest.Wait()
	return b
}

// stop ends the run and returns what Run returned, and how long that took.
func (b *bTree) stop() (error, time.Duration) { //nolint:staticcheck // the error is the result, not a failure
	from := time.Now()
	b.cancel()
	<-b.done
	return b.err, time.Since(from)
}

// mustStop ends the run, which must be clean.
func (b *bTree) mustStop() {
	b.t.Helper()
	if err, _ := b.stop(); err != nil {
		b.t.Errorf("Run returned %v", err)
	}
}

// ended says that Run has returned.
func (b *bTree) ended() bool {
	synctest.Wait()
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}

// node returns what the listing says of a path; its State is 0 when it is not there.
func (b *bTree) node(path string) supervisor.Node {
	synctest.Wait()
	tree := b.Tree()
	for n := range tree.All() {
		if n.Path == path {
			return *n
		}
	}
	return supervisor.Node{}
}

// at is the time since the run began.
func (b *bTree) at() time.Duration { return time.Since(b.began) }

// mustState fails the test unless path is in the state.
func (b *bTree) mustState(path string, want supervisor.State) {
	b.t.Helper()
	if got := b.node(path).State; got != want {
		b.t.Errorf("at %v %s is %v, want %v", b.at(), path, got, want)
	}
}

// bLog keeps events.
type bLog struct {
	mu  sync.Mutex
	all []events.Event // guarded by mu
}

func (l *bLog) Handle(e events.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, e)
}

// of returns the events of a kind about a path; an empty path is any.
func (l *bLog) of(k events.Kind, path string) []events.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	var es []events.Event
	for _, e := range l.all {
		if e.Kind == k && (path == "" || e.Path == path) {
			es = append(es, e)
		}
	}
	return es
}

// bNotes is a list of words that tasks write.
type bNotes struct {
	mu  sync.Mutex
	all []string // guarded by mu
}

func (n *bNotes) add(s string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, s)
}

func (n *bNotes) list() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.all)
}

// bIdle returns when it is told to.
func bIdle(ctx context.Context) error { <-ctx.Done(); return nil }

// bSlow takes d to return after it was told to.
func bSlow(d time.Duration) actor.Func {
	return func(ctx context.Context) error {
		<-ctx.Done()
		rest(d)
		return nil
	}
}

// bDeaf does not return before the gate is open, whatever its context says.
func bDeaf(gate <-chan struct{}) actor.Func {
	return func(context.Context) error { <-gate; return nil }
}

// bFailAfter fails after d, or returns when it is told to.
func bFailAfter(d time.Duration) actor.Func {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return errOfB
		case <-ctx.Done():
			return nil
		}
	}
}

var errOfB = errors.New("oops of b")

// bEach calls fn for every attempt with its number.
func bEach(fn func(ctx context.Context, attempt int) error) actor.Func {
	return func(ctx context.Context) error {
		info, _ := actor.FromContext(ctx)
		return fn(ctx, info.Attempt)
	}
}

// bExact is a backoff of 1 s, 2 s, 4 s and so on, without chance.
func bExact() policy.Backoff {
	return policy.Exponential(time.Second, time.Hour).WithJitter(policy.NoJitter)
}

// bStuck returns the paths that a stop left behind, in order.
func bStuck(err error) []string {
	var stop *supervisor.StopError
	if !errors.As(err, &stop) {
		return nil
	}
	paths := make([]string, 0, len(stop.Stuck))
	for _, s := range stop.Stuck {
		paths = append(paths, s.Path)
	}
	slices.Sort(paths)
	return paths
}

// bWithin is a context of the test with a timeout.
func bWithin(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// bBubble is synctest.Test with every gate that fn made opened at its end, so
// that what was stuck can go.
func bBubble(t *testing.T, fn func(t *testing.T, gate chan struct{})) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		t.Cleanup(func() { close(gate); rest(time.Hour) })
		fn(t, gate)
	})
}

// bErrOf is the error of a call that returns something else too.
func bErrOf[T any](_ T, err error) error { return err }

// bMustBe fails the test unless err is want, where nil is only nil.
func bMustBe(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}
