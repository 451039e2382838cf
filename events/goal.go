package events

import (
	"bytes"
	"context"
	"math"
	"runtime"
	"slices"
	"strconv"
)

// goal is how far somebody waits for a subscription to come.
type goal struct {
	sub    *Subscription
	end    uint64        // entries that must have been handled
	done   chan struct{} // closed when it is settled
	missed bool          // it cannot be reached any more; set before done is closed
}

// await returns nil once g is reached. A goal already reached is so even if ctx has
// ended. self is the caller's goroutine, which cannot wait for itself.
func (g *goal) await(ctx context.Context, self uint64) error {
	select {
	case <-g.done:
		return g.settled()
	default:
	}
	if self != 0 && self == g.sub.goroutine.Load() {
		return ErrInside
	}
	select {
	case <-g.done:
		return g.settled()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *goal) settled() error {
	if g.missed {
		return ErrClosed
	}
	return nil
}

// aim returns a goal of the subscription, or nil if it is reached. Hold bus.mu.
func (s *Subscription) aim(end uint64) *goal {
	if s.reached(end) {
		return nil
	}
	g := &goal{sub: s, end: end, done: make(chan struct{})}
	s.goals = append(s.goals, g)
	s.setNext()
	// Once more, now that next is set: see handled.
	if s.reached(end) {
		s.drop(g)
		return nil
	}
	return g
}

func (s *Subscription) reached(end uint64) bool {
	return s.told.Load()+s.delivered.Load() >= end
}

// drop forgets a goal if it is still there. Hold bus.mu.
func (s *Subscription) drop(g *goal) {
	if i := slices.Index(s.goals, g); i >= 0 {
		s.goals = slices.Delete(s.goals, i, i+1)
		s.setNext()
	}
}

// reach settles the goals up to total. Hold bus.mu.
func (s *Subscription) reach(total uint64) {
	s.goals = slices.DeleteFunc(s.goals, func(g *goal) bool {
		if g.end > total {
			return false
		}
		close(g.done)
		return true
	})
	s.setNext()
}

// miss settles all goals that are left: nothing more will be handled. Hold bus.mu.
func (s *Subscription) miss() {
	for _, g := range s.goals {
		g.missed = true
		close(g.done)
	}
	s.goals = nil
}

// setNext makes the goroutine look when the nearest goal is reached, or at once if
// it is to discard the rest. Hold bus.mu.
func (s *Subscription) setNext() {
	next := uint64(math.MaxUint64)
	if s.dropping {
		next = 0
	}
	for _, g := range s.goals {
		next = min(next, g.end)
	}
	s.next.Store(next)
}

// goroutine returns the id of the calling goroutine, or 0 if it is not to be had.
// It serves to tell a caller who is a handler from all others, which nothing else
// can: a handler has no context. Without it such a caller waits for itself until
// its ctx ends. Only waits pay for it, about a microsecond each.
func goroutine() uint64 {
	text := make([]byte, 32) // "goroutine 18 [running]:..."
	text = text[:runtime.Stack(text, false)]
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	id, err := strconv.ParseUint(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return id
}
