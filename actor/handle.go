package actor

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/taskvisor/taskvisor/events"
)

// Handle follows one task from its start to its outcome, across all of its
// attempts. It may be used by any number of goroutines, and be kept after the
// end. A handle does not stop its task: that is for the supervisor, by path.
type Handle struct {
	id    events.ID
	label string // path#tree.id, the value of the goroutines' label
	name  int32  // where the name begins in label
	ends  int32  // where the path ends in label

	mu      sync.Mutex
	done    chan struct{} // guarded by mu; made when asked for
	up      chan struct{} // guarded by mu; made when asked for, isUp when it is
	outcome *Outcome      // guarded by mu
}

// isUp is the channel of all handles that are ready.
var isUp = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// ID returns the number of this life of the task, unique in the process.
func (h *Handle) ID() events.ID { return h.id }

// Path returns the address of the task in its tree, such as "/app/db".
func (h *Handle) Path() string { return h.label[:h.ends] }

// Name returns the last part of the path.
func (h *Handle) Name() string { return h.label[h.name:h.ends] }

// Done returns a channel that is closed when the task has ended for good. The name
// of a dynamic child, or of one that was removed, is free then.
func (h *Handle) Done() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.done == nil {
		h.done = make(chan struct{})
		if h.outcome != nil {
			close(h.done)
		}
	}
	return h.done
}

// Outcome returns how the task ended; ok is false while it has not.
func (h *Handle) Outcome() (o Outcome, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.outcome == nil {
		return Outcome{}, false
	}
	return *h.outcome, true
}

// Wait returns how the task ended, as soon as it has. Its error is only ever
// the cause of ctx; the task's own is in the outcome. An outcome that is there
// already is returned even if ctx has ended.
func (h *Handle) Wait(ctx context.Context) (Outcome, error) {
	if o, ok := h.Outcome(); ok {
		return o, nil
	}
	runtime.Gosched() // many a task is so short that it ends meanwhile, and no channel has to be made
	if o, ok := h.Outcome(); ok {
		return o, nil
	}
	cancelled := ctx.Done()
	if cancelled == nil { // a receive costs half of a select
		<-h.Done()
	} else {
		select {
		case <-h.Done():
		case <-cancelled:
			return Outcome{}, fmt.Errorf("wait for task %s: %w", h.Path(), context.Cause(ctx))
		}
	}
	o, _ := h.Outcome()
	return o, nil
}

// WaitReady returns nil when the task is ready for the first time: when it has
// called Ready if its spec says AwaitReady, else when its first attempt has
// begun. A task that ends before returns a *NotReadyError, unless it completed.
// What is known already is returned even if ctx has ended.
func (h *Handle) WaitReady(ctx context.Context) error {
	h.mu.Lock()
	known := h.up == isUp || h.outcome != nil
	if !known && h.up == nil {
		h.up = make(chan struct{})
	}
	up := h.up
	h.mu.Unlock()
	if !known {
		select {
		case <-up:
		case <-ctx.Done():
			return fmt.Errorf("wait for task %s to be ready: %w", h.Path(), context.Cause(ctx))
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.up == isUp || h.outcome.Success() {
		return nil
	}
	return &NotReadyError{Path: h.Path(), Err: h.outcome.Err}
}

// markReady lets WaitReady return.
func (h *Handle) markReady() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.up == isUp || h.outcome != nil {
		return
	}
	if h.up != nil {
		close(h.up)
	}
	h.up = isUp
}

// resolve delivers the outcome; only the first counts.
func (h *Handle) resolve(o *Outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.outcome != nil {
		return
	}
	h.outcome = o
	if h.done != nil {
		close(h.done)
	}
	if h.up != nil && h.up != isUp {
		close(h.up)
	}
}
