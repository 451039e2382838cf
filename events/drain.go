package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// DefaultDrain is how long a program should give its subscribers at its end.
const DefaultDrain = 5 * time.Second

// Drain waits until every subscriber has handled what was published for it before
// the call, though not longer than ctx: then the error names the subscribers that
// have not and wraps ctx's. What is published meanwhile is not waited for.
//
// Called from within a handler it waits for the other subscribers only, and
// returns ErrInside.
func (b *Bus) Drain(ctx context.Context) error {
	if b == nil {
		return nil
	}
	var goals []*goal
	b.mu.Lock()
	for _, s := range slices.Concat(b.leaving, b.subs) {
		if g := s.aim(s.queue.end()); g != nil {
			goals = append(goals, g)
		}
	}
	b.mu.Unlock()

	err := await(ctx, goals)

	b.mu.Lock()
	for _, g := range goals {
		g.sub.drop(g)
	}
	b.mu.Unlock()
	return err
}

// Close ends the bus: it takes no subscriber and no event any more. What is queued
// is still handled, and then every subscription ends. Close waits for that, though
// not longer than ctx. Then the error names the subscribers that have not ended
// and wraps ctx's: what they have queued is discarded and counted as lost, and the
// goroutine of each ends when its handler returns. Calling it again waits again.
//
// Called from within a handler it waits for the other subscribers only, and
// returns ErrInside.
func (b *Bus) Close(ctx context.Context) error {
	if b == nil {
		return nil
	}
	var goals []*goal
	b.mu.Lock()
	b.closed = true
	for _, s := range slices.Clone(b.subs) {
		b.part(s)
	}
	for _, s := range b.leaving {
		goals = append(goals, &goal{sub: s, done: s.ended})
	}
	b.mu.Unlock()

	err := await(ctx, goals)

	if ctx.Err() != nil {
		b.mu.Lock()
		for _, s := range b.leaving {
			s.dropping = true
			s.setNext()
		}
		b.mu.Unlock()
	}
	return err
}

// await waits for the goals and returns an error for each that is not reached.
func await(ctx context.Context, goals []*goal) error {
	var missed []error
	self := goroutine()
	for _, g := range goals {
		if err := g.await(ctx, self); err != nil {
			missed = append(missed, fmt.Errorf("subscriber %q has not handled everything: %w", g.sub.name, err))
		}
	}
	return errors.Join(missed...)
}
