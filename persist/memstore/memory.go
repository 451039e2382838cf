package memstore

import (
	"context"
	"sync"

	"github.com/taskvisor/taskvisor/persist"
)

// Memory is a persist.Backend. What it holds outlives each Store that it opens, so that a
// queue can end and begin again, but not the process.
type Memory struct {
	mu sync.Mutex

	// All of the following are guarded by mu. What a disk would hold:

	// jobs are all that are known. A job here is replaced, never changed.
	jobs map[persist.ID]*persist.Job
	// last is the highest ID ever, and seq the highest Seq ever.
	last persist.ID
	seq  uint64
	// inUse says that somebody has called Recover and not Close since, or that nobody has noted
	// that it was so.
	inUse bool

	// open is the store that is open, or nil.
	open *store
	// trouble is what tests have ordered.
	trouble trouble
}

// New returns an empty memory.
func New() *Memory { return &Memory{jobs: make(map[persist.ID]*persist.Job)} }

// Open opens the memory. It does not wait: if it is open, that is a persist.LockedError.
func (m *Memory) Open(ctx context.Context) (persist.Store, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if m.open != nil {
		return nil, &persist.LockedError{Path: "memory", Owner: "this process"}
	}
	m.open = &store{m: m}
	return m.open, nil
}

// Crash does what the end of a process does: what was committed stays, and the store that
// was open is gone without having been closed. All that it is asked from then on ends with
// persist.ErrClosed.
func (m *Memory) Crash() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open = nil
}
