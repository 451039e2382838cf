package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/taskvisor/taskvisor/persist"
)

// A scenario is a sentence of the contract, and how to find out whether it holds.
type scenario struct {
	sentence string
	play     func(*game)
}

func scenarios() []scenario {
	return slices.Concat(openings, recoveries, commits, stales, lives, prunes, pasts, values, reads)
}

// A game is one scenario as it is played.
type game struct {
	testing.TB
	ctx     context.Context
	backend persist.Backend
	store   persist.Store
	// What the last Recover has said.
	live     []*persist.Job
	recovery persist.Recovery
}

// begin opens backend for a scenario, and closes what is open at its end.
func begin(t testing.TB, backend persist.Backend) *game {
	t.Helper()
	g := &game{TB: t, ctx: context.Background(), backend: backend}
	t.Cleanup(func() {
		if g.store != nil {
			_ = g.store.Close() // a scenario that is about Close looks at it itself
		}
	})
	g.open()
	return g
}

func (g *game) open() {
	g.Helper()
	g.openOnly()
	g.recover()
}

func (g *game) openOnly() {
	g.Helper()
	s, err := g.backend.Open(g.ctx)
	if err != nil {
		g.Fatalf("open: %v", err)
	}
	g.store = s
}

func (g *game) recover() {
	g.Helper()
	var err error
	if g.live, g.recovery, err = recovered(g.ctx, g.store); err != nil {
		g.Fatalf("recover: %v", err)
	}
}

func (g *game) close() {
	g.Helper()
	if err := g.store.Close(); err != nil {
		g.Fatalf("close: %v", err)
	}
}

func (g *game) reopen() {
	g.Helper()
	g.close()
	g.open()
}

// crash ends the use of the store without closing it, and does not open it again.
func (g *game) crash() {
	g.Helper()
	c, ok := g.backend.(Crasher)
	if !ok {
		g.Skip("the backend cannot crash")
	}
	c.Crash()
}

// commit takes steps none of which may be stale.
func (g *game) commit(steps ...persist.Step) {
	g.Helper()
	g.stale(nil, steps...)
}

// stale takes steps of which those, and no others, are to be stale.
func (g *game) stale(want []int, steps ...persist.Step) {
	g.Helper()
	got, err := g.store.Commit(g.ctx, steps)
	if err != nil {
		g.Fatalf("commit %s: %v", tellAll(steps), err)
	}
	if !slices.Equal(got, want) {
		g.Fatalf("commit %s: stale %v, want %v", tellAll(steps), got, want)
	}
}

// refused takes steps that are to end with an error and to change nothing, neither now nor
// when the store is opened again.
func (g *game) refused(steps ...persist.Step) {
	g.Helper()
	before := g.picture()
	if stale, err := g.store.Commit(g.ctx, steps); err == nil {
		g.Fatalf("commit %s: stale %v, want an error", tellAll(steps), stale)
	}
	g.unchanged(before)
	g.reopen()
	g.unchanged(before)
}

// job returns what is known of a job, payload included.
func (g *game) job(id persist.ID) *persist.Job {
	g.Helper()
	j, err := g.store.Job(g.ctx, id)
	if err != nil {
		g.Fatalf("job %d: %v", id, err)
	}
	return j
}

// is says what a job is to look like, and that it does so after opening again, too.
func (g *game) is(want *persist.Job) {
	g.Helper()
	for _, when := range []string{"at once", "opened again"} {
		if d := diff(want, g.job(want.ID)); d != "" {
			g.Fatalf("%s: job %d: %s", when, want.ID, d)
		}
		g.reopen()
	}
	for _, j := range append(g.live, g.past(persist.PastQuery{})...) {
		if j.ID == want.ID {
			listed := *want
			listed.Payload = nil
			if d := diff(&listed, j); d != "" {
				g.Fatalf("listed: job %d: %s", want.ID, d)
			}
			return
		}
	}
	g.Fatalf("job %d is in no list", want.ID)
}

// gone says that Job and Payload end with that error.
func (g *game) gone(id persist.ID, want error) {
	g.Helper()
	if _, err := g.store.Job(g.ctx, id); !errors.Is(err, want) {
		g.Errorf("job %d: error %v, want %v", id, err, want)
	}
	if _, err := g.store.Payload(g.ctx, id); !errors.Is(err, want) {
		g.Errorf("payload of job %d: error %v, want %v", id, err, want)
	}
}

func (g *game) past(q persist.PastQuery) []*persist.Job {
	g.Helper()
	jobs, err := g.store.Past(g.ctx, q)
	if err != nil {
		g.Fatalf("past %s: %v", show(q), err)
	}
	return jobs
}

// wantPast says which jobs a query finds, in their order.
func (g *game) wantPast(q persist.PastQuery, want ...persist.ID) {
	g.Helper()
	if got := ids(g.past(q)); !slices.Equal(got, want) {
		g.Errorf("past %s: jobs %v, want %v", show(q), got, want)
	}
}

// wantLive says which jobs the last Recover has listed.
func (g *game) wantLive(want ...persist.ID) {
	g.Helper()
	if got := ids(g.live); !slices.Equal(got, want) {
		g.Errorf("recover: jobs %v, want %v", got, want)
	}
}

func (g *game) wantNext(want persist.ID) {
	g.Helper()
	if g.recovery.Next != want {
		g.Errorf("recover: next %d, want %d", g.recovery.Next, want)
	}
}

func (g *game) wantClean(want bool) {
	g.Helper()
	if g.recovery.Clean != want {
		g.Errorf("recover: clean %v, want %v", g.recovery.Clean, want)
	}
}

// picture is what can be seen of the first jobs without opening again.
func (g *game) picture() []*persist.Job {
	g.Helper()
	all := g.past(persist.PastQuery{})
	for id := range persist.ID(20) {
		if j, err := g.store.Job(g.ctx, id); err == nil {
			all = append(all, j)
		}
	}
	return all
}

func (g *game) unchanged(before []*persist.Job) {
	g.Helper()
	if d := diffJobs(before, g.picture()); d != "" {
		g.Fatalf("what was refused has changed something: %s", d)
	}
}

// expect is a job as it is known after those steps, which are of one job, and the last of
// which may have ended it with that Seq.
func expect(seq uint64, steps ...persist.Step) *persist.Job {
	var j persist.Job
	for _, s := range steps {
		switch s.Verb {
		case persist.Insert:
			j.Record, j.State = *s.Record, s.Record.InitialState()
		case persist.Resolve:
			j.End = &s.End
			j.End.Seq = seq
			j.State = s.State
		default:
			j.End = nil
			j.State = s.State
		}
	}
	return &j
}
