package main

import (
	"context"

	"golang.org/x/sync/errgroup"
)

const errgroupConfig = "`errgroup.WithContext`, no limit. It starts and waits, and that is all it is for: no restart, no names. A one-shot " +
	"child is a group of its own, since a group is awaited as a whole."

type errgroupHost struct {
	group  *errgroup.Group
	ctx    context.Context
	cancel context.CancelFunc
}

func openErrgroup(together bool) (family, error) {
	if together {
		return nil, errNoNotion
	}
	ctx, cancel := context.WithCancel(context.Background())
	group, ctx := errgroup.WithContext(ctx)
	return &hosted{host: &errgroupHost{group: group, ctx: ctx, cancel: cancel}}, nil
}

func (h *errgroupHost) add(_ int, b body) error {
	ctx := h.ctx
	h.group.Go(func() error { return b(ctx) })
	return nil
}

func (h *errgroupHost) shot(string) error {
	group, ctx := errgroup.WithContext(context.Background())
	group.Go(func() error { return nothing(ctx) })
	return group.Wait()
}

func (h *errgroupHost) stop() error {
	h.cancel()
	return h.group.Wait()
}
