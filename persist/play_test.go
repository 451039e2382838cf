package persist_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
	"github.com/taskvisor/taskvisor/policy"
)

// part is what a job of a play does.
type part struct {
	Name string
	// Hold has it run until it is released, or told to stop.
	Hold bool `json:",omitempty"`
	// Fails is how many attempts fail before one succeeds.
	Fails int `json:",omitempty"`
	// Fatal has it fail for good.
	Fatal bool `json:",omitempty"`
}

// play is a handler that remembers who was on, and checks that no two of one key are at a time.
type play struct {
	t      *testing.T
	kind   *persist.Type[part]
	linger time.Duration // how long those take to leave that are told to stop

	mu     sync.Mutex
	on     map[string]persist.ID
	order  []string
	causes map[persist.ID]error
	exits  map[persist.ID]chan error
}

func newPlay(t *testing.T, opts ...persist.Option) *play {
	return &play{
		t: t, on: map[string]persist.ID{}, causes: map[persist.ID]error{}, exits: map[persist.ID]chan error{},
		kind: persist.Define[part]("part", opts...).KeyedBy(func(p part) string { return p.Name }),
	}
}

func (p *play) exit(id persist.ID) chan error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exits[id] == nil {
		p.exits[id] = make(chan error, 1)
	}
	return p.exits[id]
}

// release lets a job go that holds.
func (p *play) release(id persist.ID, err error) { p.exit(id) <- err }

func (p *play) handler() persist.Handler {
	return p.kind.Handle(func(ctx context.Context, in part) error {
		a, _ := persist.FromContext(ctx)
		j := a.Job()
		p.mu.Lock()
		if other := p.on[in.Name]; other != 0 {
			p.t.Errorf("job %d runs while job %d does", j.ID, other)
		}
		p.on[in.Name] = j.ID
		p.order = append(p.order, fmt.Sprintf("%s#%d", in.Name, j.ID))
		p.mu.Unlock()
		defer func() {
			p.mu.Lock()
			delete(p.on, in.Name)
			p.mu.Unlock()
		}()
		if in.Hold {
			select {
			case err := <-p.exit(j.ID):
				return err
			case <-ctx.Done():
				p.mu.Lock()
				p.causes[j.ID] = context.Cause(ctx)
				p.mu.Unlock()
				time.Sleep(p.linger)
				return ctx.Err()
			}
		}
		switch {
		case in.Fatal:
			return errFatal
		case j.Failures < in.Fails:
			return errors.New("not yet")
		}
		return nil
	})
}

var errFatal = persist.Cancel(errors.New("no more")) // ends the job whatever its retries

func (p *play) was() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.order)
}

func (p *play) cause(id persist.ID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.causes[id]
}

// submit submits a part, which has to be possible.
func (p *play) submit(h *harness, in part, opts ...persist.Option) persist.Result {
	p.t.Helper()
	return must(p.t)(p.kind.Submit(p.t.Context(), h.Queue, in, opts...))
}

// ended waits until a job has ended, and says how.
func (h *harness) ended(id persist.ID, want persist.Ending) *persist.Job {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), 10*24*time.Hour)
	defer cancel()
	j, err := h.Await(ctx, id)
	if err != nil {
		w, _ := h.Why(h.t.Context(), id)
		h.t.Fatalf("%v; it is %v: %v", err, w.Phase, w)
	}
	if j.End.Kind != want {
		h.t.Errorf("job %d ended as %v, want %v", id, j.End.Kind, want)
	}
	return j
}

// phase says where a job is.
func (h *harness) phase(id persist.ID) persist.Phase {
	h.t.Helper()
	w, err := h.Why(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return w.Phase
}

func (h *harness) count(k events.Kind) int {
	synctest.Wait()
	return h.rec.Count(k)
}

// stopping begins to stop the queue, and returns when nothing moves any more.
func (h *harness) stopping() chan error {
	c := make(chan error, 1)
	go func() { c <- h.stop() }()
	synctest.Wait()
	return c
}

// gateway holds commits up.
type gateway struct {
	m    *memstore.Memory
	held chan []persist.Verb
	open chan error
}

// hold has every commit wait from now on: for pass, which lets one through, or fails it.
func hold(m *memstore.Memory) *gateway {
	g := &gateway{m: m, held: make(chan []persist.Verb), open: make(chan error)}
	m.BeforeCommit(func(_ context.Context, steps []persist.Step) error {
		var verbs []persist.Verb
		for i := range steps {
			verbs = append(verbs, steps[i].Verb)
		}
		g.held <- verbs
		return <-g.open
	})
	return g
}

// arrive waits for a commit to be held up, and says what its steps do.
func (g *gateway) arrive() []persist.Verb { return <-g.held }

// pass lets the one that is held up go on, or fail.
func (g *gateway) pass(err error) { g.open <- err }

// end lets the one that is held up go on, and all others.
func (g *gateway) end(err error) {
	g.m.BeforeCommit(nil)
	g.open <- err
}

// answer is what a submission that is under way has come to.
type answer struct {
	persist.Result
	err error
}

// begin submits without waiting, and returns when nothing moves any more.
func (p *play) begin(h *harness, in part, opts ...persist.Option) chan answer {
	c := make(chan answer, 1)
	go func() {
		r, err := p.kind.Submit(p.t.Context(), h.Queue, in, opts...)
		c <- answer{r, err}
	}()
	synctest.Wait()
	return c
}

var once = persist.WithMaxRetries(policy.NoRetry)
