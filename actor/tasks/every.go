package tasks

import (
	"context"
	"time"

	"github.com/taskvisor/taskvisor/actor"
)

// Every makes a task that calls do at once, and then again and again, each time
// interval after the last call returned. An error ends the attempt, so that the
// spec's backoff says when the next one begins, with a call at once; an
// actor.Done ends the task as a success.
//
// The task is ready after the first call that succeeded, and beats after each: a
// spec's Stall has to be longer than interval and a call together.
//
// All calls are made by one attempt, so a call that succeeds does not end a streak
// of failures: the pauses grow from failure to failure until an attempt has run
// for ResetAfter. Set that shorter for a call that fails now and then. A spec with Restart: policy.Always and an
// Every makes an attempt of each call instead, with its own timeout and events.
//
// A nil do, and an interval that is not positive, are refused by the spec's
// Validate.
func Every(interval time.Duration, do func(ctx context.Context) error) actor.Task {
	return periodic{interval, do}
}

type periodic struct {
	interval time.Duration
	do       func(ctx context.Context) error
}

// Run calls do until it fails or ctx ends.
func (p periodic) Run(ctx context.Context) error {
	pause := time.NewTimer(p.interval)
	defer pause.Stop()
	for ctx.Err() == nil {
		if err := p.do(ctx); err != nil {
			return err
		}
		actor.Beat(ctx)
		actor.Ready(ctx)

		pause.Reset(p.interval)
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
	return context.Cause(ctx)
}

// Validate refuses what Run could not use.
func (p periodic) Validate() error {
	switch {
	case p.interval <= 0:
		return refuse("Interval", p.interval, "must be positive")
	case p.do == nil:
		return refuse("Do", nil, "must not be nil")
	}
	return nil
}
