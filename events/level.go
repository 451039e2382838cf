package events

import "log/slog"

// Level returns how much e matters to who keeps the log of a program:
//
//   - Debug is the course of things: tasks come and go, start, are ready, succeed, are
//     told to stop, are scheduled to be run again, wait for their key or make way.
//   - Info is the course of the whole: a supervisor is up, has restarted a group,
//     begins to stop or has stopped without an error.
//   - Warn is what went wrong and is being mended: an attempt that failed, a group
//     that is restarted for it, a task that was submitted
//     and not let in, if nobody asked for that, an abandoned attempt that returned, events that
//     were lost.
//   - Error is what nothing mends: a task that is stuck, was abandoned or has failed
//     for good, failures that come too often, a supervisor that ends with an error,
//     a subscriber that panicked.
//
// A kind that is not known is Info.
func (e Event) Level() slog.Level {
	switch e.Kind {
	case TaskQueued, TaskAdded, TaskReady, TaskStopping, TaskRemoved, AttemptStarted:
		return slog.LevelDebug
	case RetryScheduled: // the failure before it was the news
		return slog.LevelDebug
	case AttemptEnded:
		if e.Exit.IsFailure() {
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
		if e.Outcome == Failed || e.Outcome == Abandoned {
			return slog.LevelError
		}
		return slog.LevelDebug

	case SupervisorStarted, GroupRestarted:
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
