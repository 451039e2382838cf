// Package events tells what happens to the things that run. A [Bus] carries each
// [Event] from those who publish it to those who subscribe.
//
// An event is a fact that may be lost. No decision of this module depends on one:
// how a task ended is told by its handle, how many there were by the counts that
// the runtime keeps. Events are for looking on: logs, traces, metrics, alarms.
//
// # Guarantees
//
// Order. A bus has one order, which Seq numbers. Every subscriber is given its
// events in that order, one at a time, and none twice. Events published one after
// the other by the same goroutine keep their order. At is read before the place
// in the order is taken, so it may run backwards by a little between publishers.
//
// Independence. Publishing never waits for a subscriber, and no subscriber waits
// for another: each has its own queue and its own goroutine. A handler may publish,
// subscribe, and look at the statistics.
//
// Losses. A subscriber has room for [Subscriber].Queue events, the one in its
// handler included. When there is no room the newest event is lost for this
// subscriber, and so is what follows until an eighth of the room, or 64 places, are
// free again. The subscriber is told of each such run once, by an [EventsLost] with
// the Count, and with the Seq and the At of the last one lost. It stands where the
// gap is: before the first event that got in again, or at the end once the
// subscriber has caught up. No filter keeps it out, and it is never lost itself,
// unless Close discards it. So Seq only grows from one event to the next for every
// subscriber, and a jump in it means nothing: what nobody wants takes no number,
// and what others want is not for all.
//
// Panics. A handler that panics, or calls runtime.Goexit, has dealt with the event,
// and goes on with the next one. The others are told by a [SubscriberPanicked]: of
// the first panic in a stretch of events at once, of the rest with their Count at
// its end. A panic over an EventsLost or a SubscriberPanicked is counted and told
// to nobody, so that no two handlers can keep each other panicking.
//
// Draining. [Bus.Drain] waits until what was published before it has been handled,
// [Bus.Close] until everything has. Both are bounded by their context, name the
// subscribers that were too slow, and are safe to call from within a handler. An
// event that was neither handled nor is waiting has been counted as lost: see
// [Stats].
//
// Goroutines. There is one per subscription, from Subscribe until what was queued
// at its Close has been handled. A handler that never returns keeps its own.
//
// # Kinds and fields
//
// Seq, At and Kind are always set, the others as follows. Those in parentheses are
// set when there is something to say. The kinds about a task also set Generation,
// and Job if it runs on behalf of a stored job, and a supervisor has an ID only below
// another one. Those that set Path set Pattern. For what is told of a stored job Path is
// that of its queue; for job_started and job_progressed it is that of the task that runs
// it, which an ID tells too.
//
//	supervisor_started   (ID) Path, Elapsed: since it was run
//	supervisor_stopping  (ID) Path (Err: the failure that ends it)
//	supervisor_stopped   (ID) Path (Err: what it ends with), Elapsed: since it began to stop
//	group_restarting     (ID) Path Delay, Err: the failure
//	group_restarted      (ID) Path, Elapsed: since the failure
//	intensity_exceeded   (ID) Path, Err: names the child and its failure, Count: restarts in the window
//	task_queued          ID Path Key, Count: how many wait for the key, with this one
//	task_rejected        ID Path Key Reason, Elapsed: since it was submitted
//	task_added           ID Path
//	task_ready           ID Path Attempt, Elapsed: since the attempt started
//	attempt_started      ID Path Attempt
//	attempt_ended        ID Path Attempt Exit (Err), Elapsed: since it was started, the wait for a processor included
//	retry_scheduled      ID Path Attempt Exit Delay (Err), Count: failures in a row
//	task_stopping        ID Path (Attempt) Reason
//	task_stuck           ID Path Attempt Reason, Err: its stacks, Elapsed: since it was told to stop, Count: how often told
//	task_abandoned       ID Path Attempt Reason Err, Elapsed: since it was told to stop
//	task_returned        ID Path Attempt Exit (Err: what it returned), Elapsed: since the attempt started
//	task_finished        ID Path Attempt Outcome (Reason) (Err), Elapsed: since it was added
//	task_removed         ID Path
//	job_submitted        Path Job (Delay: when it is not to run at once)
//	batch_submitted      Path (Job: with the Type, when all have the same), Count: how many were stored
//	job_upgraded         Path Job, with the priority that it has now
//	job_started          Path Job Attempt, Elapsed: how long it had been ready
//	job_progressed       Path Job, with Progress and Message
//	job_retry_scheduled  Path Job Delay Exit (Err), Elapsed: of the attempt, Count: failures
//	job_snoozed          Path Job Delay (Err: why it could not be begun)
//	job_released         Path Job (Reason)
//	job_completed        Path Job Exit, Elapsed: of the attempt
//	job_failed           Path Job (Exit) Err, Elapsed: of the attempt
//	job_dead_lettered    Path Job (Exit) (Err), Elapsed: of the attempt, Count: failures
//	job_cancelled        Path Job (Exit) (Err), Elapsed: of the attempt, if there was one
//	job_superseded       Path Job (Exit), Elapsed: of the attempt, if there was one
//	job_expired          Path Job, Elapsed: since it was submitted
//	job_parked           Path Job (Err)
//	job_revived          Path Job
//	job_type_unknown     Path Job: with the Type alone, Count: how many wait
//	store_opened         Path, Elapsed: how long that took, Count: jobs found
//	store_failed         Path Err, Count: steps of the commit
//	store_recovered      Path
//	events_lost          Subscriber, Count: events lost
//	subscriber_panicked  Subscriber, Count: panics, Err: the last as a *HandlerPanic
package events
