package memstore

import (
	"context"
	"errors"

	"github.com/taskvisor/taskvisor/persist"
)

// trouble is what tests have ordered. It stays when the memory is closed and opened.
type trouble struct {
	before        func(ctx context.Context, steps []persist.Step) error
	commits       failures
	settles       failures
	unknown, done bool // the next commit is unknown; it is done all the same
	maxJobs       int
}

// failures are some calls to come and how they fail.
type failures struct {
	n   int
	err error
}

// next returns how the next call fails, or nil.
func (f *failures) next() error {
	if f.n <= 0 {
		return nil
	}
	f.n--
	return f.err
}

// FailNext makes the next n commits fail with err, and change nothing. If err is
// persist.ErrUnknown, they have to be settled.
func (m *Memory) FailNext(n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trouble.commits = failures{n, err}
}

// UnknownNext makes the next commit end with persist.ErrUnknown, when it has been done, or
// without. What Settle says of it is committed.
func (m *Memory) UnknownNext(committed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trouble.unknown, m.trouble.done = true, committed
}

// FailSettle makes the next n calls of Settle fail with err.
func (m *Memory) FailSettle(n int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trouble.settles = failures{n, err}
}

// Limit makes a commit fail with persist.ErrFull, and change nothing, if there would be
// more than so many jobs, ended ones included. What the same commit forgets counts, too.
// Zero means that there is no limit.
func (m *Memory) Limit(jobs int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trouble.maxJobs = jobs
}

// BeforeCommit has f called at the beginning of each commit, which waits for it and fails
// with its error: to hold a commit up, to look at it, or to choose which fail. The steps
// are not to be changed or kept. Nil ends it.
func (m *Memory) BeforeCommit(f func(ctx context.Context, steps []persist.Step) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trouble.before = f
}

// before does what BeforeCommit has ordered.
func (m *Memory) before(ctx context.Context, steps []persist.Step) error {
	m.mu.Lock()
	f := m.trouble.before
	m.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(ctx, steps)
}

// fate says how a commit ends that could be done, and whether it is done. mu is held.
func (m *Memory) fate(steps []persist.Step) (do bool, err error) {
	if err := m.trouble.commits.next(); err != nil {
		return false, err
	}
	if m.trouble.unknown {
		m.trouble.unknown = false
		return m.trouble.done, persist.ErrUnknown
	}
	if m.trouble.maxJobs > 0 && len(m.jobs)+inserts(steps) > m.trouble.maxJobs {
		return false, persist.ErrFull
	}
	return true, nil
}

func inserts(steps []persist.Step) (n int) {
	for i := range steps {
		if steps[i].Verb == persist.Insert {
			n++
		}
	}
	return n
}

func unknown(err error) bool { return errors.Is(err, persist.ErrUnknown) }
