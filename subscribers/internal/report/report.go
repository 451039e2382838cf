// Package report decides what a log is told of the events: which of them make a line,
// how loud it is, and which stack stands by it. The loggers only write it down.
//
// A restart is not an error for ever. Failures of one task that follow each other are
// a streak: what is new in it is told, the rest is counted, and so is a streak's end.
// The doc of package sloglog has the rules.
package report

import (
	"cmp"
	"container/list"
	"log/slog"
	"strings"
	"time"

	"github.com/taskvisor/taskvisor/events"
	"github.com/taskvisor/taskvisor/policy"
)

const (
	// DefaultEscalateAfter is the EscalateAfter of [Rules] that do not say one.
	DefaultEscalateAfter = 5
	// DefaultInterval is the Interval of [Rules] that do not say one.
	DefaultInterval = time.Minute
	// MaxTracked is how many streaks are kept. While there are that many, each
	// failure outside of them makes a line.
	MaxTracked = 10_000
	// Queue is the Queue of a logger's subscriber. Thousands of short tasks that are
	// started together make tens of thousands of events in a moment, and the failures
	// among them are what a log is for. Memory is used only as events wait.
	Queue = 1 << 16
)

// Rules say how much of a streak of failures is told.
type Rules struct {
	// EscalateAfter is how many failures of a task in a row are an error. Zero
	// means DefaultEscalateAfter; policy.Unlimited are never reached.
	EscalateAfter int
	// Interval is how often failures that are known are told again. Zero means
	// DefaultInterval.
	Interval time.Duration
	// Healthy is how long an attempt must have run to end a streak. Zero means
	// policy.DefaultResetAfter.
	Healthy time.Duration
}

// Line is one line of the log: an event, and what there is to say besides.
type Line struct {
	Level   slog.Level
	Message string
	Event   events.Event
	// Failures is how many there have been in a row, if there is more than one.
	Failures uint64
	// Repeats is how many of them have made no line since the last one.
	Repeats uint64
	// Healthy is for how long an attempt had been running that was told to have
	// recovered, if that was long enough.
	Healthy time.Duration
	// Stack is where it happened, unless a line before has said so.
	Stack string
}

// Reporter makes lines of events. It reads no clock: the time is the events'. Its
// zero value is ready, and belongs to one goroutine.
type Reporter struct {
	Rules

	streaks map[key]*streak
	runs    list.List // of *run, each of a streak, in the order in which they began
	swept   time.Time // when streaks was last searched for leftovers
	stacks  stacks
	lines   []Line
}

// Lines returns what to write of e: nothing or one line, and before it one for each task
// that turns out to have recovered by the time of e, whatever e is about. What is not
// enabled is not written, and so counts as not told. The slice is good until the next call.
func (r *Reporter) Lines(e events.Event, enabled func(slog.Level) bool) []Line {
	clear(r.lines)
	r.lines = r.lines[:0]

	r.unwatch(&e)
	r.settle(e.At, enabled)
	if e.Job != nil && r.jobsTask(e, enabled) {
		return r.lines
	}
	switch e.Kind {
	case events.AttemptStarted:
		r.watch(e)
		r.tell(plain(e), enabled)
	case events.AttemptEnded:
		r.attemptEnded(e, enabled)
	case events.TaskReady:
		r.taskReady(e, enabled)
		r.watch(e)
	case events.TaskFinished:
		r.ended(keyOf(events.AttemptEnded, &e), e, enabled)
	case events.SupervisorStopped:
		r.ended(keyOf(events.GroupRestarting, &e), e, enabled)
	case events.GroupRestarting, events.SubscriberPanicked:
		r.again(keyOf(e.Kind, &e), e, enabled)
	case events.JobRetryScheduled, events.JobFailed, events.JobDeadLettered, events.JobExpired, events.JobParked, events.JobTypeUnknown:
		r.again(keyOfType(&e), e, enabled)
	case events.StoreFailed:
		r.again(keyOf(e.Kind, &e), e, enabled)
	case events.StoreRecovered:
		r.ended(keyOf(events.StoreFailed, &e), e, enabled)
	case events.TaskStuck:
		r.taskStuck(e, enabled)
	case events.TaskAbandoned:
		r.stacks.add(traces(e.Err)) // those of the task that was stuck before
		r.tell(plain(e), enabled)
	default:
		r.tell(plain(e), enabled)
	}
	return r.lines
}

// jobsTask tells what happened to a task that runs on behalf of a job, if that is no news:
// how an attempt at a job has ended is told by the job. It says whether it has.
func (r *Reporter) jobsTask(e events.Event, enabled func(slog.Level) bool) bool {
	switch e.Kind {
	case events.AttemptStarted, events.AttemptEnded, events.TaskReady, events.TaskFinished:
		r.tell(plain(e), enabled)
		return true
	}
	return false
}

// tell adds the line if it is enabled, and its stack if that is new.
func (r *Reporter) tell(l Line, enabled func(slog.Level) bool) bool {
	if !enabled(l.Level) {
		return false
	}
	if l.Message == "" {
		l.Message = messageOf(&l.Event)
	}
	if l.Event.Kind != events.RetryScheduled { // the failure before it has shown it
		if stack := traces(l.Event.Err); r.stacks.add(stack) {
			l.Stack = stack
		}
	}
	r.lines = append(r.lines, l)
	return true
}

// taskStuck tells each time. A repeat is a warning: the error has been told.
func (r *Reporter) taskStuck(e events.Event, enabled func(slog.Level) bool) {
	l := plain(e)
	stack := traces(e.Err)
	r.stacks.add(stack) // it may come up the tree
	if e.Count > 1 {
		l.Level = slog.LevelWarn
	} else {
		l.Stack = stack // also if another is stuck at the same place
	}
	r.tell(l, enabled)
}

// attemptEnded ends a streak or makes it longer.
func (r *Reporter) attemptEnded(e events.Event, enabled func(slog.Level) bool) {
	failed := e.Exit.IsFailure()
	k := keyOf(events.AttemptEnded, &e)
	if s := r.streaks[k]; s != nil {
		switch {
		case r.ranWell(e):
			r.forget(k)
			if s.open && r.tellRecovered(s, e, e.Elapsed, enabled) && !failed {
				return
			}
		case failed:
			s.flaps = s.flaps || s.ready
		}
		s.ready = false
	}
	if failed {
		r.failure(k, e, enabled)
		return
	}
	r.tell(plain(e), enabled)
}

// ranWell says that an attempt was well, whatever became of it. One that ran into
// its timeout may have hung all the time.
func (r *Reporter) ranWell(e events.Event) bool {
	switch e.Exit {
	case policy.Succeeded, policy.Finished:
		return true
	case policy.TimedOut:
		return false
	}
	return e.Elapsed >= r.healthy()
}

// taskReady is a recovery if no attempt that failed had come that far.
func (r *Reporter) taskReady(e events.Event, enabled func(slog.Level) bool) {
	if s := r.streaks[keyOf(events.AttemptEnded, &e)]; s != nil {
		s.ready = true
		if s.open && !s.flaps && r.tellRecovered(s, e, 0, enabled) {
			return
		}
	}
	r.tell(plain(e), enabled)
}

// tellRecovered tells the recovery that e shows, of an attempt that has run so long. An
// error of e came after the recovery and is none of its.
func (r *Reporter) tellRecovered(s *streak, e events.Event, lasted time.Duration, enabled func(slog.Level) bool) bool {
	if e.Exit.IsFailure() {
		e.Exit, e.Err = 0, nil
	}
	l := Line{Level: slog.LevelInfo, Message: "task recovered", Event: e}
	s.account(&l)
	if lasted >= r.healthy() {
		l.Healthy = lasted
	}
	if !r.tell(l, enabled) {
		return false
	}
	s.open, s.untold = false, 0
	return true
}

// ended tells that nothing more will come of a streak, and of what it left untold.
func (r *Reporter) ended(k key, e events.Event, enabled func(slog.Level) bool) {
	l := plain(e)
	if s := r.streaks[k]; s != nil {
		r.forget(k)
		s.account(&l)
		if s.untold > 0 {
			l.Level = max(l.Level, slog.LevelInfo)
		}
	}
	r.tell(l, enabled)
}

// again counts what has no good end that an event would tell: it is over when it
// has not happened for a while.
func (r *Reporter) again(k key, e events.Event, enabled func(slog.Level) bool) {
	if s := r.streaks[k]; s != nil && e.At.Sub(s.last) >= r.healthy() {
		s.failures, s.texts = 0, nil
	}
	r.failure(k, e, enabled)
}

// failure counts one more of a streak, and tells of it if it is news.
func (r *Reporter) failure(k key, e events.Event, enabled func(slog.Level) bool) {
	l := plain(e)
	s := r.streakOf(k, e.At)
	if s == nil {
		r.tell(l, enabled)
		return
	}
	s.failures++
	s.last = e.At
	s.hangs = s.hangs || e.Exit == policy.TimedOut
	text := fingerprint(e)
	if s.has(text) { // so is its stack, which this error may yet carry up the tree
		r.stacks.add(traces(e.Err))
	}

	// It is news if there are too many, if it is another one, and after a while.
	tooMany := k.kind == events.AttemptEnded && !s.escalated && s.failures >= r.tooMany()
	if tooMany {
		l.Level, l.Message = slog.LevelError, "attempt keeps failing"
		s.escalated, s.open = true, true
	}
	isNews := tooMany || !s.knows(text) || e.At.Sub(s.told) >= cmp.Or(r.Interval, DefaultInterval)

	s.account(&l)
	if !isNews || !r.tell(l, enabled) {
		s.untold++
		s.open = true
		return
	}
	s.untold, s.told = 0, e.At
	s.learn(text)
}

func (r *Reporter) tooMany() uint64 { return uint64(cmp.Or(r.EscalateAfter, DefaultEscalateAfter)) }

func (r *Reporter) healthy() time.Duration { return cmp.Or(r.Healthy, policy.DefaultResetAfter) }

// plain is the line of an event as such.
func plain(e events.Event) Line { return Line{Level: e.Level(), Event: e} }

// messageOf returns what happened, in words that do not change.
func messageOf(e *events.Event) string {
	switch {
	case e.Kind == events.AttemptEnded && e.Exit.IsFailure():
		return "attempt failed"
	case e.Kind == events.TaskFinished && e.Outcome == events.Failed:
		return "task failed"
	}
	return strings.ReplaceAll(e.Kind.String(), "_", " ")
}
