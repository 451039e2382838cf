package events

import "log/slog"

// Level returns how much e matters to who keeps the log of a program:
//
//   - Debug is the course of things: tasks come and go, start, are ready, succeed, are
//     told to stop, are scheduled to be run again, wait for their key or make way. So do
//     jobs, and each attempt at one, whose failure is told by the job.
//   - Info is the course of the whole: a supervisor is up, has restarted a group,
//     begins to stop or has stopped without an error, a store of jobs is open or takes
//     commits again.
//   - Warn is what went wrong and is being mended: an attempt that failed, a group
//     that is restarted for it, a task that was submitted
//     and not let in, if nobody asked for that, an abandoned attempt that returned, events that
//     were lost; a job that is to be tried again, was set aside or has expired, a type
//     of jobs without a handler.
//   - Error is what nothing mends: a task that is stuck, was abandoned or has failed
//     for good, failures that come too often, a supervisor that ends with an error,
//     a subscriber that panicked, a job that has failed for good or has no retry left, a
//     commit that failed.
//
// A kind that is not known is Info.
func (e Event) Level() slog.Level {
	switch e.Kind {
	case TaskQueued, TaskAdded, TaskReady, TaskStopping, TaskRemoved, AttemptStarted:
		return slog.LevelDebug
	case RetryScheduled: // the failure before it was the news
		return slog.LevelDebug
	case AttemptEnded:
		if e.Exit.IsFailure() && e.Job == nil {
			return slog.LevelWarn
		}
		return slog.LevelDebug
	case TaskRejected:
		switch e.Reason {
		case ReasonFull, ReasonExpired, ReasonDuplicate, ReasonClosing:
			return slog.LevelWarn
		}
		return slog.LevelDebug // busy, superseded, withdrawn: as its admission says, or as somebody asked for
	case TaskFinished:
		if e.Outcome == Failed && e.Job == nil || e.Outcome == Abandoned {
			return slog.LevelError
		}
		return slog.LevelDebug

	case JobSubmitted, BatchSubmitted, JobUpgraded, JobStarted, JobProgressed, JobSnoozed, JobReleased,
		JobCompleted, JobCancelled, JobSuperseded, JobRevived:
		return slog.LevelDebug
	case JobRetryScheduled, JobExpired, JobParked, JobTypeUnknown:
		return slog.LevelWarn
	case JobFailed, JobDeadLettered, StoreFailed:
		return slog.LevelError

	case SupervisorStarted, GroupRestarted, StoreOpened, StoreRecovered:
		return slog.LevelInfo
	case SupervisorStopping, SupervisorStopped:
		if e.Err != nil {
			return slog.LevelError
		}
		return slog.LevelInfo

	case GroupRestarting, TaskReturned, EventsLost:
		return slog.LevelWarn
	case TaskStuck, TaskAbandoned, IntensityExceeded, SubscriberPanicked:
		return slog.LevelError
	}
	return slog.LevelInfo
}
