package events_test

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

// levels has a row for each kind, and more for those that depend on how it went.
var levels = []struct {
	event events.Event
	want  slog.Level
}{
	{events.Event{Kind: events.SupervisorStarted}, slog.LevelInfo},
	{events.Event{Kind: events.SupervisorStopping}, slog.LevelInfo},
	{events.Event{Kind: events.SupervisorStopping, Err: errors.New("gave up")}, slog.LevelError},
	{events.Event{Kind: events.SupervisorStopped}, slog.LevelInfo},
	{events.Event{Kind: events.SupervisorStopped, Err: errors.New("gave up")}, slog.LevelError},
	{events.Event{Kind: events.GroupRestarting, Err: errors.New("refused")}, slog.LevelWarn},
	{events.Event{Kind: events.GroupRestarted}, slog.LevelInfo},
	{events.Event{Kind: events.IntensityExceeded}, slog.LevelError},
	{events.Event{Kind: events.TaskQueued}, slog.LevelDebug},
	{events.Event{Kind: events.TaskRejected, Reason: events.ReasonBusy}, slog.LevelDebug},
	{events.Event{Kind: events.TaskRejected, Reason: events.ReasonSuperseded}, slog.LevelDebug},
	{events.Event{Kind: events.TaskRejected, Reason: events.ReasonWithdrawn}, slog.LevelDebug},
	{events.Event{Kind: events.TaskRejected, Reason: events.ReasonClosing}, slog.LevelWarn},
	{events.Event{Kind: events.TaskRejected, Reason: events.ReasonFull}, slog.LevelWarn},
	{events.Event{Kind: events.TaskRejected, Reason: events.ReasonExpired}, slog.LevelWarn},
	{events.Event{Kind: events.TaskRejected, Reason: events.ReasonDuplicate}, slog.LevelWarn},
	{events.Event{Kind: events.TaskAdded}, slog.LevelDebug},
	{events.Event{Kind: events.TaskReady}, slog.LevelDebug},
	{events.Event{Kind: events.AttemptStarted}, slog.LevelDebug},
	{events.Event{Kind: events.AttemptEnded}, slog.LevelDebug},
	{events.Event{Kind: events.AttemptEnded, Exit: policy.Succeeded}, slog.LevelDebug},
	{events.Event{Kind: events.AttemptEnded, Exit: policy.Finished}, slog.LevelDebug},
	{events.Event{Kind: events.AttemptEnded, Exit: policy.Stopped, Err: errors.New("cut short")}, slog.LevelDebug},
	{events.Event{Kind: events.AttemptEnded, Exit: policy.Failed}, slog.LevelWarn},
	{events.Event{Kind: events.AttemptEnded, Exit: policy.Fatal}, slog.LevelWarn},
	{events.Event{Kind: events.AttemptEnded, Exit: policy.Panicked}, slog.LevelWarn},
	{events.Event{Kind: events.AttemptEnded, Exit: policy.Stalled}, slog.LevelWarn},
	{events.Event{Kind: events.RetryScheduled, Exit: policy.Failed}, slog.LevelDebug},
	{events.Event{Kind: events.TaskStopping}, slog.LevelDebug},
	{events.Event{Kind: events.TaskStuck}, slog.LevelError},
	{events.Event{Kind: events.TaskAbandoned}, slog.LevelError},
	{events.Event{Kind: events.TaskReturned}, slog.LevelWarn},
	{events.Event{Kind: events.TaskFinished, Outcome: events.Completed}, slog.LevelDebug},
	{events.Event{Kind: events.TaskFinished, Outcome: events.Stopped}, slog.LevelDebug},
	{events.Event{Kind: events.TaskFinished, Outcome: events.Failed}, slog.LevelError},
	{events.Event{Kind: events.TaskFinished, Outcome: events.Abandoned}, slog.LevelError},
	{events.Event{Kind: events.TaskRemoved}, slog.LevelDebug},
	{events.Event{Kind: events.AttemptEnded, Exit: policy.Failed, Job: &events.Job{}}, slog.LevelDebug},
	{events.Event{Kind: events.TaskFinished, Outcome: events.Failed, Job: &events.Job{}}, slog.LevelDebug},
	{events.Event{Kind: events.TaskFinished, Outcome: events.Abandoned, Job: &events.Job{}}, slog.LevelError},
	{events.Event{Kind: events.JobSubmitted}, slog.LevelDebug},
	{events.Event{Kind: events.BatchSubmitted}, slog.LevelDebug},
	{events.Event{Kind: events.JobUpgraded}, slog.LevelDebug},
	{events.Event{Kind: events.JobStarted}, slog.LevelDebug},
	{events.Event{Kind: events.JobProgressed}, slog.LevelDebug},
	{events.Event{Kind: events.JobRetryScheduled}, slog.LevelWarn},
	{events.Event{Kind: events.JobSnoozed}, slog.LevelDebug},
	{events.Event{Kind: events.JobReleased, Reason: events.ReasonShutdown}, slog.LevelDebug},
	{events.Event{Kind: events.JobCompleted}, slog.LevelDebug},
	{events.Event{Kind: events.JobFailed}, slog.LevelError},
	{events.Event{Kind: events.JobDeadLettered}, slog.LevelError},
	{events.Event{Kind: events.JobCancelled}, slog.LevelDebug},
	{events.Event{Kind: events.JobSuperseded}, slog.LevelDebug},
	{events.Event{Kind: events.JobExpired}, slog.LevelWarn},
	{events.Event{Kind: events.JobParked}, slog.LevelWarn},
	{events.Event{Kind: events.JobRevived}, slog.LevelDebug},
	{events.Event{Kind: events.JobTypeUnknown}, slog.LevelWarn},
	{events.Event{Kind: events.StoreOpened}, slog.LevelInfo},
	{events.Event{Kind: events.StoreFailed}, slog.LevelError},
	{events.Event{Kind: events.StoreRecovered}, slog.LevelInfo},
	{events.Event{Kind: events.EventsLost}, slog.LevelWarn},
	{events.Event{Kind: events.SubscriberPanicked}, slog.LevelError},
}

func TestAnEventMattersAsMuchAsWhatHappened(t *testing.T) {
	unruled := make(map[events.Kind]bool)
	for _, k := range events.Kinds() {
		unruled[k] = true
	}
	for _, row := range levels {
		delete(unruled, row.event.Kind)
		if got := row.event.Level(); got != row.want {
			t.Errorf("%v is %v, want %v", row.event, got, row.want)
		}
	}
	for k := range unruled {
		t.Errorf("nobody has ruled on %v", k)
	}
	if got := (events.Event{Kind: 63}).Level(); got != slog.LevelInfo {
		t.Errorf("a kind from the future is %v, want it seen without alarm", got)
	}
}
