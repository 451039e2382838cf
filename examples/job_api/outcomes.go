package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/taskvisor/taskvisor/actor"
)

// outcomes is a task that follows each job until its outcome is there, and logs it. It
// asks the handles: events may be lost, handles forget nothing.
type outcomes struct {
	log  *slog.Logger
	jobs chan *actor.Handle // without a buffer: what is taken is followed
	told atomic.Int64
}

// Run has a goroutine for each job, which belongs to the attempt and ends with it.
func (o *outcomes) Run(ctx context.Context) error {
	for {
		select {
		case h := <-o.jobs:
			if err := actor.Go(ctx, func(ctx context.Context) error { return o.tell(ctx, h) }); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil // the attempt ends when all is told
		}
	}
}

// tell waits for the outcome of a job, and tells also that ctx has ended before.
func (o *outcomes) tell(ctx context.Context, h *actor.Handle) error {
	outcome, err := h.Wait(ctx)
	if err != nil {
		o.log.Warn("no outcome yet", "id", h.ID(), "job", h.Name(), "error", err)
		return nil
	}
	o.told.Add(1)
	o.log.Info("outcome", "id", h.ID(), "job", h.Name(), "outcome", outcome.String())
	return nil
}

// follow has a job followed, whether or not its client is still there. Only between two
// attempts nobody takes it; then all that can be told is what is known.
func (o *outcomes) follow(ctx context.Context, h *actor.Handle) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	select {
	case o.jobs <- h:
	case <-ctx.Done():
		_ = o.tell(ctx, h)
	}
}
