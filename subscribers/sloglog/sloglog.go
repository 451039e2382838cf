// Package sloglog writes events to a [log/slog.Logger]: for programs, and for who has
// to find out later what happened.
//
//	app := supervisor.New(supervisor.Config{
//		Subscribers: []events.Subscriber{sloglog.New(nil).Subscriber()}, // slog.Default
//	})
//
// # Records
//
// A record has the time of its event, a message, and the event's fields. The messages
// and the keys are stable. The message is the event's kind in words, such as "task
// added", but for these:
//
//	attempt failed         an attempt_ended that was a failure
//	attempt keeps failing  the same, for the EscalateAfter-th in a row
//	task recovered         the end of a streak of failures
//	task failed            a task_finished with the outcome failed
//
// The attributes stand side by side, without a group: seq, kind, path, id, attempt,
// generation, key, exit, outcome, reason, delay, elapsed, count, error and subscriber, each
// of them if its event says it, as [events.Event.LogValue] does, but for the generation,
// which is there from the second on. The error is handed over as an error. An event about a
// stored job has after key: job, which is its number, job_type, job_domain, job_key,
// job_label, job_group, job_priority, job_attempt, job_tags, which is one text such as
// "a=1,b=2", job_progress and job_message. These may follow:
//
//	failures  how many failures of the streak there have been, from the second on
//	repeats   how many of them have made no record since the last one
//	healthy   how long an attempt had been running that has recovered, from Healthy on
//	stack     where a panic happened, or where a stuck task is
//
// # Levels
//
// The level is what happened: see [events.Event.Level]. A task that is told again to
// be stuck is a warning.
//
// A logger that is not enabled for a level costs next to nothing, and what it does
// not take has made no record: it is among the repeats of the next one that it takes.
// Sampling is the logger's own affair.
//
// # Bursts
//
// The queue of the subscriber has room for 65,536 events, as many short tasks that are
// started together come and go faster than an event is handled, and the failures among
// them must not get lost. Who expects more, or less, changes the Queue:
//
//	logs := sloglog.New(nil).Subscriber()
//	logs.Queue = events.MaxQueue
//
// # Streaks
//
// A restart is not an error for ever. Failures of one task are a streak, until an
// attempt succeeds, or runs for as long as Healthy without running into its timeout,
// or the task is finished. A streak makes
//
//   - a warning for the first failure, and for each that is new in it: it ended in
//     another way, or its error has another text in its first 1024 bytes. After eight
//     different ones none is new any more, so that a text with a port or an address
//     in it does not flood the log.
//   - no record for the others, but a warning when the last record of the streak is an
//     Interval ago.
//   - one error, in place of the warning, for the failure that is number EscalateAfter,
//     whatever the texts.
//   - one "task recovered", an Info, when it is over, if it had that error, or failures
//     without a record: see below.
//   - the rest as the repeats of the task's end, which is an Info at least if there are
//     any.
//
// So the records of failures and all the repeats add up to the failures that there were.
//
// A recovery is told by the first event that shows it:
//
//   - The attempt says that it is ready, and no attempt of the streak had come so far
//     before it failed. If it fails soon after, the streak goes on, without another error.
//   - The attempt succeeds, or is stopped after a healthy run. The recovery takes the
//     place of the record of that. It stands before the record of a failure after such a
//     run, at the same time, and healthy says since when all was well.
//   - The attempt runs on, and anything is heard of any task when it has run for as long as
//     Healthy: since it started, or since it was ready if an attempt of the streak had come
//     so far. The recovery has the fields of the event that said so, and the time at which
//     it is told. Nothing wakes a logger up, so in a tree where nothing happens that may
//     be late. It is left to the end of the attempt if an attempt of the streak ran into
//     its timeout, as this one may hang too, if the attempt was told to stop before, or
//     if events were lost.
//
// Restarts of a group, by the path of their supervisor, and panics of a subscriber are
// told in the same way and with the levels of their events, but never escalated. They
// have recovered when there was none for as long as Healthy, which makes no record.
//
// Jobs that are to be tried again, have failed, have no retry left, have expired or were
// set aside, and types without a handler, are told in that way too, one streak for each
// of these kinds and each type of a queue: a thousand jobs of one type that fail for the
// same reason make one record, and one more for each Interval. An attempt at a job is a
// task of its own, of which only Debug tells how it ended, since the job does. A store that
// failed has recovered when it says so, with the repeats.
//
// There may be 10,000 streaks at a time. While there are, failures of further tasks
// have a record each.
//
// # Stacks
//
// A stack is written once: with the first record of its failure, and not with those
// that repeat it or carry it up the tree. That of a panic begins where it happened. A
// stuck task shows its stacks when it is told to be stuck for the first time. Of an error
// whose text goes on with stacks, as that of a stop that left something behind, the record
// has the first line.
package sloglog

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/subscribers/internal/report"
)

// Logger is an [events.Handler] that writes records. Its zero value is ready and
// writes to slog.Default(). A Logger is for one tree. Its fields are set before it is
// subscribed and not changed afterwards.
type Logger struct {
	// Log is where the records go. Nil means slog.Default(), as it is at each event.
	Log *slog.Logger
	// EscalateAfter is how many failures of a task in a row are an error. Zero
	// means 5; policy.Unlimited are never reached.
	EscalateAfter int
	// Interval is how often failures that are known are told again. Zero means a
	// minute.
	Interval time.Duration
	// Healthy is how long an attempt must have run to end a streak of failures.
	// Zero means policy.DefaultResetAfter, a minute.
	Healthy time.Duration

	mu       sync.Mutex      // one line after the other, also when two runs overlap
	reporter report.Reporter // guarded by mu
}

// New returns a Logger that writes to l. Nil means slog.Default(), as it is at each
// event.
func New(l *slog.Logger) *Logger { return &Logger{Log: l} }

// Subscriber returns a subscriber named "slog" that is given all events. It has a large
// Queue, of which only that is used where events wait, and which may be changed.
func (l *Logger) Subscriber() events.Subscriber {
	return events.Subscriber{Name: "slog", Handler: l, Queue: report.Queue}
}

// Handle writes what there is to say about e.
func (l *Logger) Handle(e events.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	log := l.Log
	if log == nil {
		log = slog.Default()
	}
	ctx, h := context.Background(), log.Handler()

	l.reporter.Rules = report.Rules{EscalateAfter: l.EscalateAfter, Interval: l.Interval, Healthy: l.Healthy}
	enabled := func(level slog.Level) bool { return h.Enabled(ctx, level) }
	for _, line := range l.reporter.Lines(e, enabled) {
		record := slog.NewRecord(e.At, line.Level, line.Message, 0)
		record.AddAttrs(line.Attrs()...)
		_ = h.Handle(ctx, record) // as slog does: who logs is not told
	}
}
