package boltstore

import (
	"context"
	"sync/atomic"

	"github.com/taskvisor/taskvisor/persist"
)

// Place is a file where a queue keeps its jobs, to be given to persist.Config. It may be used by
// any number of goroutines.
type Place struct {
	path   string
	opts   Options
	opened atomic.Pointer[Store] // the last one
}

// File returns the file at path as the place where a queue keeps its jobs. It is made when
// it is opened for the first time. What cannot be used of opts is an error of Validate, which
// Queue.Validate asks, and of Open.
func File(path string, opts Options) *Place { return &Place{path: path, opts: opts} }

// Open implements persist.Backend.
func (p *Place) Open(ctx context.Context) (persist.Store, error) {
	s, err := Open(ctx, p.path, p.opts)
	if err != nil {
		return nil, err // and not a *Store that is nil
	}
	p.opened.Store(s)
	return s, nil
}

// Store returns the store while the queue runs that has it open: to make a backup, to check it, or
// for its figures. What changes jobs is for the queue alone. The error is persist.ErrNotRunning.
func (p *Place) Store() (*Store, error) {
	s := p.opened.Load()
	if s == nil || s.isClosed() {
		return nil, persist.ErrNotRunning
	}
	return s, nil
}

// String returns the path.
func (p *Place) String() string { return p.path }

// Validate returns what is wrong with the settings, or nil.
func (p *Place) Validate() error { return p.opts.check(p.path) }

var _ persist.Backend = (*Place)(nil)
