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
// generation, exit, outcome, reason, delay, elapsed, count, error and subscriber, each
// of them if its event says it, as [events.Event.LogValue] does. The error is handed
// over as an error. These may follow:
//
//	failures  how many failures of the streak there have been, from the second on
//	repeats   how many of them have made no record since the last one
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
//     without a record. It takes the place of the record of the attempt that succeeded,
//     or was stopped after a healthy run, and stands before that of a failure after
//     one. A service that runs on ends no attempt, so its recovery is told when it says
//     that it is ready, provided that no attempt of the streak had come so far before
//     it failed. If it fails soon after, the streak goes on, without another error.
//   - the rest as the repeats of the task's end, which is an Info at least if there are
//     any.
//
// So the records of failures and all the repeats add up to the failures that there were.
//
// Restarts of a group, by the path of their supervisor, and panics of a subscriber are
// told in the same way and with the levels of their events, but never escalated. They
// have recovered when there was none for as long as Healthy, which makes no record.
//
// There may be 10,000 streaks at a time. While there are, failures of further tasks
// have a record each.
//
// # Stacks
//
// A stack is written once: with the first record of its failure, and not with those
// that repeat it or carry it up the tree. A stuck task shows its stacks when it is told
// to be stuck for the first time.
package sloglog

import (
	"context"
	"log/slog"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/subscribers/internal/report"
)

// Logger is an [events.Handler] that writes records. Its zero value is ready and
// writes to slog.Default(). A Logger is for one subscription: it is called by one
// goroutine. Its fields are set before that and not changed afterwards.
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

	reporter report.Reporter
}

// New returns a Logger that writes to l. Nil means slog.Default(), as it is at each
// event.
func New(l *slog.Logger) *Logger { return &Logger{Log: l} }

// Subscriber returns a subscriber named "slog" that is given all events.
func (l *Logger) Subscriber() events.Subscriber {
	return events.Subscriber{Name: "slog", Handler: l}
}

// Handle writes what there is to say about e.
func (l *Logger) Handle(e events.Event) {
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
