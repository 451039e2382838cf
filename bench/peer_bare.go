package main

import (
	"context"
	"slices"
	"sync"
)

const bareConfig = "The physical limit: what one would write by hand for exactly this work and nothing else. One goroutine a " +
	"child, one context for all of them (a one-shot child has its own), one `sync.WaitGroup`. No names, no listing, no panic is caught, nothing is counted. A child " +
	"that fails is a loop that calls its function again. In a group each has its own context, so that the youngest can be stopped first."

// barehanded is goroutines with a context.
type barehanded struct {
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func openBare(together bool) (family, error) {
	if together {
		return &hosted{host: newBareGroup(true)}, nil
	}
	h := &barehanded{}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return &hosted{host: h}, nil
}

func (h *barehanded) add(_ int, b body) error {
	ctx := h.ctx
	h.wg.Go(func() {
		for b(ctx) != nil {
			continue
		}
	})
	return nil
}

// shot gives the child a context of its own, so that it could be cancelled alone.
func (h *barehanded) shot(string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- nothing(ctx) }()
	return <-done
}

func (h *barehanded) stop() error {
	h.cancel()
	h.wg.Wait()
	return nil
}

// nothing is the body of a one-shot child.
func nothing(context.Context) error { return nil }

// bareGroup is goroutines that are stopped and started together when one fails.
type bareGroup struct {
	// inOrder stops the youngest first, and each of the others when the one after it
	// has returned, as a supervisor does. Otherwise all are told at once.
	inOrder bool
	failed  chan struct{}
	ended   chan struct{}

	mu      sync.Mutex // guards what follows
	members []*member
}

// member is one goroutine of a group, with what it takes to stop it alone.
type member struct {
	body   body
	cancel context.CancelFunc
	done   chan struct{}
}

func newBareGroup(inOrder bool) *bareGroup {
	g := &bareGroup{inOrder: inOrder, failed: make(chan struct{}, 1), ended: make(chan struct{})}
	go g.conduct()
	return g
}

// conduct runs all members again whenever one has failed.
func (g *bareGroup) conduct() {
	defer close(g.ended)
	for range g.failed {
		g.mu.Lock()
		g.halt()
		for _, m := range g.members {
			g.start(m)
		}
		g.mu.Unlock()
	}
}

// halt stops all members and returns when they have returned.
func (g *bareGroup) halt() {
	for _, m := range slices.Backward(g.members) {
		m.cancel()
		if g.inOrder {
			<-m.done
		}
	}
	for _, m := range g.members {
		<-m.done
	}
}

func (g *bareGroup) start(m *member) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	m.cancel, m.done = cancel, done
	go func() {
		defer close(done)
		if m.body(ctx) != nil {
			g.failed <- struct{}{}
		}
	}()
}

func (g *bareGroup) add(_ int, b body) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := &member{body: b}
	g.members = append(g.members, m)
	g.start(m)
	return nil
}

func (g *bareGroup) shot(string) error { return errNoNotion }

func (g *bareGroup) stop() error {
	close(g.failed)
	<-g.ended
	g.mu.Lock()
	defer g.mu.Unlock()
	g.halt()
	return nil
}
