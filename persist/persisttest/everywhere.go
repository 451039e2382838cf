package persisttest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/taskvisor/taskvisor/persist"
	"github.com/taskvisor/taskvisor/persist/memstore"
)

// Scenario is what CrashEverywhere plays.
type Scenario struct {
	// Config is that of the queue, which runs by itself. Its Store is not used.
	Config persist.Config
	// Act does what is done from outside: it submits jobs, above all. If the process dies before
	// it has returned nil, it is called again in the next one, as whoever had not been answered
	// would try again; what it returned before does not count. Its context ends with the process.
	Act func(ctx context.Context, q *persist.Queue) error
	// Check looks at what has come of it, when Act has returned nil and no job is left that can
	// run.
	Check func(t *testing.T, q *Queue)
}

// CrashEverywhere plays a scenario without a crash, and then again and again, with a crash of
// the process right before, and right after, each commit of the store that there was. Each time
// is a subtest in a bubble of its own. Build is called there, so that what it makes, such as
// fakes of what is outside, begins anew.
//
// What Check has to find, however often an attempt is repeated, is for the user to say: that a
// mail was sent, say, and was not sent twice with the same number.
func CrashEverywhere(t *testing.T, build func() Scenario, opts ...Option) {
	t.Helper()
	commits := 0
	play := func(name string, at crash) bool {
		return t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := build().play(t, at, opts)
				if at == (crash{}) {
					commits = n
				}
			})
		})
	}
	if !play("no_crash", crash{}) {
		return // what fails without needs no crashes
	}
	for n := range commits {
		play(fmt.Sprintf("before_commit_%d", n+1), crash{commit: n + 1})
		play(fmt.Sprintf("after_commit_%d", n+1), crash{commit: n + 1, after: true})
	}
}

// crash says when the process dies.
type crash struct {
	commit int  // the number of the commit, from 1; 0 for never
	after  bool // it is durable, and nobody is told
}

// play plays a scenario with at most one crash, and returns how many commits there were.
func (s Scenario) play(t *testing.T, at crash, opts []Option) (commits int) {
	t.Helper()
	disk := &disk{Memory: memstore.New(), at: at}
	s.Config.Store = disk
	q := New(t, s.Config, opts...)
	disk.arm(q.life)
	q.Resume()
	for acted := false; ; q.reopen() {
		l := q.life
		if !acted {
			err := s.Act(l.alive, q.Queue)
			if err != nil && !l.dead() {
				t.Fatalf("act: %v\n%s", err, q.report())
			}
			acted = err == nil
		}
		q.DrainAll()
		if !l.dead() {
			break
		}
	}
	commits = disk.count()
	s.Check(t, q)
	return commits
}

// disk is a memory whose user dies at a commit.
type disk struct {
	*memstore.Memory
	at crash

	mu      sync.Mutex
	victim  *life
	commits int // since there is a victim
}

// arm says who is to die.
func (d *disk) arm(l *life) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.victim = l
}

func (d *disk) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.commits
}

// Open opens the memory.
func (d *disk) Open(ctx context.Context) (persist.Store, error) {
	store, err := d.Memory.Open(ctx)
	if err != nil {
		return nil, err
	}
	return &doomed{Store: store, disk: d}, nil
}

// doomed is one use of a disk.
type doomed struct {
	persist.Store
	disk *disk
}

// Commit commits, unless its user has died before. One that dies afterwards is not answered.
func (s *doomed) Commit(ctx context.Context, steps []persist.Step) (stale []int, err error) {
	victim := s.disk.next()
	if victim != nil && !s.disk.at.after {
		s.disk.crash(victim)
	}
	stale, err = s.Store.Commit(ctx, steps)
	if victim != nil && s.disk.at.after {
		s.disk.crash(victim)
		return nil, persist.ErrClosed
	}
	return stale, err
}

// next counts a commit, and returns who dies at it, or nil.
func (d *disk) next() *life {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.victim == nil {
		return nil
	}
	if d.commits++; d.commits != d.at.commit {
		return nil
	}
	return d.victim
}

func (d *disk) crash(l *life) {
	l.kill()
	d.Crash()
	l.die()
}
