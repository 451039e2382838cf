package persisttest

import (
	"context"
	"errors"

	"github.com/taskvisor/taskvisor/persist"
)

// RunTwice has every attempt that returns nil run a second time at once, with the middleware
// around it, as if the process had died before the job could be marked as completed. It fails
// the test if the second run fails; whether it has done what should be done only once is for
// the test to see. One that puts itself off then, or cancels itself, has not failed.
func RunTwice() Option { return func(o *options) { o.twice = true } }

// twice is put around every attempt.
func (q *Queue) twice(ctx context.Context, job *persist.Job, next func(context.Context) error) error {
	if err := next(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	returned := false
	defer func() {
		if !returned { // it panics: that is told by the queue
			q.t.Errorf("%s has completed, and panicked when it ran again as after a crash", title(job))
		}
	}()
	err := next(ctx)
	returned = true
	if err != nil && ctx.Err() == nil && !steers(err) {
		q.t.Errorf("%s has completed, and failed when it ran again as after a crash: %v", title(job), err)
	}
	return err
}

// steers says that an error is none, but a wish.
func steers(err error) bool {
	var snooze *persist.SnoozeError
	var cancel *persist.CancelError
	return errors.As(err, &snooze) || errors.As(err, &cancel)
}
