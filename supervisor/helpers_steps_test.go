package supervisor_test

import (
	"context"
	"time"

	"github.com/taskvisor/taskvisor/actor"
	"github.com/taskvisor/taskvisor/policy"
)

// with changes a spec.
func with(s actor.Spec, change func(*actor.Spec)) actor.Spec {
	change(&s)
	return s
}

// awaited makes a spec one that says when it is ready.
func awaited(s actor.Spec) actor.Spec {
	s.AwaitReady = true
	return s
}

// serve runs until it is told to stop.
func serve(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// in returns err after d, or nil if it is told to stop before.
func in(d time.Duration, err error) actor.Func {
	return func(ctx context.Context) error {
		if d > 0 {
			select {
			case <-time.After(d):
			case <-ctx.Done():
				return nil
			}
		}
		return err
	}
}

// readyIn is ready after d and then does what next does.
func readyIn(d time.Duration, next actor.Func) actor.Func {
	return func(ctx context.Context) error {
		if d > 0 {
			select {
			case <-time.After(d):
			case <-ctx.Done():
				return nil
			}
		}
		actor.Ready(ctx)
		return next(ctx)
	}
}

// slow takes d to stop.
func slow(d time.Duration) actor.Func {
	return func(ctx context.Context) error {
		<-ctx.Done()
		rest(d)
		return nil
	}
}

// second is a backoff that always waits a second.
var second = policy.Constant(time.Second)

// doubling waits 1, 2, 4, 8, ... seconds.
var doubling = policy.Backoff{Jitter: policy.NoJitter, First: time.Second, Max: time.Hour}
