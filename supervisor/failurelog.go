package supervisor

import (
	"context"
	"log/slog"
	"math/bits"

	"github.com/taskvisor/taskvisor/events"
)

// failureLog is the subscriber of a program that has none: nothing shall fail in
// silence.
func (s *Supervisor) failureLog() events.Subscriber {
	return events.Subscriber{
		Name: "failures",
		Kinds: []events.Kind{
			events.RetryScheduled, events.GroupRestarting, events.TaskStuck, events.TaskFinished,
			events.IntensityExceeded, events.SubscriberPanicked, events.TaskRejected,
			events.JobRetryScheduled, events.JobFailed, events.JobDeadLettered, events.JobExpired, events.JobParked,
			events.JobTypeUnknown, events.StoreFailed,
		},
		Handler: events.HandlerFunc(func(e events.Event) {
			level, ok := failureLevel(e)
			if !ok {
				return
			}
			log := s.cfg.Logger
			if log == nil {
				log = slog.Default()
			}
			attrs := e.LogValue().Group()
			if stacks := events.Traces(e.Err); stacks != "" {
				attrs = append(attrs, slog.String("stack", stacks))
			}
			log.LogAttrs(context.Background(), level, e.Kind.String(), attrs...)
		}),
	}
}

// failureLevel says how bad an event is, and whether it is told. Of the failures of a task or a
// job that are retried the 1st, 2nd, 4th, 8th and so on are, as warnings.
func failureLevel(e events.Event) (level slog.Level, ok bool) {
	if e.Kind == events.RetryScheduled || e.Kind == events.JobRetryScheduled {
		return slog.LevelWarn, e.Exit.IsFailure() && bits.OnesCount64(e.Count) == 1
	}
	level = e.Level()
	return level, level >= slog.LevelWarn
}
