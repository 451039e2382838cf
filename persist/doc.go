// Package persist is the durable door to a supervisor: jobs that are on disk when they are
// acknowledged, that survive the end of the process however it comes, and that run under a
// supervisor like any other task.
//
// A [Type] is a value that names a sort of jobs and says what their input is. Whoever has it can
// submit; whoever handles it gives a function to a [Queue]:
//
//	var Resize = persist.Define[Picture]("resize", persist.WithTimeout(time.Minute))
//
//	q := persist.New(persist.Config{
//		Store:    boltstore.File("jobs.db", boltstore.Options{}),
//		Handlers: []persist.Handler{Resize.Handle(resize)},
//	})
//	// in a tree: supervisor.Main(ctx, q.Spec("queue")), or alone: q.Run(ctx)
//	result, err := Resize.Submit(ctx, q, Picture{Path: "a.png"}, persist.WithPriority(persist.High))
//
// # What is promised
//
// When Submit has returned nil, the job is on disk (but see [Relaxed]). It is run at least once,
// and not again once its end is on disk. What an attempt did before the process died, the next
// one may do again: a handler should not mind. A crash uses up no attempt, and neither does
// a stop of the queue. All that ran at a crash may run again the moment that the store is open.
//
// Of a job's end nobody is told before it is on disk: not by an event, not by [Queue.Await], and
// what waits for its key does not run.
//
// # Order
//
// Of the jobs that may run, the one with the lowest priority number goes first, and of one
// priority the one that was submitted first, also if it has failed in between. A job that may not
// run, since it waits for a time or since its group or its domain has no place, holds up nobody
// else; and whatever it waits for wakes it: nothing is polled. [Queue.Why] says what that is.
//
// # Keys
//
// Of the jobs with one key, only one runs at a time, and a second submission is a duplicate of the
// first, see [Duplicates] and [ResultKind]. The key is what WithKey says, or what
// Type.KeyedBy makes of the input, or otherwise the input as a whole: to submit the same
// thing twice does it once. WithoutKey says that each submission counts.
//
// # Failures
//
// A handler that returns an error, panics or takes too long is run again after a pause, as often
// as WithMaxRetries says. Then the job is a dead letter, to be listed by [Queue.DeadLetters] and
// put back by [Queue.Revive]. Errors can say otherwise: actor.Fatal, actor.RetryAfter, [Snooze],
// [Cancel].
//
// A job that takes the process with it would do so again and again. After a crash, claims are
// therefore stored before jobs are begun; those that ran at the next crash run alone; and one
// that has run alone in several crashes is parked until [Queue.Release]. See Config.Crashes.
//
// # One runtime
//
// A queue is a supervisor with three children: the ledger, which owns the store and commits
// whatever has gathered since the last commit; the workers, a supervisor whose dynamic
// children are the jobs that run, by their numbers; and the clock. Panics, timeouts, stuck
// attempts, events and the stop of the tree are those of any task. Each attempt at a job is
// one child, which is never restarted: what follows an attempt is up to the queue.
//
// The store is not part of this package: see boltstore for the one to use, memstore for tests, and
// storetest for what makes a store.
package persist
