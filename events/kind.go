package events

import "github.com/taskvisor/taskvisor/internal/label"

// Kind says what an [Event] tells. Zero is no kind, and such an event is never
// published. The package comment lists the fields that each kind sets.
type Kind uint8

const (
	_ Kind = iota
	// SupervisorStarted means: the declared children of a supervisor are up.
	SupervisorStarted
	// SupervisorStopping means: a supervisor begins to stop its children.
	SupervisorStopping
	// SupervisorStopped means: a supervisor has stopped, and so have its children but
	// for those that were abandoned.
	SupervisorStopped
	// GroupRestarting means: a failure restarts several children together.
	GroupRestarting
	// GroupRestarted means: the children that were restarted together are up again.
	GroupRestarted
	// IntensityExceeded means: the children of a supervisor failed too often, and it
	// gives up.
	IntensityExceeded
	// TaskQueued means: a task was submitted for a key whose places are taken, and
	// waits for its turn.
	TaskQueued
	// TaskRejected means: a task that was submitted will not run. Reason says why.
	TaskRejected
	// TaskAdded means: a supervisor has taken in a task, which has not run yet.
	TaskAdded
	// TaskReady means: a task said that it is ready.
	TaskReady
	// AttemptStarted means: a task is about to be run.
	AttemptStarted
	// AttemptEnded means: a run of a task has ended. Exit says how.
	AttemptEnded
	// RetryScheduled means: a task will be run again after a delay.
	RetryScheduled
	// TaskStopping means: a task is told to stop. Reason says why.
	TaskStopping
	// TaskStuck means: an attempt has not ended within its grace.
	TaskStuck
	// TaskAbandoned means: a stuck attempt is no longer waited for.
	TaskAbandoned
	// TaskReturned means: an abandoned attempt has returned after all, which changes
	// nothing.
	TaskReturned
	// TaskFinished means: a task has ended and is not run again. Outcome says how.
	TaskFinished
	// TaskRemoved means: a supervisor has forgotten a task, and its name is free.
	TaskRemoved
	// JobSubmitted means: a job was stored.
	JobSubmitted
	// BatchSubmitted means: several jobs were submitted together, and those that are new were stored.
	BatchSubmitted
	// JobUpgraded means: a job was submitted that is there already, which has raised the priority of
	// the one that is.
	JobUpgraded
	// JobStarted means: a job was claimed and given to its handler.
	JobStarted
	// JobProgressed means: a job said how far it has come.
	JobProgressed
	// JobRetryScheduled means: an attempt at a job failed, and another one follows after a delay.
	JobRetryScheduled
	// JobSnoozed means: a job put itself off.
	JobSnoozed
	// JobReleased means: a job went back to the queue, and its attempt is not counted. Reason
	// says why.
	JobReleased
	// JobCompleted means: a job is done.
	JobCompleted
	// JobFailed means: a job failed for good: it is not worth another attempt.
	JobFailed
	// JobDeadLettered means: a job failed, and no retry is left.
	JobDeadLettered
	// JobCancelled means: somebody cancelled a job, and it will not run any more.
	JobCancelled
	// JobSuperseded means: another job took the place of one.
	JobSuperseded
	// JobExpired means: a job waited for longer than it was worth, and will not run.
	JobExpired
	// JobParked means: a job was set aside until somebody releases it. Err says why.
	JobParked
	// JobRevived means: a dead letter, or a job that was set aside, was put back into the queue.
	JobRevived
	// JobTypeUnknown means: jobs wait of a type for which there is no handler.
	JobTypeUnknown
	// StoreOpened means: a store of jobs is open.
	StoreOpened
	// StoreFailed means: a commit to a store of jobs failed.
	StoreFailed
	// StoreRecovered means: commits to a store of jobs succeed again.
	StoreRecovered
	// EventsLost means: events did not fit into a subscriber's queue. Only that
	// subscriber is told, whatever its Kinds.
	EventsLost
	// SubscriberPanicked means: a subscriber's handler panicked. Only the other
	// subscribers are told.
	SubscriberPanicked
)

var kinds = label.Table[Kind]{Type: "kind", Labels: []string{
	SupervisorStarted:  "supervisor_started",
	SupervisorStopping: "supervisor_stopping",
	SupervisorStopped:  "supervisor_stopped",
	GroupRestarting:    "group_restarting",
	GroupRestarted:     "group_restarted",
	IntensityExceeded:  "intensity_exceeded",
	TaskQueued:         "task_queued",
	TaskRejected:       "task_rejected",
	TaskAdded:          "task_added",
	TaskReady:          "task_ready",
	AttemptStarted:     "attempt_started",
	AttemptEnded:       "attempt_ended",
	RetryScheduled:     "retry_scheduled",
	TaskStopping:       "task_stopping",
	TaskStuck:          "task_stuck",
	TaskAbandoned:      "task_abandoned",
	TaskReturned:       "task_returned",
	TaskFinished:       "task_finished",
	TaskRemoved:        "task_removed",
	JobSubmitted:       "job_submitted",
	BatchSubmitted:     "batch_submitted",
	JobUpgraded:        "job_upgraded",
	JobStarted:         "job_started",
	JobProgressed:      "job_progressed",
	JobRetryScheduled:  "job_retry_scheduled",
	JobSnoozed:         "job_snoozed",
	JobReleased:        "job_released",
	JobCompleted:       "job_completed",
	JobFailed:          "job_failed",
	JobDeadLettered:    "job_dead_lettered",
	JobCancelled:       "job_cancelled",
	JobSuperseded:      "job_superseded",
	JobExpired:         "job_expired",
	JobParked:          "job_parked",
	JobRevived:         "job_revived",
	JobTypeUnknown:     "job_type_unknown",
	StoreOpened:        "store_opened",
	StoreFailed:        "store_failed",
	StoreRecovered:     "store_recovered",
	EventsLost:         "events_lost",
	SubscriberPanicked: "subscriber_panicked",
}}

// Kinds returns every kind, in the order of their declaration. The slice is the
// caller's own.
func Kinds() []Kind { return kinds.Values() }

// String returns the label of k.
func (k Kind) String() string { return kinds.String(k) }

// MarshalText returns the label of k; a value without one is an error.
func (k Kind) MarshalText() ([]byte, error) { return kinds.Marshal(k) }

// UnmarshalText sets k to the kind with that label; an unknown label is an error.
func (k *Kind) UnmarshalText(text []byte) error { return kinds.Unmarshal(k, text) }

// kindSet holds kinds as bits; its zero is empty. There are fewer than 64 kinds,
// and the shift makes any other value the empty set.
type kindSet uint64

func setOf(k Kind) kindSet { return 1 << k }

// interests returns what a subscriber with these Kinds is to be given. EventsLost
// is never part of it: the bus makes that event for one subscriber alone.
func interests(ks []Kind) kindSet {
	if len(ks) == 0 {
		ks = Kinds()
	}
	var set kindSet
	for _, k := range ks {
		set |= setOf(k)
	}
	return set &^ setOf(EventsLost)
}
